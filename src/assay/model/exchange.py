"""What an import or an export was asked for, and what came of each thing in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assay.errors import AssayError
from assay.model.loss import Loss
from assay.model.task import Task


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing of another format, read: a task, or why it is none."""

    subject: str
    """What the other format calls it; where it has no name, its place in the file."""
    task: Task | None = None
    losses: tuple[Loss, ...] = ()
    problem: AssayError | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """What came of one thing: the same for import and export. Told as an event when it is done."""

    subject: str
    paths: tuple[Path, ...] = ()
    """Of its folder, or of the files that were written."""
    losses: tuple[Loss, ...] = ()
    problem: AssayError | None = None


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to read, and where the code of rows is."""

    format: str
    paths: tuple[Path, ...]
    repositories: Path | None = None
    """A clone, or a folder of clones, for formats whose tasks only name a commit."""
    only: tuple[str, ...] = ()
    """Names of the things to take; empty for all."""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to write, in which shape, and where."""

    format: str
    what: tuple[Path, ...]
    """Task folders; for formats of trials, files of trials."""
    out: Path
    layout: Literal["parquet", "jsonl"] = "parquet"
    """How rows are written, for formats that have any."""
    self_contained: bool = False
    """Whether the base comes along, for formats whose images are built from it."""
