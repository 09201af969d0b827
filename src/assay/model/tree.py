"""Files of a source tree as values: what a layer, a change and a task folder are made of.

Paths are relative, with forward slashes; bytes that are not UTF-8 travel as surrogate escapes
(`os.fsencode(path)` gives them back). Directories exist only through their files, as in git.
Plain slotted dataclasses: trees have thousands of entries, and validation happens where they enter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Mode = Literal["100644", "100755", "120000"]
"""Git's modes: a file, an executable file, a symbolic link (its data is the target)."""


@dataclass(frozen=True, slots=True)
class FileState:
    """One file's content and git mode."""

    data: bytes
    mode: Mode = "100644"


Tree = Mapping[str, FileState]
"""A whole tree: path to file."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What happened to one path. `old` is None for a new file, `new` for a deleted one; never both."""

    path: str
    old: FileState | None
    new: FileState | None


def changes_between(old: Tree, new: Tree) -> tuple[FileChange, ...]:
    """The changes that turn `old` into `new`, sorted by path; renames are a deletion and an addition."""
    paths = sorted(set(old) | set(new))
    return tuple(FileChange(p, old.get(p), new.get(p)) for p in paths if old.get(p) != new.get(p))


def is_safe_path(path: str) -> bool:
    """Whether a relative path stays below its root and can be written: no `..`, no absolute, no NUL, no `.git`."""
    parts = path.split("/")
    return (
        bool(path)
        and not path.startswith("/")
        and "\0" not in path
        and all(part not in ("", ".", "..") and part.casefold() != ".git" for part in parts)
    )
