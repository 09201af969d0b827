"""From one run of a task's verifier to yes or no. Everything must agree; "0 of 0" is unknown, not 100 %."""

from __future__ import annotations

from dataclasses import dataclass

from assay.model.report import Status, TestReport
from assay.model.task import AssayMetadata
from assay.model.verdict import TestResult


@dataclass(frozen=True, slots=True)
class Grade:
    """The judgement of one report. `reason` is empty when resolved."""

    resolved: bool
    reason: str
    results: tuple[TestResult, ...]
    """Every test of the task's lists."""
    problems: tuple[str, ...] = ()

    @property
    def passed_count(self) -> int:
        """Tests of the lists that passed."""
        return sum(result.status is Status.PASSED for result in self.results)


def grade(task: AssayMetadata, report: TestReport) -> Grade:
    """Resolved if and only if the run is complete, tells of exactly the expected tests, and all listed ones passed."""
    results = tuple(
        TestResult(id=test_id, status=_status(report, test_id), expected=kind, message=_message(report, test_id))
        for kind, ids in (("fail_to_pass", task.fail_to_pass), ("pass_to_pass", task.pass_to_pass))
        for test_id in ids
    )
    failed = [result for result in results if result.status is not Status.PASSED]
    problems = report.problems + _surprises(task, report)
    if not task.fail_to_pass:
        reason = "nothing-to-judge"
    elif report.stopped:
        reason = f"limit-{report.stopped}"
    elif failed and all(r.status is Status.MISSING for r in failed) and not report.outcomes:
        reason = "nothing-collected" if report.uncollected else "report-incomplete"
    elif failed:
        reason = "tests-failed"
    elif not report.complete:
        reason = "report-incomplete"
    elif problems:
        reason = "unexpected-tests"
    else:
        reason = ""
    return Grade(resolved=not reason, reason=reason, results=results, problems=problems)


def _surprises(task: AssayMetadata, report: TestReport) -> tuple[str, ...]:
    """Ids that no honest run of this task reports.

    A quarantined test may be one whose id is made anew at every run (a parameter that holds the time): another
    parameter of it is no surprise, and counts for nothing either.
    """
    known = {*task.fail_to_pass, *task.pass_to_pass, *task.quarantined, *task.uncounted}
    volatile = {name.partition("[")[0] for name in task.quarantined}
    extra = [name for name in report.outcomes if name not in known and name.partition("[")[0] not in volatile]
    return (f"unexpected tests: {len(extra)}, first {extra[0]}",) if extra else ()


def _status(report: TestReport, test_id: str) -> Status:
    status = report.status(test_id)
    if status is Status.MISSING and test_id.partition("::")[0] in report.uncollected:
        return Status.ERROR
    return status


def _message(report: TestReport, test_id: str) -> str:
    outcome = report.outcomes.get(test_id) or report.uncollected.get(test_id.partition("::")[0])
    if outcome is None or outcome.status is Status.PASSED:
        return ""
    return f"{outcome.error_type}: {outcome.message}".strip(": ")[:500]
