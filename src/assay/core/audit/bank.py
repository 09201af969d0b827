"""What the bank says about a verifier: right solutions that it rejects, wrong ones that it accepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay.core.audit.alternatives import NO_REWRITE
from assay.core.audit.table import BY_ID
from assay.errors import UnguardedError
from assay.model.audit import CheckId, CheckResult, CheckStatus, Finding
from assay.model.bank import Replay

SHOWN_TESTS = 10
HEARD_BY: dict[CheckId, bool] = {"alternatives": True, "mutants": False}
"""The checks that the bank has a say in, and whether they ask for its right solutions or for its wrong ones."""


def with_bank(result: CheckResult, replays: Iterable[Replay]) -> CheckResult:
    """The result of `alternatives` or `mutants` with what the bank says put first.

    A solution that a person judged is no sample: one wrong answer fails the check whatever its threshold is, and one
    without an answer leaves a check that passes unknown. Other checks' results come back as they are.
    """
    if result.check not in HEARD_BY:
        return result
    is_right = HEARD_BY[result.check]
    concerned = [replay for replay in replays if replay.solution.is_right is is_right]
    findings = bank_findings(concerned)
    unknown = [f"{_place(replay)}: {_why(replay)}" for replay in concerned if _is_open(replay)]
    # Where no rewrite could be made, a right solution of another hand answers the question.
    settled = result.summary == NO_REWRITE and concerned and not unknown and is_right
    status: CheckStatus = "pass" if settled else result.status
    status = "fail" if findings else "unknown" if unknown and status == "pass" else status
    return result.model_copy(
        update={
            "status": status,
            "summary": "; ".join(filter(None, [result.summary, _summary(concerned, findings, is_right=is_right)])),
            "findings": (*findings, *result.findings),
            "unknown": (*unknown, *(() if settled else result.unknown)),
            "advice": BY_ID[result.check].advice if status == "fail" else result.advice,
        }
    )


def bank_findings(replays: Iterable[Replay]) -> list[Finding]:
    """One finding for each right solution that was rejected, and for each wrong one that was accepted."""
    return [_finding(replay) for replay in replays if replay.resolved is not None and not _agrees(replay)]


def _agrees(replay: Replay) -> bool:
    return replay.resolved is replay.solution.is_right


def _is_open(replay: Replay) -> bool:
    """Whether nothing is known; of a wrong solution it is enough that there is no reward for it."""
    if replay.resolved is not None:
        return False
    is_unguarded = replay.failure is not None and replay.failure.kind == UnguardedError.code
    return replay.solution.is_right or not is_unguarded


def _finding(replay: Replay) -> Finding:
    place = _place(replay)
    if replay.solution.is_right:
        by = f" ({replay.failing[0]})" if replay.failing else ""
        return Finding(
            kind="right-solution",
            what=f"a solution that a person judged right is rejected: {replay.reason or 'tests-failed'}{by}",
            subject=replay.failing[0] if replay.failing else "",
            evidence=(place, *replay.failing[:SHOWN_TESTS], *replay.message.splitlines()[:SHOWN_TESTS]),
            advice="say in the prompt what these tests ask for, or do not test it; or move the patch to the wrong ones",
        )
    return Finding(
        kind="wrong-solution",
        what="a solution that a person judged wrong is accepted",
        evidence=(place,),
        advice="add a test that fails with this patch; or move the patch to the right ones",
    )


def _summary(concerned: Sequence[Replay], findings: Sequence[Finding], *, is_right: bool) -> str:
    if not concerned:
        return ""
    kind, fate = ("right", "rejected") if is_right else ("wrong", "accepted")
    return f"{len(findings)} of {len(concerned)} {kind} solutions of the bank are {fate}"


def _place(replay: Replay) -> str:
    return f"evidence/bank/{'right' if replay.solution.is_right else 'wrong'}/{replay.solution.name}.patch"


def _why(replay: Replay) -> str:
    return f"{replay.failure.boundary}: {replay.failure.message}" if replay.failure else "no verdict"
