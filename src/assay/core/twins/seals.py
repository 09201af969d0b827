"""Taking expected values out of a test: `assert f(x) == 3` becomes a report of `f(x)`, and 3 stays outside.

Only values that are written down whole, as plain data, can be held outside: at the place of the comparison, in a name
that is used for nothing else, or in the table of a loop or of a parametrised test whose column is.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from assay.core.twins.cases import Case
from assay.core.twins.literals import Literals, callee
from assay.core.twins.text import Source
from assay.core.twins.values import is_guessable, plain_value
from assay.model.twin import Edit, Seal

SEE = "__import__('assay_report').see"
"""How a woven test hands a value to the channel; it answers True, whatever the value."""
MAX_LITERAL = 20_000
EXACT = frozenset(
    {"assertEqual", "assertEquals", "assertListEqual", "assertTupleEqual", "assertDictEqual", "assertSetEqual"}
    | {"assertMultiLineEqual", "assert_equal", "assert_equals", "eq_"}
)
"""Calls that hold two values against each other as `==` does, whoever they belong to."""


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


def seal_of(source: Source, case: Case, lines_at_stake: Collection[int] | None, draw: random.Random) -> Seal | None:
    """The sealed form of a test; None when it holds nothing that can be sealed. Without lines every one is at stake:
    the test does not get as far as its own body without the change. A value that can be guessed is no stake.
    """
    finder = _Finder(source, case, draw)
    weighty: set[int] = set()
    for comparison in finder.comparisons():
        known = set(finder.expected)
        if finder.seal(comparison):
            texts = [text for mark, text in finder.expected.items() if mark not in known]
            weighty |= {comparison.line for text in texts if not is_guessable(plain_value(text))}
    if not finder.expected:
        return None
    at_stake = bool(weighty if lines_at_stake is None else weighty & set(lines_at_stake))
    return Seal(tuple(finder.edits), finder.expected, at_stake=at_stake)


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
                if callee(call) in EXACT and 2 <= len(call.args) <= 3 and {k.arg for k in call.keywords} <= {"msg"}:
                    start, end = self._source.span(call)
                    yield _Comparison(call.args[0], call.args[1], start, end, "assert ", "", node.lineno)

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
        if isinstance(wanted, ast.Name) and self._uses(wanted.id) == 1:
            column = self._literals.column(wanted.id) or self._literals.cells(wanted.id)
            if column and all(_is_literal(cell) and not self._cut(cell) for cell in column):
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
        return sum(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in nodes)

    def _cut(self, node: ast.expr) -> bool:
        return self._touched(*self._source.span(node))

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
