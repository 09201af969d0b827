"""Mutation operators on values: constants, defaults, returns, arguments, subscripts, calls that only refine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from assay.core.variants.drafting import shown
from assay.core.variants.harmless import HARMLESS_KEYWORDS, NAMERS, is_warning
from assay.core.variants.mutation import Mutation, operand, plain, replaced
from assay.core.variants.places import Place
from assay.core.variants.source import Edit, Module, dotted, words

REFINING = words(
    """
    strip lstrip rstrip lower upper casefold title capitalize swapcase copy replace expandtabs zfill ljust rjust
    center removeprefix removesuffix resolve absolute expanduser union intersection difference symmetric_difference
    translate normalize with_suffix
    """
)
"""Methods whose result is of the same kind as what they are called on."""
REFINING_FUNCTIONS = words("sorted reversed abs set frozenset str int float round")
SYMMETRIC = words(
    """
    max min gcd lcm isclose hypot add mul union intersection symmetric_difference isdisjoint and_ or_ xor eq ne
    print chain log debug info warning error
    """
)
"""Functions for which the order of two arguments often says nothing."""
TIDYING = words(
    """
    close flush collect fsync shutdown cleanup terminate sleep cache_clear simplefilter filterwarnings setLevel
    addHandler update_wrapper register_at_fork freeze_support
    """
)
"""Methods that a program does as well without, as far as its results go."""
INDEX = re.compile(r"(?:^|_)(?:i|j|k|n|idx|index|pos|position|start|stop|end|offset|count|size|length|len|num)(?:_|$)")
LARGE, SMALL = 1000, 1e-3


def constant(module: Module, place: Place) -> Iterator[Mutation]:
    """Numbers beside, the other truth value, no text or another one, something for None; also as a default value."""
    node = place.node
    if isinstance(node, ast.JoinedStr):
        yield from _empty_text(module, place)
    if not isinstance(node, ast.Constant) or isinstance(place.parent, ast.Expr):
        return
    kind = "default" if place.is_default else "constant"
    match node.value:
        case bool() as truth:
            yield replaced(module, node, repr(not truth), kind)
        case None if not place.is_default and not _is_exit(place):
            yield replaced(module, node, "False", kind)
        case int() | float() as number:
            yield from (replaced(module, node, repr(n), kind) for n in _beside(number))
        case str() | bytes():
            yield from _texts(module, node, kind)


def _beside(number: float) -> list[float]:
    """Other numbers; none for those that are sizes or tolerances, beside which nobody looks."""
    if abs(number) >= LARGE or 0 < abs(number) < SMALL:
        return []
    others = [number + 1, number - 1, *([0] if abs(number) > 1 and isinstance(number, int) else [])]
    return list(dict.fromkeys(others))


def _texts(module: Module, node: ast.Constant, kind: str) -> Iterator[Mutation]:
    source = module.of(node)
    if "'" not in source and '"' not in source:
        return  # within an f-string, whose parts have no place of their own
    value = node.value
    assert isinstance(value, str | bytes)
    empty: str | bytes = "" if isinstance(value, str) else b""
    letter: str | bytes = "x" if isinstance(value, str) else b"x"
    if value:
        yield replaced(module, node, _quoted(empty, source), f"{kind}-emptied")
    longer: str | bytes = value + letter  # type: ignore[operator]
    quotes = 3 if source.endswith(('"""', "'''")) else 1
    spelled = f"{source[:-quotes]}x{source[-quotes:]}"
    yield replaced(module, node, spelled if _is_literal(spelled, longer) else _quoted(longer, source), kind)


def _is_literal(source: str, value: str | bytes) -> bool:
    try:
        return bool(ast.literal_eval(f"({source})") == value)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def _quoted(value: str | bytes, like: str) -> str:
    """A literal in the quotes that its place uses."""
    text = repr(value)
    simple = "\\" not in text and '"' not in text and "'" not in str(value)[2 * isinstance(value, bytes) :].strip("'")
    return text.replace("'", '"') if like.endswith('"') and simple else text


def _empty_text(module: Module, place: Place) -> Iterator[Mutation]:
    if not isinstance(place.parent, ast.JoinedStr | ast.FormattedValue):
        yield replaced(module, place.node, '""', "constant-emptied")


def _is_exit(place: Place) -> bool:
    """`None` and `False` mean the same as the end of `__exit__`."""
    return place.name in ("__exit__", "__aexit__")


def returned(module: Module, place: Place) -> Iterator[Mutation]:
    """None is returned, or yielded, instead."""
    node = place.node
    if not isinstance(node, ast.Return | ast.Yield) or node.value is None or _is_exit(place):
        return
    value = node.value
    if isinstance(value, ast.Constant) or dotted(value) == "NotImplemented":
        return
    kind = "return" if isinstance(node, ast.Return) else "yield"
    yield replaced(module, value, "None", kind, f"`None` {kind}ed instead of {shown(module.of(value))}")


