"""From repeated runs before and after a change to the tests that count, or to the reason why there is no task.

A test counts as fail-to-pass when every run with the reference change passed it and every run without it failed it
for a cause that the change can be answerable for; as pass-to-pass when every run of both passed it. A test whose
runs disagree is quarantined. Whatever else was reported is remembered as uncounted, so that a later run can be
held to the same set of ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.model.reason import Reason
from assay.model.report import Status, TestOutcome, TestReport

FAILING = frozenset({Status.FAILED, Status.ERROR, Status.TIMEOUT, Status.CRASHED})
MESSAGE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Admission:
    """The lists of a task, or the reason for a rejection; `detail` explains either to a person."""

    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()
    causes: tuple[tuple[str, str], ...] = ()
    """Why each fail-to-pass test fails on the base."""
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to make of the failures on the base, given by `core.causes`."""

    cause_of: Callable[[TestOutcome], str]
    acceptable: Callable[[str], bool]
    """Whether a test that fails on the base for this cause may count."""
    network: str = "network"
    """The cause that stands for a lost network."""


def admit(base_runs: Sequence[TestReport], gold_runs: Sequence[TestReport], judgement: Judgement) -> Admission:
    """Decide. Needs at least one run of each; all runs are of the same selection of tests."""
    rejected = _unusable(gold_runs) or _unusable(base_runs, base=True)
    if rejected:
        return rejected
    names = list(dict.fromkeys(name for run in [*gold_runs, *base_runs] for name in run.outcomes))
    gold_of = {name: {run.status(name) for run in gold_runs} for name in names}
    base_of = {name: {_base_status(run, name) for run in base_runs} for name in names}
    quarantined = [n for n in names if len(gold_of[n]) > 1 or len(base_of[n]) > 1]
    stable = [n for n in names if n not in set(quarantined)]
    passing = [n for n in stable if gold_of[n] == {Status.PASSED}]
    failing_before = [n for n in passing if base_of[n] <= FAILING]
    causes = {n: judgement.cause_of(outcome_of(base_runs[0], n)) for n in failing_before}
    fail_to_pass = tuple(n for n in failing_before if judgement.acceptable(causes[n]))
    pass_to_pass = tuple(n for n in passing if base_of[n] == {Status.PASSED})
    counted = {*fail_to_pass, *pass_to_pass, *quarantined}
    lists = Admission(
        fail_to_pass=fail_to_pass,
        pass_to_pass=pass_to_pass,
        quarantined=tuple(quarantined),
        uncounted=tuple(n for n in names if n not in counted),
        causes=tuple((n, causes[n]) for n in fail_to_pass),
    )
    if fail_to_pass:
        return lists
    fresh = {n for n in names if not base_of[n] <= FAILING}
    return _nothing_flips(lists, failing_before, causes, gold_runs[0], fresh, judgement)


def _unusable(runs: Sequence[TestReport], *, base: bool = False) -> Admission | None:
    """Runs that say nothing: stopped by a limit, or, with the reference change, incomplete."""
    for run in runs:
        if run.stopped == "wall":
            where = "before" if base else "with"
            return Admission(reason=Reason.TIMEOUT, detail=f"the tests ran into the time limit {where} the change")
        if run.stopped:
            return Admission(reason=Reason.RESOURCES, detail=f"the tests ran into the {run.stopped} limit")
        if not base and not run.outcomes:
            return Admission(reason=Reason.TESTS_NOT_COLLECTED, detail=_first_uncollected(run))
        if not base and not run.complete and not _only_collection(run):
            return Admission(
                reason=Reason.GOLD_FAILS, detail="; ".join(map(str, run.problems)) or "the run did not finish"
            )
    return None


def _only_collection(run: TestReport) -> bool:
    """Whether the only trouble is files that could not be collected, which are judged on their own."""
    return bool(run.uncollected) and not run.problems


def _nothing_flips(
    lists: Admission,
    failing_before: Sequence[str],
    causes: dict[str, str],
    gold: TestReport,
    fresh: set[str],
    judgement: Judgement,
) -> Admission:
    """`fresh` are the tests that do not fail before: those that fail on both sides say nothing about the change, unless
    nothing at all passes.
    """
    reason, detail = Reason.NO_FAIL_TO_PASS, "no test fails before the change and passes after it"
    any_passes = any(outcome.status is Status.PASSED for outcome in gold.outcomes.values())
    red = [(n, o) for n, o in gold.outcomes.items() if o.status in FAILING]
    offline = bool(red) and all(judgement.cause_of(outcome) == judgement.network for _, outcome in red)
    failing_after = [(n, o) for n, o in red if n in fresh or not any_passes or offline]
    if failing_before:
        name = failing_before[0]
        network = all(cause == judgement.network for cause in causes.values())
        reason = Reason.NEEDS_NETWORK if network else Reason.BASE_BROKEN
        detail = f"the base fails for another cause than the change: {name}: {causes[name]}"
    elif lists.quarantined:
        reason, detail = Reason.FLAKY, f"runs of the same code disagreed on {lists.quarantined[0]}"
    elif failing_after:
        name, outcome = failing_after[0]
        reason = Reason.NEEDS_NETWORK if offline else Reason.GOLD_FAILS
        detail = f"{name}: {outcome.error_type} {outcome.message}"[:MESSAGE_CHARACTERS]
    elif gold.uncollected:
        reason, detail = Reason.GOLD_FAILS, _first_uncollected(gold)
    return Admission(
        quarantined=lists.quarantined, uncounted=lists.uncounted, reason=reason, detail=detail.replace("\n", " ")
    )


def _first_uncollected(run: TestReport) -> str:
    for path, outcome in run.uncollected.items():
        text = f"{path} could not be collected: {outcome.error_type} {outcome.message}"
        return text.replace("\n", " ")[:MESSAGE_CHARACTERS]
    return "; ".join(map(str, run.problems)) or "the framework collected no test"


def _base_status(run: TestReport, name: str) -> Status:
    """A test of a file that could not be collected fails by that; any other absence stays an absence."""
    status = run.status(name)
    if status is Status.MISSING and _file_of(name) in run.uncollected:
        return Status.ERROR
    return status


def outcome_of(run: TestReport, name: str) -> TestOutcome:
    """A test's end; of one whose file could not be collected, the file's; MISSING when nothing was said of it."""
    return run.outcomes.get(name) or run.uncollected.get(_file_of(name)) or TestOutcome(Status.MISSING)


def _file_of(test_id: str) -> str:
    return test_id.partition("::")[0]
