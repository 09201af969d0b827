"""What a variant changes, as a few lines that people read."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from assay.core.syntax import decode
from assay.model.tree import FileState, Tree
from assay.model.variant import Variant

CONTEXT = 3
MAX_LINES = 40


def diff_of(gold: Tree, variant: Variant) -> tuple[str, ...]:
    """A unified diff from the reference change to the variant, without line ends; a file's name stands before its
    hunks only when there are several files. Long ones end with the number of lines that are left out.
    """
    paths = sorted(path for path, state in variant.files.items() if gold.get(path) != state)
    lines: list[str] = []
    for path in paths:
        own = list(_diff(path, gold.get(path), variant.files[path]))
        lines += [path, *own] if len(paths) > 1 else own
    if len(lines) <= MAX_LINES:
        return tuple(lines)
    return (*lines[: MAX_LINES - 1], f"... {len(lines) - MAX_LINES + 1} more lines")


def _diff(path: str, old: FileState | None, new: FileState | None) -> Iterator[str]:
    if new is None:
        yield f"{path} is not there"
        return
    before, after = _text(old), _text(new)
    if before is None or after is None:
        yield f"{path} differs; it is no text"
        return
    lines = unified_diff(before.splitlines(), after.splitlines(), n=CONTEXT, lineterm="")
    yield from list(lines)[2:]


def _text(state: FileState | None) -> str | None:
    if state is None:
        return ""
    text = decode(state.data)
    return None if text is None or "\0" in text else text
