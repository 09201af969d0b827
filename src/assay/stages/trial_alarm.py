"""When to stop: a task of which nothing can be learnt, an endpoint that is down, an agent that cannot be used.

What is to be done about one failure says `core.failure_policy`; here it is done, for all trials of a runner.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.core.failure_policy import policy
from assay.errors import AssayError, VerifierError
from assay.model.failure import Failure

FAILURES_IN_A_ROW = 5
"""After so many trials, one after the other, lost at the same boundary, the fault is not a trial's. At a rate of faults
of 0.1, each tried twice, this ends a good run of 500 trials by chance once in ten million times.
"""
REFUSALS_IN_A_ROW = 3
"""After so many of the very same complaint about what the user gave, the next would be the same, too."""


@dataclass(slots=True)
class Alarm:
    """What is known to be broken."""

    stopped: str = ""
    """Why nothing more is begun at all; empty while all is well."""
    _broken: dict[str, AssayError] = field(default_factory=dict)
    _row: list[str] = field(default_factory=list)

    def broken(self, task_digest: str) -> AssayError | None:
        """What is wrong with a task, if something is."""
        return self._broken.get(task_digest)

    def stop(self, why: str) -> None:
        """Begin nothing more; the first reason stands."""
        self.stopped = self.stopped or why

    def all_well(self) -> None:
        """A trial has its score."""
        self._row.clear()

    def failed(self, failure: Failure, task: str, task_digest: str) -> None:
        """A trial has come to none, and will not be tried again now."""
        match policy(failure).voids:
            case "run":
                self.stop(f"{failure.boundary}: {failure.message}")
            case "task":
                text = (
                    f"{task}: a trial had no verdict ({failure.boundary}: {failure.message}), so no more are made of it"
                )
                self._broken[task_digest] = VerifierError(text, hint=failure.hint or f"type: assay verify {task}")
            case "trial":
                self._in_a_row(failure.boundary, FAILURES_IN_A_ROW, failure.message)

    def unusable(self, error: AssayError, task_digest: str) -> None:
        """A task could not be prepared, and so will not be for its other trials."""
        self._broken[task_digest] = error
        failure = Failure.of(error)
        if policy(failure).voids == "trial":
            self._in_a_row(failure.boundary, FAILURES_IN_A_ROW, failure.message)

    def refused(self, error: AssayError) -> None:
        """The agent could not try for what the user gave."""
        self._in_a_row(error.message, REFUSALS_IN_A_ROW, error.message)

    def _in_a_row(self, what: str, most: int, message: str) -> None:
        self._row = [*self._row, what] if self._row[-1:] == [what] else [what]
        if len(self._row) >= most:
            self.stop(f"{most} trials in a row came to nothing; the last: {message}")
