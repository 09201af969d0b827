"""The half of a session that is files: a folder that holds a view of layers and the session's own bytes.

Whatever starts the commands, namespaces or containers, it mounts these uppers over these layers while a command runs;
between commands nothing is mounted, and everything is read here, from outside.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

from assay.adapters.files import give_to_sandbox
from assay.adapters.process import output_of
from assay.adapters.sandbox import host, overlay, sessions, staging
from assay.errors import DiskFullError, SandboxError
from assay.model.sandbox import MIB, Mount, SandboxSpec
from assay.model.tree import FileChange

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

HOST_PATH = {"PATH": staging.PATH}


class LayeredSession:
    """The files of one open session; its own bytes are in `folder`. Adapters add how commands run."""

    def __init__(self, spec: SandboxSpec, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self._lock = anyio.Lock()
        self._large: frozenset[tuple[int, int]] = frozenset()

    def prepare(self) -> None:
        """Lay out the folder: links to the layers, empty uppers, a made-up `/etc`."""
        (self._folder / "l").mkdir()
        (self._folder / staging.EMPTY).mkdir(mode=0o755)
        for kind in ("up", "wk"):
            (self._folder / kind).mkdir(mode=0o755)
        for index, mount in enumerate(self._spec.mounts):
            for number, layer in enumerate(mount.layers):
                if not layer.is_dir():
                    raise SandboxError(f"the layer {layer} of {mount.target} is not there", target=mount.target)
                (self._folder / "l" / f"{index}.{number}").symlink_to(layer.resolve())
            if mount.writable:
                self._fresh(index)
        host.write_etc(self._folder / "etc", self._spec.network == "host")

    def _fresh(self, index: int) -> None:
        for kind in ("up", "wk"):
            place = self._folder / kind / str(index)
            place.mkdir(mode=0o755)
            place.chmod(0o755)
            give_to_sandbox(place)

    def _uppers(self) -> list[Path]:
        return [self._folder / "up" / str(i) for i, mount in enumerate(self._spec.mounts) if mount.writable]

    def _index(self, target: str) -> int:
        for index, mount in enumerate(self._spec.mounts):
            if mount.target == target and mount.writable:
                return index
        raise SandboxError(f"{target} is no writable mount of this session", target=target)

    async def changes(self, target: str) -> tuple[FileChange, ...]:
        """What was done below a writable mount; see the port."""
        index = self._index(target)
        bound = self._spec.limits.disk_mib * MIB
        layers = self._spec.mounts[index].layers
        async with self._lock:
            return await _reading(target, overlay.changes, self._folder / "up" / str(index), layers, bound)

    async def read(self, target: str, path: str, max_bytes: int) -> bytes | None:
        """One file that the session wrote; see the port."""
        upper = self._folder / "up" / str(self._index(target))
        async with self._lock:
            return await _reading(target, overlay.read_file, upper, path, max_bytes)

    async def freeze(self, target: str, destination: Path) -> None:
        """Make the session's bytes a layer; see the port."""
        index = self._index(target)
        async with self._lock:
            upper = self._folder / "up" / str(index)
            if not await anyio.to_thread.run_sync(overlay.freeze, upper, destination):
                await _copy_layer(upper, destination)
            await anyio.to_thread.run_sync(sessions.remove_tree, upper)
            await anyio.to_thread.run_sync(sessions.remove_tree, self._folder / "wk" / str(index))
            self._fresh(index)


async def _reading(target: str, function: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments) -> Result:
    """Call something that reads from outside; what the operating system refuses is a SandboxError."""
    try:
        return await anyio.to_thread.run_sync(function, *arguments)
    except OSError as error:
        raise SandboxError(f"cannot read what was done to {target}: {error.strerror}", target=target) from error


def by_depth(mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """Mounts in the order in which they can be made: what lies inside another comes after it."""
    return tuple(sorted(mounts, key=lambda mount: len(Path(mount.target).parts)))


def no_folder(place: Path, error: OSError) -> SandboxError | DiskFullError:
    """The error for a session's folder that cannot be made or used."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"no space left below {place}", hint="free some space, then run the same command again")
    return SandboxError(f"cannot prepare a sandbox in {place}: {error.strerror}", hint="is the folder writable?")


async def _copy_layer(upper: Path, destination: Path) -> None:
    """Copy an upper layer to another file system: whiteouts, attributes and owners too, whole or not at all."""
    making = destination.with_name(f".{destination.name}.{upper.parent.parent.name}")
    try:
        await output_of(
            ["cp", "--archive", "--no-target-directory", str(upper), str(making)], env=HOST_PATH, wall_seconds=3600
        )
        await anyio.to_thread.run_sync(overlay.freeze, making, destination)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(sessions.remove_tree, making)
