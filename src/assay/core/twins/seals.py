"""Taking expected values out of a test: `assert f(x) == 3` becomes a report of `f(x)`, and 3 stays outside.

Only values that are written down whole, as plain data, can be held outside: at the place of the comparison, or in the
table of a parametrised test whose column is used for nothing else.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from assay.core.twins.cases import Case
from assay.core.twins.expectations import EQUAL
from assay.core.twins.literals import Literals, callee
from assay.core.twins.text import Source
from assay.model.twin import Edit, Seal

SEE = "__import__('assay_report').see"
"""How a woven test hands a value to the channel; it answers True, whatever the value."""
MAX_LITERAL = 20_000


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two sides held against each other, and how to write something else in their place."""

    left: ast.expr
    right: ast.expr
    start: int
    end: int
    before: str
    after: str
    line: int


def seal_of(source: Source, case: Case, lines_at_stake: Collection[int], draw: random.Random) -> Seal | None:
    """The sealed form of a test; None when it holds nothing that can be sealed."""
    finder = _Finder(source, case, draw)
    sealed = [comparison.line for comparison in finder.comparisons() if finder.seal(comparison)]
    if not finder.expected:
        return None
    return Seal(tuple(finder.edits), finder.expected, at_stake=bool(set(sealed) & set(lines_at_stake)))


def plain_value(text: str) -> object:
    """The value of a literal's source. Raises ValueError when it is none."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("no literal") from error


class _Finder:
    """Collects the edits of one test."""

    def __init__(self, source: Source, case: Case, draw: random.Random) -> None:
        self._source, self._case, self._draw = source, case, draw
        self._literals = Literals(source, case, draw)
        self.edits: list[Edit] = []
        self.expected: dict[str, str] = {}

    def comparisons(self) -> Iterator[_Comparison]:
        for node in ast.walk(self._case.function):
            if isinstance(node, ast.Assert):
                yield from self._conditions(node.test, node.lineno)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                call = node.value
                plain = len(call.args) == 2 and not call.keywords and isinstance(call.func, ast.Attribute)
                if plain and callee(call) in ("assertEqual", "assertEquals") and EQUAL.fullmatch(callee(call)):
                    start, end = self._source.span(call)
                    owner = self._source.text(*self._source.span(call.func.value))  # type: ignore[attr-defined]
                    yield _Comparison(call.args[0], call.args[1], start, end, f"{owner}.assertTrue(", ")", node.lineno)

    def _conditions(self, test: ast.expr, line: int) -> Iterator[_Comparison]:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for value in test.values:
                yield from self._conditions(value, line)
        elif isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            start, end = self._source.span(test)
            yield _Comparison(test.left, test.comparators[0], start, end, "", "", line)

    def seal(self, found: _Comparison) -> bool:
        """Seal one comparison if one of its sides is a literal, or a column of a table of literals."""
        if self._touched(found.start, found.end):
            return False
        for wanted, given in ((found.right, found.left), (found.left, found.right)):
            if _is_literal(given):
                continue
            mark = self._mark(wanted)
            if mark is None:
                continue
            start, end = self._source.span(given)
            text = self._source.text(start, end)
            self.edits.append(Edit(found.start, found.end, f"{found.before}{SEE}({mark}, ({text})){found.after}"))
            return True
        return False

    def _mark(self, wanted: ast.expr) -> str | None:
        """What names the expected value in the woven source; None when it cannot be taken out."""
        if _is_literal(wanted):
            return repr(self._new(wanted))
        if isinstance(wanted, ast.Name):
            column = self._literals.column(wanted.id)
            if column and self._uses(wanted.id) == 1 and all(_is_literal(cell) for cell in column):
                for cell in column:
                    start, end = self._source.span(cell)
                    self.edits.append(Edit(start, end, repr(self._new(cell))))
                return wanted.id
        return None

    def _new(self, literal: ast.expr) -> str:
        mark = "".join(self._draw.choices("abcdefghijklmnopqrstuvwxyz", k=10))
        self.expected[mark] = ast.unparse(literal)  # its own text may run over lines, and mean nothing by itself
        return mark

    def _uses(self, name: str) -> int:
        nodes = ast.walk(self._case.function)
        return sum(isinstance(node, ast.Name) and node.id == name for node in nodes)

    def _touched(self, start: int, end: int) -> bool:
        return any(edit.start < end and start < edit.end for edit in self.edits)


def _is_literal(node: ast.expr) -> bool:
    if any(isinstance(n, ast.Name | ast.Call | ast.JoinedStr | ast.Attribute) for n in ast.walk(node)):
        return False
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool | type(...))):
        return False
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return False
    return len(repr(value)) <= MAX_LITERAL and not isinstance(value, complex)
