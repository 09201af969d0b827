"""Progress on stderr: a live line on a terminal, plain lines anywhere else.

A display is told `Event`s and asks nothing. It never writes to stdout; whoever prints results calls `above`, so
that a line of results and the live line do not run into each other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

import click

from assay.cli import output
from assay.model.event import Checked, Count, Decided, Event, Note, Stage
from assay.model.trial_run import TrialCount, TrialEnd

if TYPE_CHECKING:
    from rich.status import Status

    from assay.model.audit import CheckResult

STAGES = {
    "fetch": "fetching",
    "environment": "building its environment",
    "split": "splitting the change",
    "base": "testing the base",
    "gold": "testing the reference change",
    "write": "writing the task",
    "verify": "verifying",
    "oracle": "judging the reference change",
    "nop": "judging no change at all",
    "agent": "the agent is at work",
    "judge": "judging what the agent has left",
}
"""What people read for a stage of the ledger."""


class Display(Protocol):
    """Shows how far the work is."""

    def on_event(self, event: Event) -> None:
        """Take notice."""
        ...

    def above(self) -> AbstractContextManager[None]:
        """While it holds, stdout may be written."""
        ...


class Pace:
    """Counts, rate and time left, from the counts alone."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._first: int | None = None
        self.count: Count | TrialCount | None = None

    def update(self, count: Count | TrialCount) -> None:
        """Remember the latest count."""
        if self._first is None:
            self._first = count.done  # what an earlier run has done says nothing about our pace
        self.count = count

    def text(self) -> str:
        """Such as `3/10 done: 2 verified, 1 rejected; 4.1 a minute, about 2 min left`."""
        count = self.count
        if count is None:
            return ""
        whole = f"{count.done}/{count.total}" if count.total is not None else str(count.done)
        states = _trial_states(count) if isinstance(count, TrialCount) else _states(count)
        return f"{whole} done: {', '.join(states)}{self._pace(count)}"

    def _pace(self, count: Count | TrialCount) -> str:
        elapsed = self._monotonic() - self._started
        recalled = count.recalled if isinstance(count, TrialCount) else 0
        fresh = count.done - (self._first or 0) - recalled
        if fresh <= 0 or elapsed <= 0:
            return ""
        text = f"; {60 * fresh / elapsed:.1f} a minute"
        if count.total is not None and count.total > count.done:
            text += f", about {output.seconds((count.total - count.done) * elapsed / fresh)} left"
        return text


def _states(count: Count) -> list[str]:
    states = [f"{count.verified} verified", f"{count.rejected} rejected"]
    return [*states, f"{count.failed} failed"] if count.failed else states


def _trial_states(count: TrialCount) -> list[str]:
    states = [f"{count.resolved} solved", f"{count.unresolved} failed"]
    if count.void:
        states.append(f"{count.void} void")
    return [*states, f"${count.usd:.2f}"] if count.usd else states


class Silent:
    """For --quiet."""

    def on_event(self, event: Event) -> None:
        """Say nothing."""

    def above(self) -> AbstractContextManager[None]:
        """Nothing is in the way."""
        return nullcontext()


class Plain:
    """A line for each thing that happens; for logs, pipes and CI."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._said = ""

    def on_event(self, event: Event) -> None:
        """Write a line."""
        if isinstance(event, Stage):
            self._say(f"{event.subject}: {STAGES.get(event.stage, event.stage)}")
        elif isinstance(event, Note):
            self._say(event.text)
        elif isinstance(event, Checked):
            self._say(f"{event.task}: {event.result.check} {_ended(event.result)}")
        elif isinstance(event, (Count, TrialCount)):
            self._pace.update(event)
            self._say(self._pace.text())

    def above(self) -> AbstractContextManager[None]:
        """Nothing is in the way."""
        return nullcontext()

    def _say(self, text: str) -> None:
        if text != self._said:
            click.echo(output.visible(text), err=True)
            self._said = text


class Live:
    """One line that changes, with what is being worked on; for people at a terminal."""

    def __init__(self, pace: Pace, status: Status) -> None:
        self._pace = pace
        self._status = status
        self._working: dict[str, str] = {}
        self._checked: list[CheckResult] = []

    def on_event(self, event: Event) -> None:
        """Change the line."""
        if isinstance(event, Stage):
            self._working.pop(event.subject, None)  # the latest stands last
            self._working[event.subject] = event.stage
        elif isinstance(event, Decided):
            self._working.pop(event.decision.title, None)
            self._working.pop(event.decision.slug or "", None)
        elif isinstance(event, TrialEnd):
            self._working.pop(f"{event.task}#{event.attempt}", None)
        elif isinstance(event, (Count, TrialCount)):
            self._pace.update(event)
        elif isinstance(event, Checked):
            self._checked.append(event.result)
        elif isinstance(event, Note):
            with self.above():
                click.echo(output.visible(event.text), err=True)
        self._status.update(self._line())

    @contextmanager
    def above(self) -> Iterator[None]:
        """Take the line away while something else is written."""
        self._status.stop()
        try:
            yield
        finally:
            self._status.start()

    def _line(self) -> str:
        from rich.markup import escape

        parts = [self._pace.text()] if self._pace.count else []
        if self._checked:
            bad = sum(result.status == "fail" for result in self._checked)
            parts.append(f"{output.count(len(self._checked), 'check')} done, {bad} with findings;")
        if self._working:
            subject, stage = list(self._working.items())[-1]
            parts.append(f"{subject}: {STAGES.get(stage, stage)}")
            if len(self._working) > 1:
                parts.append(f"and {len(self._working) - 1} more")
        return escape(output.visible("  ".join(parts)) or "starting")


def _ended(result: CheckResult) -> str:
    """How a check ended, as long as nobody has seen the others."""
    how = f"fails ({result.severity})" if result.status == "fail" else result.status
    return f"{how}: {output.one_line(result.summary)}" if result.summary else how


@contextmanager
def display(*, quiet: bool = False) -> Iterator[Display]:
    """The display that fits where stderr goes."""
    if quiet:
        yield Silent()
    elif not sys.stderr.isatty():
        yield Plain(Pace())
    else:
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield Live(Pace(), status)
