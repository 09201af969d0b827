"""Files on disk: who owns those that a sandbox may change, and how one is written whole or not at all.

Started by root, a sandbox runs as an ordinary user that nothing else on the machine uses, because a user namespace
alone would leave its processes with root's identity towards the host. Layers must belong to that user, or what
is copied up from them could not be modified inside. Started by an ordinary user, that user owns everything.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from assay.errors import DiskFullError, StoreError

SANDBOX_UID = 64877
"""User and group of sandboxed processes when assay runs as root: high, in nobody's range, the same everywhere."""


def sandbox_uid() -> int | None:
    """The user that sandboxed processes get on the host, when it is not the one that runs assay."""
    return SANDBOX_UID if os.geteuid() == 0 else None


def give_to_sandbox(path: Path) -> None:
    """Make a tree belong to the sandboxed user, links not followed; nothing to do for an ordinary user."""
    uid = sandbox_uid()
    if uid is not None:
        give(path, uid)


def give(path: Path, uid: int) -> None:
    """Make a tree belong to a user and the group of the same number, links not followed. Needs root."""
    os.chown(path, uid, uid, follow_symlinks=False)
    if path.is_symlink() or not path.is_dir():
        return
    for _, folders, names, folder_fd in os.fwalk(path):
        for name in (*folders, *names):
            os.chown(name, uid, uid, dir_fd=folder_fd, follow_symlinks=False)


def file_error(verb: str, path: Path, error: OSError) -> StoreError:
    """An operating system's refusal as ours: a full disk is told apart, everything else names the path."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"no space is left to {verb} {path}", hint="free some space and run the same line again")
    return StoreError(f"cannot {verb} {path}: {error.strerror or error}", hint="check the path and its permissions")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all, durable on return. Raises DiskFullError or StoreError."""
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise file_error("write", path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
