"""Where everything lives that is no task: decisions, runs, ledger, memory, large bytes.

Synchronous and thread-safe: callers on the event loop go through `anyio.to_thread`. Every write is durable when its
call returns, except for `charge`, which may be batched until `flush`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from assay.model.ledger import Cost, Decision, LedgerEntry
from assay.model.trial_record import TrialRecord, TrialTally


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """One line of the funnel: how many candidates came to this state for this reason, and what they cost."""

    state: str
    reason: str | None
    count: int
    cost: Cost


class Store(Protocol):
    """One project's database and blobs. Raises only StoreError and its kin."""

    def begin_run(self, command: Sequence[str], started_at: datetime) -> str:
        """Record a run by this process; its id, which labels sandboxes and ledger entries."""
        ...

    def end_run(self, run_id: str, ended_at: datetime, exit_code: int) -> None:
        """Close a run."""
        ...

    def live_runs(self) -> list[str]:
        """Runs that have not ended and whose process still lives; others are closed as lost."""
        ...

    def claim(self, key: str, run_id: str) -> bool:
        """Take a piece of work for a run; False when a live run has it. A dead run's claim is taken over."""
        ...

    def release(self, key: str, run_id: str) -> None:
        """Give a claim back; nothing happens when it is not held."""
        ...

    def decision(self, candidate_key: str) -> Decision | None:
        """What became of a candidate, if it was decided."""
        ...

    def decide(self, decision: Decision) -> None:
        """Record what became of a candidate; a later decision replaces an earlier one."""
        ...

    def decisions(self) -> list[Decision]:
        """All, in the order in which they were first made."""
        ...

    def charge(self, entries: Iterable[LedgerEntry]) -> None:
        """Append to the ledger."""
        ...

    def flush(self) -> None:
        """Make all batched writes durable."""
        ...

    def ledger(self, subject: str | None = None) -> list[LedgerEntry]:
        """Entries, oldest first."""
        ...

    def funnel(self) -> list[FunnelRow]:
        """Counts and costs by state and reason; the counts add up to the number of decided candidates."""
        ...

    def remember(self, namespace: str, key: str, value: dict[str, Any]) -> None:
        """Keep a small fact (what worked for a repository)."""
        ...

    def recall(self, namespace: str, key: str) -> dict[str, Any] | None:
        """A fact kept earlier."""
        ...

    def put_blob(self, data: bytes) -> str:
        """Keep bytes, compressed; their SHA-256 in hex."""
        ...

    def get_blob(self, digest: str) -> bytes:
        """Bytes kept earlier, checked against their digest. Raises StoreError when absent or damaged."""
        ...

    def keep_trial(self, record: TrialRecord) -> None:
        """Record a try. A worked one takes the place of an earlier worked one of its key, a scored one that of the
        worked one; void ones are added. Raises StoreError for a key that is scored already, unless the try is void.
        """
        ...

    def trials(
        self, entrant_digest: str | None = None, task_digests: Collection[str] | None = None, id_prefix: str = ""
    ) -> list[TrialRecord]:
        """Tries, oldest first: of one entrant or all, at these tasks or all, whose id begins so."""
        ...

    def tallies(self, entrant_digest: str | None = None) -> list[TrialTally]:
        """Counts by task and entrant, of one entrant or all, by the time of the first try."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...
