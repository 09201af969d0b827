"""Reading from outside what a session wrote: the upper layer of an overlay, against the layers below it.

Everything here was shaped by hostile programs that are dead by now. No link is followed, no pipe or device opened,
nothing larger than a bound is read. What an overlay means by its files: a character device 0:0 is a whiteout, a
folder with the attribute `user.overlay.opaque` hides what lies below it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import SandboxError
from assay.model.tree import FileChange, FileState, Mode, changes_between

PATH_MAX_BYTES = 4000
"""Longer relative paths are left out: programs can make them step by step, but none can name them."""
FAR_LENGTH = 1000
"""Characters of a relative path after which a folder is opened, to go on from there."""
ENTRY_BYTES = 512
"""What an entry without blocks of its own counts as, so that a million empty files are not free."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
ATTRIBUTE_PREFIXES = ("user.overlay.", "trusted.overlay.")


@dataclass
class _Budget:
    left: int

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise SandboxError(
                "the sandbox holds more than its disk limit", hint="raise limits.disk_mib if that is expected"
            )


@dataclass(frozen=True, slots=True)
class _Lower:
    """One path in the merged layers: the folders that make it up, or the file that is seen."""

    folders: tuple[str, ...] = ()
    file: str | None = None


@dataclass
class _Walk:
    budget: _Budget
    old: dict[str, FileState] = field(default_factory=dict)
    new: dict[str, FileState] = field(default_factory=dict)
    pending: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    """Folders of the upper layer yet to be read, with the folders below them that still count."""


