"""Changes that somebody's agent made for tasks, as evaluation harnesses exchange them, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.errors import AssayError
from assay.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Prediction:
    """One change for one task."""

    instance_id: str
    model: str
    """Who made it, as it calls itself; empty when the file does not say."""
    patch: bytes
    """In git's format; empty when nothing was made."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One prediction after it was graded: a verdict, or why it could not be given to a judge at all."""

    instance_id: str
    model: str
    patch: bytes = b""
    verdict: Verdict | None = None
    problem: AssayError | None = None
    recalled: bool = False
    """Whether an earlier run had reached this verdict."""


@dataclass(frozen=True, slots=True)
class GradeOptions:
    """Whose predictions to grade, and on which tasks."""

    predictions: Path
    tasks: tuple[Path, ...]
    jobs: int = 2
    """Tasks in work at a time."""
    fresh: bool = False
    """Whether to judge again what was judged before."""
    sandbox: str = "bubblewrap"
    i_know_it_is_unsafe: bool = False
