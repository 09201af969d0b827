"""Formats of others: reading tasks from them and writing tasks and trials to them.

An adapter is found by its name in the groups `assay.importers` and `assay.exporters`. One broken thing never ends a
batch: it is a value with its problem. What cannot be carried is a `Loss`; where none is told, nothing was lost, and a
round trip gives the same again. Nothing of what is read is ever run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from assay.model.exchange import Converted, Reading
from assay.model.task import Task
from assay.model.tree import Tree

BaseOf = Callable[[Task], Awaitable[Tree]]
"""The base of a task, fetched from its source. Raises ProviderError, and TaskDefinitionError when it has changed."""


class Importer(Protocol):
    """Reads tasks of one format, or of one family of formats."""

    name: str

    def read(self, path: Path, repositories: Path | None) -> Iterator[Reading]:
        """What is at a path, one after the other and no more in memory than one. `repositories` is where clones are,
        for formats that only name a commit. Raises InputError when nothing at `path` can be read as this format.
        """
        ...


class Exporter(Protocol):
    """Writes tasks in one format. One with a true `needs_base` is given the bases in any case; to one with a true
    `has_metadata` tasks come with what was measured of their difficulty (`core.exchange.difficulty`).
    """

    name: str

    def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """Write tasks below `out`, each whole or not at all; formats with one file for all write it at the end.
        With `base_of` what is written shall need no source to be fetched from.

        Raises InputError when `out` holds something else, and DiskFullError.
        """
        ...
