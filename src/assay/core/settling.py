"""Which of a published task's tests count here: what the lists of others are worth once they have been seen.

A published list says how tests ended on another machine. Here each of them is run before and after the reference
change; those that do as the list says are held to it. What does otherwise counts for nothing and is named, so that
nobody is judged by a test that fails with the reference change itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from assay.core.admission import FAILING, outcome_of
from assay.core.causes import Cause
from assay.core.exchange.swebench_ids import resolve
from assay.core.exchange.swebench_tasks import SETTLED, TABLE
from assay.core.task_files import amended, environment_files
from assay.model.base import Frozen
from assay.model.environment import Recipe
from assay.model.loss import Loss
from assay.model.report import Status, TestOutcome, TestReport
from assay.model.task import Task

FIELDS = {"fail_to_pass": "FAIL_TO_PASS", "pass_to_pass": "PASS_TO_PASS"}
BEFORE = FAILING | {Status.MISSING}
EXCUSED = frozenset({Status.SKIPPED, Status.XFAILED, Status.XPASSED})


class Lists(Frozen):
    """The tests of a task, and what became of the published ones that are not among them."""

    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()


class Settlement(Frozen):
    """What the first use of an imported task found out; it is remembered."""

    environment: Recipe
    lists: Lists


def with_settlement(task: Task, found: Settlement) -> Task:
    """The task as it is judged, with the files that build its environment elsewhere."""
    lists = found.lists
    known = amended(
        task,
        environment=found.environment,
        fail_to_pass=lists.fail_to_pass,
        pass_to_pass=lists.pass_to_pass,
        quarantined=lists.quarantined,
        uncounted=lists.uncounted,
    )
    metadata = known.config["metadata"]
    if TABLE in metadata:
        metadata = {**metadata, TABLE: {**metadata[TABLE], SETTLED: True}}
    return replace(
        known,
        config={**known.config, "metadata": metadata},
        files={**known.files, **environment_files(known.assay)},
    )


def settle_lists(
    task: Task,
    base_runs: Sequence[TestReport],
    gold_runs: Sequence[TestReport],
    cause_of: Callable[[TestOutcome], str],
) -> Lists:
    """The lists as they hold here. All runs are of the same selection; at least one of each."""
    names = list(dict.fromkeys(name for run in [*gold_runs, *base_runs] for name in run.outcomes))
    after = {name: {run.status(name) for run in gold_runs} for name in names}
    before = {name: {outcome_of(run, name).status for run in base_runs} for name in names}
    shaky = {name for name in names if len(after[name]) > 1 or len(before[name]) > 1}
    losses: list[Loss] = []
    lists: dict[str, list[str]] = {"fail_to_pass": [], "pass_to_pass": []}
    for kind, published in (("fail_to_pass", task.assay.fail_to_pass), ("pass_to_pass", task.assay.pass_to_pass)):
        for test_id, candidates in resolve(published, names).items():
            found = {name: _as_seen(before[name], after[name]) for name in candidates if name not in shaky}
            why = _refused(kind, candidates, found, shaky)
            if not why:
                why = next((_deviation(kind, seen) for seen in found.values()), "")
                for name, seen in found.items():
                    if seen in lists:
                        lists[seen].append(name)
            if why:
                cause = next((cause_of(o) for o in _failures(candidates, gold_runs)), "")
                reason = f"{test_id}: {why}{f' ({cause})' if cause else ''}"
                losses.append(Loss(subject=task.slug, field=FIELDS[kind], reason=reason))
    counted = {*lists["fail_to_pass"], *lists["pass_to_pass"]}
    return Lists(
        fail_to_pass=tuple(dict.fromkeys(lists["fail_to_pass"])),
        pass_to_pass=tuple(n for n in dict.fromkeys(lists["pass_to_pass"]) if n not in set(lists["fail_to_pass"])),
        quarantined=tuple(name for name in names if name in shaky),
        uncounted=tuple(name for name in names if name not in counted | shaky),
        losses=tuple(losses),
    )


def doubtful(
    task: Task,
    base_runs: Sequence[TestReport],
    gold_runs: Sequence[TestReport],
    cause_of: Callable[[TestOutcome], str],
) -> bool:
    """Whether the environment itself is in doubt: no test came out at all, or a published one fails in every run, with
    the reference change and without, and not for want of a network. All runs are of the same selection.
    """
    runs = (*gold_runs, *base_runs)
    names = dict.fromkeys(name for run in runs for name in run.outcomes)
    if not names:
        return True
    for test_id, candidates in resolve((*task.assay.fail_to_pass, *task.assay.pass_to_pass), names).items():
        ends = [outcome_of(run, name) for run in runs for name in candidates or (test_id,)]
        if all(end.status in FAILING and cause_of(end) != Cause.NETWORK for end in ends):
            return True
    return False


def _as_seen(before: set[Status], after: set[Status]) -> str:
    """What a test whose runs agree is: of one list, of the other, or of none for the cause named."""
    if after == {Status.PASSED}:
        if before == {Status.PASSED}:
            return "pass_to_pass"
        return "fail_to_pass" if before <= BEFORE else "skipped before the change"
    if after <= EXCUSED:
        return "skipped, or expected to fail, with the reference change"
    return "absent with the reference change" if after == {Status.MISSING} else "fails with the reference change"


def _refused(kind: str, candidates: Sequence[str], found: dict[str, str], shaky: set[str]) -> str:
    """Why an id cannot be held to anything at all."""
    if not candidates:
        return "no test that was run has this id"
    if any(name in shaky for name in candidates):
        return "its runs disagreed"
    if len(set(found.values())) > 1:
        return f"it was cut off and may be any of {len(candidates)} tests, which ended differently"
    return ""


def _deviation(kind: str, seen: str) -> str:
    if seen == kind:
        return ""
    if seen == "pass_to_pass":
        return "passes without the change, too; it counts as a test that must go on passing"
    return "fails without the change; it counts as a test that must begin to pass" if seen == "fail_to_pass" else seen


def _failures(candidates: Sequence[str], runs: Sequence[TestReport]) -> list[TestOutcome]:
    outcomes = (outcome_of(run, name) for name in candidates for run in runs)
    return [outcome for outcome in outcomes if outcome.status in FAILING]
