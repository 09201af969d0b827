"""Between rows and types: the one place that knows both shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from assay.model.calibration import Tally
from assay.model.ledger import Cost, Decision, LedgerEntry
from assay.model.trial_record import TrialRecord, TrialTally
from assay.ports.store import FunnelRow

Row = RowMapping


def moment_text(moment: datetime) -> str:
    """A moment in UTC, fixed width; one without a zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


def plain_text(text: str) -> str:
    """Text that every database takes: lone surrogates (from file names) and NUL are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _plain(text: str | None) -> str | None:
    return None if text is None else plain_text(text)


def cost_row(cost: Cost) -> dict[str, Any]:
    """A cost's columns."""
    return cost.model_dump()


def _cost(row: Row) -> Cost:
    return Cost(
        cpu_seconds=row["cpu_seconds"],
        wall_seconds=row["wall_seconds"],
        written_bytes=int(row["written_bytes"]),
        usd=row["usd"],
    )


def decision_row(decision: Decision) -> dict[str, Any]:
    """A decision's columns, without its place in the order."""
    return {
        "candidate_key": plain_text(decision.candidate_key),
        "title": plain_text(decision.title),
        "state": decision.state,
        "reason": _plain(decision.reason),
        "detail": plain_text(decision.detail),
        "slug": _plain(decision.slug),
        "task_digest": decision.task_digest,
        **cost_row(decision.cost),
        "decided_at": moment_text(decision.decided_at),
    }


def decision_of(row: Row) -> Decision:
    """The decision that a row holds."""
    return Decision(
        candidate_key=row["candidate_key"],
        title=row["title"],
        state=row["state"],
        reason=row["reason"],
        detail=row["detail"],
        slug=row["slug"],
        task_digest=row["task_digest"],
        cost=_cost(row),
        decided_at=datetime.fromisoformat(row["decided_at"]),
    )


def ledger_row(entry: LedgerEntry) -> dict[str, Any]:
    """A ledger entry's columns."""
    return {
        "run_id": entry.run_id,
        "stage": entry.stage,
        "subject": plain_text(entry.subject),
        "started_at": moment_text(entry.started_at),
        **cost_row(entry.cost),
        "outcome": plain_text(entry.outcome),
        "note": plain_text(entry.note),
    }


def ledger_entry_of(row: Row) -> LedgerEntry:
    """The entry that a row holds."""
    return LedgerEntry(
        run_id=row["run_id"],
        stage=row["stage"],
        subject=row["subject"],
        started_at=datetime.fromisoformat(row["started_at"]),
        cost=_cost(row),
        outcome=row["outcome"],
        note=row["note"],
    )


def funnel_row_of(row: Row) -> FunnelRow:
    """The line of the funnel that a grouped row holds."""
    return FunnelRow(state=row["state"], reason=row["reason"], count=row["count"], cost=_cost(row))


def trial_row(record: TrialRecord) -> dict[str, Any]:
    """A trial's columns, without its place in the order."""
    row = asdict(record)
    for name in ("task", "agent", "model", "reason", "failure_kind", "message"):
        row[name] = plain_text(row[name])
    return {**row, "started_at": moment_text(record.started_at), "ended_at": moment_text(record.ended_at)}


def trial_of(row: Row) -> TrialRecord:
    """The trial that a row of its columns holds."""
    fields = dict(row)
    for name in ("started_at", "ended_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    return TrialRecord(**fields)


def tally_of(row: Row) -> TrialTally:
    """The counts that a grouped row holds."""
    fields = dict(row)
    counts = {name: fields.pop(name) for name in ("resolved_count", "scored_count", "void_count")}
    return TrialTally(**fields, tally=Tally(**counts))


def fact_text(value: Mapping[str, Any]) -> str:
    """A small fact as JSON; pure ASCII, so that nothing in it can be refused."""
    return json.dumps(dict(value), ensure_ascii=True, sort_keys=True)


def fact_of(text: str) -> dict[str, Any]:
    """The fact that `fact_text` wrote."""
    value: dict[str, Any] = json.loads(text)
    return value
