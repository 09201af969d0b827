"""What in a program a careful reader would not want tested: mutants of it are false alarms before they are run.

Texts for people (messages, logs), what only type checkers read, names of a module about itself, branches for other
platforms and versions, hashes and caches, checks for the programmer's own mistakes, lines marked `no cover`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from assay.core.variants.source import Function, Module, Scope, dotted, first_line, is_text, last_line, words

ABOUT = words(
    """
    __author_email__ __maintainer_email__
    __all__ __version__ __version_info__ __author__ __email__ __license__ __copyright__ __title__ __url__ __uri__
    __description__ __doc__ __docformat__ __slots__ __test__ __build__ __date__ __credits__ __maintainer__ __status__
    __summary__ __contact__ __revision__ __release__ __package__
    version version_info VERSION version_tuple __version_tuple__ __commit_id__ commit_id
    """
)
"""Names by which a module or class speaks about itself."""
OWN_NAMES = words("__doc__ __module__ __name__ __qualname__ __wrapped__")
"""Attributes by which functions and classes do."""
SILENT_FUNCTIONS = words("__hash__ __sizeof__ __del__ __dir__ __rich_repr__ _repr_html_ _repr_pretty_")
LOG_METHODS = words("debug info warning warn error exception critical fatal log trace")
WARN = words("warn warn_explicit deprecated warn_deprecated _warn _deprecated")
NAMERS = words(
    """
    TypeVar ParamSpec TypeVarTuple NewType getLogger get_logger ContextVar namedtuple NamedTuple TypedDict
    add_argument ArgumentParser add_parser add_argument_group deprecated sleep read recv iter_content
    """
)
"""Functions whose arguments are names, help, times or sizes of buffers."""
TYPE_MAKERS = words("TypeVar ParamSpec TypeVarTuple NewType")
TYPE_NAMES = words(
    """
    Literal Optional Union List Dict Set FrozenSet Tuple Type Callable Annotated ClassVar Final Generic Protocol
    Iterable Iterator Sequence Mapping MutableMapping Generator Coroutine Awaitable Concatenate
    """
)
HARMLESS_KEYWORDS = words(
    """
    encoding help description metavar doc message msg reason stacklevel maxsize usage epilog prog timeout
    buffering bufsize chunk_size chunksize buffer_size slots weakref_slot category deprecated since removed_in
    daemon
    """
)
"""Keyword arguments that say what a test rarely should fix: texts, sizes of buffers, times, encodings by default."""
PARSERS = words("ArgumentParser add_argument add_parser add_argument_group add_subparsers add_mutually_exclusive_group")
"""What takes the texts of a command's help, as the arguments of these names."""
HELP_KEYWORDS = words("help description epilog usage metavar title")
HARMLESS_DECORATORS = words(
    """
    wraps lru_cache cache override final overload runtime_checkable no_type_check deprecated dataclass_transform
    abstractmethod type_check_only
    """
)
PLATFORM = re.compile(
    r"^(?:sys\.)?(?:platform|version_info|hexversion|implementation)(?:\.|$)|^sys\.(?:maxsize|byteorder|flags)"
    r"|^os\.name$|^platform\.|(?:^|\.)_?(?:PY\d*|PYPY|IS_?PYPY|WINDOWS|IS_?WIN(?:DOWS)?|IS_?MAC(?:OS)?|IS_?LINUX"
    r"|PY_?\d+(?:_\w+)?|IS_?PY\w*|HAS_\w+|HAVE_\w+|python_implementation|__debug__)$"
)
"""Names that ask where a program runs, and with what."""
CACHE = re.compile(r"(?i)cache|memo(?:i[sz]e|$|_)")
SIZES = re.compile(r"(?i)timeout|chunk_?size|buffer_?size|cache_?size|max_?size|interval|delay")
NO_COVER = re.compile(rb"#.*\bpragma:?\s*no\s?cover|#\s*no\s?cover\b")
PROSE_WORDS = 3
"""A text of so many words is written for people."""
IMPORT_ERRORS = words("ImportError ModuleNotFoundError")


def closed_nodes(module: Module) -> set[int]:
    """Ids of the nodes of a module's tree in which nothing is changed, nor in anything below them."""
    closed = {id(node) for node in ast.walk(module.tree) if _is_closed(node)}
    closed |= {id(inner) for node in ast.walk(module.tree) for inner in _closed_inside(node)}
    return closed | _not_covered(module)


