"""Who runs: a process named so that it cannot be mistaken for a later one with the same number."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process of some machine since its last start. `start_ticks` is when it began, in the kernel's clock."""

    host: str
    boot_id: str
    pid: int
    start_ticks: int

    @classmethod
    def current(cls) -> Self:
        """This process."""
        return cls(socket.gethostname(), _boot_id(), os.getpid(), _start_ticks(os.getpid()) or 0)

    def is_alive(self, seen_from: ProcessIdentity) -> bool:
        """Whether it still runs, as far as `seen_from` can tell: on another machine it counts as alive."""
        if self.host != seen_from.host:
            return True
        if self.boot_id != seen_from.boot_id:
            return False
        return _start_ticks(self.pid) == self.start_ticks


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start_ticks(pid: int) -> int | None:
    """None when there is no such process, or only its corpse."""
    try:
        line = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name may hold spaces and parentheses, so fields are counted after the last one.
    fields = line.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return int(fields[19])
