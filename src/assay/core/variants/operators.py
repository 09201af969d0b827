"""Mutation operators on expressions that decide or compute: arithmetic, comparisons, boolean operators, conditions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from assay.core.variants.drafting import shown
from assay.core.variants.mutation import Mutation, is_sequence, operand, plain, replaced, token
from assay.core.variants.places import Place
from assay.core.variants.source import Edit, Module

ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
"""Partners of the same precedence, so that only the operator changes."""
WRAPPED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
}
COMPARISONS: dict[type[ast.cmpop], tuple[bytes, tuple[tuple[str, str], ...]]] = {
    ast.Lt: (rb"<", (("compare-boundary", "<="), ("compare-negated", ">="))),
    ast.LtE: (rb"<=", (("compare-boundary", "<"), ("compare-negated", ">"))),
    ast.Gt: (rb">", (("compare-boundary", ">="), ("compare-negated", "<="))),
    ast.GtE: (rb">=", (("compare-boundary", ">"), ("compare-negated", "<"))),
    ast.Eq: (rb"==", (("compare-negated", "!="),)),
    ast.NotEq: (rb"!=", (("compare-negated", "=="),)),
    ast.In: (rb"\bin\b", (("compare-negated", "not in"),)),
    ast.NotIn: (rb"\bnot\s+in\b", (("compare-negated", "in"),)),
    ast.Is: (rb"\bis\b", (("compare-negated", "is not"),)),
    ast.IsNot: (rb"\bis\s+not\b", (("compare-negated", "is"),)),
}


def arithmetic(module: Module, place: Place) -> Iterator[Mutation]:
    """`a + b` becomes `a - b`, and the like; also in `a += b`."""
    node = place.node
    if isinstance(node, ast.AugAssign):
        yield from _augmented(module, node)
        return
    if not isinstance(node, ast.BinOp) or _is_formatting(node):
        return
    kind = type(node.op)
    if kind in ARITHMETIC:
        own, other = ARITHMETIC[kind]
        at = token(module, node.left, node.right, re.escape(own).encode())
        if at:
            yield Mutation(Edit(*at, other), "arithmetic", _became(module, node, own, other))
    elif kind in WRAPPED:
        own, other = WRAPPED[kind]
        text = f"({operand(module, node.left)} {other} {operand(module, node.right)})"
        yield replaced(module, node, text, "arithmetic", _became(module, node, own, other))


def _is_formatting(node: ast.BinOp) -> bool:
    return is_sequence(node.left) or is_sequence(node.right)


def _became(module: Module, node: ast.AST, own: str, other: str) -> str:
    return f"`{own}` became `{other}` in {shown(module.of(node))}"


def _augmented(module: Module, node: ast.AugAssign) -> Iterator[Mutation]:
    own, other = {**ARITHMETIC, **WRAPPED}.get(type(node.op), ("", ""))
    at = token(module, node.target, node.value, re.escape(own + "=").encode()) if own else None
    if at is None:
        return
    if not is_sequence(node.value):
        yield Mutation(Edit(*at, f"{other}="), "arithmetic", _became(module, node, f"{own}=", f"{other}="))
    yield Mutation(Edit(*at, "="), "assignment", _became(module, node, f"{own}=", "="))


def comparison(module: Module, place: Place) -> Iterator[Mutation]:
    """Boundaries, and negations; of a chain, each link."""
    node = place.node
    if not isinstance(node, ast.Compare):
        return
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        pattern, others = COMPARISONS[type(operator)]
        at = token(module, left, right, pattern)
        if at is None:
            continue
        own = module.text[slice(*at)].decode()
        for kind, other in others:
            if kind == "compare-boundary" and _is_about_type(left, right):
                continue
            yield Mutation(Edit(*at, other), kind, _became(module, node, own, other))


def _is_about_type(left: ast.expr, right: ast.expr) -> bool:
    """Sets compare by inclusion: `a < b` and `a <= b` of them are seldom told apart on purpose."""
    return any(isinstance(side, ast.Set | ast.SetComp) for side in (left, right))


def boolean(module: Module, place: Place) -> Iterator[Mutation]:
    """`and` for `or`, an operand less, a negation less."""
    node = place.node
    if isinstance(node, ast.UnaryOp):
        yield from _unary(module, node)
    if not isinstance(node, ast.BoolOp):
        return
    own, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    start, end = module.span(node)
    pieces, position = [], start
    for left, right in zip(node.values, node.values[1:], strict=False):
        at = token(module, left, right, rf"\b{own}\b".encode())
        if at is None:
            return
        pieces += [module.text[position : at[0]].decode(), other]
        position = at[1]
    text = "".join([*pieces, module.text[position:end].decode()])
    yield Mutation(Edit(start, end, text), "boolean", _became(module, node, own, other))
    if len(node.values) == 2:
        for kept, gone in (node.values, reversed(node.values)):
            what = f"{shown(module.of(gone))} left out of {shown(module.of(node))}"
            yield replaced(module, node, plain(module, kept), "operand-dropped", what)


def _unary(module: Module, node: ast.UnaryOp) -> Iterator[Mutation]:
    if isinstance(node.op, ast.UAdd):
        return
    kind = "negation" if isinstance(node.op, ast.Not) else "sign"
    yield replaced(module, node, plain(module, node.operand), kind)


def condition(module: Module, place: Place) -> Iterator[Mutation]:
    """The condition of an `if`, a `while`, a conditional expression or a comprehension: negated, always, never."""
    node = place.node
    is_filter = isinstance(place.parent, ast.comprehension) and place.field == "ifs"
    is_test = place.field == "test" and isinstance(place.parent, ast.If | ast.While | ast.IfExp)
    if not (is_filter or is_test) or isinstance(node, ast.Constant) or _binds(node):
        return
    source = shown(module.of(node))
    has_else = bool(getattr(place.parent, "orelse", [])) and not isinstance(place.parent, ast.While)
    if not isinstance(node, ast.Compare | ast.UnaryOp):
        kind = "branches-swapped" if has_else else "condition-negated"
        yield replaced(module, node, f"not {operand(module, node)}", kind, f"{source} negated")
    yield replaced(module, node, "False", "condition-never", f"{source} never holds")
    if not isinstance(place.parent, ast.While):
        yield replaced(module, node, "True", "condition-always", f"{source} always holds")


def _binds(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node))


OPERATORS = (arithmetic, comparison, boolean, condition)
