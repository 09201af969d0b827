"""Which tests count, and why a candidate falls out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.admission import Judgement, admit
from assay.core.grading import grade
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.reason import Reason
from assay.model.report import Problem, Status, TestOutcome, TestReport, Trouble
from assay.model.task import AssayMetadata, Provenance

JUDGEMENT = Judgement(
    cause_of=lambda outcome: outcome.error_type or "assertion",
    acceptable=lambda cause: cause not in ("environment", "network"),
)
P, F, E, S = Status.PASSED, Status.FAILED, Status.ERROR, Status.SKIPPED


def report(complete: bool = True, stopped: str = "", **statuses: Status) -> TestReport:
    return of(statuses, complete=complete, stopped=stopped)


def of(statuses: dict[str, Status], *, complete: bool = True, stopped: str = "") -> TestReport:
    outcomes = {name: TestOutcome(status) for name, status in statuses.items()}
    return TestReport(
        outcomes,
        complete=complete,
        stopped=stopped,
        problems=() if complete else (Problem(Trouble.EARLY_EXIT, "incomplete"),),
    )


def failing(name: str, kind: str) -> TestReport:
    return TestReport({name: TestOutcome(F, error_type=kind)})


def test_the_lists() -> None:
    base = report(a=F, b=P, c=P, d=S, e=E)
    gold = report(a=P, b=P, c=F, d=P, e=P)
    admission = admit([base, base], [gold, gold], JUDGEMENT)
    assert admission.fail_to_pass == ("a", "e")
    assert admission.pass_to_pass == ("b",)
    assert admission.uncounted == ("c", "d")
    assert admission.reason is None


def test_a_test_whose_runs_disagree_is_quarantined() -> None:
    admission = admit([report(a=F, b=P), report(a=F, b=F)], [report(a=P, b=P)] * 2, JUDGEMENT)
    assert (admission.fail_to_pass, admission.quarantined) == (("a",), ("b",))
    alone = admit([report(a=F), report(a=P)], [report(a=P)] * 2, JUDGEMENT)
    assert alone.reason is Reason.FLAKY


def test_a_file_that_cannot_be_collected_fails_its_tests() -> None:
    base = TestReport({}, uncollected={"t.py": TestOutcome(E, error_type="ImportError")})
    gold = TestReport({"t.py::x": TestOutcome(P)})
    assert admit([base], [gold], JUDGEMENT).fail_to_pass == ("t.py::x",)


def test_a_test_that_is_merely_absent_proves_nothing() -> None:
    gold = report(a=P, b=P)
    assert admit([report(a=F)], [gold], JUDGEMENT).fail_to_pass == ("a",)
    assert admit([report()], [gold], JUDGEMENT).reason is Reason.NO_FAIL_TO_PASS


@pytest.mark.parametrize(
    ("base", "gold", "reason"),
    [
        (report(a=P), report(a=P), Reason.NO_FAIL_TO_PASS),
        (report(a=F), report(a=F), Reason.GOLD_FAILS),
        (report(a=F, b=P), report(a=F, b=P), Reason.NO_FAIL_TO_PASS),
        (report(b=P), report(a=F, b=P), Reason.GOLD_FAILS),
        (report(a=F), report(), Reason.TESTS_NOT_COLLECTED),
        (report(a=F), report(complete=False, a=P), Reason.GOLD_FAILS),
        (report(a=F), report(stopped="wall", a=P), Reason.TIMEOUT),
        (report(stopped="memory", a=F), report(a=P), Reason.RESOURCES),
        (failing("a", "environment"), report(a=P), Reason.BASE_BROKEN),
        (failing("a", "network"), report(a=P), Reason.NEEDS_NETWORK),
    ],
)
def test_reasons(base: TestReport, gold: TestReport, reason: Reason) -> None:
    admission = admit([base, base], [gold, gold], JUDGEMENT)
    assert admission.reason is reason
    assert admission.detail


STATUSES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(list(Status)), max_size=6)


@given(st.lists(STATUSES, min_size=1, max_size=3), st.lists(STATUSES, min_size=1, max_size=3))
def test_no_test_is_in_two_lists_and_none_is_lost(
    before: list[dict[str, Status]], after: list[dict[str, Status]]
) -> None:
    base, gold = [of(run) for run in before], [of(run) for run in after]
    admission = admit(base, gold, JUDGEMENT)
    lists = [admission.fail_to_pass, admission.pass_to_pass, admission.quarantined, admission.uncounted]
    flat = [name for names in lists for name in names]
    assert len(flat) == len(set(flat))
    if admission.reason is None:
        assert set(flat) == {name for run in [*before, *after] for name in run}
        for run in gold:
            assert set(admission.fail_to_pass) <= run.passed()
        for run in base:
            assert not set(admission.fail_to_pass) & run.passed()


def metadata(**lists: tuple[str, ...]) -> AssayMetadata:
    return AssayMetadata(
        source=SourceInfo(kind="git", origin="x", base_revision="a", gold_revision="b"),
        environment=Recipe(python="3.11"),
        test_files=(),
        provenance=Provenance(instruction="", tests="", gold=""),
        fail_to_pass=lists.get("f2p", ()),
        pass_to_pass=lists.get("p2p", ()),
        quarantined=lists.get("flaky", ()),
        uncounted=lists.get("rest", ()),
    )


TASK = metadata(f2p=("a",), p2p=("b",), flaky=("c",), rest=("d",))


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (report(a=P, b=P), ""),
        (report(a=P, b=P, c=F, d=F), ""),
        (report(a=P, b=F), "tests-failed"),
        (report(a=P), "missing-tests"),
        (report(a=S, b=P), "tests-failed"),
        (report(a=Status.XPASSED, b=P), "tests-failed"),
        (report(a=P, b=P, x=P), "unexpected-tests"),
        (report(complete=False, a=P, b=P), "early-exit"),
        (report(stopped="memory", a=P, b=P), "limit-memory"),
        (report(complete=False), "early-exit"),
    ],
)
def test_grades(run: TestReport, reason: str) -> None:
    grading = grade(TASK, run)
    assert (grading.reason, grading.resolved) == (reason, not reason)


def test_a_test_whose_id_changes_with_every_run_is_no_surprise() -> None:
    task = metadata(f2p=("t.py::a",), flaky=("t.py::b[12:00]", "t.py::b[12:01]"))
    assert grade(task, of({"t.py::a": P, "t.py::b[12:02]": F})).resolved
    assert grade(task, of({"t.py::a": P, "t.py::c[12:02]": F})).reason == "unexpected-tests"


def test_nothing_to_judge_is_not_resolved() -> None:
    assert grade(metadata(p2p=("b",)), report(b=P)).reason == "nothing-to-judge"


@given(STATUSES, st.sampled_from("abcdef"))
def test_making_a_pass_a_failure_never_resolves(statuses: dict[str, Status], name: str) -> None:
    worse = statuses | {name: F}
    if name in ("a", "b") or not grade(TASK, of(statuses)).resolved:
        assert not grade(TASK, of(worse)).resolved
