"""What repeated runs say: which test flips, how sure that is, and what is no flip."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from assay.core.audit.stability import NEW_ID, Repeats, judge
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.report import Problem, Status, TestOutcome, TestReport, Trouble
from assay.model.task import AssayMetadata, Provenance

F2P, P2P = "t.py::test_new", "t.py::test_old[1]"
TASK = AssayMetadata(
    source=SourceInfo(kind="fake", origin="x", base_revision="1", gold_revision="2"),
    environment=Recipe(python="3.11"),
    test_files=("t.py",),
    fail_to_pass=(F2P,),
    pass_to_pass=(P2P,),
    provenance=Provenance(instruction="x", tests="x", gold="x"),
)


def report(new: Status | None, old: Status | None = Status.PASSED, **more: Status) -> TestReport:
    ends = {F2P: new, P2P: old, **{f"t.py::{name}": status for name, status in more.items()}}
    return TestReport({name: TestOutcome(status, message="why") for name, status in ends.items() if status})


GOLD, BASE = report(Status.PASSED), report(Status.FAILED)


def test_clean_runs_bound_the_rate_and_nothing_more() -> None:
    result = judge(TASK, Repeats([GOLD] * 10, [BASE] * 10, gold_seconds=[1.0, 3.0, 2.0]))
    values = {measure.name: measure for measure in result.measures}
    assert (result.status, result.findings) == ("pass", ())
    assert math.isclose(values["flake_rate_upper"].value, 1 - 0.05 ** (1 / 20))
    assert (values["flake_rate_upper"].count, values["run_seconds"].value) == (20, 2.0)


def test_one_flip_is_told_with_its_counts_and_fails_the_gate() -> None:
    result = judge(TASK, Repeats([GOLD, GOLD, report(Status.PASSED, Status.FAILED)], [BASE] * 3))
    (finding,) = result.findings
    assert (result.status, result.severity, finding.kind, finding.subject) == ("fail", "gate", "flip", P2P)
    assert "passed in 2 and failed in 1 of 3 runs of the reference change" in finding.what
    assert judge(TASK, Repeats([GOLD, report(Status.PASSED, Status.FAILED)], [BASE]), 1).status == "pass"


def test_a_fail_to_pass_test_that_passes_on_the_base_once_flips() -> None:
    result = judge(TASK, Repeats([GOLD] * 2, [BASE, GOLD]))
    assert [(f.kind, f.subject) for f in result.findings] == [("flip", F2P)]


def test_what_is_wrong_in_every_run_is_no_flip_and_as_bad() -> None:
    result = judge(TASK, Repeats([report(Status.FAILED)] * 2, [BASE] * 2))
    assert (result.status, [f.kind for f in result.findings]) == ("fail", ["wrong"])


def test_ids_that_come_and_go() -> None:
    changed = TestReport({F2P: TestOutcome(Status.PASSED), "t.py::test_old[2]": TestOutcome(Status.PASSED)})
    result = judge(TASK, Repeats([GOLD, changed], [BASE] * 2))
    assert [(f.kind, f.advice) for f in result.findings] == [("flip", NEW_ID), ("stranger", NEW_ID)]
    quarantined = TASK.model_copy(update={"quarantined": ("t.py::test_time[9]",)})
    named_after_the_time = report(Status.PASSED, **{"test_time[17]": Status.PASSED})
    assert judge(quarantined, Repeats([GOLD, named_after_the_time], [BASE] * 2)).status == "pass"


def test_a_file_that_cannot_be_collected_on_the_base_fails_all_its_tests() -> None:
    base = TestReport({}, uncollected={"t.py": TestOutcome(Status.ERROR, error_type="ImportError")})
    new_only = TASK.model_copy(update={"pass_to_pass": ()})
    assert judge(new_only, Repeats([report(Status.PASSED, None)] * 2, [base] * 2)).status == "pass"


def test_an_incomplete_run_of_the_reference_change_counts_though_all_tests_passed() -> None:
    problems = (Problem(Trouble.EXIT_STATUS, "ended with status 3"),)
    broken = TestReport(GOLD.outcomes, complete=False, problems=problems)
    result = judge(TASK, Repeats([GOLD, broken], [BASE] * 2))
    assert [(f.kind, f.evidence) for f in result.findings] == [("incomplete", ("ended with status 3",))]


def test_a_run_that_was_lost_to_a_fault_of_ours_is_no_flip_and_no_pass() -> None:
    result = judge(TASK, Repeats([GOLD] * 9, [BASE] * 10, lost=["a run of the reference change: sandbox: x"]))
    assert (result.status, result.findings, len(result.unknown)) == ("unknown", (), 1)


@given(st.lists(st.sampled_from(Status), min_size=1), st.lists(st.sampled_from(Status), min_size=1))
def test_it_passes_if_and_only_if_every_run_is_as_the_lists_say(gold: list[Status], base: list[Status]) -> None:
    result = judge(TASK, Repeats([report(status) for status in gold], [report(status) for status in base]))
    right = set(gold) == {Status.PASSED} and len(set(base)) == 1 and Status.PASSED not in base
    assert (result.status == "pass") is right
    deviating = {m.name: m.value for m in result.measures}["deviating_runs"]
    assert right is (deviating == 0)
