"""Twins of hidden tests: tests with a wrong expectation, which an honest program must fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

TwinKind = Literal["forced", "value", "raises", "inverted"]
"""`forced`: the whole body runs and then fails for certain. The others change one expectation: its value, the
exception it waits for, or the direction of a condition."""

Frames = Sequence[tuple[str, int]]
"""Path and line of each frame in the repository, outermost first."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the bytes of a file from `start` to `end` (offsets in UTF-8) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Twin:
    """One way to make a test fail."""

    kind: TwinKind
    line: int
    """Of the expectation, in the original file."""
    edits: tuple[Edit, ...]
    at_stake: bool = False
    """Whether this is the expectation at which the base fails: the one that a candidate has reason to cheat."""
    reported: tuple[str, ...] = ()
    """Every id that it reports; parameters may be named after a value that was changed."""
    failing: tuple[str, ...] = ()
    """Those of them that fail with the reference change: they must fail with any honest candidate."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The test itself with expected values taken out: what it computes leaves the sandbox and is compared outside.

    Then nothing in the candidate's process knows what is right, and a forger has to know the answer.
    """

    edits: tuple[Edit, ...]
    expected: dict[str, str]
    """The literal behind each mark, as Python source."""
    reported: tuple[str, ...] = ()
    """Every id that it reports."""
    at_stake: bool = False
    """Whether the expectation at which the base fails is among them."""
    names: dict[str, str] = field(default_factory=dict)
    """Under which id each test is reported, where that is another than its own (parameters named after values)."""
    seen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The marks that each id reached with the reference change, with the right value every time."""


@dataclass(frozen=True, slots=True)
class Woven:
    """A function of the hidden tests that can be run as itself or as one of its twins."""

    key: str
    """Names it within the task: `path::Class::function@line`."""
    path: str
    """The file that holds it, which may be another than the one under which it is reported."""
    ids: tuple[str, ...]
    """The tests of the task's lists that run it."""
    real: tuple[Edit, ...]
    twins: tuple[Twin, ...]
    seal: Seal | None = None
    """How the test itself is run, where it can be; `real` otherwise."""


@dataclass(frozen=True, slots=True)
class Pool:
    """All twins of a task that were seen to fail with the reference change."""

    woven: tuple[Woven, ...] = ()
    without: dict[str, str] = field(default_factory=dict)
    """Tests of the task's lists that have no twin at all, and why."""
    without_changed: dict[str, str] = field(default_factory=dict)
    """Tests that have only a twin of the kind `forced`, and why."""
    plain: tuple[str, ...] = ()
    """Tests that do not stand a failing neighbour: they are judged in a run of their own, without twins."""
    volatile: tuple[str, ...] = ()
    """Functions (ids without parameters) whose ids come and go with the reference change itself, such as parameters
    that are named after the order of a set: an id that a run lacks says nothing there.
    """
    run_seconds: float = 0.0
    """Wall time of one run of the tests."""
    broken: str = ""
    """Why the reference change itself does not satisfy the tests; then nothing can be judged."""


@dataclass(frozen=True, slots=True)
class Round:
    """One run: which function is which of its twins (by position); the others run as they are."""

    choices: dict[str, int]
    targets: tuple[str, ...] = ()
    """What is run: test files, or functions by id without parameters; empty for all of the task's files."""
    woven: bool = True
    """Whether the tests are woven at all."""
    sealed: bool = True
    """Whether tests that can be sealed are."""

    again: bool = False
    """Whether this is a second hearing of tests that failed beside failing neighbours."""

    def runs(self, test_id: str) -> bool:
        """Whether a test is part of this run."""
        names = (test_id.partition("::")[0], test_id.partition("[")[0])
        return not self.targets or any(name in self.targets for name in names)
