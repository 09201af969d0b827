"""What was done, to what, at which cost, and why things fell out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from assay.model.base import Frozen

State = Literal["verified", "rejected", "failed"]


class Cost(Frozen):
    """What a piece of work used. CPU counts sandboxed processes too."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    written_bytes: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Field by field."""
        return Cost(
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            wall_seconds=self.wall_seconds + other.wall_seconds,
            written_bytes=self.written_bytes + other.written_bytes,
            usd=self.usd + other.usd,
        )


class LedgerEntry(Frozen):
    """One step of one stage for one subject. Appended, never changed."""

    run_id: str
    stage: str
    """`fetch`, `environment`, `split`, `base`, `gold`, `write`, `verify`."""
    subject: str
    """A candidate's key or a task's slug."""
    started_at: datetime
    cost: Cost
    outcome: str = "ok"
    """`ok`, a reason, or `failure:<boundary>`."""
    note: str = ""


class Decision(Frozen):
    """What became of a candidate."""

    candidate_key: str
    title: str
    state: State
    reason: str | None = None
    """A `Reason` when rejected, a boundary when failed."""
    detail: str = ""
    slug: str | None = None
    task_digest: str | None = None
    cost: Cost = Cost()
    decided_at: datetime
