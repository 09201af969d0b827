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
    problems: tuple[str, ...] = ()
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
