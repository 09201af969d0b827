"""How large a patch is, file by file: what a person wants to know of it first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assay.core.patches import changed_paths

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class PatchSize:
    """A patch in numbers."""

    paths: tuple[str, ...]
    added_count: int
    """Lines."""
    removed_count: int


def patch_size(patch: bytes) -> PatchSize:
    """The files that a patch in git's format names, and the lines that its hunks add and remove. Never raises: what is
    no hunk counts for nothing.
    """
    added = removed = old = new = 0
    for line in patch.split(b"\n"):
        if old > 0 or new > 0:
            mark = line[:1]
            added += mark == b"+"
            removed += mark == b"-"
            old -= mark in (b" ", b"-", b"")
            new -= mark in (b" ", b"+", b"")
        elif found := _HUNK.match(line):
            old, new = (1 if count is None else int(count) for count in found.groups())
    return PatchSize(changed_paths(patch), added, removed)
