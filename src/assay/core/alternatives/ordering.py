"""Neighbours that do not know of each other, the other way round."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from assay.core.alternatives.change import Change
from assay.core.alternatives.scopes import Scope, blocks_of, parameters_of, scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source
from assay.core.syntax import Function


def reorder_statements(source: Source, _: Change) -> Iterator[Rewrite]:
    """Two assignments of literals or plain names to different local variables."""
    for scope in scopes_of(source):
        for block in blocks_of(scope):
            for one, other in pairwise(block):
                if not (source.touches(one) or source.touches(other)) or not _are_independent(scope, one, other):
                    continue
                if source.is_alone(one) and source.is_alone(other):
                    edits = _exchanged(source, one, other)
                    what = "two independent assignments, the other way round"
                    yield Rewrite("reorder-statements", what, one.lineno, one.col_offset, edits, scope.dotted)


def reorder_functions(source: Source, change: Change) -> Iterator[Rewrite]:
    """Two new functions of a module, none of which does anything when it is defined, where nobody lists a module."""
    body = source.tree.body
    if change.reads("__dict__", "vars", "globals"):
        return
    for one, other in pairwise(body):
        if not (isinstance(one, Function) and isinstance(other, Function)) or one.name == other.name:
            continue
        if not (source.is_new(one) and source.is_new(other) and source.is_alone(one) and source.is_alone(other)):
            continue
        if _is_quietly_defined(one) and _is_quietly_defined(other):
            what = f"{other.name} is defined before {one.name}"
            edits = _exchanged(source, one, other)
            yield Rewrite("reorder-functions", what, one.lineno, one.col_offset, edits)


def _exchanged(source: Source, one: ast.stmt, other: ast.stmt) -> tuple[Edit, Edit]:
    return (
        Edit(source.start(one), source.end(one), source.cut(other)),
        Edit(source.start(other), source.end(other), source.cut(one)),
    )


def _are_independent(scope: Scope, one: ast.stmt, other: ast.stmt) -> bool:
    first, second = _plainly_assigned(one), _plainly_assigned(other)
    if first is None or second is None or not (scope.is_private(first[0]) and scope.is_private(second[0])):
        return False
    names = {first[0], second[0]}
    return len(names) == 2 and not names & {first[1], second[1]}


def _plainly_assigned(statement: ast.stmt) -> tuple[str, str] | None:
    """The variable, and the name that it is given (empty for a literal)."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=name)):
            return target, name
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if _is_literal(value):
            return target, ""
    return None


def _is_literal(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.Tuple):
        return all(_is_literal(element) for element in value.elts)
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Dict) and not value.keys)


def _is_quietly_defined(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether defining a function evaluates nothing: no decorators, defaults that are constants, plain annotations."""
    defaults = (*function.args.defaults, *(d for d in function.args.kw_defaults if d is not None))
    annotations = (*(a.annotation for a in parameters_of(function)), function.returns)
    return (
        not function.decorator_list
        and all(isinstance(default, ast.Constant) for default in defaults)
        and all(isinstance(a, ast.Name | ast.Constant | None) for a in annotations)
    )
