"""What a conversion could not carry. Every import and export tells its losses; silence means that nothing was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from assay.errors import InputError
from assay.model.base import Frozen

T = TypeVar("T")


class Loss(Frozen):
    """One thing that is not in what came out."""

    subject: str
    """The task, trial or file that it belonged to."""
    field: str
    """Where it stood in the subject: `steps[3].metrics.logprobs`; empty for the subject as a whole."""
    reason: str
    """Why it could not come along, as a clause: `chat messages have no place for token ids`."""


@dataclass(frozen=True, slots=True)
class Carried(Generic[T]):
    """A converted value, and what is missing from it."""

    value: T
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """An item of a batch that could not be read at all; the rest of the batch goes on."""

    subject: str
    error: InputError
    """Its context names file, key, found and expected."""
