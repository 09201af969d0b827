"""Whether equal runs end equally: what repeated runs of the reference change and of the base say about each test.

A test flips when it ends differently in two runs of the same thing. What the task's lists say is held against every
run besides: a list that is wrong in all runs is no flip, and as bad.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.core.admission import outcome_of
from assay.core.audit.table import conclude
from assay.core.bounds import upper_bound
from assay.core.grading import grade
from assay.model.audit import CheckResult, Finding, Measure
from assay.model.report import Status, TestReport
from assay.model.task import AssayMetadata

RATE = "flake_rate_upper"
DEVIATING = "deviating_runs"
"""The measure that says how many of the runs (its count) did not end as they should."""
EVIDENCE_LINES = 3
NEW_ID = "its id is made anew at every run: give its parameters ids of their own, or quarantine it"
WRONG_LIST = "prove the task again: its lists do not say what its tests do"


@dataclass(frozen=True, slots=True)
class Repeats:
    """All runs of one task, under the conditions of a verdict."""

    gold: Sequence[TestReport]
    base: Sequence[TestReport]
    gold_seconds: Sequence[float] = ()
    """Wall time of each run of the reference change."""
    lost: Sequence[str] = ()
    """Runs that a fault of ours kept from an end, in words."""

    @property
    def count(self) -> int:
        """Runs that came to an end."""
        return len(self.gold) + len(self.base)


@dataclass(frozen=True, slots=True)
class _Side:
    """The runs of the reference change, or of the base."""

    name: str
    reports: Sequence[TestReport]
    passing: frozenset[str]
    """Tests that must pass here; of the others, none may."""
    is_base: bool = False

    def ends(self, test_id: str) -> list[Status]:
        return [outcome_of(report, test_id).status for report in self.reports]

    def usual(self, test_id: str) -> Status:
        """What the test should end with, or does most often where several ends are right."""
        if test_id in self.passing:
            return Status.PASSED
        found = Counter(status for status in self.ends(test_id) if status is not Status.PASSED)
        return found.most_common(1)[0][0] if found else Status.FAILED


def judge(task: AssayMetadata, runs: Repeats, allowed_flips: int = 0) -> CheckResult:
    """What the runs show. Unknown when one was lost: fewer runs say less than what was asked for."""
    counted = (*task.fail_to_pass, *task.pass_to_pass)
    sides = (
        _Side("the reference change", runs.gold, frozenset(counted)),
        _Side("the base", runs.base, frozenset(task.pass_to_pass), is_base=True),
    )
    findings = [finding for side in sides for test_id in counted for finding in _of_test(side, test_id)]
    findings += _strangers(task, [*runs.gold, *runs.base])
    # What tests and ids explain is not said a second time of the run.
    findings += [] if findings else [*_whole(task, runs.gold), *_broken_base(runs.base)]
    deviating = sum(_deviates(task, side, report, counted) for side in sides for report in side.reports)
    flips = len({finding.subject for finding in findings})
    bound = upper_bound(deviating, runs.count)
    what = f"{len(runs.gold)} runs of the reference change and {len(runs.base)} of the base"
    measures = [
        Measure(name=RATE, value=bound, count=runs.count),
        Measure(name=DEVIATING, value=deviating, count=runs.count),
        Measure(name="flips", value=flips, count=len(counted)),
    ]
    if runs.gold_seconds:
        seconds = statistics.median(runs.gold_seconds)
        measures.append(Measure(name="run_seconds", value=round(seconds, 3), count=len(runs.gold_seconds)))
    told = f"{flips} of {len(counted)} tests flipped" if flips else f"all {len(counted)} tests ended alike"
    return conclude(
        "stability",
        failed=flips > allowed_flips,
        summary=f"{what}: {told}; at most {bound:.1%} of runs deviate, with 95% confidence",
        findings=findings,
        measures=measures,
        unknown=runs.lost,
        known=not runs.lost and bool(runs.gold) and bool(runs.base),
    )


def _of_test(side: _Side, test_id: str) -> Iterator[Finding]:
    ends = Counter(side.ends(test_id))
    wrong = {status for status in ends if (status is Status.PASSED) != (test_id in side.passing)}
    if len(ends) <= 1 and not wrong:
        return
    told = " and ".join(f"{status} in {count}" for status, count in ends.most_common())
    flips = len(ends) > 1
    advice = "" if flips else WRONG_LIST
    yield Finding(
        kind="flip" if flips else "wrong",
        what=f"{test_id} {told} of {len(side.reports)} runs of {side.name}",
        subject=test_id,
        path=test_id.partition("::")[0],
        evidence=_messages(side, test_id),
        advice=NEW_ID if Status.MISSING in ends and "[" in test_id else advice,
    )


def _messages(side: _Side, test_id: str) -> tuple[str, ...]:
    outcomes = [outcome_of(report, test_id) for report in side.reports]
    texts = [
        f"{o.status}: {o.error_type} {o.message}".strip()
        for o in outcomes
        if o.status is not Status.PASSED and o.message
    ]
    return tuple(dict.fromkeys(text.partition("\n")[0] for text in texts))[:EVIDENCE_LINES]


def _strangers(task: AssayMetadata, reports: Sequence[TestReport]) -> Iterator[Finding]:
    """Ids that the task does not know, by function: a run that has one is no proof of anything."""
    found: dict[str, dict[str, int]] = {}
    for report in reports:
        for test_id in _unknown_ids(task, report):
            names = found.setdefault(test_id.partition("[")[0], {})
            names[test_id] = names.get(test_id, 0) + 1
    for function, names in found.items():
        yield Finding(
            kind="stranger",
            what=f"{function} has ids that the task does not know: {len(names)} of them in {len(reports)} runs",
            subject=function,
            path=function.partition("::")[0],
            evidence=tuple(f"in {count} runs: {name}" for name, count in names.items())[:EVIDENCE_LINES],
            advice=NEW_ID,
        )


def _unknown_ids(task: AssayMetadata, report: TestReport) -> list[str]:
    known = {*task.fail_to_pass, *task.pass_to_pass, *task.quarantined, *task.uncounted}
    volatile = {name.partition("[")[0] for name in task.quarantined}
    return [name for name in report.outcomes if name not in known and name.partition("[")[0] not in volatile]


def _whole(task: AssayMetadata, gold: Sequence[TestReport]) -> Iterator[Finding]:
    """Runs of the reference change that prove nothing although every test ended as it should."""
    grades = [grade(task, report) for report in gold]
    bad = [judgement for judgement in grades if not judgement.resolved]
    if bad:
        yield Finding(
            kind="incomplete",
            what=f"{len(bad)} of {len(gold)} runs of the reference change were not accepted: {bad[0].reason}",
            subject="the reference change",
            evidence=bad[0].problems[:EVIDENCE_LINES],
        )


def _broken_base(base: Sequence[TestReport]) -> Iterator[Finding]:
    """The base may be broken as a whole, but then it is so every time."""
    bad = [report for report in base if not report.complete]
    if bad and len(bad) < len(base):
        yield Finding(
            kind="incomplete",
            what=f"{len(bad)} of {len(base)} runs of the base were incomplete",
            subject="the base",
            evidence=tuple(map(str, bad[0].problems))[:EVIDENCE_LINES],
        )


def _deviates(task: AssayMetadata, side: _Side, report: TestReport, counted: Sequence[str]) -> bool:
    if any(outcome_of(report, test_id).status is not side.usual(test_id) for test_id in counted):
        return True
    return bool(_unknown_ids(task, report)) or (report.complete != _usually_complete(side))


def _usually_complete(side: _Side) -> bool:
    """The base may be broken as a whole; the reference change never."""
    return not side.is_base or 2 * sum(report.complete for report in side.reports) >= len(side.reports)
