"""What finished work has to say: the results that a front end prints and a program reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assay.model.agent import Entrant
from assay.model.evidence import Evidence
from assay.model.ledger import Cost, Decision, LedgerEntry, State
from assay.model.task import Task
from assay.model.trial import Trial
from assay.model.trial_record import TrialRecord


@dataclass(frozen=True, slots=True)
class MineSummary:
    """The end of `mine`. `candidates` = `verified` + all of `rejected` + `failed`."""

    candidates: int
    verified: int
    rejected: Mapping[str, int]
    """By reason, a value of `Reason`."""
    failed: int
    """Kept from a decision by infrastructure; the next run tries them again."""
    cost: Cost = field(default_factory=Cost)
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class FunnelLine:
    """How many candidates came to this end, and what they cost."""

    state: State
    reason: str | None
    count: int
    cost: Cost


@dataclass(frozen=True, slots=True)
class OriginLine:
    """What a package or a repository yielded."""

    origin: str
    """`pypi:NAME`, `git:URL`."""
    candidates: int
    verified: int
    failed: int
    cost: Cost
    top_reason: str | None
    """For which most of its candidates became no task; `failed: <boundary>` when that was no rejection."""

    @property
    def rejected(self) -> int:
        """Candidates that fell out for a reason of their own."""
        return self.candidates - self.verified - self.failed


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task of the project and the cost of making it."""

    slug: str
    path: Path
    cost: Cost
    stale: bool = False
    """Whether the folder has changed since it was verified."""
    title: str = ""
    """The change, for people. Written by whoever made it: hostile until escaped."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A project's funnel and ledger."""

    project: Path
    funnel: tuple[FunnelLine, ...] = ()
    tasks: tuple[TaskLine, ...] = ()
    running: tuple[str, ...] = ()
    """Runs at work on the project right now."""
    shared_bytes: int = 0
    """Bytes of environments and layers, which tasks share and which count once."""
    origins: tuple[OriginLine, ...] = ()
    made_at: datetime | None = None
    decided_between: tuple[datetime, datetime] | None = None
    """The first and the last decision that still stands; None when there is none."""

    @property
    def candidates(self) -> int:
        """All that have come to an end; the denominator of every share."""
        return sum(line.count for line in self.funnel)


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """A piece of evidence, and whether the task has changed since."""

    evidence: Evidence
    stale: bool


@dataclass(frozen=True, slots=True)
class TaskView:
    """All there is to show of a task."""

    path: Path
    task: Task
    digest: str
    evidence: tuple[EvidenceLine, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    """Of the task and of the candidate that it was; empty outside a project."""


@dataclass(frozen=True, slots=True)
class CandidateView:
    """What became of a candidate, and how."""

    decision: Decision
    ledger: tuple[LedgerEntry, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class TrialView:
    """All there is to show of a trial."""

    record: TrialRecord
    """The try that counts: the scored one, or the latest."""
    trial: Trial
    entrant: Entrant
    earlier: tuple[TrialRecord, ...] = ()
    """Other tries of the same attempt, oldest first; all of them void."""
