"""Control groups, where the machine grants them: version 2, or version 1 as older machines have it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.model.sandbox import MIB, Limits

OWN_TASKS = 4
"""Bubblewrap and the init count towards the group's processes, but are not the command's."""
REMOVE_TRIES = 200
REMOVE_PAUSE_SECONDS = 0.01
ORPHAN_SECONDS = 3600.0
V1 = ("memory", "pids", "cpuacct")


@dataclass(frozen=True, slots=True)
class Readings:
    """What the groups of one command have counted."""

    cpu_seconds: float | None = None
    memory_peak_bytes: int | None = None
    oom_kills: int = 0
    at_memory_limit: bool = False
    """Whether the group's own limit, not the machine's, was hit."""
    refused_processes: int = 0


def _groups_by_controller(pid: int | str = "self") -> dict[str, str]:
    """A process's group by controller; version 2 under the empty name."""
    found = {}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                found[name] = path
    return found


def _mounts() -> list[tuple[str, set[str], str, Path]]:
    """Group file systems: type, options, the root that is shown, where."""
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            if kind in ("cgroup", "cgroup2"):
                fields = before.split()
                found.append((kind, set(options.split(",")), fields[3], Path(fields[4])))
    return found


def _place(path: str, root: str, mounted: Path) -> Path:
    inner = os.path.relpath(path, root)
    return mounted if inner.startswith("..") else mounted / inner


def _can_make(parent: Path, needed: Sequence[str]) -> bool:
    probe = parent / f"assay-probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        probe.mkdir()
    except OSError:
        return False
    try:
        return all(os.access(probe / name, os.W_OK) for name in needed) and os.access(parent / "cgroup.procs", os.W_OK)
    finally:
        with contextlib.suppress(OSError):
            probe.rmdir()


def usable_groups() -> tuple[Path, ...]:
    """The groups below which commands get theirs; empty when this machine grants none that count."""
    own = _groups_by_controller()
    mounts = _mounts()
    for kind, _, root, mounted in mounts:
        if kind == "cgroup2" and "" in own:
            here = _place(own[""], root, mounted)
            for parent in (here, here.parent) if here != mounted else (here,):
                if _can_make(parent, ("memory.max", "pids.max", "cgroup.procs")):
                    return (parent,)
    found = []
    needed = {"memory": ["memory.limit_in_bytes"], "pids": ["pids.max"], "cpuacct": []}
    for name in V1:
        for kind, options, root, mounted in mounts:
            if kind == "cgroup" and name in options and name in own:
                parent = _place(own[name], root, mounted)
                if parent not in found and _can_make(parent, ["cgroup.procs", *needed[name]]):
                    found.append(parent)
                break
    return tuple(found) if len(found) == len(V1) or _covers(found) else ()


def groups_of(pid: int) -> tuple[Path, ...]:
    """The groups that count another process of this machine, to be read only; empty when they cannot be seen."""
    theirs, found = _groups_by_controller(pid), []
    for kind, options, root, mounted in _mounts():
        names = {name for name in V1 if name in options} if kind == "cgroup" else {""}
        found += [_place(theirs[name], root, mounted) for name in sorted(names & theirs.keys())]
    return tuple(group for group in dict.fromkeys(found) if group.is_dir())


def _covers(parents: Sequence[Path]) -> bool:
    files = ("memory.usage_in_bytes", "pids.current", "cpuacct.usage")
    return all(any((parent / name).exists() for parent in parents) for name in files)


def make_groups(parents: Sequence[Path], name: str, limits: Limits) -> tuple[Path, ...]:
    """Groups for one command, limits set. A limit that the kernel does not take is left to the watcher."""
    made = []
    wanted = {
        "memory.limit_in_bytes": limits.memory_mib * MIB,
        "memory.memsw.limit_in_bytes": limits.memory_mib * MIB,
        "memory.max": limits.memory_mib * MIB,
        "memory.swap.max": 0,
        "pids.max": limits.process_count + OWN_TASKS,
    }
    for parent in parents:
        group = parent / f"assay-{name}"
        group.mkdir(exist_ok=True)
        made.append(group)
        for key, value in wanted.items():
            if (group / key).exists():
                with contextlib.suppress(OSError):
                    (group / key).write_text(str(value))
    return tuple(made)


def _number(group: Path, name: str) -> int | None:
    try:
        return int((group / name).read_text())
    except (OSError, ValueError):
        return None


def _table(group: Path, name: str) -> dict[str, int]:
    try:
        rows = [line.split() for line in (group / name).read_text().splitlines()]
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    except OSError:
        return {}


def read_groups(groups: Sequence[Path]) -> Readings:
    """What has been counted so far."""
    cpu: float | None = None
    peak: int | None = None
    kills = refused = 0
    at_limit = False
    for group in groups:
        nanoseconds = _number(group, "cpuacct.usage")
        cpu = nanoseconds / 1e9 if nanoseconds is not None else cpu
        microseconds = _table(group, "cpu.stat").get("usage_usec")
        cpu = microseconds / 1e6 if microseconds is not None else cpu
        peak = _number(group, "memory.max_usage_in_bytes") or _number(group, "memory.peak") or peak
        events = _table(group, "memory.events")
        kills += _table(group, "memory.oom_control").get("oom_kill", 0) + events.get("oom_kill", 0)
        at_limit = at_limit or bool(events.get("oom")) or _is_at_limit(group)
        refused += _table(group, "pids.events").get("max", 0)
    return Readings(cpu, peak, kills, at_limit, refused)


def _is_at_limit(group: Path) -> bool:
    """Whether a group of version 1 is at its limit. Its failure counter alone is no witness: it stays at 0 when the
    limit of memory with swap, which is as large, was hit."""
    limit = _number(group, "memory.limit_in_bytes")
    peak = _number(group, "memory.max_usage_in_bytes")
    return bool(_number(group, "memory.failcnt")) or (limit is not None and (peak or 0) >= 0.95 * limit)


async def remove_groups(groups: Sequence[Path]) -> None:
    """Remove groups, killing who is in them. One that stays busy for two seconds is left to the reaper."""
    for group in groups:
        for _ in range(REMOVE_TRIES):
            try:
                group.rmdir()
            except FileNotFoundError:
                break
            except OSError:
                _kill_members(group)
                await anyio.sleep(REMOVE_PAUSE_SECONDS)
            else:
                break


def remove_orphans(parents: Sequence[Path], now: float) -> int:
    """Remove empty groups whose owner is dead and whose state is nowhere any more, so that no session knows of them;
    how many they were. Young ones stay: their owner may be one that this process cannot see.
    """
    count = 0
    for group in (found for parent in parents for found in parent.glob("assay-[0-9]*-*")):
        pid = group.name.split("-")[1]
        with contextlib.suppress(OSError):
            if pid.isdigit() and not Path(f"/proc/{pid}").exists() and now - group.stat().st_mtime > ORPHAN_SECONDS:
                group.rmdir()  # never one with a process in it
                count += 1
    return count


def _kill_members(group: Path) -> None:
    with contextlib.suppress(OSError):
        for line in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(line), signal.SIGKILL)
