"""Patches written by git itself, from a throw-away repository that never has a work tree.

Git's patch format has many corners (quoting, modes, binary deltas, renames, missing newlines); git knows them all. It
gets only the changed paths, over `fast-import`, so that nothing of a tree is ever checked out and no attribute file in
it is read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio

from assay.adapters import process
from assay.core import git_settings
from assay.errors import InputError
from assay.model.tree import FileChange, FileState, is_safe_path

MAX_PATCH_BYTES = 256 * 1024 * 1024
WALL_SECONDS = 120.0
_DIFF = [
    "diff-tree",
    "-r",
    "-p",
    "--binary",
    "--full-index",
    "-M",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--diff-algorithm=myers",
    "--unified=3",
    "--inter-hunk-context=0",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "refs/assay/old",
    "refs/assay/new",
]
# Not `refs/heads`: newer gits read attributes from HEAD of a bare repository.
_COMMIT = b"commit refs/assay/%s\ncommitter assay <assay> 0 +0000\ndata 0\n"


class GitPatchWriter:
    """Writes patches with the `git` at that path or of that name."""

    def __init__(self, git: str = "git") -> None:
        self._git = git

    async def diff(self, changes: Sequence[FileChange]) -> bytes:
        """See `assay.ports.patch.PatchWriter.diff`. Raises InputError for unsafe paths, InfrastructureError."""
        real = [change for change in changes if change.old != change.new]
        if not real:
            return b""
        for change in real:
            if not is_safe_path(change.path):
                raise InputError(f"a patch cannot hold the path {change.path!r}")
        folder = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp, None, "assay-patch-"))
        try:
            await self._run(folder, ["init", "--quiet", "--bare", "--template=", "."], b"")
            await self._run(folder, ["fast-import", "--quiet"], _stream(real))
            return await self._run(folder, _DIFF, b"")
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(shutil.rmtree, folder, True)

    async def _run(self, folder: Path, arguments: Sequence[str], stdin: bytes) -> bytes:
        return await process.output_of(
            [self._git, *git_settings.options(), *arguments],
            env={**git_settings.ENVIRONMENT, "GIT_DIR": str(folder)},
            cwd=folder,
            stdin=stdin,
            wall_seconds=WALL_SECONDS,
            output_bytes=MAX_PATCH_BYTES,
        )


def _stream(changes: Sequence[FileChange]) -> bytes:
    """Both trees in fast-import's language: the second is the first with deletions, then additions."""
    old = [_file(change.path, change.old) for change in changes if change.old is not None]
    gone = [b"D %b\n" % _quoted(change.path) for change in changes if change.old is not None]
    new = [_file(change.path, change.new) for change in changes if change.new is not None]
    mark = b"mark :1\n"
    head, _, rest = (_COMMIT % b"old").partition(b"\n")
    first = head + b"\n" + mark + rest
    return b"".join([first, *old, _COMMIT % b"new", b"from :1\n", *gone, *new, b"done\n"])


def _file(path: str, state: FileState) -> bytes:
    return b"M %b inline %b\ndata %d\n%b\n" % (state.mode.encode(), _quoted(path), len(state.data), state.data)


def _quoted(path: str) -> bytes:
    return b'"' + os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
