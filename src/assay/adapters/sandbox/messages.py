"""What bubblewrap and the sandbox's init say about a command, turned into values."""

from __future__ import annotations

import contextlib
import json
import signal

SILENT = (signal.SIGINT, signal.SIGPIPE)
"""Signals that shells do not report in words."""
OURS = "assay-"
"""How the init's own notes begin."""
FREE = "assay-free "


def parse_statuses(raw: bytes) -> dict[str, int]:
    """Bubblewrap's JSON lines: `child-pid` once the sandbox stands, `exit-code` once its init has ended."""
    found: dict[str, int] = {}
    for line in raw.splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                found.update(value)
    return found


def signal_of(code: int | None, notes: str) -> int | None:
    """Which signal killed the command. Shells tell it as 128 + n and, for most signals, in words on their stderr,
    which is how an ordinary exit with such a status is told apart."""
    if code is None:
        return signal.SIGKILL
    if not 128 < code <= 128 + 64:
        return None
    said = any(line and not line.startswith(OURS) for line in notes.splitlines())
    return code - 128 if said or code - 128 in SILENT else None


def is_full(notes: str) -> bool:
    """Whether the init saw one of the sandbox's own memory file systems without a free block."""
    return any(line.startswith(FREE + "0 ") for line in notes.splitlines())
