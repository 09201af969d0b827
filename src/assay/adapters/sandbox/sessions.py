"""Sessions on disk: who owns which, and how those of the dead are removed.

A session is a folder below the state directory, made whole by a rename. Its `owner.json` names the process that
opened it by number, start time and boot, so that a number used again is not mistaken for its earlier holder.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

OWNER = "owner.json"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who opened a session, for which run."""

    pid: int
    started: str
    """The kernel's start time of that process, in its own ticks."""
    boot: str
    label: str = ""
    groups: tuple[str, ...] = ()
    """Control groups that the session may have made."""


def start_time(pid: int) -> str | None:
    """When a process started, as the kernel counts; None when there is none, or only its corpse."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def boot_id() -> str:
    """The running boot's name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def owner_now(label: str, groups: tuple[str, ...] = ()) -> Owner:
    """This process as an owner."""
    return Owner(os.getpid(), start_time(os.getpid()) or "", boot_id(), label, groups)


def is_alive(owner: Owner) -> bool:
    """Whether the process that opened a session still runs."""
    return owner.boot == boot_id() and start_time(owner.pid) == owner.started


def read_owner(folder: Path) -> Owner | None:
    """Who owns a session's folder; None when nobody can tell."""
    try:
        raw = json.loads((folder / OWNER).read_text())
        return Owner(**{**raw, "groups": tuple(raw["groups"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def create(state: Path, owner: Owner) -> Path:
    """A new session's folder."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    making = state / f".{owner.pid}-{secrets.token_hex(6)}"
    making.mkdir(mode=0o700)
    (making / OWNER).write_text(json.dumps(asdict(owner)))
    folder = state / making.name[1:]
    return making.rename(folder)


def abandoned(state: Path, live_labels: frozenset[str]) -> Iterator[tuple[Path, Owner | None]]:
    """The folders whose owners are dead, half-made ones included."""
    if not state.is_dir():
        return
    for folder in sorted(state.iterdir()):
        pid = folder.name.lstrip(".").partition("-")[0]
        if not pid.isdigit() or not folder.is_dir() or folder.is_symlink():
            continue
        owner = read_owner(folder)
        if owner is None:
            if start_time(int(pid)) is None:
                yield folder, None
        elif owner.label not in live_labels and not is_alive(owner):
            yield folder, owner


def remove_tree(folder: Path) -> None:
    """Remove a tree that hostile programs may have shaped: no link followed, any depth, any mode.

    Raises OSError when something cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError):
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _flatten_and_remove(parent, folder.name)
        finally:
            os.close(parent)


def _flatten_and_remove(parent: int, name: str) -> None:
    """Remove `name`. Folders inside are moved up beside it first, so that no depth needs as many descriptors."""
    pending = [name]
    while pending:
        current = pending.pop()
        with contextlib.suppress(PermissionError):
            os.chmod(current, 0o700, dir_fd=parent, follow_symlinks=True)
        fd = os.open(current, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            with os.scandir(fd) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            for inner, is_folder in found:
                if not is_folder:
                    os.unlink(inner, dir_fd=fd)
                    continue
                with contextlib.suppress(PermissionError):
                    os.chmod(inner, 0o700, dir_fd=fd)
                moved = f".{os.getpid()}-{secrets.token_hex(8)}"
                os.rename(inner, moved, src_dir_fd=fd, dst_dir_fd=parent)
                pending.append(moved)
        finally:
            os.close(fd)
        os.rmdir(current, dir_fd=parent)


_OPEN: set[Path] = set()


def remember(folder: Path) -> None:
    """Note a session that is to be removed when this process ends, however it leaves its event loop."""
    if not _OPEN:
        atexit.register(_forget_all)
    _OPEN.add(folder)


def forget(folder: Path) -> None:
    """Remove a session; what cannot be removed now is the reaper's."""
    _OPEN.discard(folder)
    with contextlib.suppress(OSError):
        remove_tree(folder)


def _forget_all() -> None:
    me = os.getpid()
    for folder in list(_OPEN):
        if folder.name.partition("-")[0] == str(me):  # a forked child inherits the list, not the sessions
            forget(folder)
