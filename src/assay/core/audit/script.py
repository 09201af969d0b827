"""What equal tries at a task say when its own script gives the reward: one word a try, and how long it took."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from assay.core.audit.stability import DEVIATING, RATE
from assay.core.audit.table import conclude
from assay.core.bounds import upper_bound
from assay.model.audit import CheckResult, Finding, Measure
from assay.model.verdict import Verdict

WANTED = {"oracle": True, "nop": False}
WHO = {"oracle": "its own solution", "nop": "doing nothing"}


def judge_tries(tries: Mapping[str, Sequence[Verdict]], allowed_flips: int = 0) -> CheckResult:
    """Whether the solution is always accepted and doing nothing never. Unknown when a try has no verdict."""
    ended = {agent: [v.resolved for v in tries[agent] if v.failure is None] for agent in WANTED}
    lost = [f"{WHO[a]}: {v.failure.boundary}: {v.failure.message}" for a in WANTED for v in tries[a] if v.failure]
    count = sum(map(len, ended.values()))
    deviating = sum(found is not WANTED[agent] for agent in WANTED for found in ended[agent])
    findings = [_finding(a, ended[a], tries[a]) for a in WANTED if any(found is not WANTED[a] for found in ended[a])]
    bound = upper_bound(deviating, count) if count else 1.0
    told = f"{deviating} ended otherwise than they should" if deviating else "all ended as they should"
    return conclude(
        "stability",
        failed=len(findings) > allowed_flips,
        summary=f"{len(ended['oracle'])} tries of {WHO['oracle']} and {len(ended['nop'])} of {WHO['nop']}: {told}; "
        f"at most {bound:.1%} of tries deviate, with 95% confidence",
        findings=findings,
        measures=[Measure(name=RATE, value=bound, count=count), Measure(name=DEVIATING, value=deviating, count=count)],
        unknown=lost,
        known=not lost and all(ended.values()),
    )


def _finding(agent: str, ended: Sequence[bool | None], verdicts: Sequence[Verdict]) -> Finding:
    odd = [v for v in verdicts if v.failure is None and v.resolved is not WANTED[agent]]
    wrong = len(odd)
    word = "accepted" if agent == "nop" else "rejected"
    return Finding(
        kind="flip" if wrong < len(ended) else "wrong",
        what=f"{WHO[agent]} is {word} in {wrong} of {len(ended)} tries",
        subject=agent,
        evidence=tuple(dict.fromkeys(test.message for v in odd for test in v.tests if test.message))[:3],
    )


def judge_cost(tries: Sequence[Verdict], limit_seconds: float) -> CheckResult:
    """Wall time of one verdict on the solution, the container's start included."""
    seconds = [verdict.wall_seconds for verdict in tries if verdict.failure is None]
    if not seconds:
        return conclude("cost", failed=False, summary="no try had a verdict", known=False)
    middle = statistics.median(seconds)
    over = f"a verdict takes {middle:.1f} s; the budget is {limit_seconds:g}"
    findings = [Finding(kind="slow-verdict", what=over)] if middle > limit_seconds else []
    return conclude(
        "cost",
        failed=bool(findings),
        summary=f"verdict {middle:.1f} s (one container)",
        findings=findings,
        measures=[Measure(name="verdict_seconds", value=round(middle, 3), count=len(seconds))],
        unknown=("the container's memory and disk are not measured",),
    )
