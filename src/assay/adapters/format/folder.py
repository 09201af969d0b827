"""Task folders as trees of files: reading is hostile input, writing is whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from assay.errors import DiskFullError, InputError, TaskDefinitionError
from assay.model.tree import FileState, is_safe_path

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 512 * 1024 * 1024
MAX_FILE_COUNT = 50_000
MAX_DEPTH = 64
WORK_PREFIX = ".assay-"


def broken(file: str, key: str, found: str, expected: str) -> TaskDefinitionError:
    """The one error of a broken task folder: the file, the key (or empty), what was found and what was expected."""
    place = f"{file}, {key}" if key else file
    shown = found if len(found) <= 200 else found[:200] + "..."
    return TaskDefinitionError(
        f"{place}: found {shown}, expected {expected}",
        hint=f"Correct {file} by hand, or write the task again.",
        file=file,
        key=key,
        found=shown,
        expected=expected,
    )


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say a full disk as DiskFullError and any other refusal of the system as InputError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"No space is left to write {path}", hint="Free some space and run it again."
            ) from error
        raise InputError(f"{path}: {error.strerror or error}", hint="Check the path and its permissions.") from error


def read_bytes(path: Path, name: str) -> tuple[bytes, int]:
    """Content and permission bits of a regular file; links, devices, pipes and huge files are refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise broken(name, "", error.strerror or str(error), "a regular file that can be read") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise broken(name, "", "a folder, device or pipe", "a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise broken(name, "", f"more than {MAX_FILE_BYTES} bytes", "a smaller file")
    return data, status.st_mode


def link_stays_inside(path: str, target: str) -> bool:
    """Whether a link's target stays below the root: relative, and climbing only at its beginning."""
    parts = target.split("/")
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return (
        bool(target)
        and "\0" not in target
        and climbs <= path.count("/")
        and all(parts[:1])
        and ".." not in parts[climbs:]
    )


def read_tree(root: Path, skip: frozenset[str]) -> dict[str, FileState]:
    """All files below `root` but the top-level names in `skip`. Raises TaskDefinitionError for anything hostile."""
    files: dict[str, FileState] = {}
    total = 0
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            names = sorted(place.name for place in (root / prefix).iterdir())
        except OSError as error:
            raise broken(prefix or root.name, "", error.strerror or str(error), "a folder that can be read") from error
        for name in names:
            path = prefix + name
            if path in skip:
                continue
            if not is_safe_path(path) or path.count("/") >= MAX_DEPTH or len(files) >= MAX_FILE_COUNT:
                raise broken(path, "", "an unsafe name, or too many or too deep files", "an ordinary task folder")
            try:
                mode = (root / path).lstat().st_mode
                if stat.S_ISDIR(mode):
                    pending.append(path + "/")
                    continue
                files[path] = _read_state(root / path, path, mode)
            except OSError as error:
                raise broken(path, "", error.strerror or str(error), "a file that can be read") from error
            total += len(files[path].data)
            if total > MAX_TOTAL_BYTES:
                raise broken(path, "", f"more than {MAX_TOTAL_BYTES} bytes in all", "a smaller task folder")
    return files


def _read_state(place: Path, path: str, mode: int) -> FileState:
    if stat.S_ISLNK(mode):
        target = str(place.readlink())
        if not link_stays_inside(path, target):
            raise broken(path, "", f"a link to {target!r}", "a link that stays in the task folder")
        return FileState(os.fsencode(target), "120000")
    data, found = read_bytes(place, path)
    return FileState(data, "100755" if found & 0o100 else "100644")


def write_tree(root: Path, files: Mapping[str, FileState]) -> None:
    """Write files below an empty folder that is ours. Raises TaskDefinitionError for paths that leave it."""
    for path in sorted(files):
        state = files[path]
        if not is_safe_path(path) or any(above in files for above in _above(path)):
            raise broken(path, "", "an unsafe path, or a file where a folder is needed", "a path below the task folder")
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if state.mode == "120000":
            if not link_stays_inside(path, os.fsdecode(state.data)):
                raise broken(path, "", f"a link to {state.data!r}", "a link that stays in the task folder")
            place.symlink_to(os.fsdecode(state.data))
        else:
            place.write_bytes(state.data)
            place.chmod(0o755 if state.mode == "100755" else 0o644)


def _above(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def replace_folder(target: Path, files: Mapping[str, FileState], keep: str, mark: str) -> None:
    """Make `target` hold exactly `files` and the sub-folder `keep` that it has; never a partial folder.

    What stands there already must be a folder that holds `mark`. Raises InputError otherwise.
    """
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(target, mark)
        _sweep(target.parent)
        work = Path(tempfile.mkdtemp(prefix=f"{WORK_PREFIX}{os.getpid()}-", dir=target.parent))
        try:
            fresh = work / "new"
            fresh.mkdir()
            write_tree(fresh, files)
            if (target / keep).is_dir() and not (target / keep).is_symlink():
                shutil.copytree(target / keep, fresh / keep, symlinks=True)
            if target.exists():
                _exchange(fresh, target, work / "old")
            else:
                fresh.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _refuse_strangers(target: Path, mark: str) -> None:
    if os.path.lexists(target) and (target.is_symlink() or not (target / mark).is_file()):
        raise InputError(
            f"{target} is there already and is not a task folder", hint="move it away and run the same line again"
        )


def _sweep(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for left in folder.glob(f"{WORK_PREFIX}*"):
        owner = left.name.removeprefix(WORK_PREFIX).partition("-")[0]
        if not (owner.isdigit() and Path("/proc", owner).exists()):
            shutil.rmtree(left, ignore_errors=True)


def _exchange(fresh: Path, target: Path, old: Path) -> None:
    """Let two folders change places in one step, so that no moment is without a whole one."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_cwd, exchange = -100, 2
    if swap and swap(at_cwd, os.fsencode(fresh), at_cwd, os.fsencode(target), exchange) == 0:
        return
    # A file system that cannot: two renames, undone by whatever comes between them.
    target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        old.rename(target)
        raise


def replace_file(target: Path, data: bytes) -> None:
    """Write one file by a temporary neighbour and a rename."""
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".assay-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(descriptor)
            Path(name).chmod(0o644)
            Path(name).rename(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
