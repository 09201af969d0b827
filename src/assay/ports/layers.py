"""Directories that are written once, named by their content, and shared by every sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from assay.model.tree import FileState


class Layers(Protocol):
    """A store of read-only layers."""

    async def put(self, files: Mapping[str, FileState | None]) -> Path:
        """The layer with these files; None makes a path absent from the layers below.

        Content-addressed: equal mappings give the same path. Equal files of different layers share their bytes on
        disk. Raises DiskFullError or StoreError.
        """
        ...

    def temporary(self, files: Mapping[str, FileState | None]) -> AbstractAsyncContextManager[Path]:
        """A layer with these files that nobody else sees and that is gone afterwards. Raises as `put`."""
        ...
