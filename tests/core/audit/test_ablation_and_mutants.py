"""What the fates of variants say about a task."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.core.audit.ablation import ablation_result
from assay.core.audit.mutants import mutants_result
from assay.core.audit.survivors import Sight
from assay.model.audit import AuditSettings, CheckResult
from assay.model.variant import Fate, Trial
from assay.testing.variants import GOLD, trial

SETTINGS = AuditSettings()
RAN = {"a.py": {1: ("t::one", "t::two"), 2: ("t::one",)}}


def mutant(line: int, fate: Fate, kind: str = "constant", message: str = "") -> Trial:
    return trial(line, fate, kind, "mutant", message)


def kinds(result: CheckResult) -> list[str]:
    return [finding.kind for finding in result.findings]


def test_all_hunks_noticed_passes() -> None:
    result = ablation_result([trial(1, "rejected"), trial(2, "rejected")], Sight(RAN), GOLD, SETTINGS)
    assert (result.status, result.findings, result.unknown) == ("pass", (), ())
    assert result.summary == "2 of 2 hunks are noticed when they are missing"
    assert result.measures[0].low == pytest.approx(0.158, abs=1e-3)


def test_unnoticed_untested_and_unneeded_hunks_are_told_apart() -> None:
    trials = [trial(1, "accepted"), trial(3, "accepted"), trial(2, "accepted"), trial(2, "accepted", "statement")]
    sight = Sight(RAN, {"ablation:a.py:1:hunk": False, "ablation:a.py:2:hunk": True})
    result = ablation_result(trials, sight, GOLD, SETTINGS)
    assert result.status == "fail"
    assert kinds(result) == ["unnoticed", "untested", "unneeded"]  # the statement belongs to a hunk that is shown
    assert [finding.line for finding in result.findings] == [2, 3, 1]
    assert result.findings[0].evidence[-1] == "run by t::one"
    assert all(finding.advice for finding in result.findings)


def test_what_the_change_deletes_is_told_as_deleted() -> None:
    gone = trial(1, "accepted")
    gone = replace(gone, variant=replace(gone.variant, what="the deleted lines are back"))
    (finding,) = ablation_result([gone], Sight(RAN, {gone.variant.key: False}), GOLD, SETTINGS).findings
    assert finding.kind == "unneeded"
    assert finding.what == "a.py:1 (f): the deleted lines are back: the tests compute the same with what was deleted"
    assert finding.advice == "leave it there, or test that it is gone"


def test_single_statements_are_shown_and_do_not_decide() -> None:
    trials = [trial(1, "rejected"), trial(3, "accepted", "statement"), trial(2, "accepted", "statement")]
    result = ablation_result(trials, Sight(RAN, {"ablation:a.py:2:statement": False}), GOLD, SETTINGS)
    assert result.status == "pass"
    assert kinds(result) == ["untested"]


def test_what_was_not_tried_is_not_passed() -> None:
    half = [trial(1, "rejected"), trial(2, "unknown", message="out of time")]
    result = ablation_result(half, Sight(), GOLD, SETTINGS)
    assert (result.status, result.unknown) == ("unknown", ("1 of the variants: out of time",))
    assert ablation_result([trial(1, "rejected")], Sight(), GOLD, SETTINGS, untried=["x"]).status == "unknown"
    assert ablation_result([], Sight(), GOLD, SETTINGS).status == "unknown"
    nobody_looked = ablation_result([trial(1, "accepted")], Sight(), GOLD, SETTINGS)
    assert (nobody_looked.status, kinds(nobody_looked)) == ("fail", ["unneeded-or-untested"])


def test_hunks_within_the_threshold_pass_and_are_shown() -> None:
    result = ablation_result([trial(1, "accepted")], Sight(RAN), GOLD, AuditSettings(unneeded_hunks=1))
    assert (result.status, len(result.findings)) == ("pass", 1)


def test_the_kill_rate_leaves_out_what_may_be_equivalent_and_what_is_not_run() -> None:
    trials = [*(mutant(1, "rejected", f"k{n}") for n in range(8)), mutant(2, "accepted"), mutant(3, "accepted")]
    trials.append(mutant(1, "accepted"))
    sight = Sight(RAN, {"mutant:a.py:2:constant": True, "mutant:a.py:1:constant": False})
    result = mutants_result(trials, sight, GOLD, SETTINGS)
    rate = result.measures[0]
    assert (rate.name, rate.value, rate.count) == ("kill_rate", 8 / 9, 9)
    assert rate.low == pytest.approx(0.5175, abs=1e-4)
    assert rate.high == pytest.approx(0.9972, abs=1e-4)
    assert (result.status, kinds(result)) == ("pass", ["unnoticed", "uncovered", "undistinguished"])


def test_a_low_rate_fails_and_wrong_fixes_come_first() -> None:
    wrong = trial(2, "accepted", "early-return", "wrong-fix")
    trials = [mutant(1, "rejected"), mutant(1, "accepted", "b"), wrong]
    sight = Sight(RAN, {t.variant.key: True for t in trials})
    result = mutants_result(trials, sight, GOLD, SETTINGS)
    assert result.status == "fail"
    assert result.findings[0].subject == wrong.variant.key
    assert [(m.name, m.value) for m in result.measures if "wrong" in m.name] == [("wrong_fixes_accepted_share", 1.0)]


def test_survivors_that_nobody_could_look_at_leave_the_answer_open() -> None:
    trials = [*(mutant(1, "rejected", f"k{n}") for n in range(3)), mutant(2, "accepted")]
    result = mutants_result(trials, Sight(RAN), GOLD, SETTINGS)
    assert (result.status, kinds(result)) == ("unknown", ["unseen"])
    assert result.unknown == ("whether 1 of the survivors compute anything else",)
    many = [*(mutant(1, "rejected", f"k{n}") for n in range(9)), mutant(2, "accepted")]
    assert mutants_result(many, Sight(RAN), GOLD, SETTINGS).status == "pass"


def test_no_mutant_is_no_answer() -> None:
    assert mutants_result([], Sight(), GOLD, SETTINGS).status == "unknown"
    result = mutants_result([mutant(1, "unknown", message="out of time")], Sight(), GOLD, SETTINGS)
    assert (result.status, result.summary) == ("unknown", "1 of the variants: out of time")


def test_lines_that_no_test_runs_are_shown_once_a_function() -> None:
    left_out = [mutant(3, "unknown", kind).variant for kind in "abc"]
    result = mutants_result([mutant(1, "rejected")], Sight(RAN), GOLD, SETTINGS, left_out=left_out)
    assert (result.status, kinds(result)) == ("pass", ["uncovered"])
