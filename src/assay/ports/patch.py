"""From changes to patches, exactly: modes, links, binary files, odd names and line ends included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.model.tree import FileChange


class PatchWriter(Protocol):
    """Writes git patches on the host. It runs nothing of what it is given."""

    async def diff(self, changes: Sequence[FileChange]) -> bytes:
        """A git patch (`--binary --full-index`, renames detected), sorted by path; empty for no changes."""
        ...
