"""Task folders on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from assay.model.bank import Bank
from assay.model.evidence import Evidence
from assay.model.task import Task
from assay.model.tree import FileChange, Tree


class TaskFormat(Protocol):
    """Reads and writes one kind of folder. Strict when writing, lenient when reading newer files."""

    name: str

    def read(self, path: Path) -> Task:
        """A task. Raises TaskDefinitionError naming file, key, found and expected; links and devices are refused."""
        ...

    def write(self, task: Task, folder: Path) -> Path:
        """Write `folder/<slug>` whole or not at all, keeping an existing evidence/ folder; the path."""
        ...

    def changes(self, path: Path, task: Task) -> tuple[FileChange, ...]:
        """What would differ in the folder at `path` if it held this task; nothing is written. Evidence is left out.
        Raises TaskDefinitionError.
        """
        ...

    def base(self, task: Task) -> Tree | None:
        """The base that the folder itself brings; None when it has to be fetched. Raises TaskDefinitionError."""
        ...

    def read_evidence(self, path: Path, stage: str) -> Evidence | None:
        """Evidence of a stage for the task at `path`, if there is any. Raises TaskDefinitionError when broken."""
        ...

    def write_evidence(self, path: Path, evidence: Evidence) -> None:
        """Write evidence/<stage>.json whole or not at all."""
        ...

    def read_bank(self, path: Path) -> Bank:
        """Solutions that people judged, of the task at `path`; no part of its content. Raises TaskDefinitionError
        when they cannot be read as they are; links are refused.
        """
        ...

    def add_to_bank(self, path: Path, patch: bytes, *, right: bool) -> Path:
        """Keep a solution of the task at `path`, whole or not at all; where. Adding it twice changes nothing.

        Raises InputError for a patch that is empty, too large, or kept as the opposite already, and
        TaskDefinitionError when `path` is no task folder or its bank is broken.
        """
        ...
