"""Whether a change to Python code is plain: whether it only computes.

Code that forges outcomes in its own process has to reach the test framework, a frame, a file or another module's
attributes. What it needs for that can be read off its syntax, because Python's ways out of a function have names. This
is a second line, for tests that no twin can guard: not a sandbox, and no verdict against anybody. A construct counts
only in statements that the change brings; what stood in the changed files before may move about, and call its own
variables otherwise.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator, Sequence

from assay.core.syntax import SOURCE_ROOTS, parse
from assay.model.tree import FileChange

LINK = "120000"
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
OWN_TEST = re.compile(r"test_.*|.*_test")
"""What pytest takes for tests; a new file of such a name is not run."""
TEST_MODULE = re.compile(r"tests?|testing|unittests|conftest|test_.*|.*_test")
"""Modules that belong to tests, by a part of their dotted name."""
FOREIGN = {*sys.stdlib_module_names, "pytest", "_pytest", "pluggy", "py", "hypothesis"}
"""What no file of a candidate makes its own, whatever it is called."""
MODULES_INSIDE = {"os.path", "urllib.parse", "urllib.error", "collections.abc", "xml.sax"}
VARIABLE = re.compile(r"\b(Name\(id=|arg\(arg=)'(\w+)'")
"""A variable in what `ast.dump` writes."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMPUTING = _words(
    """
    __future__ abc array base64 binascii bisect calendar cmath codecs collections colorsys contextlib copy
    dataclasses datetime decimal difflib enum errno fractions functools graphlib hashlib heapq hmac html ipaddress
    itertools json keyword math numbers operator pprint queue quopri random re secrets shlex statistics string
    stringprep struct textwrap time token typing typing_extensions unicodedata uuid weakref zlib zoneinfo
    """
)
"""Modules of the standard library that any code may use."""
HARMLESS = {
    "ast": {"literal_eval"},
    "asyncio": {
        "sleep",
        "gather",
        "wait_for",
        "shield",
        "iscoroutinefunction",
        "CancelledError",
        "TimeoutError",
        "Lock",
    }
    | {"Event", "Queue", "Semaphore", "Condition", "Future"},
    "logging": {"getLogger", "NullHandler", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"},
    "urllib": {"parse", "error"},
    "xml": {"sax"},
    "inspect": {"isclass", "isfunction", "ismethod", "isgenerator", "iscoroutine", "iscoroutinefunction", "isabstract"}
    | {"isawaitable", "isasyncgenfunction", "isgeneratorfunction", "signature", "Signature", "Parameter", "cleandoc"}
    | {"getdoc", "isbuiltin", "isroutine"},
    "cgi": {"escape"},
    "io": {"StringIO", "BytesIO", "IOBase", "RawIOBase", "TextIOBase"},
    "os": {"path", "sep", "fspath", "linesep", "name", "PathLike", "pathsep", "getcwd", "extsep", "curdir"},
    "pathlib": {"Path", "PurePath", "PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"},
    "sys": {"version_info", "platform", "maxsize", "byteorder", "maxunicode", "version", "implementation", "float_info"}
    | {"hash_info", "getrecursionlimit", "getdefaultencoding", "getfilesystemencoding", "intern"},
    "threading": {"Lock", "RLock", "local", "Event", "Condition", "get_ident", "current_thread"},
    "types": {"MappingProxyType", "SimpleNamespace", "TracebackType", "NoneType", "GenericAlias", "UnionType"},
    "warnings": {"warn", "warn_explicit"},
}
"""Of other modules that a file may already import, what computes only."""
FUNCTIONS = _words(
    """
    getattr setattr delattr vars globals locals exec eval compile open breakpoint input __import__ __builtins__
    __loader__ __spec__ __file__
    """
)
"""Builtin names by which code gets at what is not given to it; `getattr` only with a name that is computed."""
MEMBERS = _words(
    """
    attrgetter methodcaller get_type_hints ForwardRef get_field vformat Formatter FileIO FileHandler open modules
    meta_path path_hooks settrace setprofile addaudithook get_objects get_referrers get_referents import_module
    f_back f_globals f_locals f_code f_builtins tb_frame tb_next gi_frame gi_code cr_frame cr_code ag_frame ag_code
    func_globals mro get_stack write_text write_bytes unlink rename symlink_to hardlink_to rmdir sys os pytest
    unittest builtins ctypes gc inspect importlib subprocess setattr getattr eval exec exec_ get_function_globals
    _getframe _current_frames _exit exc_info environ environb getenv system popen fork kill killpg dup2 fdopen
    findCaller
    funcName get_coro subprocess_exec subprocess_shell
    """
)
"""Attributes, and names to import, that do the same, or tell which test is running."""
OPEN_DUNDERS = _words(
    """
    __init__ __name__ __qualname__ __doc__ __class__ __module__ __str__ __repr__ __eq__ __ne__ __hash__ __lt__
    __le__ __gt__ __ge__ __iter__ __next__ __len__ __contains__ __getitem__ __setitem__ __delitem__ __enter__
    __exit__ __aenter__ __aexit__ __call__ __new__ __post_init__ __or__ __and__ __xor__ __invert__ __add__ __radd__
    __sub__ __mul__ __truediv__ __floordiv__ __mod__ __neg__ __pos__ __abs__ __int__ __float__ __index__ __bool__
    __bytes__ __format__ __reversed__ __missing__ __get__ __set__ __set_name__ __init_subclass__ __version__ __all__
    __slots__ __await__ __aiter__ __anext__ __fspath__ __round__ __copy__ __deepcopy__ __html__ __cause__
    __suppress_context__ __traceback__ __reduce__ __getstate__ __setstate__
    """
)


def reach(changes: Sequence[FileChange]) -> str:
    """What in a change reaches beyond computing, with its place; empty when nothing does. Tests that it brings may do
    what they like: they are not run, and source that imports them is not plain.
    """
    olds = [parse(change.old) for change in changes if change.path.endswith(".py")]
    known = {_text(statement, _imports(tree)) for tree in olds if tree for statement in _statements(tree)}
    own = {name for change in changes if change.old is not None and (name := _top(change.path))} - FOREIGN
    for change in changes:
        if change.new is not None and change.new.mode == LINK:
            return f"{change.path} becomes a link"
        own_test = change.old is None and OWN_TEST.fullmatch(change.path.rpartition("/")[2].removesuffix(".py"))
        if change.new is None or not change.path.endswith(".py") or own_test:
            continue
        tree = parse(change.new)
        if tree is None:
            return f"{change.path} cannot be parsed"
        imports = _imports(tree)
        reader = _Reader(imports, own)
        for statement in _statements(tree):
            what = "" if _text(statement, imports) in known else reader.reach(statement)
            if what:
                return f"{change.path}:{statement.lineno} {what}"
    return ""


def _top(path: str) -> str:
    """The package or module at the top that a file belongs to."""
    parts = path.removesuffix(".py").split("/")
    return parts[1] if f"{parts[0]}/" in SOURCE_ROOTS and len(parts) > 1 else parts[0]


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """What belongs to a statement itself, and not to a statement in it."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.ExceptHandler):
            yield from filter(None, [child.type])
        elif not isinstance(child, ast.stmt):
            yield child


def _text(statement: ast.stmt, imports: Collection[str]) -> str:
    """A statement without what is in it, and without the names of its own variables."""

    def named(match: re.Match[str]) -> str:
        is_own = match[2] not in imports and match[2] not in FUNCTIONS
        return f"{match[1]}'_'" if is_own else match[0]

    simple = not any(isinstance(child, ast.stmt) for child in ast.iter_child_nodes(statement))
    try:
        parts = [ast.dump(statement)] if simple else [type(statement).__name__, *map(ast.dump, _parts(statement))]
    except RecursionError:
        return f"too deep, at {id(statement)}"  # like no other one, so that it is looked at
    return VARIABLE.sub(named, "\n".join(parts))


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for; what comes out of the repository itself begins with a dot."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                for a in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            names |= {a.asname or a.name: f"{origin}.{a.name}" for a in node.names}
    return names


class _Reader:
    """Looks for ways out in the statements of one file."""

    def __init__(self, imports: dict[str, str], own: set[str]) -> None:
        self._imports, self._own = imports, own

    def reach(self, statement: ast.stmt) -> str:
        """What reaches beyond computing; empty when nothing does."""
        if isinstance(statement, ast.Import):
            return next(filter(None, (self._module(alias.name) for alias in statement.names)), "")
        if isinstance(statement, ast.ImportFrom):
            origin = "." * statement.level + (statement.module or "")
            return next(filter(None, (self._module(f"{origin}.{alias.name}") for alias in statement.names)), "")
        nodes = [node for part in _parts(statement) for node in ast.walk(part)]
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call) and self._gets_a_plain_member(node)}
        looked_into = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        for node in nodes:
            if isinstance(node, ast.Name):
                what = self._name(node.id, is_call=id(node) in called, is_looked_into=id(node) in looked_into)
            else:
                what = self._node(node)
            if what:
                return what
        return _in_annotations(statement)

    def _module(self, dotted: str) -> str:
        """What importing this brings into reach."""
        top, _, rest = dotted.partition(".")
        parts = [part for part in dotted.split(".") if part]
        if "*" in parts or any(TEST_MODULE.fullmatch(part) for part in parts):
            return f"imports {dotted}"
        if not all(_is_plain(part) for part in rest.split(".") if part) or self._is_inner(top, rest):
            return f"imports {dotted}"
        if not top or top in self._own or top in COMPUTING:
            return ""  # without a top it is relative
        harmless = HARMLESS.get(top, set())
        return "" if harmless and (not rest or rest.partition(".")[0] in harmless) else f"imports {dotted.strip('.')}"

    def _name(self, name: str, *, is_call: bool, is_looked_into: bool) -> str:
        """A bare name: a function that reaches, or a module that is handed on whole, out of sight."""
        origin = self._imports.get(name, "")
        if name in FUNCTIONS:
            return "" if name == "getattr" and is_call else f"uses {name}"
        whole = bool(origin) and ("." not in origin or origin in MODULES_INSIDE) and origin not in self._own
        return f"uses {name}" if not is_looked_into and (whole or self._is_a_way_out(origin)) else ""

    def _node(self, node: ast.AST) -> str:
        match node:
            case ast.MatchClass(kwd_attrs=names):
                return next((f"uses .{name}" for name in names if not _is_plain(name)), "")
            case ast.Attribute():
                return self._member(node)
            case ast.Subscript():
                return self._changed(node)
            case ast.Call(func=ast.Attribute(attr="replace"), args=[_], keywords=[]):
                return "may replace a file"
        return ""

    def _member(self, node: ast.Attribute) -> str:
        origin, name = self._origin(node), node.attr
        if not _is_plain(name):
            return f"uses .{name}"
        if isinstance(node.value, ast.Name) and self._is_a_way_out(f"{origin}.{name}"):
            return f"uses {origin}.{name}"
        return f"uses {origin}'s .{name}" if self._is_inner(origin, name) else self._changed(node)

    def _is_a_way_out(self, full: str) -> bool:
        """Whether a dotted name of the standard library is none of those that compute only."""
        top, _, rest = full.partition(".")
        if top not in sys.stdlib_module_names or top in COMPUTING or top in self._own:
            return False
        return rest.partition(".")[0] not in HARMLESS.get(top, set())

    def _changed(self, node: ast.Attribute | ast.Subscript) -> str:
        """What is given another value although it belongs to somebody else."""
        if isinstance(node.ctx, ast.Load):
            return ""
        origin = self._origin(node)
        top = origin.partition(".")[0]
        return f"changes {origin}" if top and top not in self._own else ""

    def _origin(self, node: ast.expr) -> str:
        """What the name at the root of an expression was imported as; empty when it was not."""
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            node = node.func if isinstance(node, ast.Call) else node.value
        return self._imports.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _is_inner(self, origin: str, members: str) -> bool:
        """Whether these are members of somebody else's module that are private, or modules that it has imported."""
        top = origin.partition(".")[0]
        if not top or top in self._own:
            return False
        parts = members.split(".")
        others = sys.stdlib_module_names - COMPUTING
        return any(p in others or (p.startswith("_") and not p.startswith("__")) for p in parts)

    def _gets_a_plain_member(self, call: ast.Call) -> bool:
        match call:
            case ast.Call(func=ast.Name(id="getattr"), args=[whose, ast.Constant(value=str(name)), *_]):
                return _is_plain(name) and not self._is_inner(self._origin(whose), name)
        return False


def _in_annotations(statement: ast.stmt) -> str:
    """Text in an annotation that some libraries evaluate."""
    arguments = [a for a in ast.walk(statement) if isinstance(a, ast.arg)] if isinstance(statement, FUNCTION) else []
    written = [a.annotation for a in arguments]
    written += [statement.returns] if isinstance(statement, FUNCTION) else []
    written += [statement.annotation] if isinstance(statement, ast.AnnAssign) else []
    texts = (n.value for w in written if w for n in ast.walk(w) if isinstance(n, ast.Constant))
    return next((f"calls something in an annotation: {t[:40]}" for t in texts if isinstance(t, str) and "(" in t), "")


def _is_plain(name: str) -> bool:
    if name.startswith("__") and name.endswith("__"):
        return name in OPEN_DUNDERS
    return name not in MEMBERS
