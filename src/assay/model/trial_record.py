"""Trials as the store keeps them: what is counted and asked for stands in columns, what is read by few lies in blobs.

Plain data classes, because a calibration reads ten thousand of them at once and nobody but us writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay.model.calibration import Tally
from assay.model.failure import Boundary

TrialState = Literal["worked", "scored", "void"]
"""`worked`: the agent has ended and nobody has judged yet; `scored`: with a verdict; `void`: with a failure."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One try at one attempt. Of a key (task, entrant, attempt) at most one is scored and at most one worked; void ones
    stay beside it as history.
    """

    id: str
    """Of the key, in short hex: the same for every try of it; see `assay.core.trial_keys`."""
    task_digest: str
    entrant_digest: str
    """Also the blob of the entrant, as canonical JSON."""
    attempt: int
    task: str
    """The task's slug."""
    agent: str
    model: str
    state: TrialState
    started_at: datetime
    ended_at: datetime
    run_id: str
    trial_sha256: str
    """Blob: the trial as a line of `trials.jsonl`, without patch and trajectory."""
    trajectory_sha256: str | None = None
    """Blob: ATIF; None when there is none."""
    patch_sha256: str | None = None
    """Blob: what the agent left; None when it left nothing that could be read."""
    resolved: bool | None = None
    reward: float | None = None
    reason: str = ""
    """Why not resolved, in a word."""
    boundary: Boundary | None = None
    """Of the failure, when void."""
    failure_kind: str = ""
    message: str = ""
    """The failure's, for people."""
    usd: float | None = None
    """What the agent spent; None when nobody knows, or when it stands in the worked row that lies beside a void one."""
    tokens: int | None = None
    """Read and written."""
    model_call_count: int | None = None
    wall_seconds: float | None = None
    """Of the agent's work."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is a try of: task digest, entrant digest, attempt."""
        return self.task_digest, self.entrant_digest, self.attempt


@dataclass(frozen=True, slots=True)
class TrialTally:
    """All trials of one entrant at one task as it stood, counted."""

    task_digest: str
    entrant_digest: str
    task: str
    agent: str
    model: str
    tally: Tally
    """Void: tries that came to no verdict, each counted, also those that were repeated with better luck."""
    usd: float
    """Known dollars of all tries together."""
    priced_count: int
    """Tries whose dollars are known."""
