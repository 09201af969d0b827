"""Holding a command to its limits, and saying truthfully which one it ran into.

Where the machine grants control groups (version 2 with the controllers memory and pids, else version 1 with
memory, pids and cpuacct), the kernel holds memory and processes and counts CPU of everything that ever ran. Where
not, the processes of the sandbox are watched several times a second and the kernel's per-process limits do the rest.

What can be told:                  with groups                       without
- memory                           always                            when caught growing, or above it
- processes (EAGAIN survived too)  always                            when caught at the limit
- cpu                              always                            always, at the next look
- disk, in writable mounts         at the next look or at the end    the same
- disk, `/tmp` or home             when full as the command failed   the same
- file size                        killed by SIGXFSZ, or a file of exactly that size is left in a writable mount
A command that survived running into a limit and cleaned up its traces may pass unnoticed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread

from assay.adapters.process import Finished, Running
from assay.adapters.sandbox.groups import Readings, read_groups
from assay.adapters.sandbox.overlay import Weight, weigh
from assay.errors import DiskFullError, SandboxError
from assay.model.sandbox import MIB, Limits, Stop

WEIGH_SHARE = 20
"""Weighing what was written may take one part in this many of the time."""
STARTERS = 2
"""The processes outside the sandbox that started it."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Population:
    """The living processes of a sandbox."""

    tasks: int = 0
    memory_bytes: int = 0
    """Private resident bytes."""
    cpu_seconds: float = 0.0
    """Of the living and of the children that they waited for."""


def children_of(pid: int) -> list[int]:
    """The living children of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def survey(pid: int) -> Population:
    """Count a process and all its descendants, as far as they live while we look."""
    tasks = memory = 0
    cpu = 0.0
    pending = [pid]
    while pending:
        place = Path(f"/proc/{pending.pop()}")
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
            cpu += sum(int(f) for f in fields[11:15]) / TICKS
            _, resident, shared, *_ = (place / "statm").read_text().split()
            memory += (int(resident) - int(shared)) * PAGE_BYTES
        with contextlib.suppress(OSError):
            tasks += sum(1 for _ in (place / "task").iterdir())
        pending += children_of(int(place.name))
    return Population(tasks, memory, cpu)


def _host_oom_kills() -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class Watch:
    """Watches one command."""

    def __init__(
        self,
        limits: Limits,
        groups: Sequence[Path],
        uppers: Sequence[Path],
        large_before: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self._limits = limits
        self.groups = tuple(groups)
        self._uppers = tuple(uppers)
        self._next_weighing = time.monotonic()
        self._oom_before = 0 if groups else _host_oom_kills()
        self._most = Population()
        self.cpu_seconds: float | None = None
        self.memory_peak_bytes: int | None = None
        self.written_bytes = 0
        self.large = large_before
        self._large_before = large_before

    async def tick(self, running: Running) -> Stop | None:
        """Look at a running command; the limit that it is over, if any."""
        found = self._by_groups() if self.groups else self._by_survey(running)
        if found is None and time.monotonic() >= self._next_weighing:
            began = time.monotonic()
            weight = await self._weigh()
            self._next_weighing = time.monotonic() + WEIGH_SHARE * (time.monotonic() - began)
            if weight.bytes > self._limits.disk_mib * MIB:
                return "disk"
        return found

    async def _weigh(self) -> Weight:
        weight = await anyio.to_thread.run_sync(
            weigh, self._uppers, self._limits.disk_mib * MIB, self._limits.file_size_mib * MIB
        )
        self.written_bytes = weight.bytes
        self.large = weight.large
        return weight

    def _by_groups(self) -> Stop | None:
        readings = read_groups(self.groups)
        self.cpu_seconds = self.cpu_seconds if readings.cpu_seconds is None else readings.cpu_seconds
        self.memory_peak_bytes = readings.memory_peak_bytes or self.memory_peak_bytes
        if readings.oom_kills:
            self._blame_memory(readings)
            return "memory"
        if readings.refused_processes:
            return "processes"
        return "cpu" if (self.cpu_seconds or 0.0) >= self._limits.cpu_seconds else None

    def _blame_memory(self, readings: Readings) -> None:
        if not readings.at_memory_limit:
            raise SandboxError(
                "the machine ran out of memory and killed a sandboxed process that was within its limit",
                hint="run fewer sandboxes at once, or on a machine with more memory",
            )

    def _reached_file_size(self) -> bool:
        """Whether a file grew to the limit under this command, not under an earlier one."""
        return bool(self.large - self._large_before)

    def _blame_disk(self) -> None:
        """A command that fails on a machine without a free block says nothing about itself."""
        for upper in self._uppers[:1]:
            with contextlib.suppress(OSError):
                space = os.statvfs(upper)
                if space.f_bavail * space.f_frsize < MIB:
                    raise DiskFullError(
                        "the disk became full while a sandboxed command ran", hint="free some space, then run it again"
                    )

    def _by_survey(self, running: Running) -> Stop | None:
        now = survey(running.pid)
        self.memory_peak_bytes = max(self.memory_peak_bytes or 0, now.memory_bytes)
        self.cpu_seconds = max(self.cpu_seconds or 0.0, now.cpu_seconds)
        if now.memory_bytes > self._limits.memory_mib * MIB:
            return "memory"
        if now.tasks - STARTERS >= self._limits.process_count:
            return "processes"
        return "cpu" if now.cpu_seconds >= self._limits.cpu_seconds else None

    async def verdict(self, finished: Finished, full: bool, code: int | None) -> Stop | None:
        """Which limit ended the command or was run into. `full` says that `/tmp` or the home was full at the end.

        Raises SandboxError when the machine, not our limit, ran out of memory.
        """
        weight = await self._weigh()
        found = self._by_groups() if self.groups else None
        if finished.stopped is not None:
            return cast(Stop, finished.stopped)
        if found is not None:
            return found
        if max(self.cpu_seconds or 0.0, finished.cpu_seconds) >= self._limits.cpu_seconds:
            return "cpu"
        if weight.bytes > self._limits.disk_mib * MIB or full:
            return "disk"
        if code == 128 + signal.SIGXFSZ or self._reached_file_size():
            return "file-size"
        if code != 0:
            self._blame_disk()
        killed = code in (None, 128 + signal.SIGKILL)
        if killed and not self.groups and _host_oom_kills() > self._oom_before:
            raise SandboxError(
                "the machine ran out of memory while a sandboxed process was killed",
                hint="run fewer sandboxes at once, or on a machine with more memory",
            )
        return None