def is_typing_only(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers alone."""
    return dotted(test).rpartition(".")[2] == "TYPE_CHECKING"


def is_platform(test: ast.expr) -> bool:
    """Whether a condition asks where the program runs."""
    return any(PLATFORM.search(dotted(n)) for n in ast.walk(test) if isinstance(n, ast.Attribute | ast.Name))


def is_main(test: ast.expr) -> bool:
    """`__name__ == "__main__"`."""
    return isinstance(test, ast.Compare) and dotted(test.left) == "__name__"


def is_overload(node: ast.AST) -> bool:
    """Whether a function is there for type checkers, or for the classes below it to define."""
    return isinstance(node, Function) and any(
        dotted(d).rpartition(".")[2] in ("overload", "abstractmethod") for d in node.decorator_list
    )


def is_about(node: ast.AST) -> bool:
    """Whether a statement says what a module calls itself, or makes names for type checkers."""
    if isinstance(node, ast.Assign):
        names, value = [dotted(t) for t in node.targets], node.value
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        names, value = [dotted(node.target)], node.value or node.target
    else:
        return False
    if isinstance(node, ast.AnnAssign) and dotted(node.annotation).endswith("TypeAlias"):
        return True
    if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in TYPE_MAKERS:
        return True
    if isinstance(value, ast.Subscript) and dotted(value.value).rpartition(".")[2] in TYPE_NAMES:
        return True
    return any(name in ABOUT or name.rpartition(".")[2] in OWN_NAMES for name in names)


def is_log(node: ast.AST) -> bool:
    """Whether a statement only writes a log line."""
    value = node.value if isinstance(node, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    owner = value.func.value
    owner = owner.func if isinstance(owner, ast.Call) else owner
    return value.func.attr in LOG_METHODS and "log" in dotted(owner).rpartition(".")[2].casefold()


def is_for_checkers(node: ast.AST) -> bool:
    """Whether it is an assertion that tells a type checker what it cannot see."""
    if not isinstance(node, ast.Assert):
        return False
    test = node.test
    if isinstance(test, ast.Call):
        return dotted(test.func) in ("isinstance", "callable", "issubclass")
    return isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot)


def is_warning(call: ast.Call) -> bool:
    """Whether a call warns people."""
    return dotted(call.func).rpartition(".")[2] in WARN


def texts_of(node: ast.AST) -> Iterator[ast.expr]:
    """Arguments of a raised exception, or of a warning, that hold text for people."""
    call = node.exc if isinstance(node, ast.Raise) else node
    if not isinstance(call, ast.Call) or not (call is not node or is_warning(call)):
        return
    for argument in (*call.args, *(word.value for word in call.keywords)):
        if any(isinstance(n, ast.JoinedStr) or _is_str(n) for n in ast.walk(argument)):
            yield argument


def helps_of(node: ast.Call) -> list[ast.keyword]:
    """Arguments of a parser of the command line that hold text for people."""
    if dotted(node.func).rpartition(".")[2] not in PARSERS:
        return []
    return [word for word in node.keywords if word.arg in HELP_KEYWORDS]


def is_prose(value: object) -> bool:
    """Whether a constant is a text of several words."""
    return isinstance(value, str) and len(re.findall(r"[^\W\d_]{2,}", value)) >= PROSE_WORDS and " " in value.strip()


def is_harmless_decorator(node: ast.expr) -> bool:
    """Whether a decorator changes nothing that a test should fix."""
    name = dotted(node.func if isinstance(node, ast.Call) else node)
    return name.rpartition(".")[2] in HARMLESS_DECORATORS


def _is_str(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_closed(node: ast.AST) -> bool:
    if isinstance(node, ast.stmt):
        return _is_closed_statement(node)
    if isinstance(node, ast.ExceptHandler):
        types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
        return any(dotted(t) in IMPORT_ERRORS for t in types)
    if isinstance(node, ast.keyword):
        return node.arg in HARMLESS_KEYWORDS
    if isinstance(node, ast.Constant):
        return is_prose(node.value)
    return isinstance(node, ast.Subscript) and dotted(node.value).rpartition(".")[2] in TYPE_NAMES


def _is_closed_statement(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return is_main(node.test) or (is_platform(node.test) and not is_typing_only(node.test))
    if isinstance(node, Function):
        return is_overload(node) or node.name in SILENT_FUNCTIONS
    if isinstance(node, ast.Delete):
        return all(isinstance(target, ast.Name) for target in node.targets)
    return isinstance(node, ast.Assert) or is_text(node) or is_about(node) or is_log(node)


def _closed_inside(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes below this one that are closed for being where they are."""
    if isinstance(node, ast.JoinedStr):
        yield from node.values
    elif isinstance(node, ast.Raise):
        yield from texts_of(node)
    elif isinstance(node, ast.Call):
        yield from _closed_arguments(node)
    elif isinstance(node, Scope):
        yield from (d for d in node.decorator_list if is_harmless_decorator(d))
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield from _closed_tests(node)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node.value, ast.Constant) and any(SIZES.search(dotted(t)) for t in targets):
            yield node.value


def _closed_tests(node: ast.If | ast.While | ast.IfExp) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and is_typing_only(node.test):
        yield from (node.test, *node.body)
    elif isinstance(node, ast.IfExp) and is_platform(node.test):
        yield node
    elif any(CACHE.search(dotted(n)) for n in ast.walk(node.test) if isinstance(n, ast.Name | ast.Attribute)):
        yield node.test


def _closed_arguments(call: ast.Call) -> Iterator[ast.AST]:
    name = dotted(call.func).rpartition(".")[2]
    if name in WARN or name in NAMERS:
        yield from (*call.args, *call.keywords)
    elif name == "cast" and call.args:
        yield call.args[0]


def _not_covered(module: Module) -> set[int]:
    """Nodes that their author has marked as not to be run by tests; a mark on a header holds for all below it."""
    lines = module.text.splitlines()
    marked = {number for number, line in enumerate(lines, 1) if b"#" in line and NO_COVER.search(line)}
    if not marked:
        return set()
    return {
        id(node)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.stmt | ast.ExceptHandler) and not marked.isdisjoint(_header(node))
    }


def _header(node: ast.stmt | ast.ExceptHandler) -> range:
    body: list[ast.stmt] = getattr(node, "body", [])
    last = max(node.lineno, first_line(body[0]) - 1) if body else last_line(node)
    return range(first_line(node), last + 1)
