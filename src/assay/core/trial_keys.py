"""Under which name a trial is known: a trial of what, whose, and which; the same in every run, on every machine.

A trial is one attempt of one entrant at one task as it stood. Whatever is derived here depends on those three alone,
so that an attempt that is made again is the same one.
"""

from __future__ import annotations

from assay.core.hashing import canonical_json, json_digest
from assay.model.agent import Entrant

ID_DIGITS = 12
"""Of a trial's id: among a million trials two share one with a probability of 0.2 %; people type the first few."""
SHOWN_DIGITS = 8
"""Of them, as people see them: enough for a project."""
SEED_BITS = 31
"""Endpoints take a seed as a signed number of 32 bits."""


def entrant_json(entrant: Entrant) -> bytes:
    """An entrant as the bytes that its digest is of."""
    return canonical_json(entrant.model_dump(mode="json"))


def entrant_digest(entrant: Entrant) -> str:
    """The name of an entrant: trials with equal ones belong to one rate."""
    return json_digest(entrant.model_dump(mode="json"))


def trial_id(task_digest: str, entrant: str, attempt: int) -> str:
    """What people call a trial by, in hex; `entrant` is its digest. Tries of the same attempt share it."""
    return json_digest([task_digest, entrant, attempt])[:ID_DIGITS]


def seed_of(task_digest: str, entrant: str, attempt: int) -> int:
    """The seed of an attempt, from 0 up to 2^31 - 1: another one for each, and the same when one is made again."""
    return int(json_digest(["seed", task_digest, entrant, attempt]), 16) % (1 << SEED_BITS)
