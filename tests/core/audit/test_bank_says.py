"""The bank's say: right solutions must pass, wrong ones must not, and what is unknown stays so."""

from __future__ import annotations

import pytest

from assay.core.audit.alternatives import NO_REWRITE
from assay.core.audit.bank import with_bank
from assay.core.audit.table import conclude, unanswered
from assay.errors import SandboxError, UnguardedError
from assay.model.audit import CheckId, CheckResult
from assay.model.bank import Replay, Solution
from assay.model.failure import Failure

RIGHT, WRONG = Solution(b"right", True), Solution(b"wrong", False)
BROKEN = Failure.of(SandboxError("no sandbox"))
UNGUARDED = Failure.of(UnguardedError("it may be a forger"))


def passed(check: CheckId) -> CheckResult:
    return conclude(check, failed=False, summary="all is well")


@pytest.mark.parametrize(
    ("replay", "alternatives", "mutants"),
    [
        (Replay(RIGHT, True), "pass", "pass"),
        (Replay(RIGHT, False, "tests-failed", ("t::a",)), "fail", "pass"),
        (Replay(RIGHT, None, failure=BROKEN), "unknown", "pass"),
        (Replay(RIGHT, None, failure=UNGUARDED), "unknown", "pass"),
        (Replay(WRONG, False), "pass", "pass"),
        (Replay(WRONG, True), "pass", "fail"),
        (Replay(WRONG, None, failure=BROKEN), "pass", "unknown"),
        (Replay(WRONG, None, failure=UNGUARDED), "pass", "pass"),
    ],
)
def test_each_check_hears_its_own_kind(replay: Replay, alternatives: str, mutants: str) -> None:
    assert with_bank(passed("alternatives"), [replay]).status == alternatives
    assert with_bank(passed("mutants"), [replay]).status == mutants
    assert with_bank(passed("leaks"), [replay]) == passed("leaks")


def test_what_is_shown() -> None:
    result = with_bank(passed("alternatives"), [Replay(RIGHT, False, "tests-failed", ("t::a", "t::b"), "1 != 2")])
    (finding,) = result.findings
    assert (finding.kind, finding.subject) == ("right-solution", "t::a")
    assert finding.evidence == (f"evidence/bank/right/{RIGHT.name}.patch", "t::a", "t::b", "1 != 2")
    assert result.summary == "all is well; 1 of 1 right solutions of the bank are rejected"
    assert result.advice
    accepted = with_bank(passed("mutants"), [Replay(WRONG, True)])
    assert [f.kind for f in accepted.findings] == ["wrong-solution"]


def test_a_failed_or_unknown_check_does_not_get_better() -> None:
    failed = conclude("mutants", failed=True, summary="s")
    assert with_bank(failed, [Replay(WRONG, None, failure=BROKEN)]).status == "fail"
    assert with_bank(unanswered("mutants", "why"), [Replay(WRONG, False)]).status == "unknown"
    assert with_bank(unanswered("mutants", "why"), [Replay(WRONG, True)]).status == "fail"


def test_where_no_rewrite_can_be_made_a_right_solution_answers() -> None:
    unknown = unanswered("alternatives", NO_REWRITE)
    assert with_bank(unknown, []).status == "unknown"
    assert with_bank(unknown, [Replay(WRONG, False)]).status == "unknown"
    assert with_bank(unknown, [Replay(RIGHT, None, failure=BROKEN)]).status == "unknown"
    assert with_bank(unknown, [Replay(RIGHT, False, "tests-failed")]).status == "fail"
    settled = with_bank(unknown, [Replay(RIGHT, True)])
    assert (settled.status, settled.unknown) == ("pass", ())
