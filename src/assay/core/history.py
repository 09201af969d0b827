"""From the commits of a history to changes worth a try, by names and words alone: no tree is read for it.

A change is a commit that touches source and tests, a merged branch that does, or a commit without tests followed by
one that brings them. What a name cannot decide is let through; splitting the trees decides later.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from assay.core.paths import classify

ChangeKind = Literal["commit", "merge", "follow-up"]

FOLLOW_UP_TIME = timedelta(days=7)
"""Tests that come later than this after a change belong to something else."""
BEST_FILE_COUNT = 12
"""More files than this make a change less likely to be one task."""
FIX = re.compile(
    r"\b(?:fix(?:es|ed)?|bugs?|close[sd]?|resolve[sd]?|regression|crash(?:es)?|incorrect|wrong)\b|#\d+", re.I
)
CHORE = re.compile(
    r"\b(?:bump|release|version|typos?|reformat|formatting|black|ruff|flake8|isort|pyupgrade|lint|rename|refactor"
    r"|refactoring|typing|annotations|mypy|drop support|python ?2|pre-commit|ci|travis|docs?)\b",
    re.I,
)
TEST_WORD = re.compile(r"(?:^|[/_.-])(?:tests?|testing|unittests?|conftest|spec)(?:[/_.-]|$)", re.I)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the first-parent history, with the paths that it changed against its first parent."""

    sha: str
    parents: tuple[str, ...]
    date: datetime
    """When it was committed, aware UTC."""
    author: str
    message: str
    paths: tuple[str, ...]

    @property
    def parent(self) -> str | None:
        """The commit that it is compared with; None for a first one."""
        return self.parents[0] if self.parents else None


@dataclass(frozen=True, slots=True)
class Change:
    """What may become a task: the difference between two commits."""

    kind: ChangeKind
    base: str
    commits: tuple[Commit, ...]
    """Oldest first; the last one is the reference change."""

    @property
    def gold(self) -> Commit:
        """The commit that has it all."""
        return self.commits[-1]

    @property
    def paths(self) -> tuple[str, ...]:
        """Everything that was touched."""
        return tuple(dict.fromkeys(path for commit in self.commits for path in commit.paths))


def may_be_test(path: str) -> bool:
    """Whether a name speaks of tests. Projects name them in many ways, so this says yes rather than no."""
    return bool(TEST_WORD.search(path))


def may_be_source(path: str) -> bool:
    """Whether a name can be source: Python that is neither for tests alone nor for packaging and documentation."""
    certain_test = path.rpartition("/")[2].startswith(("test_", "conftest.")) or path.startswith(("tests/", "test/"))
    return path.endswith((".py", ".pyi", ".pyx")) and not certain_test and classify(path) == "source"


async def each(commits: AsyncIterator[Commit]) -> AsyncIterator[Change]:
    """Every commit but a first one as a change, whatever it touches."""
    async for commit in commits:
        if commit.parent is not None:
            yield Change("merge" if len(commit.parents) > 1 else "commit", commit.parent, (commit,))


async def changes(commits: AsyncIterator[Commit], paths: Callable[[str], bool] | None = None) -> AsyncIterator[Change]:
    """The changes of a history that is given newest first; with `paths`, those that touch one of them."""
    newer: Commit | None = None
    async for commit in commits:
        for change in _changes_at(commit, newer):
            if paths is None or any(paths(path) for path in change.paths):
                yield change
        newer = commit


def _changes_at(commit: Commit, newer: Commit | None) -> Iterator[Change]:
    if commit.parent is None or not any(may_be_source(path) for path in commit.paths):
        return
    if any(may_be_test(path) for path in commit.paths):
        yield Change("merge" if len(commit.parents) > 1 else "commit", commit.parent, (commit,))
    elif newer is not None and newer.parent == commit.sha and _follows(newer, commit):
        yield Change("follow-up", commit.parent, (commit, newer))


def _follows(newer: Commit, commit: Commit) -> bool:
    """Whether a commit of nothing but tests belongs to the change before it."""
    only_tests = any(may_be_test(p) for p in newer.paths) and not any(may_be_source(p) for p in newer.paths)
    if not only_tests or abs(newer.date - commit.date) > FOLLOW_UP_TIME:
        return False
    return newer.author == commit.author or bool(_stems(newer.paths) & _stems(commit.paths))


def _stems(paths: Iterable[str]) -> set[str]:
    """Module names without what marks a test."""
    names = {path.rpartition("/")[2].partition(".")[0] for path in paths if path.endswith(".py")}
    return {re.sub(r"^tests?_|_tests?$", "", name) for name in names} - {"__init__", ""}


def score(change: Change) -> float:
    """How likely a change is to make a good task, from its size and its words; greater is better."""
    text = "\n".join(commit.message for commit in change.commits)
    subject = text.partition("\n")[0]
    sources = sum(may_be_source(path) for path in change.paths)
    points = 2.0 * bool(FIX.search(text)) - 2.0 * bool(CHORE.search(subject)) + 0.5 * (len(text.split()) > 12)
    size = 0.5 * math.sqrt(abs(sources - 1))
    return points - size - max(0, len(change.paths) - BEST_FILE_COUNT) / BEST_FILE_COUNT