def is_whiteout(info: os.stat_result) -> bool:
    """Whether a file says that a path is deleted."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _is_opaque(folder: int | str) -> bool:
    for prefix in ATTRIBUTE_PREFIXES:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, prefix + "opaque") == b"y":
                return True
    return False


def _mode(info: os.stat_result) -> Mode:
    if stat.S_ISLNK(info.st_mode):
        return "120000"
    return "100755" if info.st_mode & stat.S_IXUSR else "100644"


@contextlib.contextmanager
def _opened(name: str, flags: int, needed: int, dir_fd: int | None = None) -> Iterator[int]:
    """Open something, its own permissions lifted meanwhile if they forbid it. `name` must not be a link."""
    changed: int | None = None
    try:
        fd = os.open(name, flags, dir_fd=dir_fd)
    except PermissionError:
        changed = stat.S_IMODE(os.lstat(name, dir_fd=dir_fd).st_mode)
        os.chmod(name, changed | needed, dir_fd=dir_fd)
        try:
            fd = os.open(name, flags, dir_fd=dir_fd)
        except OSError:
            os.chmod(name, changed, dir_fd=dir_fd)
            raise
    try:
        yield fd
    finally:
        if changed is not None:
            os.fchmod(fd, changed)
        os.close(fd)


def _searchable(name: str, dir_fd: int) -> int:
    """Open a folder if it may be read and searched."""
    fd = os.open(name, FOLDER, dir_fd=dir_fd)
    try:
        os.lstat(".", dir_fd=fd)
    except OSError:
        os.close(fd)
        raise
    return fd


@contextlib.contextmanager
def _folder(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """A folder below `root`, reached one step at a time, so that no step can be a link and no path too long.

    Only folders whose permissions had to be lifted stay open on the way: descriptors are few.
    """
    with contextlib.ExitStack() as lifted:
        fd = lifted.enter_context(_opened(str(root), FOLDER, 0o700))
        passing = -1
        try:
            for part in parts:
                try:
                    step = inner = _searchable(part, fd)
                except PermissionError:
                    inner = -1
                    step = lifted.enter_context(_opened(part, FOLDER, 0o700, dir_fd=fd))
                if passing >= 0:
                    os.close(passing)
                fd, passing = step, inner
            yield fd
        finally:
            if passing >= 0:
                os.close(passing)


@contextlib.contextmanager
def _known_folder(upper: Path, root: int, parts: Sequence[str]) -> Iterator[int]:
    """A folder that the walk came by. Its parents are known to be no links and nobody is left to change that, so one
    call opens it; step by step only if permissions must be lifted."""
    try:
        fd = os.open("/".join((*parts, ".")), FOLDER, dir_fd=root)  # the dot asks whether it may be searched, too
    except PermissionError:
        with _folder(upper, parts) as fd:
            yield fd
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _content(fd: int, size: int) -> bytes:
    chunks = []
    left = size
    while left > 0 and (chunk := os.read(fd, min(left, 1 << 20))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _state(name: str, info: os.stat_result, budget: _Budget | None, dir_fd: int | None = None) -> FileState:
    if stat.S_ISLNK(info.st_mode):
        return FileState(os.fsencode(os.readlink(name, dir_fd=dir_fd)), "120000")
    if budget is not None:
        budget.take(info.st_size)
    with _opened(name, FILE, 0o400, dir_fd=dir_fd) as fd:
        return FileState(_content(fd, info.st_size), _mode(info))


def _look(folders: Sequence[str], name: str) -> _Lower | None:
    """What the merged layers hold under a name."""
    found: list[str] = []
    for folder in folders:
        path = f"{folder}/{name}"
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                continue
            raise
        if not stat.S_ISDIR(info.st_mode):
            plain = stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)
            if found or not plain:
                break
            return _Lower(file=path)
        found.append(path)
        if _is_opaque(path):
            break
    return _Lower(folders=tuple(found)) if found else None


def _take_lower(walk: _Walk, lower: _Lower | None, path: str) -> None:
    """Note all files of the layers at and below a path as old."""
    pending = [(path, lower)]
    while pending:
        at, node = pending.pop()
        if node is None:
            continue
        if node.file is not None:
            walk.old[at] = _state(node.file, os.lstat(node.file), None)
            continue
        names = {inner.name for folder in node.folders for inner in Path(folder).iterdir()}
        pending += [(f"{at}/{name}", _look(node.folders, name)) for name in names]


def _visit(walk: _Walk, fd: int, parts: tuple[str, ...], lower_folders: tuple[str, ...]) -> None:
    """Read one folder of the upper layer."""
    for name in sorted(os.listdir(fd)):
        here = (*parts, name)
        path = "/".join(here)
        if len(os.fsencode(path)) > PATH_MAX_BYTES:
            continue
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        lower = _look(lower_folders, name)
        if stat.S_ISDIR(info.st_mode):
            with _opened(name, FOLDER, 0o700, dir_fd=fd) as inner:
                opaque = _is_opaque(inner)
            hides = opaque or (lower is not None and lower.file is not None)
            if hides:
                _take_lower(walk, lower, path)
            walk.pending.append((here, () if hides or lower is None else lower.folders))
            continue
        _take_lower(walk, lower, path)
        if stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):
            walk.new[path] = _state(name, info, walk.budget, dir_fd=fd)


def changes(upper: Path, layers: Sequence[Path], bound_bytes: int) -> tuple[FileChange, ...]:
    """What an upper layer changes against the layers below it, topmost first; sorted by path.

    Raises SandboxError when it holds more than `bound_bytes`.
    """
    walk = _Walk(_Budget(bound_bytes))
    walk.pending.append(((), tuple(str(layer) for layer in layers)))
    with _opened(str(upper), FOLDER, 0o700) as root:
        while walk.pending:
            parts, lower_folders = walk.pending.pop()
            with _known_folder(upper, root, parts) as fd:
                _visit(walk, fd, parts, lower_folders)
    return changes_between(walk.old, walk.new)


def read_file(upper: Path, path: str, max_bytes: int) -> bytes | None:
    """A regular file of an upper layer; None when there is none or it is larger than `max_bytes`."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return None
    try:
        with _folder(upper, parts[:-1]) as fd:
            info = os.stat(parts[-1], dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(info.st_mode) or info.st_size > max_bytes:
                return None
            with _opened(parts[-1], FILE, 0o400, dir_fd=fd) as file:
                return _content(file, max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            return None
        raise


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a tree takes."""

    bytes: int
    large: frozenset[tuple[int, int]]
    """Files of at least the size asked about, by number and time of change."""


def weigh(folders: Sequence[Path], enough_bytes: int, large_bytes: int) -> Weight:
    """Bytes on disk of some trees, folders too, hard links counted once; stops early above `enough_bytes`.

    It may run while programs write: what vanishes meanwhile counts nothing. No depth hides anything.
    """
    scale = _Scale(enough_bytes, large_bytes)
    for folder in folders:
        with contextlib.suppress(OSError), _opened(str(folder), FOLDER, 0) as fd:
            scale.add_tree(fd)
    return Weight(scale.total, frozenset(scale.large))


class _Scale:
    """Adds up trees."""

    def __init__(self, enough_bytes: int, large_bytes: int) -> None:
        self.total = 0
        self.large: set[tuple[int, int]] = set()
        self._enough = enough_bytes
        self._large_bytes = large_bytes
        self._seen: set[int] = set()

    def add_tree(self, root: int) -> None:
        """Add what is below an open folder. What is too far away for one path is opened as a root of its own."""
        pending = ["."]
        far: list[str] = []
        while pending and self.total <= self._enough:
            place = pending.pop()
            with contextlib.suppress(OSError), _opened(place, FOLDER, 0, dir_fd=root) as fd:
                for name in os.listdir(fd):  # noqa: PTH208 - pathlib knows no descriptors
                    if self._add(name, fd):
                        inner = f"{place}/{name}"
                        (far if len(inner) > FAR_LENGTH else pending).append(inner)
        for place in far:
            with contextlib.suppress(OSError), _opened(place, FOLDER, 0, dir_fd=root) as fd:
                if self.total <= self._enough:
                    self.add_tree(fd)

    def _add(self, name: str, fd: int) -> bool:
        """Add one entry; whether it is a folder."""
        with contextlib.suppress(OSError):
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if info.st_ino not in self._seen:
                self.total += max(info.st_blocks * 512, ENTRY_BYTES)
                if stat.S_ISREG(info.st_mode):
                    if info.st_size >= self._large_bytes:
                        self.large.add((info.st_ino, info.st_ctime_ns))
                    if info.st_nlink > 1:
                        self._seen.add(info.st_ino)
            return stat.S_ISDIR(info.st_mode)
        return False


def freeze(upper: Path, destination: Path) -> bool:
    """Move an upper layer to where later sessions find it; False when another file system forbids a rename.

    A destination that exists stays as it is.
    """
    if destination.exists():
        return True
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        upper.rename(destination)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        if not destination.exists():
            raise
    return True


def contents(upper: Path, bound_bytes: int) -> dict[str, FileState]:
    """All files of a tree. Raises SandboxError when it holds more than `bound_bytes`."""
    return {change.path: change.new for change in changes(upper, (), bound_bytes) if change.new is not None}


def merged(layers: Sequence[Path]) -> dict[str, FileState]:
    """All files that some layers show together, topmost first."""
    walk = _Walk(_Budget(0))
    folders = tuple(str(layer) for layer in layers)
    for name in {inner.name for layer in layers for inner in layer.iterdir()}:
        _take_lower(walk, _look(folders, name), name)
    return walk.old


def write_layer(changed: Sequence[FileChange], destination: Path) -> None:
    """Write changes as a layer, deletions as whiteouts, whole or not at all; one that exists stays as it is."""
    if destination.exists():
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=destination.parent, prefix="."))
    making.chmod(0o755)
    for change in changed:
        file = making / change.path
        if change.new is not None:
            write_state(file, change.new)
        elif not os.path.lexists(file):
            with contextlib.suppress(FileExistsError, NotADirectoryError):  # a file took the folder's place
                file.parent.mkdir(parents=True, exist_ok=True)
                os.mknod(file, stat.S_IFCHR, os.makedev(0, 0))
    freeze(making, destination)


def write_state(file: Path, state: FileState) -> None:
    """Write one file of a tree that only we touch; a whiteout on the way gives room."""
    for parent in reversed(file.parents):
        if parent.exists() and is_whiteout(parent.lstat()):
            parent.unlink()
    file.parent.mkdir(parents=True, exist_ok=True)
    if state.mode == "120000":
        file.symlink_to(os.fsdecode(state.data))
        return
    file.write_bytes(state.data)
    file.chmod(0o755 if state.mode == "100755" else 0o644)
