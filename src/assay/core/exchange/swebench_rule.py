"""SWE-bench's own rule on a run: what it counts as passed, and where a run here does not do as its list says.

Theirs is the softer rule (an expected failure passes, and a skipped test does where it need only go on passing). It is
here to be compared with, and for reports in their format; verdicts follow assay's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.core.admission import FAILING, outcome_of
from assay.core.exchange.swebench_ids import impossible, resolve
from assay.model.report import Status, TestOutcome, TestReport

PASSES = {
    "FAIL_TO_PASS": frozenset({Status.PASSED, Status.XFAILED, Status.XPASSED}),
    "PASS_TO_PASS": frozenset({Status.PASSED, Status.XFAILED, Status.XPASSED, Status.SKIPPED}),
}
NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One published test that does not do as published."""

    kind: str
    """`impossible-id`, `no-such-test`, `flaky`, `network`, `passes-on-base`, `fails-on-base`, `fails-alike`
    (with and without the change in the same words: something around the test is missing), `fails-with-gold`."""
    column: str
    test_id: str
    detail: str = ""


def disagreements(
    column: str,
    ids: Sequence[str],
    base_runs: Sequence[TestReport],
    gold_runs: Sequence[TestReport],
    cause_of: Callable[[TestOutcome], str],
) -> list[Disagreement]:
    """Where a published list and the runs differ under the publisher's rule. One of several runs that does as
    published is enough for a test to be called flaky rather than failing.
    """
    reported = dict.fromkeys(name for run in (*gold_runs, *base_runs) for name in run.outcomes)
    uncollected = {path for run in gold_runs for path in run.uncollected}
    found = []
    for test_id, names in resolve(ids, reported).items():
        if why := impossible(test_id):
            found.append(Disagreement("impossible-id", column, test_id, why))
        elif not names and test_id.partition("::")[0] not in uncollected:
            found.append(Disagreement("no-such-test", column, test_id))
        elif fault := _fault(column, names or (test_id,), base_runs, gold_runs, cause_of):
            found.append(Disagreement(fault[0], column, test_id, fault[1]))
    return found


def _fault(
    column: str,
    names: Sequence[str],
    base_runs: Sequence[TestReport],
    gold_runs: Sequence[TestReport],
    cause_of: Callable[[TestOutcome], str],
) -> tuple[str, str] | None:
    passes = PASSES[column]
    on_gold = [all(outcome_of(run, name).status in passes for name in names) for run in gold_runs]
    on_base = [all(outcome_of(run, name).status in passes for name in names) for run in base_runs]
    wanted_on_base = column == "PASS_TO_PASS"
    if all(on_gold) and all(passed is wanted_on_base for passed in on_base):
        return None
    if any(on_gold) and any(passed is wanted_on_base for passed in on_base):
        return "flaky", f"with the change {on_gold}, without it {on_base}"
    runs = base_runs if all(on_gold) else gold_runs
    red = [o for run in runs for name in names if (o := outcome_of(run, name)).status in FAILING | {Status.MISSING}]
    detail = f"{red[0].status}: {red[0].error_type}: {red[0].message}"[:300] if red else ""
    if red and all(cause_of(outcome) == NETWORK for outcome in red):
        return NETWORK, detail
    if not all(on_gold):
        alike = red and _words(red) == _words([outcome_of(run, name) for run in base_runs for name in names])
        return ("fails-alike" if alike else "fails-with-gold"), detail
    return ("fails-on-base" if wanted_on_base else "passes-on-base"), detail


def _words(outcomes: Sequence[TestOutcome]) -> set[tuple[Status, str, str]]:
    return {(outcome.status, outcome.error_type, outcome.message) for outcome in outcomes}
