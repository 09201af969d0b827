"""What a test run reported, per test, once its witnesses have been compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How one test ended. Only `passed` is a pass."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """Set-up or tear-down failed, or the file could not be collected."""
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    TIMEOUT = "timeout"
    """Ran over the limit for one test."""
    CRASHED = "crashed"
    """The interpreter died while this test ran."""
    MISSING = "missing"
    """Expected, but nothing was reported."""


class Trouble(StrEnum):
    """What is wrong with a run as a whole. None of them is ever a pass, and each is told by its own name."""

    NOT_STARTED = "not-started"
    """The framework did not begin."""
    LIMIT = "limit"
    """The run was ended by one of the task's limits."""
    EARLY_EXIT = "early-exit"
    """The process ended by itself before the framework had finished."""
    KILLED = "killed"
    """The process died of a signal before the framework had finished."""
    TRUNCATED = "truncated"
    """More output than the limits allow, or a report that ends in the middle."""
    CHANNEL = "channel-tampered"
    """The per-test channel holds what no framework writes, or lost lines."""
    DUPLICATE = "duplicate-tests"
    """A test was collected or run twice."""
    MISSING = "missing-tests"
    """Collected tests that never reported."""
    UNEXPECTED = "unexpected-tests"
    """Tests that were reported but never collected, or that the task does not know."""
    DISAGREEMENT = "witnesses-disagree"
    """The channel and the structured report tell different stories."""
    EXIT_STATUS = "exit-status"
    """The exit status is not the one that the outcomes ask for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a run."""

    kind: Trouble
    text: str

    def __str__(self) -> str:
        return self.text


OPAQUE = object()
"""Stands for a value that is no plain data."""


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One test's end, with the cause in the framework's own words."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    status: Status
    seconds: float = 0.0
    error_type: str = ""
    """Name of the exception class, such as `AssertionError`; empty when nothing was raised."""
    message: str = ""
    """The exception's text, at most 2,000 characters."""
    where: str = ""
    """`path:line` of the deepest frame inside the repository; empty when unknown."""
    values: tuple[tuple[str, object], ...] = ()
    """Marks and the values that the test computed there, for expectations that are held outside; `OPAQUE` for an
    object that is no plain data."""
    frames: tuple[tuple[str, int], ...] = ()
    """Path and line of every frame inside the repository, outermost first; at most 20."""


@dataclass(frozen=True, slots=True)
class TestReport:
    """All outcomes of one run.

    `complete` is true when the framework said that it had finished, the per-test channel, the structured report
    and the exit status tell one story, and nothing was truncated; otherwise `problems` says what disagrees.
    """

    __test__ = False

    outcomes: dict[str, TestOutcome]
    """By test id, in the order in which they ended."""
    uncollected: dict[str, TestOutcome] = field(default_factory=dict)
    """Files (or packages) that could not be collected, by path."""
    complete: bool = True
    problems: tuple[Problem, ...] = ()
    exit_status: int | None = None
    stopped: str = ""
    """The limit that ended the run (`wall`, `memory`, ...); empty when it ended by itself."""

    def status(self, test_id: str) -> Status:
        """The outcome of one test; MISSING when it was not reported."""
        outcome = self.outcomes.get(test_id)
        return outcome.status if outcome else Status.MISSING

    def passed(self) -> frozenset[str]:
        """The ids that passed."""
        return frozenset(i for i, o in self.outcomes.items() if o.status is Status.PASSED)
