"""Local variables that come and go: a value used once where it is made, or given a name before it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from assay.core.alternatives.change import Change
from assay.core.alternatives.scopes import Scope, blocks_of, scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source, listed

QUIET_CALLS = listed("len isinstance issubclass callable str int bool float abs repr ord chr")
"""Builtin functions whose result has no life of its own: nothing happens when it is dropped."""
YES_OR_NO = listed("isinstance issubclass callable hasattr any all")
COMPUTING = (
    ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.JoinedStr, ast.FormattedValue, ast.Call, ast.Tuple, ast.Slice, ast.expr_context, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop,
)  # fmt: skip


def inline(source: Source, _: Change) -> Iterator[Rewrite]:
    """`x = ...; return x` without the name, and a name used once, first of all, in the next statement."""
    for scope in scopes_of(source):
        if scope.is_observed:
            continue
        for block in blocks_of(scope):
            for one, next_one in pairwise(block):
                if source.is_alone(one) and (source.touches(one) or source.touches(next_one)):
                    yield from _inlined_return(source, scope, one, next_one)
                    yield from _inlined_use(source, scope, one, next_one)


def extract(source: Source, _: Change) -> Iterator[Rewrite]:
    """A returned value, or a condition that is a yes or a no, given a name first."""
    for scope in scopes_of(source):
        if scope.is_observed:
            continue
        for statement in (s for block in blocks_of(scope) for s in block):
            if not source.touches(statement):
                continue
            match statement:
                case ast.Return(value=ast.expr() as value) if source.is_alone(statement):
                    yield from _named_return(source, scope, statement, value)
                case ast.If(test=test) if source.cut(statement).startswith("if") and is_yes_or_no(test, source):
                    yield from _named_condition(source, scope, statement, test)


def _assigned(statement: ast.stmt) -> tuple[ast.Name, ast.expr] | None:
    match statement:
        case ast.Assign(targets=[ast.Name() as target], value=value):
            return target, value
    return None


def _inlined_return(source: Source, scope: Scope, one: ast.stmt, next_one: ast.stmt) -> Iterator[Rewrite]:
    match _assigned(one), next_one:
        case (target, value), ast.Return(value=ast.Name(id=name)) if target.id == name:
            if not scope.is_private(name) or not source.is_alone(next_one) or not _ends_here(scope, name):
                return
            edit = Edit(source.start(one), source.end(next_one), f"return {source.value(value)}")
            what = f"returned at once, without the name {name}"
            yield Rewrite("inline-return", what, one.lineno, one.col_offset, (edit,), scope.dotted)


def _ends_here(scope: Scope, name: str) -> bool:
    """Whether nothing can read a name after a return: nothing else mentions it, or nothing runs any more. What does
    mention it must find a local variable still.
    """
    stores = sum(isinstance(use.ctx, ast.Store) for use in scope.uses[name])
    runs_later = any(isinstance(n, ast.Try) and n.finalbody for n in ast.walk(scope.node))
    return len(scope.uses[name]) == 2 or (stores > 1 and not runs_later)


def _inlined_use(source: Source, scope: Scope, one: ast.stmt, next_one: ast.stmt) -> Iterator[Rewrite]:
    found = _assigned(one)
    if found is None or not scope.is_private(found[0].id) or len(scope.uses[found[0].id]) != 2:
        return
    target, value = found
    leaf = _first_evaluated(next_one)
    if leaf is None or leaf.id != target.id or (isinstance(next_one, ast.Return) and next_one.value is leaf):
        return
    if not _computes(value, source) or source.cut(leaf) != leaf.id or source.indent(next_one) is None:
        return
    if target.id in scope.in_texts:
        return
    text = f"({source.cut(value)})"
    edits = (
        Edit(source.line_start(one.lineno), source.line_start((one.end_lineno or one.lineno) + 1), ""),
        Edit(source.start(leaf), source.end(leaf), text),
    )
    what = f"the value of {target.id} stands where it is used"
    yield Rewrite("inline-local", what, one.lineno, one.col_offset, edits, scope.dotted)


def _first_evaluated(statement: ast.stmt) -> ast.Name | None:
    """The variable that a statement looks at before it does anything else."""
    match statement:
        case ast.Return(value=ast.expr() as node) | ast.Expr(value=node) | ast.Assign(value=node):
            return _leftmost(node)
        case ast.If(test=node) | ast.For(iter=node):
            return _leftmost(node)
    return None


def _leftmost(node: ast.expr) -> ast.Name | None:
    while not isinstance(node, ast.Name):
        match node:
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.BinOp(left=inner) | ast.Compare(left=inner) | ast.UnaryOp(operand=inner) | ast.IfExp(test=inner):
                node = inner
            case ast.BoolOp(values=[inner, *_]) | ast.Tuple(elts=[inner, *_]) | ast.List(elts=[inner, *_]):
                node = inner
            case _:
                return None
    return node


def _computes(value: ast.expr, source: Source) -> bool:
    """Whether an expression computes something new and does nothing else: nobody asks how long the result lives."""
    if not isinstance(value, ast.BinOp | ast.Compare | ast.UnaryOp | ast.JoinedStr | ast.Call):
        return False
    for node in ast.walk(value):
        if not isinstance(node, COMPUTING):
            return False
        if isinstance(node, ast.Call) and not is_builtin_call(node, QUIET_CALLS, source):
            return False
    return True


def is_builtin_call(node: ast.expr, names: frozenset[str], source: Source) -> bool:
    """Whether an expression calls one of these builtin functions, none of which the file has another one of."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in names:
            return name not in source.bound_names
    return False


def is_yes_or_no(test: ast.expr, source: Source) -> bool:
    """Whether a condition is True or False itself, so that to ask it twice or later is to ask it once."""
    match test:
        case ast.Compare(ops=[ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]):
            return True
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(is_yes_or_no(value, source) for value in values)
    return is_builtin_call(test, YES_OR_NO, source)


def _named_return(source: Source, scope: Scope, statement: ast.Return, value: ast.expr) -> Iterator[Rewrite]:
    if isinstance(value, ast.Name | ast.Constant):
        return
    name, indent = source.free_name("result", "outcome", "value"), source.indent(statement)
    text = f"{name} = {source.value(value)}\n{indent}return {name}"
    edit = Edit(source.start(statement), source.end(statement), text)
    what = f"the returned value is called {name} first"
    yield Rewrite("extract-return", what, statement.lineno, statement.col_offset, (edit,), scope.dotted)


def _named_condition(source: Source, scope: Scope, statement: ast.If, test: ast.expr) -> Iterator[Rewrite]:
    indent, name = source.indent(statement), source.free_name("condition", "holds")
    head = source.text[source.start(statement) : source.start(test)]
    if indent is None or isinstance(test, ast.Name) or head.strip("( \t\n") != "if" or "#" in head:
        return
    closing = closing_colon(source, test)
    if closing is None:
        return
    text = f"{name} = {source.value(test)}\n{indent}if {name}:"
    edit = Edit(source.start(statement), closing + 1, text)
    what = f"the condition is called {name} first"
    yield Rewrite("extract-condition", what, statement.lineno, statement.col_offset, (edit,), scope.dotted)


def closing_colon(source: Source, test: ast.expr) -> int | None:
    """The offset of the colon that ends a head after its last expression; None when anything but brackets is there."""
    place = source.end(test)
    while place < len(source.text) and source.text[place] in ") \t\n":
        place += 1
    return place if source.text[place : place + 1] == ":" else None
