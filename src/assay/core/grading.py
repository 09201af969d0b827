"""From the runs of a task's verifier to yes or no. Everything must agree; "0 of 0" is unknown, not 100 %."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from assay.core.twins.rounds import Findings, guess_bound, read_rounds
from assay.model.report import Problem, Status, TestReport, Trouble
from assay.model.task import AssayMetadata
from assay.model.twin import Pool, Round
from assay.model.verdict import TestResult, TwinTally

PLAIN = Round({})
"""The tests as they are, without twins."""
NOTHING = Pool()
INCOMPLETE = (
    Trouble.NOT_STARTED,
    Trouble.KILLED,
    Trouble.EARLY_EXIT,
    Trouble.TRUNCATED,
    Trouble.DUPLICATE,
    Trouble.UNEXPECTED,
    Trouble.CHANNEL,
    Trouble.MISSING,
    Trouble.DISAGREEMENT,
    Trouble.EXIT_STATUS,
)
"""What speaks first when several things are wrong with a run."""
UNCLEAR = "twins-unclear"
FEW, FEW_SHARE = 3, 0.05
"""Failing tests that are heard again: so many, or this share of all. More of them are no accident."""
CLEARLY_RED = frozenset({Status.FAILED, Status.ERROR, Status.TIMEOUT, Status.SKIPPED, Status.XFAILED, Status.XPASSED})


@dataclass(frozen=True, slots=True)
class Grade:
    """The judgement of the runs of one verdict. `reason` is empty when resolved."""

    resolved: bool
    reason: str
    results: tuple[TestResult, ...]
    """Every test of the task's lists."""
    problems: tuple[str, ...] = ()
    tamper: tuple[str, ...] = ()
    """What shows that the candidate has tampered with the judge."""
    twins: TwinTally | None = None
    """None when the runs had none."""
    doubtful: tuple[str, ...] = ()
    """Tests of the lists with a twin that neither failed nor passed."""

    @property
    def passed_count(self) -> int:
        """Tests of the lists that passed."""
        return sum(result.status is Status.PASSED for result in self.results)


def grade(task: AssayMetadata, report: TestReport) -> Grade:
    """The judgement of one run without twins."""
    return grade_rounds(task, NOTHING, (PLAIN,), (report,))


def grade_rounds(task: AssayMetadata, pool: Pool, rounds: Sequence[Round], reports: Sequence[TestReport]) -> Grade:
    """Resolved if and only if every run is complete and tells of exactly the expected tests, all listed ones passed
    wherever they were themselves, and every twin failed.

    A quarantined test may be one whose id is made anew at every run (a parameter that holds the time): another
    parameter of it is no surprise, and counts for nothing either.
    """
    counted = (*task.fail_to_pass, *task.pass_to_pass)
    volatile = {name.partition("[")[0] for name in (*task.quarantined, *pool.volatile)}
    others = {*task.quarantined, *task.uncounted}
    findings = read_rounds(pool, rounds, reports, counted, others, volatile)
    results = tuple(
        TestResult(
            id=test_id,
            status=findings.statuses.get(test_id, Status.MISSING),
            expected=kind,
            message=findings.messages.get(test_id, ""),
        )
        for kind, ids in (("fail_to_pass", task.fail_to_pass), ("pass_to_pass", task.pass_to_pass))
        for test_id in ids
        if kind == "fail_to_pass" or test_id in findings.statuses or test_id.partition("[")[0] not in pool.volatile
    )
    problems = [problem for report in reports for problem in report.problems]
    if findings.strangers:
        text = f"unexpected tests: {len(findings.strangers)}, first {findings.strangers[0]}"
        problems.append(Problem(Trouble.UNEXPECTED, text))
    tamper = tuple(f"a test that must fail passed: {test_id}" for test_id in findings.green)
    reason = next(_reasons(task, reports, results, problems, findings), "")
    return Grade(
        resolved=not reason,
        reason=reason,
        results=results,
        problems=_texts(problems, findings if reason == UNCLEAR else Findings()),
        tamper=tamper,
        twins=_tally(task, pool, rounds, findings) if pool.woven else None,
        doubtful=tuple(test_id for test_id in counted if test_id in findings.doubtful),
    )


