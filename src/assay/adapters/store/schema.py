"""The tables as they are now; how older stores come here is told by `migrations`.

Moments are ISO text in UTC with six decimals: sorted as text they are sorted in time, on every database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# SQLite counts up by itself only for a primary key of type INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")


def _cost_columns() -> tuple[Column[float], Column[float], Column[int], Column[float]]:
    return (
        Column("cpu_seconds", Float, nullable=False),
        Column("wall_seconds", Float, nullable=False),
        Column("written_bytes", BigInteger, nullable=False),
        Column("usd", Float, nullable=False),
    )


runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("command", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("host", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_start_ticks", BigInteger, nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("exit_code", Integer),
)
"""`state` is `running`, `ended` or `lost`; a lost run has no end that anybody saw."""

claims = Table(
    "claims",
    metadata,
    Column("key", Text, primary_key=True),
    Column("run_id", String(64), ForeignKey("runs.id"), nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("candidate_key", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("detail", Text, nullable=False),
    Column("slug", Text),
    Column("task_digest", Text),
    *_cost_columns(),
    Column("decided_at", String(40), nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False),
    Column("stage", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("started_at", String(40), nullable=False),
    *_cost_columns(),
    Column("outcome", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_ledger_subject", "subject"),
)
"""Appended to and never changed; so it does not reference `runs`, which may be pruned one day."""

memory = Table(
    "memory",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

_IS_FINAL = text("state <> 'void'")

trials = Table(
    "trials",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False),
    Column("task_digest", String(64), nullable=False),
    Column("entrant_digest", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("ended_at", String(40), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("trial_sha256", String(64), nullable=False),
    Column("trajectory_sha256", String(64)),
    Column("patch_sha256", String(64)),
    Column("resolved", Boolean),
    Column("reward", Float),
    Column("reason", Text, nullable=False),
    Column("boundary", String(16)),
    Column("failure_kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("usd", Float),
    Column("tokens", BigInteger),
    Column("model_call_count", BigInteger),
    Column("wall_seconds", Float),
    Index("ix_trials_entrant_digest", "entrant_digest", "task_digest", "attempt"),
    Index("ix_trials_id", "id"),
    Index(
        "uq_trials_key",
        *("task_digest", "entrant_digest", "attempt"),
        unique=True,
        sqlite_where=_IS_FINAL,
        postgresql_where=_IS_FINAL,
    ),
)
"""A try each. Of a key at most one row is worked or scored; any number beside it are void."""
