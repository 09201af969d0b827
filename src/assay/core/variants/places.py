"""A walk over a module that knows where it is: the statement, function and loop around each node.

What is harmless is not entered (see `harmless`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from assay.core.variants.source import Function, Scope, body_lines, first_line, last_line

Loop = ast.For | ast.AsyncFor | ast.While
NOT_RUN = frozenset({"annotation", "returns", "type_params", "type_comment"})


@dataclass(frozen=True, slots=True)
class Place:
    """A node and what is around it."""

    node: ast.AST
    parent: ast.AST
    field: str
    """Name of the parent's field that holds the node."""
    statement: ast.stmt | None = None
    """The innermost one that holds the node, or that it is."""
    lambda_: ast.Lambda | None = None
    function: str = ""
    """Dotted name of functions and classes around."""
    loop: Loop | None = None
    is_default: bool = False
    """Whether it stands in a parameter's default value."""
    owner: Function | None = None
    """The function around, or whose default value or decorator this is."""

    @property
    def name(self) -> str:
        """The last part of the function's name."""
        return self.function.rpartition(".")[2]


def places(tree: ast.Module, closed: set[int]) -> Iterator[Place]:
    """All nodes but the closed ones and what is below them, each before its children, in the order of the source."""
    waiting = [Place(tree, tree, "")]
    while waiting:
        place = waiting.pop()
        if place.node is not tree:
            yield place
        below = []
        for field, value in ast.iter_fields(place.node):
            if field in NOT_RUN:
                continue
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST) and id(child) not in closed:
                    below.append(_below(place, field, child))
        waiting += reversed(below)


def _below(place: Place, field: str, child: ast.AST) -> Place:
    parent = place.node
    under = replace(place, node=child, parent=parent, field=field)
    if isinstance(parent, Scope) and field == "body":
        own = parent if isinstance(parent, Function) else None
        name = f"{place.function}.{parent.name}".strip(".")
        under = replace(under, function=name, loop=None, is_default=False, owner=own)
    elif isinstance(parent, Function):
        under = replace(under, owner=parent)
    elif isinstance(parent, ast.arguments) and field in ("defaults", "kw_defaults"):
        under = replace(under, is_default=True)
    elif isinstance(parent, ast.Lambda) and field == "body":
        under = replace(under, lambda_=parent, loop=None)
    elif isinstance(parent, Loop) and field == "body":
        under = replace(under, loop=parent)
    return replace(under, statement=child, lambda_=None) if isinstance(child, ast.stmt) else under


def lines_of(place: Place) -> frozenset[int]:
    """Lines by whose running one sees that a node is run."""
    statement = place.statement
    if statement is None:
        return frozenset()
    if isinstance(statement, Scope) and place.owner is statement:
        return body_lines(statement)
    if place.lambda_ is not None and place.lambda_.body.lineno > statement.lineno:
        return frozenset(range(place.lambda_.body.lineno, last_line(place.lambda_.body) + 1))
    body: list[ast.stmt] = getattr(statement, "body", [])
    if isinstance(place.node, ast.ExceptHandler):
        return frozenset(range(first_line(place.node.body[0]), last_line(place.node.body[-1]) + 1))
    last = max(statement.lineno, first_line(body[0]) - 1) if body else last_line(statement)
    own = getattr(place.node, "lineno", statement.lineno)
    if own > last:  # in a later header: a handler's type, a case
        return frozenset({own})
    return frozenset(range(statement.lineno, last + 1))
