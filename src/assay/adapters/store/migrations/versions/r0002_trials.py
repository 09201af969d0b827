"""Trials: every try of an agent at a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = ["task_digest", "entrant_digest", "attempt"]
IS_FINAL = sa.text("state <> 'void'")


def upgrade() -> None:
    """Create the table of trials."""
    op.create_table(
        "trials",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("task_digest", sa.String(64), nullable=False),
        sa.Column("entrant_digest", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.String(40), nullable=False),
        sa.Column("ended_at", sa.String(40), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("trial_sha256", sa.String(64), nullable=False),
        sa.Column("trajectory_sha256", sa.String(64)),
        sa.Column("patch_sha256", sa.String(64)),
        sa.Column("resolved", sa.Boolean),
        sa.Column("reward", sa.Float),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("boundary", sa.String(16)),
        sa.Column("failure_kind", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("usd", sa.Float),
        sa.Column("tokens", sa.BigInteger),
        sa.Column("model_call_count", sa.BigInteger),
        sa.Column("wall_seconds", sa.Float),
        sa.PrimaryKeyConstraint("sequence", name="pk_trials"),
    )
    op.create_index("ix_trials_entrant_digest", "trials", ["entrant_digest", "task_digest", "attempt"])
    op.create_index("ix_trials_id", "trials", ["id"])
    op.create_index("uq_trials_key", "trials", KEY, unique=True, sqlite_where=IS_FINAL, postgresql_where=IS_FINAL)
