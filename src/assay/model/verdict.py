"""The judgement of one candidate patch on one task."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

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


class TwinTally(Frozen):
    """What became of the tests that must fail."""

    run_count: int = 0
    caught_count: int = 0
    """Failed, as they must."""
    green_count: int = 0
    """Passed beside their own test: the candidate has tampered with the judge."""
    by_kind: dict[str, int] = Field(default_factory=dict)
    """Run twins by kind: `forced`, `value`, `raises`, `inverted`."""
    sealed_count: int = 0
    """Tests whose expected values never entered the candidate's process."""
    covered_count: int = 0
    """Tests of the lists that had a twin in this verdict."""
    covered_share: float = 0.0
    """Of all tests of the lists."""
    changed_share: float = 0.0
    """Share of the tests of the lists for which a twin with a changed expectation is known."""
    guess_bound: float = 1.0
    """With what probability a blind forger of the tests at stake gets through, who knows all but the coins: 0.0 when
    one of them is sealed at its heart, so that there is nothing to guess; 1.0 when none has a twin that differs in an
    expectation."""


class Dropped(Frozen):
    """A path of the patch that was restored."""

    path: str
    why: str


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
    """Why not resolved, in a word: `tests-failed`, `tampered`, `patch-does-not-apply`, `limit-...`, or the name of
    what is wrong with the report (`assay.model.report.Trouble`)."""
    tests: tuple[TestResult, ...] = ()
    """Those that did not pass; all of them when asked for."""
    passed_count: int = 0
    total_count: int = 0
    problems: tuple[str, ...] = ()
    tamper: tuple[str, ...] = ()
    """What shows that the candidate has tampered with the judge."""
    oracle: Literal["", "in-process", "out-of-process", "script"] = ""
    """Where expected values are compared: beside the candidate's code, guarded by twins and seals, or out of its
    reach; `script`: by the task's own script, which nothing guards. Empty when it did not come to that."""
    twins: TwinTally | None = None
    """None when the verifier has no twins."""
    dropped_paths: tuple[str, ...] = ()
    """Paths of the patch that were restored because they are protected."""
    dropped: tuple[Dropped, ...] = ()
    """The same, each with the reason."""
    seed: str = ""
    """Lays out which test was a twin in which run."""
    pool_sha256: str = ""
    """The blob of the twins that were drawn from."""
    verifier_sha256: str = ""
    """Of everything that judges besides the task: assay, the framework's parts, the environment, the twins."""
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
