"""The file that is run: each of its tests as it is or as a twin, at its own place, under its own name.

Every woven test ends with one more assertion, which holds, except in the twins of the kind `forced`, where it does not:
those run the whole body and then fail for certain. The other twins differ in one expectation.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.core.twins import doctests
from assay.core.twins.cases import Case, Library, cases_of
from assay.core.twins.expectations import RANK, Change, changes_of
from assay.core.twins.seals import seal_of
from assay.core.twins.text import Source, apply
from assay.model.twin import Edit, Frames, Twin, Woven

MAX_CHANGED = 3
"""Twins with a changed expectation that are tried for each test."""
GENERATED = frozenset({"given", "example", "settings"})
"""Decorators of tests that make their examples: each wrong expectation would be searched for the smallest one."""


def design(
    library: Library, ids: Sequence[str], traces: Mapping[str, Frames], draw: random.Random
) -> tuple[list[Woven], dict[str, str]]:
    """The functions behind some tests and their twins, not yet tried; and for each id without one the reason.

    `traces` says where a test failed without the change: the expectation at that line of the test, or the first one
    after it, is the one that a candidate has reason to cheat.
    """
    cases, missing = cases_of(library, ids)
    woven = []
    for case in cases:
        source = library.source(case.path)
        made = _weave(source, case, _line_at_stake(case, traces), draw) if source else None
        if made is None:
            missing |= dict.fromkeys(case.ids, "the function has no place for an assertion")
        else:
            woven.append(made)
    for test_id in [i for i in missing if "::" in i]:
        example = doctests.design(library, library.read, test_id, draw)
        if example is not None:
            woven.append(example)
            del missing[test_id]
    return woven, missing


def _line_at_stake(case: Case, traces: Mapping[str, Frames]) -> int | None:
    first, last = case.function.lineno, case.function.end_lineno or case.function.lineno
    lines = [
        line for i in case.ids for path, line in traces.get(i, ())[::-1] if path == case.path and first <= line <= last
    ]
    return min(lines) if lines else None


def write(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The woven file. The edits are those of `real` or of one twin of each of its functions."""
    return apply(data, edits)


def _weave(source: Source, case: Case, first_line: int | None, draw: random.Random) -> Woven | None:
    holds, fails = _sentinels(source, case, draw)
    if holds is None or fails is None:
        return None
    changes = [] if _generated(case) else changes_of(source, case, draw)
    at_stake, others = _ordered([c for c in changes if _apart(c.edits, holds)], first_line, draw)
    chosen = [*at_stake, *others][:MAX_CHANGED]
    # Where nothing is known of the base, it does not get as far as the test's own body: all is at stake.
    twins = [Twin(c.kind, c.line, (*c.edits, holds), at_stake=first_line is None or c in at_stake) for c in chosen]
    forced = Twin("forced", case.function.end_lineno or 0, (fails,))
    lines = None if first_line is None else {c.line for c in at_stake}
    seal = None if _generated(case) else seal_of(source, case, lines, draw)
    if seal is not None:
        seal = replace(seal, edits=(*seal.edits, holds)) if _apart(seal.edits, holds) else None
    return Woven(case.key, case.path, tuple(case.ids), (holds,), (forced, *twins), seal)


def _ordered(
    changes: Sequence[Change], first_line: int | None, draw: random.Random
) -> tuple[list[Change], list[Change]]:
    """What is at stake (all changes of that statement, the best kind first), and the rest: what comes later first."""
    after = [c for c in changes if first_line is None or c.end_line >= first_line]
    before = [c for c in changes if first_line is not None and c.end_line < first_line]
    at_stake = [c for c in after if first_line is not None and c.line == after[0].line]
    values = [c for c in at_stake if c.kind == "value"]
    at_stake = values or at_stake[:1]
    rest = [c for c in after if c not in at_stake]
    ranked = sorted(draw.sample(rest, len(rest)), key=lambda c: RANK[c.kind] > 1)
    return at_stake, [*ranked, *draw.sample(before, len(before))]


def _apart(edits: Sequence[Edit], other: Edit) -> bool:
    return all(edit.end <= other.start or edit.start >= other.end for edit in edits)


def _generated(case: Case) -> bool:
    names = set()
    for decorator in case.function.decorator_list:
        node = decorator.func if isinstance(decorator, ast.Call) else decorator
        names.add(node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", ""))
    return bool(names & GENERATED)


def _sentinels(source: Source, case: Case, draw: random.Random) -> tuple[Edit | None, Edit | None]:
    """One more assertion at the end of the body: one that holds and one, of the same looks, that does not."""
    word = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9)))
    right = len(word)
    wrong = right + draw.choice((-2, -1, 1, 2))
    holds, fails = f"assert len({word!r}) == {right}", f"assert len({word!r}) == {wrong}"
    last = case.function.body[-1]
    if last.lineno == case.function.lineno:
        return None, None
    start, end = source.span(last)
    if isinstance(last, ast.Return | ast.Raise):
        return Edit(start, start, f"{holds}; "), Edit(start, start, f"{fails}; ")
    if isinstance(last, _COMPOUND):
        at = source.line_end(last.end_lineno or last.lineno)
        indent = " " * last.col_offset if b"\t" not in source.data else source.text(start - last.col_offset, start)
        return Edit(at, at, f"\n{indent}{holds}"), Edit(at, at, f"\n{indent}{fails}")
    return Edit(end, end, f"; {holds}"), Edit(end, end, f"; {fails}")


_COMPOUND = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Match,
)
