"""Between a trial and what the store keeps of it: one row for counting, blobs for reading."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

from assay.core.exchange.atif import atif_bytes, read_atif
from assay.core.exchange.trials import read_trial, trial_line
from assay.core.trial_keys import ID_DIGITS, SHOWN_DIGITS, entrant_digest, entrant_json, trial_id
from assay.errors import InputError, StoreError
from assay.model.agent import Entrant
from assay.model.trial import Trial, TrialCost
from assay.model.trial_record import TrialRecord, TrialState
from assay.ports.store import Store

_ID = re.compile(rf"[0-9a-f]{{4,{ID_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Records:
    """The trials of one run, as they are kept."""

    store: Store
    entrant: Entrant
    run_id: str

    def keep(self, trial: Trial, ended_at: datetime, *, is_paid: bool = False) -> TrialRecord:
        """Make a try durable, its blobs before its row: a row never leads nowhere. `is_paid`: what the agent spent
        stands in the worked row of the same key. Raises StoreError.
        """
        store, digest = self.store, entrant_digest(self.entrant)
        store.put_blob(entrant_json(self.entrant))
        failure = trial.failure
        cost = trial.cost if trial.cost and not (failure and is_paid) else TrialCost()
        trajectory = None if trial.trajectory is None else store.put_blob(atif_bytes(trial.trajectory))
        record = TrialRecord(
            id=trial_id(trial.task_digest, digest, trial.attempt),
            task_digest=trial.task_digest,
            entrant_digest=digest,
            attempt=trial.attempt,
            task=trial.task,
            agent=trial.agent,
            model=trial.model,
            state=_state(trial),
            started_at=trial.started_at or ended_at,
            ended_at=ended_at,
            run_id=self.run_id,
            trial_sha256=store.put_blob(trial_line(trial.model_copy(update={"patch": None, "trajectory": None}))),
            trajectory_sha256=trajectory,
            patch_sha256=None if trial.patch is None else store.put_blob(trial.patch),
            resolved=trial.resolved,
            reward=trial.reward,
            reason=trial.reason,
            boundary=failure.boundary if failure else None,
            failure_kind=failure.kind if failure else "",
            message=failure.message if failure else "",
            usd=cost.usd,
            tokens=_tokens(cost),
            model_call_count=cost.model_call_count,
            wall_seconds=cost.wall_seconds,
        )
        store.keep_trial(record)
        return record


def trial_of(record: TrialRecord, store: Store, *, whole: bool = True) -> Trial:
    """The trial that was kept, with its trajectory unless that is not wanted. Raises StoreError."""
    place = f"trial {record.id}"
    try:
        trial = read_trial(json.loads(store.get_blob(record.trial_sha256)), place).value
        steps = record.trajectory_sha256 if whole else None
        trajectory = None if steps is None else read_atif(json.loads(store.get_blob(steps)), place).value
    except (ValueError, InputError) as error:
        raise StoreError(f"{place} cannot be read: {error}", hint="was it written by another version?") from error
    patch = None if record.patch_sha256 is None else store.get_blob(record.patch_sha256)
    return trial.model_copy(update={"patch": patch, "trajectory": trajectory})


def entrant_of(record: TrialRecord, store: Store) -> Entrant:
    """Who tried. Raises StoreError."""
    data = store.get_blob(record.entrant_digest)
    try:
        return Entrant.model_validate_json(data)
    except ValueError as error:
        raise StoreError(f"the entrant of trial {record.id} cannot be read: {error}") from error


def found_trial(store: Store, what: str) -> list[TrialRecord]:
    """The tries of the trial that somebody means, the one that counts last: by the first digits of its id, or as
    `task#attempt`. Empty when there is none. Raises InputError when several trials are meant.
    """
    task, sign, number = what.rpartition("#")
    if sign and number.isdecimal():
        found = [one for one in store.trials() if (one.task, one.attempt) == (task, int(number))]
    elif _ID.fullmatch(what):
        found = store.trials(id_prefix=what)
    else:
        return []
    ids = {one.id: one for one in found}
    if len(ids) > 1:
        listed = "; ".join(f"{one.id[:SHOWN_DIGITS]} ({one.agent} {one.model}".rstrip() + ")" for one in ids.values())
        raise InputError(f"{what!r} is the name of {len(ids)} trials", hint=f"give one by its id: {listed}")
    return sorted(found, key=lambda one: one.state != "void")


def _state(trial: Trial) -> TrialState:
    if trial.failure is not None:
        return "void"
    return "worked" if trial.resolved is None else "scored"


def _tokens(cost: TrialCost) -> int | None:
    counts = [count for count in (cost.prompt_tokens, cost.completion_tokens) if count is not None]
    return sum(counts) if counts else None
