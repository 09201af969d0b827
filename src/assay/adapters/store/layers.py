"""Layers on disk: written once, named by their content, shared by every sandbox.

    objects/ab/<sha256>.<mode>   each distinct file once; layers hold hard links to it
    layers/<tree digest>/        what an overlay gets as a read-only lower directory
    making/                      layers on their way; whatever lies there was never finished

A layer is renamed into place when it is complete, so a name that exists is whole, whoever wrote it. Bytes under a
name never change afterwards: sandboxes see layers only as lower directories. Modes are those of a git checkout,
because code that runs inside may look at them.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import anyio

from assay.adapters.files import give_to_sandbox
from assay.core.hashing import tree_digest
from assay.errors import DiskFullError, InputError, StoreError
from assay.model.tree import FileState, is_safe_path

ABANDONED_AFTER_SECONDS = 24 * 3600
"""An unfinished layer of this age has no writer any more."""
FILE_MODES = {"100644": 0o644, "100755": 0o755}
DIRECTORY_MODE = 0o755


class LayerStore:
    """The layers below `root`; any number of processes may share one root."""

    def __init__(self, root: Path) -> None:
        self._layers = root / "layers"
        self._objects = root / "objects"
        self._making = root / "making"

    async def put(self, files: Mapping[str, FileState | None]) -> Path:
        """See `assay.ports.layers.Layers.put`. Raises InputError for paths that no tree can hold."""
        return await anyio.to_thread.run_sync(self._put, files)

    @asynccontextmanager
    async def temporary(self, files: Mapping[str, FileState | None]) -> AsyncIterator[Path]:
        """See `assay.ports.layers.Layers.temporary`. What a killed owner leaves behind is removed after a day."""
        making = self._making / f"temporary.{secrets.token_hex(8)}"
        try:
            await anyio.to_thread.run_sync(self._write_alone, making, files)
            yield making
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def _write_alone(self, making: Path, files: Mapping[str, FileState | None]) -> None:
        _check(files)
        with _store_errors(making):
            self._making.mkdir(parents=True, exist_ok=True)
            self._fill(making, files, alone=True)
            give_to_sandbox(making)

    def _put(self, files: Mapping[str, FileState | None]) -> Path:
        _check(files)
        layer = self._layers / tree_digest(files)
        if layer.is_dir():
            return layer
        with _store_errors(layer.parent):
            for folder in (self._layers, self._objects, self._making):
                folder.mkdir(parents=True, exist_ok=True)
            making = self._making / f"{layer.name}.{secrets.token_hex(8)}"
            try:
                self._fill(making, files)
                give_to_sandbox(making)
                _rename_once(making, layer)
            finally:
                shutil.rmtree(making, ignore_errors=True)
        return layer

    def _fill(self, making: Path, files: Mapping[str, FileState | None], *, alone: bool = False) -> None:
        making.mkdir()
        self._remove_abandoned(making.stat().st_mtime)
        folders = {making}
        for path in sorted(files):
            state = files[path]
            if state is None and _is_covered(path, files):
                continue
            target = making / path
            for folder in reversed([p for p in target.parents if p not in folders and p.is_relative_to(making)]):
                folder.mkdir()
                folders.add(folder)
            self._place(target, state, alone=alone)
        for folder in folders:
            folder.chmod(DIRECTORY_MODE)

    def _place(self, target: Path, state: FileState | None, *, alone: bool) -> None:
        if state is None:
            # Overlayfs's whiteout; since Linux 5.8 nobody needs a privilege to make this one device.
            os.mknod(target, stat.S_IFCHR, os.makedev(0, 0))
        elif state.mode == "120000":
            target.symlink_to(os.fsdecode(state.data))
        elif alone:
            target.write_bytes(state.data)
            target.chmod(FILE_MODES[state.mode])
        else:
            self._link(target, state)

    def _link(self, target: Path, state: FileState) -> None:
        name = sha256(state.data).hexdigest()
        pooled = self._objects / name[:2] / f"{name}.{state.mode}"
        try:
            target.hardlink_to(pooled)
            return
        except OSError as error:
            # A missing object is written; a full one (too many links) is replaced by a fresh copy.
            if error.errno not in (errno.ENOENT, errno.EMLINK):
                raise
        pooled.parent.mkdir(exist_ok=True)
        fresh = self._making / f"{name}.{secrets.token_hex(8)}"
        try:
            fresh.write_bytes(state.data)
            fresh.chmod(FILE_MODES[state.mode])
            target.hardlink_to(fresh)
            fresh.replace(pooled)
        finally:
            fresh.unlink(missing_ok=True)

    def _remove_abandoned(self, now: float) -> None:
        for entry in self._making.iterdir():
            try:
                old = now - entry.lstat().st_mtime > ABANDONED_AFTER_SECONDS
            except FileNotFoundError:
                continue
            if old and entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif old:
                entry.unlink(missing_ok=True)


def _ancestors(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _check(files: Mapping[str, FileState | None]) -> None:
    for path, state in files.items():
        if not is_safe_path(path):
            raise InputError(
                f"a layer cannot hold the path {path!r}", hint="paths are relative, without `..` or `.git`"
            )
        if state is None:
            continue
        if state.mode == "120000" and (not state.data or b"\0" in state.data):
            raise InputError(f"a layer cannot hold the symbolic link {path!r}: it has no usable target")
        for ancestor in _ancestors(path):
            if files.get(ancestor) is not None:
                raise InputError(f"a layer cannot hold both {ancestor!r} as a file and {path!r}")


def _is_covered(path: str, files: Mapping[str, FileState | None]) -> bool:
    """Whether something else in the layer hides the path already: a file above it, or a directory in its place."""
    below = path + "/"
    return any(ancestor in files for ancestor in _ancestors(path)) or any(
        other.startswith(below) and state is not None for other, state in files.items()
    )


def _rename_once(making: Path, layer: Path) -> None:
    """Rename into place; another process that was faster has written the same."""
    try:
        making.rename(layer)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not layer.is_dir():
            raise


@contextmanager
def _store_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"no space left on the disk for layers in {place}", hint="free some space and run the same line again"
            ) from error
        raise StoreError(f"cannot write a layer in {place}: {error.strerror or error}") from error
