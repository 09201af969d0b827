"""Patches of strangers put on a few files, by git itself, in a folder that is thrown away.

`git apply` runs no hook, filter or attribute outside a repository, and refuses paths that leave the folder or pass
through a link. Only the files that a patch names are there, so that no tree is ever checked out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from assay.adapters import process
from assay.core import git_settings
from assay.core.trees import link_stays_inside
from assay.errors import InputError
from assay.model.tree import FileState, is_safe_path

WALL_SECONDS = 60.0


async def patched(
    files: Mapping[str, FileState], patches: Sequence[bytes], *, git: str = "git"
) -> dict[str, FileState]:
    """The files after the patches, one after the other; what a patch removed is missing.

    Raises InputError with git's own words when they do not apply.
    """
    folder = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp, None, "assay-apply-"))
    try:
        tree = folder / "tree"
        await anyio.to_thread.run_sync(_lay, tree, files)
        names = []
        for number, patch in enumerate(patches):
            names.append(str(folder / f"{number}.patch"))
            await anyio.to_thread.run_sync((folder / f"{number}.patch").write_bytes, patch)
        finished = await process.run(
            process.Program(
                (git, *git_settings.options(), "apply", "--whitespace=nowarn", "--binary", *names),
                env={**git_settings.ENVIRONMENT, "GIT_CEILING_DIRECTORIES": str(folder)},
                cwd=tree,
                wall_seconds=WALL_SECONDS,
            )
        )
        if finished.exit_status != 0:
            text = finished.stderr.decode("utf-8", "replace").replace(str(folder) + "/", "").strip()
            raise InputError(f"does not apply: {finished.stopped or '; '.join(text.splitlines()[:3])}")
        return await anyio.to_thread.run_sync(_read, tree)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)


def _lay(root: Path, files: Mapping[str, FileState]) -> None:
    root.mkdir()
    for path, state in files.items():
        if not is_safe_path(path):
            continue
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if state.mode != "120000":
            place.write_bytes(state.data)
            place.chmod(0o755 if state.mode == "100755" else 0o644)
        elif link_stays_inside(path, state.data):
            place.symlink_to(os.fsdecode(state.data))


def _read(root: Path) -> dict[str, FileState]:
    found = {}
    for above, folders, names in os.walk(root):
        for name in (*names, *(f for f in folders if (Path(above) / f).is_symlink())):
            place = Path(above) / name
            path = str(place.relative_to(root))
            if place.is_symlink():
                found[path] = FileState(os.fsencode(place.readlink()), "120000")
                if not link_stays_inside(path, found[path].data):
                    raise InputError(f"makes a link that leads out of the repository: {path}")
            else:
                found[path] = FileState(place.read_bytes(), "100755" if place.stat().st_mode & 0o100 else "100644")
    return found
