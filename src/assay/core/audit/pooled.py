"""What the audits of several tasks say together: shares with their denominators and exact intervals.

A task whose check is unknown, or was never reached, counts in no denominator; how many those are is always said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.core.audit.ablation import is_unneeded_hunk
from assay.core.audit.stability import DEVIATING
from assay.core.audit.survivors import Survival
from assay.core.bounds import CONFIDENCE, upper_bound
from assay.model.audit import CHECK_IDS, AuditRun, CheckId, CheckResult

FLIP = "flip"
SURVIVORS: frozenset[Survival] = frozenset({"unnoticed", "uncovered", "unseen"})
NO_CONDITIONS = {"unsteady": "under no condition every time", "together": "under several conditions together"}
"""Kinds of findings of `amplified` that name no condition."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """How many of so many."""

    check: CheckId
    name: str
    """A stable word, such as `surviving-mutant` or `flips:order-reversed`."""
    what: str
    """For people."""
    hits: int
    known: int
    """Of so many; never those that are unknown."""
    unknown: int
    """Tasks of which nobody knows."""
    unit: Literal["task", "run"] = "task"
    """What `hits` and `known` count."""

    @property
    def share(self) -> float | None:
        """From 0 to 1; None when nothing is known."""
        return self.hits / self.known if self.known else None

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper and Pearson); of runs, only the upper end says something."""
        if self.unit == "run":
            return 0.0, upper_bound(self.hits, self.known) if self.known else 1.0
        if not self.known:
            return 0.0, 1.0
        each = (1 + CONFIDENCE) / 2
        return 1 - upper_bound(self.known - self.hits, self.known, each), upper_bound(self.hits, self.known, each)


def _failed(result: CheckResult) -> bool:
    return result.status == "fail"


def _found(result: CheckResult) -> bool:
    return bool(result.findings)


def _unneeded_hunk(result: CheckResult) -> bool:
    return any(map(is_unneeded_hunk, result.findings))


def _survivor(result: CheckResult) -> bool:
    """What only computes the same for the calls that the tests make may be the same program: it is none."""
    return any(finding.kind in SURVIVORS for finding in result.findings)


ROWS: tuple[tuple[CheckId, str, str, Callable[[CheckResult], bool]], ...] = (
    ("ablation", "unnoticed-hunk", "a hunk whose absence no test notices", _failed),
    ("ablation", "unneeded-hunk", "a hunk that tests run and need not", _unneeded_hunk),
    ("mutants", "surviving-mutant", "a surviving mutant", _survivor),
    ("alternatives", "rejected-alternative", "a rejected rewrite of the reference change", _failed),
    ("hidden-names", "hidden-name", "a hidden name", _failed),
    ("leaks", "leak", "a leak", _failed),
    ("hackability", "hackable", "a scripted non-fix accepted", _failed),
)
"""What is counted of a check, by its findings where some are allowed, and by its status where none is."""


def pool(runs: Sequence[AuditRun], asked: Iterable[CheckId] = CHECK_IDS) -> list[Pooled]:
    """The rows for the checks that were asked for, in their order."""
    rows: list[Pooled] = []
    for check in asked:
        known = [result for run in runs if (result := run.of(check)) and result.status != "unknown"]
        if check == "stability":
            rows += _flakes(known, len(runs))
        elif check == "amplified":
            rows += _conditions(known, len(runs))
        for owner, name, what, holds in ROWS:
            if owner == check:
                rows.append(Pooled(check, name, what, sum(map(holds, known)), len(known), len(runs) - len(known)))
    return rows


def _flakes(known: Sequence[CheckResult], tasks: int) -> list[Pooled]:
    """Tasks that flipped; and all runs taken together, which bound the rate much closer than those of one task."""
    measured = [m for result in known for m in result.measures if m.name == DEVIATING and m.count]
    runs = sum(m.count or 0 for m in measured)
    deviating = sum(min(round(m.value), m.count or 0) for m in measured)
    flipped = sum(any(finding.kind == FLIP for finding in result.findings) for result in known)
    unknown = tasks - len(known)
    return [
        Pooled("stability", "flip", "a test that flips in plain runs", flipped, len(known), unknown),
        Pooled("stability", "deviating-runs", "runs that deviate", deviating, runs, tasks - len(measured), "run"),
    ]


def _conditions(known: Sequence[CheckResult], tasks: int) -> list[Pooled]:
    """One row a condition that flips something, and one for any of them."""
    rows = [
        Pooled(
            "amplified",
            "flips",
            "a test that flips under a condition",
            sum(map(_found, known)),
            len(known),
            tasks - len(known),
        )
    ]
    hits = Counter(kind for result in known for kind in {finding.kind for finding in result.findings})
    for kind, number in sorted(hits.items(), key=lambda item: (-item[1], item[0])):
        tried = sum(_tried(result, kind) for result in known)
        what = NO_CONDITIONS.get(kind, f"under {kind}")
        rows.append(Pooled("amplified", f"flips:{kind}", what, number, tried, tasks - tried))
    return rows


def _tried(result: CheckResult, condition: str) -> bool:
    """Whether a condition could be tried: it flipped something, or is not named by what could not be looked at.

    What could not be looked at begins with the condition or its kind: `clock: why`, `order-reversed, the base: why`.
    """
    if any(finding.kind == condition for finding in result.findings):
        return True
    named = {word for why in result.unknown for word in re.split(r"[\s,+]+", why.partition(":")[0])}
    return not any(condition == word or condition.startswith(f"{word}-") for word in named if word)