def is_hopeless(judgement: Grade) -> bool:
    """Whether the first run of a verdict already decides it: a twin passed, or a test at stake, run as itself, failed
    and none of them passed. An honest change that minds a failing neighbour could still be wronged by that, so only
    changes that are known to be none are judged this way.
    """
    at_stake = [r.status for r in judgement.results if r.expected == "fail_to_pass"]
    red = any(status in CLEARLY_RED for status in at_stake) and Status.PASSED not in at_stake
    return judgement.reason == "tampered" or (judgement.reason == "tests-failed" and red)


def second_hearing(pool: Pool, judgement: Grade, reports: Sequence[TestReport]) -> tuple[str, ...]:
    """Tests that deserve to be run again alone: a few that fail, or whose twins do neither, where some of what the
    change is about passes and nothing else is wrong. They may have minded the failing twins beside them, or what
    another test has left (a file that is closed while a twin runs). Alone they have as many coins as a first hearing
    asks for, so that whoever shuns a coin there gains nothing.
    """
    if judgement.twins is None or not all(report.complete for report in reports):
        return ()
    failed = [r.id for r in judgement.results if r.status is not Status.PASSED]
    heard = {"tests-failed": failed, UNCLEAR: list(judgement.doubtful)}.get(judgement.reason, [])
    few = max(FEW, round(FEW_SHARE * len(judgement.results)))
    solved = any(r.expected == "fail_to_pass" and r.status is Status.PASSED for r in judgement.results)
    if not solved or len(heard) > few or any(test_id in pool.plain for test_id in heard):
        return ()
    return tuple(heard)


def _reasons(
    task: AssayMetadata,
    reports: Sequence[TestReport],
    results: Sequence[TestResult],
    problems: Sequence[Problem],
    findings: Findings,
) -> Iterator[str]:
    """What speaks against the candidate, the weightiest first."""
    failed = [result for result in results if result.status is not Status.PASSED]
    kinds = {problem.kind for problem in problems}
    incomplete = next((kind.value for kind in INCOMPLETE if kind in kinds), "")
    if not task.fail_to_pass:
        yield "nothing-to-judge"
    yield from (f"limit-{report.stopped}" for report in reports if report.stopped)
    if findings.green:
        yield "tampered"
    if failed and not any(report.outcomes for report in reports):
        yield "nothing-collected" if any(report.uncollected for report in reports) else incomplete or "missing-tests"
    if any(result.status in CLEARLY_RED for result in failed):
        yield "tests-failed"
    if failed:
        yield incomplete or "missing-tests"
    if incomplete or not all(report.complete for report in reports):
        yield incomplete or "report-incomplete"
    if findings.unclear:
        yield UNCLEAR


def _texts(problems: Iterable[Problem], findings: Findings) -> tuple[str, ...]:
    unclear = [f"a test that must fail neither failed nor passed: {test_id}" for test_id in findings.unclear[:3]]
    return tuple(dict.fromkeys([*map(str, problems), *unclear]))


def _tally(task: AssayMetadata, pool: Pool, rounds: Sequence[Round], findings: Findings) -> TwinTally:
    counted = len(task.fail_to_pass) + len(task.pass_to_pass)
    changed = {i for w in pool.woven if any(t.kind != "forced" for t in w.twins) for i in w.ids}
    return TwinTally(
        run_count=sum(findings.run.values()),
        caught_count=findings.caught,
        green_count=len(findings.green),
        by_kind=dict(sorted(findings.run.items())),
        covered_count=len(findings.covered),
        covered_share=round(len(findings.covered) / counted, 4) if counted else 0.0,
        sealed_count=len(findings.sealed),
        changed_share=round(len(changed) / counted, 4) if counted else 0.0,
        guess_bound=guess_bound(pool, rounds, task.fail_to_pass),
    )
