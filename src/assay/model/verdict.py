"""The judgement of one candidate patch on one task."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from assay.model.base import Frozen
from assay.model.failure import Failure
from assay.model.report import Status


class TestResult(Frozen):
    """One test of the task's list, as it ended."""

    __test__ = False

    id: str
    status: Status
    expected: str
    """`fail_to_pass` or `pass_to_pass`."""
    message: str = ""


class Verdict(Frozen):
    """Resolved or not, or a failure: never both, never neither."""

    task: str
    task_digest: str
    agent: str
    patch_sha256: str
    resolved: bool | None = None
    reward: int | None = None
    failure: Failure | None = None
    reason: str = ""
    """Why not resolved, in a word: `tests-failed`, `patch-does-not-apply`, `timeout`, `report-incomplete`, ..."""
    tests: tuple[TestResult, ...] = ()
    """Those that did not pass; all of them when asked for."""
    passed_count: int = 0
    total_count: int = 0
    problems: tuple[str, ...] = ()
    dropped_paths: tuple[str, ...] = ()
    """Paths of the patch that were restored because they are protected."""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    @model_validator(mode="after")
    def _one_story(self) -> Self:
        if (self.failure is None) == (self.resolved is None):
            raise ValueError("a verdict is either resolved (yes or no) or a failure")
        if (self.resolved is None) != (self.reward is None) or (
            self.resolved is not None and self.reward != int(self.resolved)
        ):
            raise ValueError("the reward is 1 when resolved, 0 when not, absent when unknown")
        return self
