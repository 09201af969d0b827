"""Who owns the files that a sandbox may change.

Started by root, a sandbox runs as an ordinary user that nothing else on the machine uses, because a user namespace
alone would leave its processes with root's identity towards the host. Layers must belong to that user, or what
is copied up from them could not be modified inside. Started by an ordinary user, that user owns everything.
"""

from __future__ import annotations

import os
from pathlib import Path

SANDBOX_UID = 64877
"""User and group of sandboxed processes when assay runs as root: high, in nobody's range, the same everywhere."""


def sandbox_uid() -> int | None:
    """The user that sandboxed processes get on the host, when it is not the one that runs assay."""
    return SANDBOX_UID if os.geteuid() == 0 else None


def give_to_sandbox(path: Path) -> None:
    """Make a tree belong to the sandboxed user, links not followed; nothing to do for an ordinary user."""
    uid = sandbox_uid()
    if uid is None:
        return
    os.chown(path, uid, uid, follow_symlinks=False)
    if path.is_symlink() or not path.is_dir():
        return
    for _, folders, names, folder_fd in os.fwalk(path):
        for name in (*folders, *names):
            os.chown(name, uid, uid, dir_fd=folder_fd, follow_symlinks=False)
