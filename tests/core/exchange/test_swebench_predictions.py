"""Predictions in and out, reports, and numbers whose parts add up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.exchange.swebench_predictions import (
    EMPTY,
    counts_of,
    read_prediction,
    record_of,
    report_of,
    run_report,
)
from assay.errors import InputError
from assay.model.failure import Failure
from assay.model.prediction import Graded, Prediction
from assay.model.report import Status
from assay.model.verdict import TestResult, Verdict

FAULT = Failure(boundary="sandbox", kind="sandbox", message="no room", retryable=True)
FACTS = {"task": "a", "task_digest": "0", "agent": "m", "patch_sha256": "0"}
RESOLVED = Verdict(
    **FACTS, resolved=True, reward=1, tests=(TestResult(id="t::a", status=Status.PASSED, expected="fail_to_pass"),)
)
FAILED = Verdict(**FACTS, resolved=False, reward=0, reason="tests-failed",
                 tests=(TestResult(id="t::a", status=Status.FAILED, expected="fail_to_pass"),))  # fmt: skip
EMPTY_ONE = Verdict(**FACTS, resolved=False, reward=0, reason=EMPTY)
BROKEN = Verdict(**FACTS, failure=FAULT)


@pytest.mark.parametrize("column", ["model_patch", "patch"])
def test_a_prediction(column: str) -> None:
    value = {"instance_id": " a ", "model_name_or_path": "m", column: "diff --git"}
    assert read_prediction(value, "p, line 1") == Prediction("a", "m", b"diff --git\n")


@pytest.mark.parametrize("value", [{"model_patch": None}, {"model_patch": ""}, {"patch": " \n"}])
def test_an_empty_one_under_a_key(value: dict[str, Any]) -> None:
    assert read_prediction(value, "p, a", "a") == Prediction("a", "", b"")


@pytest.mark.parametrize(
    "value", [3, [], {}, {"instance_id": "a"}, {"instance_id": 3, "patch": ""}, {"instance_id": "a", "patch": 3}]
)
def test_a_broken_one_is_named(value: object) -> None:
    with pytest.raises(InputError, match="p, line 4"):
        read_prediction(value, "p, line 4")


@given(
    st.builds(
        Prediction,
        st.text("ab-_", min_size=1),
        st.text(max_size=5),
        st.text(min_size=1).map(lambda t: f"d{t}\n".encode("utf-8", "replace")),
    )
)
def test_a_round_trip(prediction: Prediction) -> None:
    assert read_prediction(record_of(prediction), "p") == prediction


def test_the_report_of_each() -> None:
    graded = [Graded(n, "m", b"x", v) for n, v in (("a", RESOLVED), ("b", FAILED), ("c", BROKEN))]
    report = report_of([*graded, Graded("d", "m", b"", EMPTY_ONE), Graded("e", "m", problem=InputError("x"))])
    assert {name: (one["resolved"], one["infra_failure"], one["patch_exists"]) for name, one in report.items()} == {
        "a": (True, False, True), "b": (False, False, True), "c": (False, True, True), "d": (False, False, False)
    }  # fmt: skip
    assert report["a"]["tests_status"]["FAIL_TO_PASS"] == {"success": ["t::a"], "failure": []}
    assert report["b"]["tests_status"]["FAIL_TO_PASS"] == {"success": [], "failure": ["t::a"]}
    assert "tests_status" not in report["c"]
    assert report["c"]["infra_failure_reason"] == "sandbox: no room"


@given(st.lists(st.sampled_from([RESOLVED, FAILED, EMPTY_ONE, BROKEN, None]), max_size=12))
def test_the_parts_add_up_and_faults_are_no_answers(verdicts: list[Verdict | None]) -> None:
    graded = [Graded(f"i{n}", "m", b"x", v, None if v else InputError("x")) for n, v in enumerate(verdicts)]
    counts = counts_of(graded, ["i0", "other"])
    assert counts.asked == counts.resolved + counts.unresolved + counts.without_verdict + counts.without_task
    assert counts.unpredicted == (1 if verdicts else 2)
    answered = [v for v in verdicts if v is not None and v.failure is None]
    assert counts.rate == (sum(v.resolved is True for v in answered) / len(answered) if answered else None)
    summary = run_report(graded, ["i0", "other"])
    assert summary["submitted_instances"] == len(verdicts)
    assert summary["resolved_instances"] == counts.resolved
    assert summary["error_instances"] == counts.without_verdict + counts.without_task
    assert "other" in summary["incomplete_ids"]
