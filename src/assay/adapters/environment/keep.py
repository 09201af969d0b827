"""Things that are built once: a folder for each key, a lock while it is built, a marker when it is whole.

A folder without its marker is a build that was killed; the next builder removes it. A marked one never changes.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from assay.errors import DiskFullError, StoreError

_MARKER = "whole.json"
_POLL_SECONDS = 0.1


class Keep:
    """Build folders below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def facts(self, key: str) -> dict[str, Any] | None:
        """What was noted when the folder of a key became whole; None when it is not."""
        try:
            found = json.loads((self.root / key / _MARKER).read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    @asynccontextmanager
    async def building(self, key: str) -> AsyncIterator[Path]:
        """The only builder of a key in all processes; look at `facts` again inside. Raises StoreError."""
        locks = self.root / "locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(locks / key, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _store_error(error, self.root) from error
        try:
            while not _locked(descriptor):  # noqa: ASYNC110 - another process holds the lock, no event can tell us
                await anyio.sleep(_POLL_SECONDS)
            folder = self.root / key
            if self.facts(key) is None:
                await anyio.to_thread.run_sync(shutil.rmtree, folder, True)
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise _store_error(error, folder) from error
            yield folder
        finally:
            os.close(descriptor)

    def finish(self, key: str, facts: dict[str, Any]) -> None:
        """Mark a folder whole, atomically. Raises StoreError or DiskFullError."""
        marker = self.root / key / _MARKER
        fresh = marker.with_suffix(".new")
        try:
            with fresh.open("w") as file:
                json.dump(facts, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(marker)
        except OSError as error:
            raise _store_error(error, marker) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _store_error(error: OSError, path: Path) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"no space is left for environments at {path}", hint="free some space and run again")
    return StoreError(f"cannot keep environments at {path}: {error.strerror}", hint="check the folder's owner")


def size_bytes(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())


def top_level_names(layers: Iterable[Path]) -> frozenset[str]:
    """What can be imported from the site-packages of these layers, without the interpreter's own."""
    names = set()
    for layer in layers:
        for folder in layer.glob("lib/python*/site-packages"):
            names |= {entry.name.split(".")[0] for entry in folder.iterdir() if _is_importable(entry)}
    return frozenset(name for name in names if name.isidentifier())


def _is_importable(entry: Path) -> bool:
    if entry.suffix in (".dist-info", ".egg-info"):
        return False
    return entry.is_dir() or entry.suffix in (".py", ".so")
