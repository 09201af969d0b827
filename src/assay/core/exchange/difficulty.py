"""What was measured of a task's difficulty, in the metadata of an exported folder, where other harnesses find it.

It is evidence and no part of the task: a folder of ours that comes back is read without it, so that its content is the
same as before.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from assay.model.difficulty import GROUP, Difficulty
from assay.model.loss import Loss
from assay.model.task import Task

KEY = "assay_difficulty"
"""Below Harbor's [metadata]: one table for each entrant and band."""
DIGITS = 4


def with_difficulty(task: Task, found: Iterable[Difficulty]) -> Task:
    """The task with what was measured in its metadata; itself when nothing was."""
    tables = [_table(one) for one in found]
    if not tables:
        return task
    config = deepcopy(dict(task.config))
    config["metadata"] = {**dict(config.get("metadata") or {}), KEY: tables}
    return replace(task, config=config)


def without_difficulty(task: Task) -> tuple[Task, tuple[Loss, ...]]:
    """The task as it was before it was exported, and what that leaves behind."""
    metadata = dict(task.config.get("metadata") or {})
    if KEY not in metadata:
        return task, ()
    del metadata[KEY]
    loss = Loss(
        subject=task.slug, field=f"metadata.{KEY}", reason="what others measured is no evidence here: assay calibrate"
    )
    return replace(task, config={**dict(task.config), "metadata": metadata}), (loss,)


def _table(one: Difficulty) -> dict[str, Any]:
    """In words that need no assay to be read; shares from 0 to 1."""
    posterior = one.posterior
    table: dict[str, Any] = {
        "agent": one.entrant.agent,
        "agent_version": one.entrant.agent_version,
        "model": one.entrant.model,
        "entrant_digest": one.entrant_digest,
        "band": [one.band.low, one.band.high],
        "placing": one.placing,
        "resolved_count": one.tally.resolved_count,
        "scored_count": one.tally.scored_count,
        "void_count": one.tally.void_count,
        "rate_mean": round(posterior.mean, DIGITS),
        "rate_low": round(posterior.low, DIGITS),
        "rate_high": round(posterior.high, DIGITS),
        "rate_level": posterior.level,
        "expected_error": round(one.expected_error, DIGITS),
        f"signal_share_of_{GROUP}": round(one.signal_share, DIGITS),
        "decided_at": one.decided_at,
    }
    if one.usd is not None:
        table["usd"] = round(one.usd, DIGITS)
    return table
