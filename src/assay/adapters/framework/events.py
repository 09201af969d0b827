"""Reading the per-test channel: lines of JSON that a candidate's code may have tampered with.

Nothing here raises; whatever is not as an honest run writes it becomes a problem in the account.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from assay.model.report import OPAQUE, Problem, Status, TestOutcome, Trouble

TIMEOUT_TYPE = "TestTimeout"
MAX_PROBLEMS = 20
MAX_FRAMES = 20
MAX_DIGITS = 10_000
RANK = {
    Status.PASSED: 0,
    Status.XPASSED: 1,
    Status.XFAILED: 2,
    Status.SKIPPED: 3,
    Status.ERROR: 4,
    Status.FAILED: 5,
    Status.TIMEOUT: 6,
}


@dataclass(slots=True)
class Account:
    """What the channel told."""

    outcomes: dict[str, TestOutcome] = field(default_factory=dict)
    uncollected: dict[str, TestOutcome] = field(default_factory=dict)
    collected: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    """Begun and not ended."""
    started: bool = False
    finish_status: int | None = None
    problems: list[Problem] = field(default_factory=list)

    def complain(self, text: str, kind: Trouble = Trouble.CHANNEL) -> None:
        """Note a problem; a flood of them is cut."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(kind, text))


def read(data: bytes) -> Account:
    """The account of a run."""
    account = Account()
    reader = _Reader(account)
    lines = data.split(b"\n")
    if lines[-1]:
        account.complain("the channel ends in the middle of a line", Trouble.TRUNCATED)
    for number, line in enumerate(lines[:-1]):
        try:
            event = json.loads(line)
            kind = event["e"]
            if account.finish_status is not None:
                account.complain("the channel goes on after its end")
            reader.take(number, str(kind), event)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ArithmeticError):
            account.complain(f"line {number + 1} of the channel is no event")
    account.running = list(reader.open)
    return account


class _Reader:
    """Follows each test from its beginning to its end."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.open: dict[str, dict[str, dict[str, Any]]] = {}
        self._values: dict[str, list[tuple[str, object]]] = {}

    def take(self, number: int, kind: str, event: dict[str, Any]) -> None:
        """One event."""
        account = self._account
        if kind == "start":
            account.started = True
        elif kind == "collected":
            account.collected += [str(i) for i in event["ids"]]
        elif kind == "uncollected":
            account.uncollected[str(event["id"])] = _outcome(Status.ERROR, event)
        elif kind == "finish":
            account.finish_status = int(event["status"])
            if event["count"] != number:
                account.complain(f"the channel lost or gained lines: {number} came, {event['count']} were sent")
        elif kind in ("begin", "phase", "value", "end"):
            self._test(kind, str(event["id"]), event)
        else:
            account.complain(f"unknown event {kind[:40]!r}")

    def _test(self, kind: str, test_id: str, event: dict[str, Any]) -> None:
        account = self._account
        if kind == "begin":
            if test_id in account.outcomes or test_id in self.open:
                account.complain(f"{test_id} ran twice", Trouble.DUPLICATE)
            self.open[test_id] = {}
        elif test_id not in self.open:
            account.complain(f"{test_id} reports without having begun", Trouble.UNEXPECTED)
        elif kind == "phase":
            self._phase(self.open[test_id], event)
        elif kind == "value":
            self._values.setdefault(test_id, []).append((str(event["mark"]), decode(event["value"])))
        else:
            outcome = _merge(self.open.pop(test_id))
            account.outcomes[test_id] = replace(outcome, values=tuple(self._values.pop(test_id, ())))

    def _phase(self, phases: dict[str, dict[str, Any]], event: dict[str, Any]) -> None:
        if event["outcome"] == "rerun":
            phases.clear()
            return
        when = str(event["when"])
        known = phases.get(when)
        # Several reports of one phase are subtests: the worst one tells.
        if known is None or RANK[_status(event)] >= RANK[_status(known)]:
            seconds = _seconds(event) + (_seconds(known) if known else 0.0)
            phases[when] = {**event, "seconds": seconds}


def _status(event: dict[str, Any]) -> Status:
    outcome, when = event["outcome"], event["when"]
    if outcome == "failed":
        if event.get("type") == TIMEOUT_TYPE:
            return Status.TIMEOUT
        return Status.FAILED if when == "call" else Status.ERROR
    if outcome == "skipped":
        return Status.XFAILED if event.get("xfail") else Status.SKIPPED
    if outcome == "passed":
        return Status.XPASSED if event.get("xfail") and when == "call" else Status.PASSED
    raise ValueError(outcome)


def _seconds(event: dict[str, Any]) -> float:
    seconds = float(event["seconds"])
    if not math.isfinite(seconds):
        raise ValueError(seconds)
    return seconds


def _merge(phases: dict[str, dict[str, Any]]) -> TestOutcome:
    seconds = sum(map(_seconds, phases.values()))
    worst = max(phases.values(), key=lambda event: RANK[_status(event)], default=None)
    if worst is None or (_status(worst) is Status.PASSED and "call" not in phases):
        return TestOutcome(Status.ERROR, seconds, message="ended without having been called")
    if _status(worst) is Status.PASSED:
        return TestOutcome(Status.PASSED, seconds)
    return _outcome(_status(worst), worst, seconds)


def decode(told: Any) -> object:
    """A value from its tagged form, made of plain data alone. Raises ValueError and its kin for anything else."""
    if told is None:
        return OPAQUE
    tag, content = told
    if (tag == "c" and (content is None or isinstance(content, bool))) or (tag == "s" and isinstance(content, str)):
        return content
    return MAKERS[str(tag)](content)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number of so many digits")
    return int(digits, 16)


def _ratio(text: str) -> Fraction:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number of so many digits")
    numerator, _, denominator = text.partition("/")
    if not int(denominator):
        raise ValueError("a fraction without a denominator")
    return Fraction(int(numerator), int(denominator))


MAKERS: dict[str, Callable[[Any], object]] = {
    "b": bytes.fromhex,
    "i": _integer,
    "f": float,
    "q": lambda text: _ratio(str(text)),
    "l": lambda items: [decode(item) for item in items],
    "t": lambda items: tuple(decode(item) for item in items),
    "e": lambda items: {decode(item) for item in items},
    "d": lambda items: {decode(key): decode(value) for key, value in items},
}


def _frames(found: object) -> Iterator[tuple[str, int]]:
    for frame in found[:MAX_FRAMES] if isinstance(found, list) else ():
        path, _, line = str(frame)[:500].rpartition(":")
        if line.isdecimal():
            yield path, int(line)


def _outcome(status: Status, event: dict[str, Any], seconds: float = 0.0) -> TestOutcome:
    return TestOutcome(
        status=status,
        seconds=seconds,
        error_type=str(event.get("type", ""))[:200],
        message=str(event.get("message", ""))[:2000],
        where=str(event.get("where", ""))[:500],
        frames=tuple(_frames(event.get("frames"))),
    )
