"""What comes out of an import, one value an item: a task or a problem, and what was lost on the way."""

from __future__ import annotations

from dataclasses import dataclass

from assay.model.loss import Loss
from assay.model.task import Task


@dataclass(frozen=True, slots=True)
class Imported:
    """One item of an import. Exactly one of `task` and `problem` is set."""

    subject: str
    """The task's slug, else what the item calls itself."""
    where: str
    """File and row, for people."""
    task: Task | None = None
    losses: tuple[Loss, ...] = ()
    problem: str = ""
    hint: str = ""
