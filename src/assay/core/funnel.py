"""The funnel: which stage a reason belongs to, what it means, and lines that add up to the last candidate.

Everything is derived from one list of decisions, read at one moment: candidates = verified + rejected + failed, and
what enters a stage is what falls out there plus what gets through. A failure says nothing about a candidate, so it
belongs to no stage: those candidates leave before the first one, under the boundary that broke.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.model.failure import Boundary
from assay.model.ledger import Cost, Decision
from assay.model.reason import Reason
from assay.model.summary import FunnelLine, OriginLine

Stage = Literal["change", "environment", "tests", "prompt", "unknown"]

NO_REASON = "unknown"
"""Stands where a store names no reason; assay itself always writes one."""


@dataclass(frozen=True, slots=True)
class StageText:
    """A stage in words."""

    name: str
    """What is done to a candidate there."""
    passed: str
    """What those are that got through."""


@dataclass(frozen=True, slots=True)
class ReasonText:
    """Where a reason belongs, and a sentence about it for somebody who was not there."""

    stage: Stage
    meaning: str


STAGES: Mapping[Stage, StageText] = {
    "change": StageText("fetch and split", "source and tests changed"),
    "environment": StageText("environment", "environment built"),
    "tests": StageText("tests", "tests prove the change"),
    "prompt": StageText("prompt and files", "prompt and files written"),
    "unknown": StageText("unknown to this version", "nothing unknown"),
}
"""In the order in which a candidate goes through them. `unknown` shows only when something is in it."""

REASONS: Mapping[Reason, ReasonText] = {
    Reason.NO_SDIST: ReasonText("change", "The release has no source archive, so there is nothing to compare."),
    Reason.UNSAFE_SOURCE: ReasonText(
        "change", "The archive or repository tries to leave its tree, or is larger than any honest one."
    ),
    Reason.LICENCE: ReasonText("change", "The licence is not on the list that the project allows."),
    Reason.BENCHMARK: ReasonText(
        "change", "A benchmark that was to be kept out holds the same commit or the same change."
    ),
    Reason.DUPLICATE: ReasonText("change", "The same change is a task already, from a fork or a copied commit."),
    Reason.NO_TESTS: ReasonText("change", "The source carries no tests that could judge an answer."),
    Reason.NO_SOURCE_CHANGE: ReasonText(
        "change", "Only tests, documentation or packaging changed; there is nothing to program."
    ),
    Reason.NO_TEST_CHANGE: ReasonText("change", "No test changed, so no test tells the new behaviour from the old."),
    Reason.CHANGE_TOO_LARGE: ReasonText("change", "The change is larger than the project's limits for one task."),
    Reason.NO_INTERPRETER: ReasonText(
        "environment", "No Python on the machine satisfies the version that the project asks for."
    ),
    Reason.ENVIRONMENT: ReasonText(
        "environment", "The project and its dependencies could not be installed in any of the ways that were tried."
    ),
    Reason.TESTS_NOT_COLLECTED: ReasonText(
        "tests", "The test framework finds no test of the change, even with the reference change in place."
    ),
    Reason.NO_FAIL_TO_PASS: ReasonText(
        "tests", "No test fails before the change and passes after it, so no test proves it."
    ),
    Reason.GOLD_FAILS: ReasonText("tests", "Tests that should pass with the reference change do not."),
    Reason.BASE_BROKEN: ReasonText(
        "tests", "Before the change, tests fail for another cause than that the change is missing."
    ),
    Reason.FLAKY: ReasonText("tests", "Two runs of the same code disagreed, so a result would say nothing."),
    Reason.TIMEOUT: ReasonText("tests", "The tests did not end within the time limit."),
    Reason.RESOURCES: ReasonText("tests", "The tests went over a limit of memory, processes, disk or output."),
    Reason.NEEDS_NETWORK: ReasonText("tests", "The tests need the network, which the sandbox does not have."),
    Reason.LEAK: ReasonText("prompt", "The prompt could not be written without giving the change away."),
    Reason.HIDDEN_TEXT: ReasonText(
        "prompt", "Tests expect a text letter by letter that no reader could guess, and telling it would be the answer."
    ),
    Reason.NO_PROMPT: ReasonText("prompt", "Neither the maintainers' words nor the tests say what is wanted."),
}
"""Every reason, in exactly one stage."""

BOUNDARIES: Mapping[Boundary, str] = {
    "provider": "A package index or a remote repository did not answer as it should.",
    "environment": "A step of building an environment broke for no fault of the candidate.",
    "sandbox": "A sandbox could not be started, used or read.",
    "verifier": "The tests ran, but no verdict could be reached.",
    "task": "The task's own folder was not as it should be.",
    "store": "The project's database or disk could not do its part.",
    "budget": "The money or time that was set aside had been spent.",
    "agent": "The agent that was asked did not do its part.",
}
"""Where a failure can happen; each kept candidates from a decision and is tried again by the next run."""

UNKNOWN = "This version of assay does not know it; a newer one wrote the store."


@dataclass(frozen=True, slots=True)
class Step:
    """A stage: who came in, and who fell out for which reasons (most frequent first)."""

    stage: Stage
    entered: int
    reasons: tuple[FunnelLine, ...]

    @property
    def fell_out(self) -> int:
        """All that ended here."""
        return sum(line.count for line in self.reasons)

    @property
    def passed(self) -> int:
        """All that got through."""
        return self.entered - self.fell_out

    @property
    def cost(self) -> Cost:
        """Of all work on the candidates that ended here, in this stage and in those before it."""
        return _total(self.reasons)


@dataclass(frozen=True, slots=True)
class Funnel:
    """candidates = all of `failures` + all that fell out of `steps` + `verified.count`; costs add up alike."""

    candidates: int
    cost: Cost
    failures: tuple[FunnelLine, ...]
    steps: tuple[Step, ...]
    verified: FunnelLine

    @property
    def failed(self) -> int:
        """Candidates without a decision."""
        return sum(line.count for line in self.failures)

    @property
    def rejected(self) -> int:
        """Candidates that fell out of a stage."""
        return sum(step.fell_out for step in self.steps)

    def share(self, count: int) -> float:
        """A count as a part of all candidates."""
        return count / self.candidates if self.candidates else 0.0


@dataclass(frozen=True, slots=True)
class TaskCosts:
    """What a verified task cost: its own work, and with its part of all that fell out."""

    median_cpu_seconds: float
    median_written_bytes: int
    cpu_seconds_all_in: float
    written_bytes_all_in: int


def stage_of(reason: str | None) -> Stage:
    """The stage of a reason; a reason that a newer assay wrote is counted under `unknown` instead of lost."""
    return REASONS[Reason(reason)].stage if reason in _KNOWN_REASONS else "unknown"


def meaning_of(line: FunnelLine) -> str:
    """A sentence about why candidates are on this line."""
    if line.state == "failed":
        return {str(boundary): text for boundary, text in BOUNDARIES.items()}.get(line.reason or "", UNKNOWN)
    return REASONS[Reason(line.reason)].meaning if line.reason in _KNOWN_REASONS else UNKNOWN


def lines_of(decisions: Iterable[Decision]) -> tuple[FunnelLine, ...]:
    """Counts and costs by state and reason, most frequent first."""
    groups: dict[tuple[str, str | None], list[Decision]] = {}
    for decision in decisions:
        groups.setdefault((decision.state, decision.reason), []).append(decision)
    lines = (
        FunnelLine(group[0].state, group[0].reason, len(group), sum((d.cost for d in group), Cost()))
        for group in groups.values()
    )
    return tuple(sorted(lines, key=lambda line: (-line.count, line.state, line.reason or "")))


def funnel_of(lines: Sequence[FunnelLine]) -> Funnel:
    """The funnel that lines by state and reason make."""
    candidates = sum(line.count for line in lines)
    ordered = sorted(lines, key=lambda line: (-line.count, line.reason or ""))
    failures = tuple(line for line in ordered if line.state == "failed")
    verified = [line for line in lines if line.state == "verified"]
    left = candidates - sum(line.count for line in failures)
    steps: list[Step] = []
    for stage in STAGES:
        reasons = tuple(line for line in ordered if line.state == "rejected" and stage_of(line.reason) == stage)
        if reasons or stage != "unknown":
            steps.append(Step(stage, left, reasons))
            left = steps[-1].passed
    return Funnel(
        candidates=candidates,
        cost=_total(lines),
        failures=failures,
        steps=tuple(steps),
        verified=FunnelLine("verified", None, sum(line.count for line in verified), _total(verified)),
    )


def origins_of(decisions: Iterable[Decision]) -> tuple[OriginLine, ...]:
    """The yield of each package or repository, the most fruitful first."""
    groups: dict[str, list[Decision]] = {}
    for decision in decisions:
        groups.setdefault(origin_of(decision.candidate_key), []).append(decision)
    lines = (_origin_line(origin, group) for origin, group in groups.items())
    return tuple(sorted(lines, key=lambda line: (-line.verified, -line.candidates, line.origin)))


def origin_of(candidate_key: str) -> str:
    """`pypi:NAME` or `git:URL`: a candidate's key without its revisions."""
    return candidate_key.rpartition(":")[0] or candidate_key


