"""Tries at a task with a script of its own: flips are found, and a try without a verdict is no flip and no pass."""

from __future__ import annotations

from assay.core.audit.script import judge_cost, judge_tries
from assay.model.failure import Failure
from assay.model.verdict import Verdict

FAULT = Failure(boundary="sandbox", kind="x", message="broke", retryable=True)


def tried(*ends: bool | None, seconds: float = 1.0) -> list[Verdict]:
    facts = {"task": "t", "task_digest": "d", "agent": "a", "patch_sha256": "p", "wall_seconds": seconds}
    return [
        Verdict(**facts, failure=FAULT) if end is None else Verdict(**facts, resolved=end, reward=int(end))
        for end in ends
    ]


def test_as_it_should_be() -> None:
    result = judge_tries({"oracle": tried(True, True), "nop": tried(False, False)})
    assert (result.status, result.findings) == ("pass", ())
    assert "2 tries of its own solution and 2 of doing nothing: all ended as they should" in result.summary


def test_flips_and_what_is_always_wrong_are_told_apart() -> None:
    result = judge_tries({"oracle": tried(True, False), "nop": tried(True, True)})
    assert result.status == "fail"
    assert [(f.kind, f.subject) for f in result.findings] == [("flip", "oracle"), ("wrong", "nop")]
    assert {m.name: m.value for m in result.measures}["deviating_runs"] == 3


def test_a_fault_is_unknown_and_so_is_nothing() -> None:
    lost = judge_tries({"oracle": tried(True, None), "nop": tried(False, False)})
    assert (lost.status, lost.findings) == ("unknown", ())
    assert "sandbox: broke" in lost.unknown[0]
    assert judge_tries({"oracle": [], "nop": []}).status == "unknown"


def test_cost_is_the_middle_of_the_verdicts() -> None:
    assert judge_cost(tried(True, True, True, seconds=2.0), 60).status == "pass"
    assert judge_cost(tried(True, seconds=90.0), 60).findings[0].kind == "slow-verdict"
    assert judge_cost(tried(None), 60).status == "unknown"
