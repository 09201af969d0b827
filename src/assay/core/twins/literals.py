"""Making an expected value wrong where it is written: in place, through a name, a parameter or a table of a loop."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence

from assay.core.twins.cases import Case
from assay.core.twins.text import Source
from assay.core.twins.values import is_guessable, wrong
from assay.model.twin import Edit

VALUE_MAKERS = frozenset(
    {"approx", "set", "frozenset", "dict", "list", "tuple", "bytes", "bytearray", "str", "int", "float", "encode"}
    | {"date", "datetime", "time", "timedelta", "array", "dedent", "decode", "sorted", "deque", "strip", "lstrip"}
)
"""Calls that make an expected value out of literals; and whatever begins with a capital, a class."""
MAX_DEPTH = 6
ELEMENTS = ("0", "1", "None", "'a'")


def callee(node: ast.expr) -> str:
    """The last name of what a call calls."""
    function = node.func if isinstance(node, ast.Call) else node
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def is_pure(node: ast.expr) -> bool:
    """Whether a value is written down whole, without a name or a call."""
    return not any(isinstance(n, ast.Name | ast.Call | ast.Attribute | ast.JoinedStr) for n in ast.walk(node))


class Literals:
    """Finds the literals behind an expectation of one test."""

    def __init__(self, source: Source, case: Case, draw: random.Random) -> None:
        self._source, self._case, self._draw = source, case, draw
        self.spoiled_a_guess = False
        """Whether the value that was spoiled last has hardly an alternative."""

    def spoil(self, node: ast.expr, line: int, depth: int = 0) -> tuple[Edit, ...]:
        """Edits after which this expected value is another one; none when no literal is behind it."""
        if depth > MAX_DEPTH:
            return ()
        match node:
            case ast.Constant():
                edits = self._constant(node)
                self.spoiled_a_guess = is_guessable(node.value)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                edits = self.spoil(node.operand, line, depth + 1)
            case ast.List() | ast.Tuple() | ast.Set():
                edits = self._display(node, line, depth)
                self.spoiled_a_guess = not node.elts
            case ast.Dict():
                edits = self._dict(node, line, depth)
                self.spoiled_a_guess = not node.keys
            case ast.BinOp():
                edits = self.spoil(node.right, line, depth + 1) or self.spoil(node.left, line, depth + 1)
                self.spoiled_a_guess = False
            case ast.Call():
                edits = self._call(node, line, depth)
                given = len(node.args) + len(node.keywords)
                self.spoiled_a_guess = not given or (given == 1 and self.spoiled_a_guess)
            case ast.Name():
                edits = self._name(node.id, line, depth)
            case _:
                edits = ()
        return edits

    def _constant(self, node: ast.Constant) -> tuple[Edit, ...]:
        other = wrong(node.value, self._draw)
        if other is None:
            return ()
        start, end = self._source.span(node)
        text = self._source.text(start, end)
        if isinstance(node.value, str) and isinstance(other, str) and text.count(node.value) == 1:
            plain = other.isprintable() and not set(other) & set("\\'\"{}")
            return (Edit(start, end, text.replace(node.value, other) if plain else repr(other)),)
        return (Edit(start, end, repr(other)),)

    def _display(self, node: ast.List | ast.Tuple | ast.Set, line: int, depth: int) -> tuple[Edit, ...]:
        start, end = self._source.span(node)
        if not node.elts:
            text = self._draw.choice(ELEMENTS)
            return (Edit(start, end, f"({text},)" if isinstance(node, ast.Tuple) else f"[{text}]"),)
        edits = self._any(node.elts, line, depth)
        if edits or isinstance(node, ast.Set):
            return edits
        first, last = self._source.span(node.elts[-1])
        return (Edit(last, last, f", {self._source.text(first, last)}"),)

    def _dict(self, node: ast.Dict, line: int, depth: int) -> tuple[Edit, ...]:
        start, end = self._source.span(node)
        if not node.keys:
            return (Edit(start, end, f"{{'a': {self._draw.choice(ELEMENTS)}}}"),)
        return self._any(node.values, line, depth) or self._any([k for k in node.keys if k], line, depth)

    def _call(self, node: ast.Call, line: int, depth: int) -> tuple[Edit, ...]:
        name = callee(node)
        if name not in VALUE_MAKERS and not name[:1].isupper():
            return ()
        arguments = [*node.args, *(k.value for k in node.keywords if name != "approx")]
        if name == "approx":
            arguments = arguments[:1]
        inner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        inner = [value for value in inner if isinstance(value, ast.Constant | ast.List | ast.Tuple | ast.Dict)]
        edits = self._any(inner, line, depth) or self._any(arguments, line, depth)
        if edits or arguments or inner:
            return edits
        start, end = self._source.span(node)
        empty = {"list": "[0]", "tuple": "(0,)", "dict": "{'a': 1}", "set": "{0}", "str": "'a'", "bytes": "b'a'"}
        return (Edit(start, end, empty[name]),) if name in empty else ()

    def _any(self, nodes: Sequence[ast.expr], line: int, depth: int) -> tuple[Edit, ...]:
        for node in self._draw.sample(list(nodes), len(nodes)):
            edits = self.spoil(node, line, depth + 1)
            if edits:
                return edits
        return ()

    def _name(self, name: str, line: int, depth: int) -> tuple[Edit, ...]:
        return (
            self._assigned(name, line, depth) or self._looped(name, line, depth) or self._parameter(name, line, depth)
        )

    def _assigned(self, name: str, line: int, depth: int) -> tuple[Edit, ...]:
        value = None
        for statement in ast.walk(self._case.function):
            if isinstance(statement, ast.Assign) and statement.lineno < line and len(statement.targets) == 1:
                value = _part(statement.targets[0], statement.value, name) or value
            elif isinstance(statement, ast.AnnAssign) and statement.value and statement.lineno < line:
                value = _part(statement.target, statement.value, name) or value
        return self.spoil(value, line, depth + 1) if value is not None else ()

    def _looped(self, name: str, line: int, depth: int) -> tuple[Edit, ...]:
        for statement in ast.walk(self._case.function):
            if isinstance(statement, ast.For) and statement.lineno < line <= (statement.end_lineno or line):
                rows = self._rows(statement.iter)
                parts = [part for row in rows if (part := _part(statement.target, row, name)) is not None]
                if parts:
                    return self._any(parts, line, depth)
        return ()

    def _rows(self, table: ast.expr) -> Sequence[ast.expr]:
        if isinstance(table, ast.List | ast.Tuple | ast.Set):
            return table.elts
        if isinstance(table, ast.Dict):
            return [k for k in table.keys if k]
        if isinstance(table, ast.Call) and callee(table) == "items" and isinstance(table.func, ast.Attribute):
            inner = self._value_of(table.func.value)
            if isinstance(inner, ast.Dict):
                return [ast.Tuple([k, v], ast.Load()) for k, v in zip(inner.keys, inner.values, strict=True) if k]
        found = self._value_of(table)
        return self._rows(found) if found is not None and found is not table else ()

    def _value_of(self, node: ast.expr) -> ast.expr | None:
        if not isinstance(node, ast.Name):
            return node
        value = None
        for statement in ast.walk(self._case.function):
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                value = _part(statement.targets[0], statement.value, node.id) or value
        return value

    def _parameter(self, name: str, line: int, depth: int) -> tuple[Edit, ...]:
        """Every row of a parametrised test is a test of its own: all of them are spoilt."""
        for names, rows in self._tables():
            if name in names:
                at = names.index(name)
                parts = [_column(row, at, len(names)) for row in rows]
                edits = [self.spoil(part, line, depth + 1) for part in parts if part is not None]
                return tuple(edit for group in edits for edit in group)
        return ()

    def column(self, name: str) -> list[ast.expr]:
        """The cells of a parameter of a parametrised test; empty when there is no such table of its own."""
        for names, rows in self._tables():
            if name in names:
                cells = [_column(row, names.index(name), len(names)) for row in rows]
                return [cell for cell in cells if cell is not None] if all(c is not None for c in cells) else []
        return []

    def cells(self, name: str) -> list[ast.expr]:
        """The values that a name gets in the function: by one assignment, or by the loop over one table; else none."""
        stores = [
            n for n in ast.walk(self._case.function)
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
        ]  # fmt: skip
        if len(stores) != 1:
            return []
        for statement in ast.walk(self._case.function):
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                value = _part(statement.targets[0], statement.value, name)
                if value is not None:
                    return [value]
            if isinstance(statement, ast.For):
                rows = self._rows(statement.iter) if not isinstance(statement.iter, ast.Name) else ()
                cells = [_part(statement.target, row, name) for row in rows]
                found = [cell for cell in cells if cell is not None]
                if found:
                    return found if len(found) == len(cells) else []
        return []

    def _tables(self) -> Iterator[tuple[list[str], Sequence[ast.expr]]]:
        for owner in (self._case.function, *reversed(self._case.scopes)):
            for decorator in owner.decorator_list:
                if isinstance(decorator, ast.Call) and callee(decorator) == "parametrize":
                    arguments = [*decorator.args[:2], *(k.value for k in decorator.keywords if k.arg == "argvalues")]
                    if len(arguments) >= 2 and isinstance(arguments[1], ast.List | ast.Tuple):
                        yield _names(arguments[0]), arguments[1].elts


def _names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [part.strip() for part in node.value.split(",") if part.strip()]
    if isinstance(node, ast.List | ast.Tuple):
        return [str(n.value) for n in node.elts if isinstance(n, ast.Constant)]
    return []


def _column(row: ast.expr, at: int, width: int) -> ast.expr | None:
    if isinstance(row, ast.Call) and callee(row) == "param":
        return row.args[at] if at < len(row.args) else None
    if width == 1:
        return row
    if isinstance(row, ast.Tuple | ast.List) and at < len(row.elts):
        return row.elts[at]
    return None


def _part(target: ast.expr, value: ast.expr, name: str) -> ast.expr | None:
    """What `name` gets when `value` is assigned to `target`."""
    if isinstance(target, ast.Name):
        return value if target.id == name else None
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        for inner, part in zip(target.elts, value.elts, strict=False):
            found = _part(inner, part, name)
            if found is not None:
                return found
    return None
