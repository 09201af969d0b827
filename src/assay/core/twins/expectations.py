"""The places where a test says what it expects, and how each of them is made wrong.

`value` changes the expected value (an object that equals everything passes it, an honest one does not), `raises` the
expected exception or warning, `inverted` turns a condition round, or changes a value that has hardly an alternative.

Only `value` is a riddle: a candidate that fails an inverted test passes the test itself, and who knows which exception
a library raises knows it for every test.
"""

from __future__ import annotations

import ast
import builtins
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from assay.core.twins.cases import Case, Function
from assay.core.twins.literals import Literals, callee, is_pure
from assay.core.twins.text import Source
from assay.model.twin import Edit

Kind = Literal["value", "raises", "inverted"]

OPPOSITES: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
}
EQUAL = re.compile(
    r"assert(?:Almost|List|Tuple|Dict|Set|Sequence|Count|Items|MultiLine|_array|_almost|_array_almost)?_?[Ee]quals?"
    r"|assertXMLEqual|assertHTMLEqual|assertJSONEqual|assertQuerySetEqual|assertCountEqual|assert_allclose|eq_"
)
INVERSES = {
    "assertTrue": "assertFalse",
    "assertIn": "assertNotIn",
    "assertIs": "assertIsNot",
    "assertIsNone": "assertIsNotNone",
    "assertIsInstance": "assertNotIsInstance",
    "assertGreater": "assertLessEqual",
    "assertGreaterEqual": "assertLess",
    "assertRegex": "assertNotRegex",
}
INVERSES |= {there: here for here, there in INVERSES.items()} | {
    "assertNotEqual": "assertEqual",
    "assertNotAlmostEqual": "assertAlmostEqual",
    "assert_": "assertFalse",
}
RAISES = frozenset({"raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp", "assert_raises"})
WARNS = frozenset({"warns", "assertWarns", "assertWarnsRegex"})
REGEX = frozenset({"assertRaisesRegex", "assertRaisesRegexp", "assertWarnsRegex"})
ERRORS = ("KeyError", "ValueError", "TypeError", "IndexError", "AttributeError", "OSError", "RuntimeError")
COMMON = ("ValueError", "TypeError", "UserWarning", "DeprecationWarning")
WARNINGS = ("UserWarning", "DeprecationWarning", "RuntimeWarning", "FutureWarning", "SyntaxWarning")
RANK: dict[Kind, int] = {"value": 0, "raises": 1, "inverted": 2}


@dataclass(frozen=True, slots=True)
class Change:
    """One expectation made wrong."""

    line: int
    end_line: int
    kind: Kind
    edits: tuple[Edit, ...]


def changes_of(source: Source, case: Case, draw: random.Random) -> list[Change]:
    """Every expectation of a test made wrong, each by itself, in the order of their lines."""
    finder = _Finder(source, case, draw)
    found = [change for node in ast.walk(case.function) for change in finder.at(node)]
    return sorted(found, key=lambda c: (c.line, RANK[c.kind]))


