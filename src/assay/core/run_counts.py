"""A run of trials in numbers: every trial that was asked for is in exactly one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import InfrastructureError
from assay.model.trial_run import TrialEnd


@dataclass(frozen=True, slots=True)
class RunCounts:
    """`asked` = `scored` + `void` + `unusable` + `held_back`. Only what is scored has a place in a rate."""

    asked: int = 0
    resolved: int = 0
    scored: int = 0
    void: int = 0
    """Tried, and kept from a verdict by a fault around the agent."""
    unusable: int = 0
    """Not tried, because something is wrong with the task."""
    held_back: int = 0
    """Not begun when the run ended early."""

    @property
    def rate(self) -> float | None:
        """Of those with a verdict, how many are resolved; None without any."""
        return self.resolved / self.scored if self.scored else None


def counts_of(ends: Sequence[TrialEnd]) -> RunCounts:
    """All of them, counted."""
    kinds = [_kind(end) for end in ends]
    return RunCounts(
        asked=len(ends),
        resolved=sum(end.resolved is True for end in ends),
        scored=kinds.count("scored"),
        void=kinds.count("void"),
        unusable=kinds.count("unusable"),
        held_back=kinds.count("held-back"),
    )


def by_task(ends: Sequence[TrialEnd]) -> dict[str, RunCounts]:
    """The counts of each task, in the order in which they come."""
    groups: dict[str, list[TrialEnd]] = {}
    for end in ends:
        groups.setdefault(end.task, []).append(end)
    return {task: counts_of(ones) for task, ones in groups.items()}


def causes(ends: Sequence[TrialEnd]) -> dict[str, str]:
    """Why trials are void: the message of the first failure at each boundary."""
    found: dict[str, str] = {}
    for end in ends:
        if end.record is not None and end.record.boundary is not None and end.is_void:
            found.setdefault(end.record.boundary, end.record.message)
    return found


def is_wrong(ends: Sequence[TrialEnd]) -> bool:
    """Whether something that the user gave is wrong, so that trials were not made."""
    return any(end.problem is not None and not isinstance(end.problem, InfrastructureError) for end in ends)


def _kind(end: TrialEnd) -> str:
    if end.resolved is not None:
        return "scored"
    if end.problem is not None:
        return "unusable"
    return "held-back" if end.held_back else "void"
