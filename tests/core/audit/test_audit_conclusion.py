"""What the checks of one task and of several come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.audit.ablation import ablation_result
from assay.core.audit.conclusion import GATES, answer, open_gates, sentence
from assay.core.audit.pooled import Pooled, pool
from assay.core.audit.survivors import Sight
from assay.core.audit.table import BY_ID, conclude, unanswered
from assay.model.audit import CHECK_IDS, AuditRun, AuditSettings, CheckId, CheckResult, CheckStatus, Finding, Measure
from assay.testing import audits
from assay.testing.variants import GOLD, trial

STATUSES = st.sampled_from(["pass", "fail", "unknown"])


def result(check: CheckId, status: CheckStatus, *kinds: str, **facts: object) -> CheckResult:
    made = CheckResult(
        check=check,
        status=status,
        severity=BY_ID[check].severity,
        findings=tuple(Finding(kind=kind, what="w") for kind in kinds),
    )
    return made.model_copy(update=facts)


def run(*checks: CheckResult) -> AuditRun:
    return AuditRun(task="t", task_digest="d", checks=checks)


def test_what_has_failed_outweighs_what_nobody_knows() -> None:
    failed, unknown = result("leaks", "fail"), unanswered("stability", "why")
    assert answer(run(failed, unknown)) == "fail"
    assert answer(run(unknown)) == "unknown"
    assert sentence(run(failed, unknown), ("leaks", "stability")) == (
        "not fit to train on: 1 gate fails (leaks); 1 gate is unknown (stability)"
    )


def test_a_gate_without_a_result_is_unknown_and_only_if_it_was_asked_for() -> None:
    passed = result("leaks", "pass")
    assert answer(run(passed)) == "unknown"
    assert set(open_gates(run(passed))) == set(GATES) - {"leaks"}
    assert answer(run(passed), ("leaks", "mutants")) == "pass"
    assert sentence(run(passed), ("leaks", "mutants")) == "no gate fails of those asked for (leaks)"
    assert sentence(run(result("mutants", "fail")), ("mutants",)) == "no gate was asked for; 1 warning (mutants)"


def test_warnings_and_notes_do_not_make_a_task_unfit() -> None:
    checks = [result(c, "pass") for c in CHECK_IDS if c not in ("mutants", "requirements")]
    some = run(*checks, result("mutants", "fail"), result("requirements", "fail"))
    assert (answer(some), sentence(some)) == ("pass", "fit to train on, with 1 warning (mutants)")
    assert sentence(audits.clean()) == "fit to train on"


def test_without_a_result_nobody_knows_and_a_complaint_is_a_no() -> None:
    assert (answer(audits.unreached()), sentence(audits.unreached())[:12]) == ("unknown", "nobody knows")
    complaint = AuditRun(task="t", task_digest="d", complaint="the reference change does not resolve the task")
    assert (answer(complaint), sentence(complaint)[:11]) == ("fail", "not audited")


@given(st.dictionaries(st.sampled_from(CHECK_IDS), STATUSES))
def test_yes_means_that_every_gate_has_passed(statuses: dict[CheckId, CheckStatus]) -> None:
    made = run(*(result(check, status) for check, status in statuses.items()))
    assert (answer(made) == "pass") == all(statuses.get(gate) == "pass" for gate in GATES)
    assert sentence(made)


def rows(*runs: AuditRun) -> dict[str, Pooled]:
    return {row.name: row for row in pool(runs)}


def test_unknowns_are_in_no_denominator() -> None:
    found = rows(
        run(result("mutants", "pass", "unnoticed"), result("leaks", "fail", "prompt")),
        run(result("mutants", "fail", "unnoticed", "unnoticed"), unanswered("leaks", "why")),
        run(result("mutants", "pass"), result("leaks", "pass")),
        audits.unreached(),
    )
    mutants, leaks = found["surviving-mutant"], found["leak"]
    assert (mutants.hits, mutants.known, mutants.unknown) == (2, 3, 1)
    assert (leaks.hits, leaks.known, leaks.unknown) == (1, 2, 2)
    assert leaks.share == 0.5
    assert (found["hackable"].share, found["hackable"].interval) == (None, (0.0, 1.0))


def test_an_unneeded_hunk_is_told_from_an_untested_statement() -> None:
    sight = Sight({"a.py": {1: ("t::one",)}}, {"ablation:a.py:1:hunk": False, "ablation:a.py:1:statement": True})
    whole, part, missing = trial(1, "accepted"), trial(1, "accepted", "statement"), trial(3, "accepted")
    made = [
        ablation_result([whole], sight, GOLD, AuditSettings()),  # run, and the same without it
        ablation_result([missing], sight, GOLD, AuditSettings()),  # not run
        ablation_result([trial(1, "rejected"), part], sight, GOLD, AuditSettings()),
        ablation_result([trial(1, "rejected")], sight, GOLD, AuditSettings()),
    ]
    found = rows(*map(run, made))
    assert (found["unneeded-hunk"].hits, found["unneeded-hunk"].known) == (1, 4)
    assert (found["unnoticed-hunk"].hits, found["unnoticed-hunk"].known) == (2, 4)


def test_what_may_be_the_same_program_is_no_surviving_mutant() -> None:
    found = rows(
        run(result("mutants", "pass", "undistinguished")),
        run(result("mutants", "fail", "unnoticed")),
        run(result("mutants", "pass", "uncovered", "undistinguished")),
    )
    assert (found["surviving-mutant"].hits, found["surviving-mutant"].known) == (2, 3)


def test_each_condition_has_its_own_denominator() -> None:
    found = rows(
        run(result("amplified", "fail", "clock", "clock", "order")),
        run(result("amplified", "pass", unknown=("order, the base: one test only",))),
        run(result("amplified", "pass")),
    )
    assert (found["flips"].hits, found["flips"].known) == (1, 3)
    assert (found["flips:clock"].hits, found["flips:clock"].known) == (1, 3)
    assert (found["flips:order"].hits, found["flips:order"].known, found["flips:order"].unknown) == (1, 2, 1)


def test_runs_of_all_tasks_bound_the_rate_of_flakes_together() -> None:
    quiet = conclude(
        "stability", failed=False, summary="", measures=[Measure(name="deviating_runs", value=0, count=20)]
    )
    pooled = rows(*[run(quiet)] * 5)["deviating-runs"]
    assert (pooled.hits, pooled.known, pooled.unit) == (0, 100, "run")
    assert pooled.interval[1] == pytest.approx(1 - 0.05 ** (1 / 100))


@given(st.integers(0, 60), st.integers(1, 60))
def test_an_interval_holds_its_share(hits: int, known: int) -> None:
    hits = min(hits, known)
    row = Pooled("leaks", "leak", "a leak", hits, known, 0)
    low, high = row.interval
    assert 0 <= low <= hits / known <= high <= 1
    mirrored = Pooled("leaks", "leak", "a leak", known - hits, known, 0).interval
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high))


def test_only_what_was_asked_for_is_pooled() -> None:
    assert [row.name for row in pool([audits.troubled()], ("leaks",))] == ["leak"]
