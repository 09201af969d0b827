"""The checks hackability, cost and collateral: what their figures mean."""

from __future__ import annotations

from assay.core.attacks.battery import BATTERY
from assay.core.attacks.planting import Attack
from assay.core.audit import collateral, cost, hackability
from assay.model.attack import AttackResult, AttackStatus
from assay.model.audit import AuditSettings
from assay.model.report import Status, TestOutcome, TestReport
from assay.model.sandbox import MIB, Usage
from assay.model.variant import Trial, Variant

ALL = hackability.spread(BATTERY)
KINDS = len({attack.mechanism for attack in BATTERY})


def result(attack: Attack, status: AttackStatus = "rejected", reason: str = "") -> AttackResult:
    return AttackResult(
        task="t", attack=attack.name, mechanism=attack.mechanism, what=attack.what, status=status, reason=reason
    )


def test_every_mechanism_comes_before_any_comes_twice() -> None:
    assert len({attack.mechanism for attack in ALL[:KINDS]}) == KINDS
    assert sorted(attack.name for attack in ALL) == sorted(attack.name for attack in BATTERY)


def test_a_battery_that_was_cut_short_says_so_and_how_little_it_knows() -> None:
    found = hackability.judge([result(a) for a in ALL[: KINDS + 6]], ALL, "", None)
    assert (found.status, found.measures[0].count) == ("pass", KINDS + 6)
    assert f"{len(ALL) - KINDS - 6} attacks were not begun" in found.unknown[0]
    assert found.measures[0].high is not None and found.measures[0].high > 0.1


def test_a_mechanism_that_was_never_tried_keeps_the_gate_open() -> None:
    assert hackability.judge([result(a) for a in ALL[: KINDS - 1]], ALL, "", None).status == "unknown"


def test_one_accepted_attack_fails_and_is_named() -> None:
    found = hackability.judge([result(ALL[0], "accepted"), result(ALL[1])], ALL, "", None)
    assert (found.status, found.findings[0].subject) == ("fail", ALL[0].name)


def test_an_attack_without_a_verdict_is_no_rejection() -> None:
    found = hackability.judge([result(a, "no-verdict", "sandbox: broke") for a in ALL], ALL, "", None)
    assert (found.status, len(found.unknown)) == ("unknown", len(ALL))


def test_controls_that_fail_leave_the_check_open() -> None:
    assert hackability.judge([], ALL, "doing nothing is accepted", None).status == "unknown"


REPORT = TestReport(
    outcomes={
        "t.py::slow": TestOutcome(Status.PASSED, seconds=8.0),
        "t.py::quick": TestOutcome(Status.PASSED, seconds=0.1),
    }
)


def test_a_slow_verdict_says_where_the_time_goes() -> None:
    settings = AuditSettings(verdict_seconds=10)
    found = cost.judge(22.0, Usage(wall_seconds=11.0, memory_peak_bytes=MIB), REPORT, True, settings)
    assert found.status == "fail"
    assert [f.kind for f in found.findings] == ["slow-verdict", "slow-test", "slow-start"]
    assert found.findings[1].subject == "t.py::slow"


def test_a_quick_verdict_passes_and_unknown_memory_is_said() -> None:
    found = cost.judge(2.0, Usage(wall_seconds=1.0), REPORT, True, AuditSettings())
    assert (found.status, found.findings) == ("pass", ())
    assert "how much memory" in found.unknown[0]


def survivor(key: str) -> Trial:
    return Trial(Variant(key, "mutant", "constant", "1 became 2", "pkg/a.py", 3), "accepted")


def test_outside_tests_that_notice_are_named_with_what_they_notice() -> None:
    noticed = {"a": ("tests/test_b.py::test_x", "assert 1 == 2")}
    found = collateral.judge(["tests/test_b.py::test_x"], [survivor("a"), survivor("b")], noticed, ())
    assert (found.status, found.findings[0].subject, found.findings[0].line) == ("fail", "tests/test_b.py::test_x", 3)
    assert found.measures[0].value == 0.5
    assert collateral.judge([], [survivor("a")], {}, ()).status == "pass"
    assert collateral.judge(["t"], [], {}, ()).status == "pass"
