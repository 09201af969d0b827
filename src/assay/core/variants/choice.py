"""Which variants are tried when there are more than time allows: a draw that anybody can repeat."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence, Set

from assay.model.variant import Variant


def chosen(
    variants: Sequence[Variant], count: int, covered_lines: Mapping[str, Set[int]] | None, seed: str
) -> list[Variant]:
    """At most `count` variants, in the order in which to try them: all wrong fixes, even when there are more, then
    variants that touch lines which tests run, spread over lines and kinds, the changed lines' own before others.

    `covered_lines` are lines by path, None when nobody knows them. The same seed draws the same variants.
    """
    first = [variant for variant in variants if variant.family == "wrong-fix"]
    rest = [v for v in variants if v.family != "wrong-fix" and is_covered(v, covered_lines) is not False]
    order = sorted(rest, key=lambda variant: variant.key)
    random.Random(seed).shuffle(order)
    return [*first, *_spread(order, count - len(first))]


def first_to_leave_out(variants: Sequence[Variant], lines: Mapping[str, Mapping[str, Set[int]]]) -> list[Variant]:
    """Hunks before statements. Of statements first those that few tests run, since what few look at is missed most
    easily, then those that all tests run because they import them, then those that none runs.

    `lines` are lines by path by test, with an empty name for what runs at an import; empty when nobody knows them.
    """

    def turn(variant: Variant) -> tuple[bool, bool, bool, int]:
        tests = {test for test, files in lines.items() if not variant.lines.isdisjoint(files.get(variant.path, ()))}
        return variant.kind != "hunk", bool(lines and variant.lines) and not tests, "" in tests, len(tests)

    return sorted(variants, key=turn)


def is_covered(variant: Variant, covered_lines: Mapping[str, Set[int]] | None) -> bool | None:
    """Whether tests run a line that the variant touches; None when nobody can say."""
    if covered_lines is None or not variant.lines:
        return None
    return not variant.lines.isdisjoint(covered_lines.get(variant.path, frozenset()))


def _spread(order: Sequence[Variant], count: int) -> list[Variant]:
    """Variants one by one, each of a line and of a kind that were drawn least often so far."""
    taken: list[Variant] = []
    lines: Counter[tuple[str, int]] = Counter()
    kinds: Counter[str] = Counter()
    for rank in sorted({variant.rank for variant in order}):
        waiting = [variant for variant in order if variant.rank == rank]
        while waiting and len(taken) < count:
            best = min(waiting, key=lambda v: (lines[v.path, v.line], kinds[v.kind]))
            waiting.remove(best)
            taken.append(best)
            lines[best.path, best.line] += 1
            kinds[best.kind] += 1
    return taken
