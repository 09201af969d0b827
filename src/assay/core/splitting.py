"""Which part of a change an agent must redo, and which part judges it.

The framework decides what is a test (`ports.framework`), `core.paths` what is documentation or packaging; this
module only applies the two, so that the rule is in one place: tests and what supports them are hidden, source is
gold, the rest is noise that neither the agent nor the judge needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.model.tree import FileChange, FileState, Tree

PathInTree = Callable[[str, Tree], bool]


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a change; every change is in exactly one of `gold`, `tests` and `noise`."""

    gold: tuple[FileChange, ...]
    tests: tuple[FileChange, ...]
    """Collected files and what supports them."""
    noise: tuple[FileChange, ...]
    collected: tuple[str, ...]
    """The changed files that the framework collects after the change, by path."""

    @property
    def hidden(self) -> dict[str, FileState | None]:
        """The layer that holds the tests as they are after the change; None where a file went away."""
        return {change.path: change.new for change in self.tests}


def split(
    changes: Sequence[FileChange],
    base: Tree,
    gold: Tree,
    *,
    is_test: PathInTree,
    is_support: PathInTree,
    is_source: Callable[[str], bool],
) -> Split:
    """Sort a change into its parts. A file counts as a test if it is one before or after the change."""
    parts: dict[str, list[FileChange]] = {"gold": [], "tests": [], "noise": []}
    collected = []
    for change in changes:
        sides = [tree for tree, state in ((gold, change.new), (base, change.old)) if state is not None]
        if any(is_test(change.path, tree) for tree in sides):
            parts["tests"].append(change)
            if change.new is not None and is_test(change.path, gold):
                collected.append(change.path)
        elif any(is_support(change.path, tree) for tree in sides):
            parts["tests"].append(change)
        elif is_source(change.path):
            parts["gold"].append(change)
        else:
            parts["noise"].append(change)
    return Split(
        gold=tuple(parts["gold"]),
        tests=tuple(parts["tests"]),
        noise=tuple(parts["noise"]),
        collected=tuple(collected),
    )


def changed_line_count(changes: Sequence[FileChange]) -> int:
    """Lines that differ, counted as multisets: cheap, and close enough to bound the size of a task."""
    total = 0
    for change in changes:
        old = _lines(change.old)
        new = _lines(change.new)
        total += max(len(old - new), len(new - old))
    return total


def _lines(state: FileState | None) -> set[bytes]:
    return set(state.data.splitlines()) if state else set()
