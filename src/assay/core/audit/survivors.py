"""What it says about a task when its tests accept a variant: who ran it, and whether it computed anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from assay.core.variants.choice import is_covered
from assay.core.variants.diffs import diff_of
from assay.model.audit import Finding
from assay.model.tree import Tree
from assay.model.variant import Trial, Variant

Survival = Literal["unnoticed", "uncovered", "unseen", "undistinguished"]
"""Something else was computed and no test minds; no test runs it; nobody looked; nothing else was computed."""
ORDER: tuple[Survival, ...] = ("unnoticed", "uncovered", "unseen", "undistinguished")
"""The most telling first."""
MAX_TESTS = 3


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known about variants beside their fate."""

    covered: Mapping[str, Mapping[int, tuple[str, ...]]] | None = None
    """Path to line (of the file as the reference change leaves it) to the tests that run it; None: nobody looked.
    What runs at an import belongs to every test that imports it.
    """
    differs: Mapping[str, bool | None] = field(default_factory=dict)
    """A surviving variant's key to whether anything that the tests computed was seen to differ; None or nothing:
    nobody could look.
    """

    def tests_of(self, variant: Variant) -> tuple[str, ...]:
        """The tests that run a line of a variant, each once."""
        lines = (self.covered or {}).get(variant.path, {})
        return tuple(dict.fromkeys(test for line in sorted(variant.lines) for test in lines.get(line, ())))

    def survival(self, variant: Variant) -> Survival:
        """What an accepted variant is an instance of."""
        differs = self.differs.get(variant.key)
        if differs:
            return "unnoticed"
        lines = None if self.covered is None else {path: own.keys() for path, own in self.covered.items()}
        if is_covered(variant, lines) is False:
            return "uncovered"
        return "unseen" if differs is None else "undistinguished"


def accepted(trials: Iterable[Trial]) -> list[Variant]:
    """Variants that the tests took for the reference change."""
    return [trial.variant for trial in trials if trial.fate == "accepted"]


def in_order(variants: Sequence[Variant], sight: Sight) -> list[tuple[Survival, Variant]]:
    """Survivors with what they say, the most telling first; wrong fixes before what is small."""
    found = [(sight.survival(variant), variant) for variant in variants]
    return sorted(
        found,
        key=lambda pair: (
            ORDER.index(pair[0]),
            pair[1].rank,
            pair[1].family != "wrong-fix",
            pair[1].path,
            pair[1].line,
            pair[1].key,
        ),
    )


def finding(variant: Variant, gold: Tree, sight: Sight, *, kind: str, what: str, advice: str) -> Finding:
    """A survivor as a finding, with its diff and the tests that run it."""
    tests = sight.tests_of(variant)
    more = f", and {len(tests) - MAX_TESTS} more" if len(tests) > MAX_TESTS else ""
    ran = (f"run by {', '.join(tests[:MAX_TESTS])}{more}",) if tests else ()
    return Finding(
        kind=kind,
        what=what,
        subject=variant.key,
        path=variant.path,
        line=variant.line,
        evidence=(*diff_of(gold, variant), *ran),
        advice=advice,
    )


def place(variant: Variant) -> str:
    """Where a variant differs, for people."""
    where = f"{variant.path}:{variant.line}" if variant.line else variant.path
    return f"{where} ({variant.function})" if variant.function else where


def not_tried(trials: Iterable[Trial]) -> list[str]:
    """Why the fate of some variants is unknown: each reason once, with how many it is about."""
    counts: dict[str, int] = {}
    for trial in trials:
        if trial.fate == "unknown":
            reason = trial.message or "the tests said nothing"
            counts[reason] = counts.get(reason, 0) + 1
    return [f"{count} of the variants: {reason}" for reason, count in counts.items()]
