"""Runs of tests in children of a warm interpreter: what is asked of them and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.model.report import TestReport
from assay.model.tree import FileState

Watching = Literal["", "lines", "values"]
"""`lines`: which lines of the watched files each test runs. `values`: a digest of what their functions answer it."""


@dataclass(frozen=True, slots=True)
class WarmJob:
    """One run: files written over the repository, and the tests, in their order."""

    key: str
    files: Mapping[str, FileState | None] = field(default_factory=dict)
    test_files: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    """Ids in the order in which they are run; empty for all of `test_files` in their own order."""
    stop_early: bool = False
    """Whether the first test that fails ends the run."""
    watching: Watching = ""
    watched: tuple[str, ...] = ()
    """Paths in the repository."""
    tell_modules: bool = False
    collect_only: bool = False
    """Run nothing, and do it in the repository itself: what is compiled on the way serves all later jobs."""
    wall_seconds: float = 60.0
    test_seconds: float = 60.0
    memory_mib: int = 4096


@dataclass(frozen=True, slots=True)
class WarmRun:
    """How a job ended. `report` says how every test ended that was run."""

    key: str
    report: TestReport
    seconds: float
    fault: str = ""
    """Why there is no report: nothing is known then."""
    lines: Mapping[str, Mapping[str, frozenset[int]]] = field(default_factory=dict)
    """Test to path to lines; the empty name stands for what ran outside of any test."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Test to a digest of all answers that it got."""
    modules: tuple[str, ...] = ()
    """Modules that are not the repository's."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What came out of one warm interpreter."""

    runs: tuple[WarmRun, ...]
    cannot: str = ""
    """Why it could not be warmed, or why it ended early."""
    begun: str = ""
    """The job at work when it ended early."""
