"""A store in memory that keeps the store's promises, so that stages can be tested without a disk."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from assay.errors import StoreError
from assay.model.calibration import Tally
from assay.model.ledger import Cost, Decision, LedgerEntry
from assay.model.trial_record import TrialRecord, TrialTally
from assay.ports.store import FunnelRow


class MemoryStore:
    """See `assay.ports.store`. `kill` makes a run look like one whose process has died."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}
        self._claims: dict[str, str] = {}
        self._decisions: dict[str, Decision] = {}
        self._ledger: list[LedgerEntry] = []
        self._memory: dict[tuple[str, str], dict[str, Any]] = {}
        self._blobs: dict[str, bytes] = {}
        self._trials: list[TrialRecord] = []

    def kill(self, run_id: str) -> None:
        """Let the process of a run be dead, without a word."""
        self._runs[run_id] = "dead"

    def begin_run(self, command: Sequence[str], started_at: datetime) -> str:
        """Record a run; its id."""
        run_id = f"{started_at:%Y%m%dT%H%M%S%f}-{len(self._runs):08d}"
        self._runs[run_id] = "running"
        return run_id

    def end_run(self, run_id: str, ended_at: datetime, exit_code: int) -> None:
        """Close a run and give back what it still claims."""
        self._close_run(run_id, "ended")

    def live_runs(self) -> list[str]:
        """Runs that go on; dead ones are closed as lost."""
        for run_id in [r for r, state in self._runs.items() if state == "dead"]:
            self._close_run(run_id, "lost")
        return sorted(r for r, state in self._runs.items() if state == "running")

    def _close_run(self, run_id: str, state: str) -> None:
        self._runs[run_id] = state
        self._claims = {key: holder for key, holder in self._claims.items() if holder != run_id}

    def claim(self, key: str, run_id: str) -> bool:
        """Take a piece of work; a dead run's claim is taken over."""
        holder = self._claims.get(key, run_id)
        if holder != run_id and self._runs[holder] == "running":
            return False
        self._claims[key] = run_id
        return True

    def release(self, key: str, run_id: str) -> None:
        """Give a claim back."""
        if self._claims.get(key) == run_id:
            del self._claims[key]

    def decision(self, candidate_key: str) -> Decision | None:
        """What became of a candidate."""
        return self._decisions.get(candidate_key)

    def decide(self, decision: Decision) -> None:
        """Record a decision; a later one replaces an earlier one in its place."""
        self._decisions[decision.candidate_key] = decision

    def decisions(self) -> list[Decision]:
        """All, in the order in which they were first made."""
        return list(self._decisions.values())

    def charge(self, entries: Iterable[LedgerEntry]) -> None:
        """Append to the ledger."""
        self._ledger += entries

    def flush(self) -> None:
        """Do nothing: there is no batch."""

    def ledger(self, subject: str | None = None) -> list[LedgerEntry]:
        """Entries, oldest first."""
        return [entry for entry in self._ledger if subject is None or entry.subject == subject]

    def funnel(self) -> list[FunnelRow]:
        """Counts and costs by state and reason, most frequent first."""
        groups: dict[tuple[str, str | None], list[Cost]] = {}
        for decision in self._decisions.values():
            groups.setdefault((decision.state, decision.reason), []).append(decision.cost)
        lines = [FunnelRow(s, r, len(costs), sum(costs, Cost())) for (s, r), costs in groups.items()]
        return sorted(lines, key=lambda line: (-line.count, line.state, line.reason or ""))

    def remember(self, namespace: str, key: str, value: dict[str, Any]) -> None:
        """Keep a small fact."""
        self._memory[namespace, key] = copy.deepcopy(value)

    def recall(self, namespace: str, key: str) -> dict[str, Any] | None:
        """A fact kept earlier."""
        return copy.deepcopy(self._memory.get((namespace, key)))

    def put_blob(self, data: bytes) -> str:
        """Keep bytes; their SHA-256 in hex."""
        digest = hashlib.sha256(data).hexdigest()
        self._blobs[digest] = data
        return digest

    def get_blob(self, digest: str) -> bytes:
        """Bytes kept earlier. Raises StoreError when absent."""
        if digest not in self._blobs:
            raise StoreError(f"there is no blob {digest}", hint="Run the stage that made it again.")
        return self._blobs[digest]

    def keep_trial(self, record: TrialRecord) -> None:
        """Record a try."""
        same = [one for one in self._trials if one.key == record.key and one.state != "void"]
        if record.state != "void":
            if any(one.state == "scored" for one in same):
                raise StoreError(f"trial {record.id} has been scored already")
            self._trials = [one for one in self._trials if one not in same]
        self._trials.append(record)

    def trials(
        self, entrant_digest: str | None = None, task_digests: Collection[str] | None = None, id_prefix: str = ""
    ) -> list[TrialRecord]:
        """Tries, oldest first."""
        return [
            one
            for one in self._trials
            if entrant_digest in (None, one.entrant_digest)
            and (task_digests is None or one.task_digest in task_digests)
            and one.id.startswith(id_prefix)
        ]

    def tallies(self, entrant_digest: str | None = None) -> list[TrialTally]:
        """Counts by task and entrant."""
        groups: dict[tuple[str, str], list[TrialRecord]] = {}
        for one in self.trials(entrant_digest):
            groups.setdefault((one.task_digest, one.entrant_digest), []).append(one)
        return [_tally(ones) for ones in groups.values()]

    def close(self) -> None:
        """Do nothing."""


def _tally(tries: list[TrialRecord]) -> TrialTally:
    first = tries[0]
    states = [one.state for one in tries]
    counts = Tally(
        resolved_count=sum(bool(one.resolved) for one in tries),
        scored_count=states.count("scored"),
        void_count=states.count("void"),
    )
    usd = [one.usd for one in tries if one.usd is not None]
    return TrialTally(
        first.task_digest, first.entrant_digest, first.task, first.agent, first.model, counts, sum(usd, 0.0), len(usd)
    )
