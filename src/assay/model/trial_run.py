"""What comes of asking for trials: one answer for each, and how far the work is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.errors import AssayError
from assay.model.agent import Entrant
from assay.model.trial_record import TrialRecord


@dataclass(frozen=True, slots=True)
class Wish:
    """One trial that is wanted."""

    path: Path
    """The task's folder."""
    attempt: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """What became of a wish: a try with a score or a failure, or why there was none."""

    task: str
    """The task's slug, or its folder's name when it could not be read."""
    attempt: int
    record: TrialRecord | None = None
    """The last try; never one that nobody judged."""
    recalled: bool = False
    """Whether an earlier run had scored it."""
    problem: AssayError | None = None
    """What is wrong with the task, so that nothing was spent on it."""
    held_back: str = ""
    """Why it was not begun though nothing is wrong with it: the budget, an endpoint that is down."""

    @property
    def resolved(self) -> bool | None:
        """None when there is no score."""
        return self.record.resolved if self.record is not None else None

    @property
    def is_void(self) -> bool:
        """Whether it was tried and has no score."""
        return self.record is not None and self.record.state == "void"


@dataclass(frozen=True, slots=True)
class TrialCount:
    """How far the trials are."""

    done: int
    total: int
    """That were asked for up to now."""
    resolved: int = 0
    unresolved: int = 0
    void: int = 0
    """Without a verdict, for whatever reason."""
    recalled: int = 0
    """Of `done`, those that an earlier run had scored."""
    usd: float = 0.0
    """Spent since the work began, as far as it is known."""


@dataclass(frozen=True, slots=True)
class TrialsRun:
    """All that was asked for, in the order in which it was."""

    entrant: Entrant
    entrant_digest: str
    ends: tuple[TrialEnd, ...] = ()
    stopped: str = ""
    """Why the run ended before all was done; empty when it did not."""
    usd: float = 0.0
    """Spent by this run, as far as it is known."""
    unpriced_count: int = 0
    """Tries of this run whose dollars nobody knows."""
