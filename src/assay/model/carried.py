"""A converted value with what is missing from it, and one item of a batch that may be broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from assay.errors import AssayError
from assay.model.loss import Loss
from assay.model.trial import Trial

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Carried(Generic[T]):
    """A value in another form, and what did not come along."""

    value: T
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialReading:
    """One trial of a file or a folder, or why it could not be read; the rest of the batch goes on."""

    subject: str
    trial: Trial | None = None
    losses: tuple[Loss, ...] = ()
    problem: AssayError | None = None
    """Its context names file, key, found and expected."""
