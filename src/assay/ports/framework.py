"""Running tests so that every single one is accounted for.

An adapter says how to run some tests (`plan`) and what a finished run means (`report`). It starts nothing itself:
the caller runs the plan in a sandbox session. Two witnesses travel separately, an inherited pipe and a structured
file; `report` believes neither alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from assay.model.environment import Environment
from assay.model.report import TestReport
from assay.model.sandbox import Command, ExecResult, Mount
from assay.model.tree import FileState, Tree
from assay.model.twin import Edit, Frames, Woven

Hidden = Mapping[str, FileState | None]
"""The layer of hidden tests: path in the repository to file, None where one must be absent."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tests to run: files, or nothing for all that the repository's configuration selects."""

    files: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    """Single tests; if given, they replace `files`."""
    test_seconds: float = 60.0
    """Limit for one test."""
    hidden: Hidden = field(default_factory=dict)
    """The task's hidden tests, for a framework that keeps some of them outside the sandbox."""
    order: str = ""
    """Empty: as the framework has it. `reversed`, or `random:SEED`: over all tests of all files."""
    workers: int = 0
    """Further processes that share the tests, for a framework and an environment that can do that."""
    shifted_clock: bool = False
    """The clock is shifted from outside, and the framework mends what that breaks in its own interpreter."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A command, the mounts it needs, and where its structured report will be."""

    command: Command
    mounts: tuple[Mount, ...]
    report_target: str
    """The writable mount that holds the structured report."""
    report_path: str
    files: tuple[str, ...] = ()
    """The files that were asked for."""
    withheld: object = None
    """What the framework needs to judge the run and the sandbox never sees; only `report` of the same framework reads
    it."""


class Framework(Protocol):
    """A test framework."""

    name: str

    def is_test_file(self, path: str, tree: Tree) -> bool:
        """Whether the framework would collect tests from this file of this tree."""
        ...

    def is_support_file(self, path: str, tree: Tree) -> bool:
        """Whether a file belongs to the tests without being collected: conftest, fixtures, data, snapshots."""
        ...

    def protected_patterns(self) -> Sequence[str]:
        """Gitwildmatch patterns of what the framework loads by itself."""
        ...

    def loaded_files(self, tree: Tree) -> Sequence[str]:
        """Files of this tree that the framework is told to load by the repository itself, such as its plug-ins."""
        ...

    def inside(self, hidden: Hidden) -> Hidden:
        """The part of the hidden tests that is laid into the verifier's sandbox; what is left out stays outside."""
        ...

    def requirements(self) -> Sequence[str]:
        """What an environment needs for the framework to run at all."""
        ...

    def plan(self, environment: Environment, selection: Selection) -> Plan:
        """How to run the selection from the repository's root."""
        ...

    def report(self, plan: Plan, result: ExecResult, structured: bytes | None) -> TestReport:
        """What the run says. Never raises for what a candidate may have written."""
        ...


@runtime_checkable
class TwinMaker(Protocol):
    """A framework whose tests run in the candidate's process, and that knows how to make tests that must fail."""

    def design(
        self,
        read: Callable[[str], bytes | None],
        ids: Sequence[str],
        traces: Mapping[str, Frames],
        draw: random.Random,
    ) -> tuple[list[Woven], dict[str, str]]:
        """The functions behind these tests, each with twins that were not tried yet; for each id without, why.

        `read` gives the files of the tests, `traces` where a test failed on the base.
        """
        ...

    def weave(self, data: bytes, edits: Sequence[Edit]) -> bytes:
        """The file with these edits."""
        ...
