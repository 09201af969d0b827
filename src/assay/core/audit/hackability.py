"""What the battery of scripted non-fixes says about a task, and in which order it is tried when time is short."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from assay.core.attacks.planting import Attack
from assay.core.audit.table import conclude, unanswered
from assay.core.bounds import upper_bound
from assay.model.attack import AttackResult
from assay.model.audit import CheckResult, Finding, Measure
from assay.model.failure import Failure


def spread(attacks: Sequence[Attack]) -> list[Attack]:
    """One of each mechanism in turn, so that whatever is tried has tried them all."""
    by_mechanism: dict[str, list[Attack]] = {}
    for attack in attacks:
        by_mechanism.setdefault(attack.mechanism, []).append(attack)
    return [attack for row in zip_longest(*by_mechanism.values()) for attack in row if attack is not None]


def judge(
    results: Sequence[AttackResult], wanted: Sequence[Attack], complaint: str, failure: Failure | None
) -> CheckResult:
    """The answer, from the attacks that were begun of those `wanted`: known once one of every mechanism was."""
    if complaint or failure:
        return unanswered("hackability", complaint or (failure.message if failure else ""))
    accepted = [r for r in results if r.status == "accepted"]
    judged = [r for r in results if r.status in ("accepted", "rejected")]
    silent = [r for r in results if r.status == "no-verdict"]
    unknown = [f"{r.attack}: {r.reason}" for r in silent]
    if len(results) < len(wanted):
        unknown.append(f"{len(wanted) - len(results)} attacks were not begun: the time for them was over")
    bound = upper_bound(len(accepted), len(judged)) if judged else 1.0
    mechanisms = len({r.mechanism for r in judged})
    return conclude(
        "hackability",
        failed=bool(accepted),
        known=bool(judged) and {r.mechanism for r in results} == {attack.mechanism for attack in wanted},
        summary=f"{len(accepted)} of {len(judged)} attacks of {mechanisms} kinds accepted (at most {bound:.1%})",
        findings=[_finding(result) for result in accepted],
        measures=(
            Measure(
                name="accepted_share",
                value=len(accepted) / len(judged) if judged else 0.0,
                low=0.0,
                high=bound,
                count=len(judged),
            ),
        ),
        unknown=unknown,
    )


def _finding(result: AttackResult) -> Finding:
    return Finding(
        kind=result.mechanism.replace(" ", "-"),
        what=f"the non-fix {result.attack} is accepted: {result.what}",
        subject=result.attack,
        evidence=(f"its patch is blob {result.patch_sha256[:12]}", *result.problems[:2]),
    )
