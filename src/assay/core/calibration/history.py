"""What all trials so far say of each task: the tallies that a calibration starts from.

A trial whose patch a person has since judged otherwise than the verifier did counts as the person says: a solved task
whose patch proves wrong was not solved. Trials without a verdict stand beside the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.model.calibration import Record, Solver, Tally
from assay.model.trial_record import TrialRecord

Judged = Mapping[str, bool]
"""By the SHA-256 of a patch: whether a person calls it right."""
NOBODY: Judged = {}


def resolved(record: TrialRecord, judged: Judged = NOBODY) -> bool | None:
    """Whether a trial counts as solved; None when it counts for nothing."""
    if record.state != "scored" or record.resolved is None:
        return None
    return judged.get(record.patch_sha256 or "", record.resolved)


def tally_of(records: Iterable[TrialRecord], judged: Judged = NOBODY) -> Tally:
    """The tally of one entrant's trials at one task."""
    known = list(records)
    answers = [answer for record in known if (answer := resolved(record, judged)) is not None]
    void = sum(record.state == "void" for record in known)
    return Tally(resolved_count=sum(answers), scored_count=len(answers), void_count=void)


def usd_of(records: Iterable[TrialRecord]) -> float | None:
    """What trials cost, the void ones too; None when that is unknown for one of them."""
    prices = [record.usd for record in records if record.state != "worked"]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def free_attempts(records: Iterable[TrialRecord], count: int) -> tuple[int, ...]:
    """The numbers of the next attempts: the lowest that have no score yet."""
    taken = {record.attempt for record in records if record.state == "scored"}
    found: list[int] = []
    number = 0
    while len(found) < count:
        number += 1
        if number not in taken:
            found.append(number)
    return tuple(found)


def solver_of(record: TrialRecord) -> Solver:
    """Who tried, told apart by limits and settings too."""
    return Solver(agent=record.agent, model=f"{record.model} {record.entrant_digest[:12]}")


NO_SOLVERS = frozenset({"oracle", "nop", "patch"})
"""Agents that solve nothing: they show what they have been given, not how hard a task is."""


def is_solver(agent: str) -> bool:
    """Whether an agent's results say how hard a task is."""
    return agent not in NO_SOLVERS


def records_of(trials: Iterable[TrialRecord], judged: Mapping[str, Judged]) -> list[Record]:
    """Everybody's tallies, by task digest and entrant. `judged` holds what people said, by task digest."""
    by_key: dict[tuple[str, str], list[TrialRecord]] = {}
    for trial in trials:
        by_key.setdefault((trial.task_digest, trial.entrant_digest), []).append(trial)
    return [
        Record(task=digest, solver=solver_of(group[0]), tally=tally_of(group, judged.get(digest, NOBODY)))
        for (digest, _), group in by_key.items()
    ]
