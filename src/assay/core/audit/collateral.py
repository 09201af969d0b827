"""What tests outside the task's own lists notice: wrong changes that the task accepts and the project would not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.core.audit.table import conclude
from assay.core.bounds import interval
from assay.model.audit import CheckResult, Finding, Measure
from assay.model.variant import Trial


def judge(
    outside: Sequence[str],
    survivors: Sequence[Trial],
    noticed: Mapping[str, tuple[str, str]],
    unknown: Sequence[str],
) -> CheckResult:
    """The answer. `outside` are the tests outside that pass with the reference change, `survivors` wrong changes that
    the task's tests accept, `noticed` names for the key of a survivor the outside test that fails, and its message.
    """
    if not outside:
        return conclude(
            "collateral",
            failed=False,
            summary="no test outside the task's lists is reached by the change",
            unknown=unknown,
        )
    if not survivors:
        words = "the task's own tests let no wrong change through that could be tried"
        return conclude("collateral", failed=False, summary=words, unknown=unknown)
    caught = [trial for trial in survivors if trial.variant.key in noticed]
    low, high = interval(len(caught), len(survivors))
    findings = [_finding(trial, *noticed[trial.variant.key]) for trial in caught]
    return conclude(
        "collateral",
        failed=bool(caught),
        summary=f"{len(outside)} tests outside notice {len(caught)} of {len(survivors)} wrong changes that the task "
        "accepts",
        findings=findings,
        measures=(
            Measure(
                name="noticed_outside_share",
                value=len(caught) / len(survivors),
                low=low,
                high=high,
                count=len(survivors),
            ),
        ),
        unknown=unknown,
    )


def _finding(trial: Trial, test_id: str, message: str) -> Finding:
    variant = trial.variant
    return Finding(
        kind="outside-test",
        what=f"{test_id} notices a wrong change that the task accepts: {variant.what}",
        subject=test_id,
        path=variant.path,
        line=variant.line,
        evidence=(message,) if message else (),
        advice=f"add {test_id} to pass_to_pass",
    )