def task_costs(funnel: Funnel, costs: Sequence[Cost]) -> TaskCosts | None:
    """What a verified task cost; None while there is none."""
    if not costs:
        return None
    return TaskCosts(
        median_cpu_seconds=statistics.median(cost.cpu_seconds for cost in costs),
        median_written_bytes=round(statistics.median(cost.written_bytes for cost in costs)),
        cpu_seconds_all_in=funnel.cost.cpu_seconds / len(costs),
        written_bytes_all_in=round(funnel.cost.written_bytes / len(costs)),
    )


def _origin_line(origin: str, decisions: Sequence[Decision]) -> OriginLine:
    ends = Counter((d.state, d.reason or NO_REASON) for d in decisions if d.state != "verified")
    top = min(ends, key=lambda end: (-ends[end], end), default=None)
    return OriginLine(
        origin=origin,
        candidates=len(decisions),
        verified=sum(d.state == "verified" for d in decisions),
        failed=sum(d.state == "failed" for d in decisions),
        cost=sum((d.cost for d in decisions), Cost()),
        top_reason=top and (f"failed: {top[1]}" if top[0] == "failed" else top[1]),
    )


def _total(lines: Iterable[FunnelLine]) -> Cost:
    return sum((line.cost for line in lines), Cost())


_KNOWN_REASONS = frozenset(str(reason) for reason in Reason)