def argument(module: Module, place: Place) -> Iterator[Mutation]:
    """Two positional arguments swapped, a keyword argument dropped."""
    node = place.node
    if not isinstance(node, ast.Call) or is_warning(node):
        return
    name = dotted(node.func).rpartition(".")[2]
    has_order = name not in SYMMETRIC and name not in NAMERS and not isinstance(place.parent, ast.Raise)
    pairs = list(zip(node.args, node.args[1:], strict=False)) if has_order else []
    for left, right in pairs[:3]:
        if isinstance(left, ast.Starred) or isinstance(right, ast.Starred) or module.of(left) == module.of(right):
            continue
        start, middle_start = module.span(left)
        middle_end, end = module.span(right)
        text = (
            plain_argument(module, right) + module.text[middle_start:middle_end].decode() + plain_argument(module, left)
        )
        what = f"arguments {shown(module.of(left))} and {shown(module.of(right))} swapped"
        yield Mutation(Edit(start, end, text), "arguments-swapped", what)
    for word in node.keywords:
        edit = _without(module, node, word) if word.arg and word.arg not in HARMLESS_KEYWORDS else None
        if edit:
            yield Mutation(edit, "keyword-dropped", f"argument {shown(module.of(word))} left out")


def plain_argument(module: Module, node: ast.expr) -> str:
    """An argument at another place of its call."""
    return operand(module, node) if isinstance(node, ast.Tuple | ast.GeneratorExp | ast.NamedExpr) else module.of(node)


def _without(module: Module, call: ast.Call, word: ast.keyword) -> Edit | None:
    """The keyword argument and the comma on one side of it."""
    start, end = module.span(word)
    others = [a for a in (*call.args, *call.keywords) if a is not word]
    before = max((module.span(a)[1] for a in others if module.span(a)[1] <= start), default=None)
    if before is not None:
        comma = module.between(before, start).rfind(b",")
        return Edit(before + comma, end, "") if comma >= 0 else None
    behind = min((module.span(a)[0] for a in others if module.span(a)[0] >= end), default=None)
    if behind is not None:
        return Edit(start, behind, "")
    rest = module.between(end, module.span(call)[1])
    return Edit(start, end + rest.find(b",") + 1, "")


def subscript(module: Module, place: Place) -> Iterator[Mutation]:
    """Off by one: the bounds of slices and ranges, and indices that are computed."""
    node = place.node
    if isinstance(node, ast.Slice):
        for bound, other in ((node.lower, "+ 1"), (node.upper, "- 1")):
            if bound is not None and not isinstance(bound, ast.Constant):
                yield _shifted(module, bound, other)
    elif isinstance(node, ast.Call) and dotted(node.func) == "range" and node.args and not node.keywords:
        bound = node.args[1] if len(node.args) > 1 else node.args[0]
        if not isinstance(bound, ast.Constant | ast.Starred):
            yield _shifted(module, bound, "- 1")
    elif isinstance(node, ast.Subscript) and _is_index(node.slice):
        yield _shifted(module, node.slice, "+ 1")


def _shifted(module: Module, node: ast.expr, by: str) -> Mutation:
    return replaced(module, node, f"{plain(module, node)} {by}", "off-by-one")


def _is_index(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Sub) and not isinstance(node.left, ast.JoinedStr)
    return isinstance(node, ast.Name) and bool(INDEX.search(node.id))


def call(module: Module, place: Place) -> Iterator[Mutation]:
    """A call left out that is a statement of its own."""
    node = place.node
    if isinstance(node, ast.Expr):
        inner = node.value.value if isinstance(node.value, ast.Await) else node.value
        if (
            isinstance(inner, ast.Call)
            and not is_warning(inner)
            and dotted(inner.func).rpartition(".")[2] not in TIDYING
        ):
            yield replaced(module, node, "pass", "call-dropped", f"{shown(module.of(node))} left out")


def refining_call(module: Module, place: Place) -> Iterator[Mutation]:
    """A call left out that only refines what it is called on."""
    node = place.node
    if not isinstance(node, ast.Call) or isinstance(place.parent, ast.Expr | ast.Await):
        return
    what = f"{shown(module.of(node))} without the call"
    if isinstance(node.func, ast.Attribute) and node.func.attr in REFINING:
        owner = node.func.value
        if not isinstance(owner, ast.Constant) and dotted(owner) not in ("copy", "self", "super"):
            yield replaced(module, node, operand(module, owner), "call-dropped", what)
    elif isinstance(node.func, ast.Name) and node.func.id in REFINING_FUNCTIONS and node.args:
        inner = node.args[0]
        text = "" if isinstance(inner, ast.Starred | ast.GeneratorExp) else operand(module, inner)
        if text:
            yield replaced(module, node, text, "call-dropped", what)


OPERATORS = (constant, returned, argument, subscript, call, refining_call)