class _Finder:
    """Looks at one node after the other."""

    def __init__(self, source: Source, case: Case, draw: random.Random) -> None:
        self._source, self._case, self._draw = source, case, draw
        self._literals = Literals(source, case, draw)

    def at(self, node: ast.AST) -> Iterator[Change]:
        if isinstance(node, ast.Assert):
            for kind, edits in self._condition(node.test):
                yield self._change(node, kind, edits)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(call, ast.Call):
                for kind, edits in self._call(call):
                    yield self._change(node, kind, edits)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call):
                    for kind, edits in self._raises(item.context_expr):
                        yield self._change(node, kind, edits)

    def _change(self, node: ast.stmt, kind: Kind, edits: tuple[Edit, ...]) -> Change:
        return Change(node.lineno, node.end_lineno or node.lineno, kind, edits)

    def _condition(self, test: ast.expr) -> Iterator[tuple[Kind, tuple[Edit, ...]]]:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for value in test.values:
                yield from self._condition(value)
        elif isinstance(test, ast.Compare) and len(test.ops) == 1:
            yield from self._comparison(test)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            start, _ = self._source.span(test)
            yield "inverted", (Edit(start, start + len("not"), ""),)
        else:
            start, end = self._source.span(test)
            yield "inverted", (Edit(start, start, "not ("), Edit(end, end, ")"))

    def _comparison(self, test: ast.Compare) -> Iterator[tuple[Kind, tuple[Edit, ...]]]:
        right = test.comparators[0]
        if isinstance(test.ops[0], ast.Eq):
            edits = self._equal(test.left, right, test.lineno)
            if edits:
                yield self._kind(edits), edits
        elif isinstance(test.ops[0], ast.In) and is_pure(test.left):
            yield from self._spoiled(test.left, test.lineno)
        gap_start, gap_end = self._source.span(test.left)[1], self._source.span(right)[0]
        here, there = OPPOSITES[type(test.ops[0])]
        gap = self._source.text(gap_start, gap_end)
        match = re.search(here, gap)
        if match and "#" not in gap:
            at = gap_start + len(gap[: match.start()].encode())
            yield "inverted", (Edit(at, at + len(match.group().encode()), there),)

    def _spoiled(self, node: ast.expr, line: int) -> Iterator[tuple[Kind, tuple[Edit, ...]]]:
        edits = self._literals.spoil(node, line)
        if edits:
            yield self._kind(edits), edits

    def _kind(self, edits: tuple[Edit, ...]) -> Kind:
        """What a changed value is worth: one of two, or brackets around whatever stands there, is no riddle."""
        put_around = all(edit.start == edit.end for edit in edits)
        return "inverted" if put_around or self._literals.spoiled_a_guess else "value"

    def _equal(self, left: ast.expr, right: ast.expr, line: int) -> tuple[Edit, ...]:
        """Edits of the side that is the expectation: written down whole, or next to it; else the right one, wrapped."""
        sides = sorted([right, left], key=lambda side: not is_pure(side))
        for side in sides:
            edits = self._literals.spoil(side, line)
            if edits:
                return edits
        start, end = self._source.span(right)
        return (Edit(start, start, "["), Edit(end, end, "]"))

    def _call(self, call: ast.Call) -> Iterator[tuple[Kind, tuple[Edit, ...]]]:
        name = callee(call)
        if EQUAL.fullmatch(name) and len(call.args) >= 2:
            edits = self._equal(call.args[0], call.args[1], call.lineno)
            if edits:
                yield self._kind(edits), edits
        elif name in INVERSES and isinstance(call.func, ast.Attribute):
            if name == "assertIn" and len(call.args) >= 2 and is_pure(call.args[0]):
                yield from self._spoiled(call.args[0], call.lineno)
            _, end = self._source.span(call.func)
            yield "inverted", (Edit(end - len(name), end, INVERSES[name]),)
        elif name in RAISES | WARNS:
            yield from self._raises(call)
        else:
            edits = self._through_assistant(call)
            if edits:
                yield self._kind(edits), edits

    def _raises(self, call: ast.Call) -> Iterator[tuple[Kind, tuple[Edit, ...]]]:
        name = callee(call)
        if name not in RAISES | WARNS:
            return
        texts = [k.value for k in call.keywords if k.arg in ("match", "expected_regex")]
        if name in REGEX:
            texts += call.args[1:2]
        for text in texts:
            yield from self._spoiled(text, call.lineno)
        if call.args:
            start, end = self._source.span(call.args[0])
            other = self._other(self._source.text(start, end), WARNINGS if name in WARNS else ERRORS)
            yield "raises", (Edit(start, end, other),)

    def _other(self, expected: str, names: tuple[str, ...]) -> str:
        """An exception that has nothing to do with the expected one, as far as names tell."""
        right = getattr(builtins, expected.rpartition(".")[2], None)
        unrelated = []
        for name in names:
            kind = getattr(builtins, name)
            related = isinstance(right, type) and (issubclass(kind, right) or issubclass(right, kind))
            if name not in expected and not related:
                unrelated.append(name)
        # The common ones first: a rare name would give the twin away.
        return self._draw.choice([name for name in COMMON if name in unrelated] or unrelated or list(names))

    def _through_assistant(self, call: ast.Call) -> tuple[Edit, ...]:
        """A call of a function of the same file that compares one of its parameters: what is given for that one."""
        function = self._assistant(call)
        if function is None:
            return ()
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        if isinstance(call.func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
            names = names[1:]
        expected = _compared(function) & set(names)
        given = dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
        for name in sorted(expected):
            if name in given:
                edits = self._literals.spoil(given[name], call.lineno)
                if edits:
                    return edits
        return ()

    def _assistant(self, call: ast.Call) -> Function | None:
        scopes: tuple[ast.Module | ast.ClassDef | Function, ...]
        if isinstance(call.func, ast.Name):
            scopes, name = (self._case.function, self._source.tree), call.func.id
        elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            scopes, name = self._case.scopes, call.func.attr
        else:
            return None
        for scope in scopes:
            for statement in scope.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
                    return statement
        return None


def _compared(function: Function) -> set[str]:
    """Names that a function holds something against for equality."""
    names: set[str] = set()
    for node in ast.walk(function):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            sides = [node.left, node.comparators[0]]
        elif isinstance(node, ast.Call) and EQUAL.fullmatch(callee(node)):
            sides = list(node.args[:2])
        names |= {side.id for side in sides if isinstance(side, ast.Name)}
    return names
