"""What can be done by rule about what an audit found: each repair turns the task into another one.

Nothing here is applied or believed: whoever shows a repair has verified it first. Repairs that need runs, or a diff,
get what was learned handed in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from assay.core.audit.ablation import is_unneeded_hunk
from assay.core.audit.stability import NEW_ID
from assay.core.prompts import with_interface_lines
from assay.core.task_files import amended
from assay.model.audit import CheckId, CheckResult, Finding
from assay.model.report import Status, TestReport
from assay.model.task import GOLD_PATCH, Task
from assay.model.tree import FileState

FLAKY: tuple[tuple[CheckId, float], ...] = (("stability", 0.0), ("amplified", 0.5))
"""Checks that blame tests, and the share of fail_to_pass that must be left for these to be quarantined."""
BLAMING: tuple[CheckId, ...] = ("stability", "amplified", "cost")
"""Checks that blame whole files."""
"""The kind of an `ablation` finding whose hunk the tests run, and that changes nothing that they compute."""
INTERFACE_LINE = re.compile(r": (- .+?)(?:; or test without)?$", re.DOTALL)
"""The line for the prompt, in the advice of a `hidden-names` finding."""
OUTSIDE = "outside-test"
NAMED = 3
"""Tests, files and names that are told by name."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One way to answer some findings."""

    title: str
    check: CheckId
    """The check that complained."""
    why: str
    change: Callable[[Task], Task]
    """The task repaired; of a task that other repairs have changed already, too."""
    answers: tuple[Finding, ...] = ()
    """Findings that must be gone when the check is made again."""


@dataclass(slots=True)
class Plan:
    """All repairs that follow from findings alone, and what no repair is offered for, in words."""

    repairs: list[Repair] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def plan(task: Task, checks: Sequence[CheckResult]) -> Plan:
    """The repairs that need no runs: quarantine, names for the prompt, fewer test files."""
    made, by_id = Plan(), {result.check: result for result in checks}
    seen: set[str] = set()
    for check, least in FLAKY:
        if result := by_id.get(check):
            _quarantine(made, task, result, least, seen)
    if hidden := by_id.get("hidden-names"):
        made.repairs += _names(task, hidden)
    for check in BLAMING:
        if result := by_id.get(check):
            _restrict(made, task, result)
    return made


def _quarantine(made: Plan, task: Task, result: CheckResult, least: float, seen: set[str]) -> None:
    """Tests that flip count no more. `seen` are those that another check has blamed already."""
    blamed = [finding for finding in result.findings if finding.kind != "wrong" and "::" in finding.subject]
    found = dict.fromkeys(i for finding in blamed for i in _blamed(task, finding))
    ids = tuple(test_id for test_id in found if test_id not in seen)
    seen.update(ids)
    if not ids:
        return
    left, total = len(set(task.assay.fail_to_pass) - set(ids)), len(task.assay.fail_to_pass)
    if not left or left < math.ceil(least * total):
        made.refused.append(
            f"{counted(len(ids), 'test')} cannot be quarantined ({result.check}): only {left} of {total} fail_to_pass "
            "tests would be left"
        )
        return
    whole = any(_comes_and_goes(finding) for finding in blamed)
    why = f"{result.check}: {_flips(blamed)}"
    if whole:
        why += "; ids of their functions are made anew at every run, so all of them go"
    made.repairs.append(
        Repair(f"quarantine {counted(len(ids), 'test')}", result.check, why, lambda t: quarantined(t, ids))
    )


def _flips(blamed: Sequence[Finding]) -> str:
    subjects = list(dict.fromkeys(finding.subject for finding in blamed))
    return f"{named(subjects)} {'flips' if len(subjects) == 1 else 'flip'}"


def _comes_and_goes(finding: Finding) -> bool:
    return finding.kind == "stranger" or finding.advice == NEW_ID


def _blamed(task: Task, finding: Finding) -> Iterator[str]:
    """The ids that a finding speaks against. Where ids come and go, the next run has others of the same function."""
    listed = (*task.assay.fail_to_pass, *task.assay.pass_to_pass)
    if not _comes_and_goes(finding):
        yield from (test_id for test_id in listed if test_id == finding.subject)
        return
    function = _stem(finding.subject)
    ids = [test_id for test_id in listed if _stem(test_id) == function]
    yield from ids
    if not ids and not any(_stem(test_id) == function for test_id in task.assay.quarantined):
        yield function


def quarantined(task: Task, ids: Collection[str]) -> Task:
    """The task with tests that count for nothing any more."""
    facts = task.assay
    return amended(
        task,
        fail_to_pass=tuple(i for i in facts.fail_to_pass if i not in ids),
        pass_to_pass=tuple(i for i in facts.pass_to_pass if i not in ids),
        quarantined=tuple(dict.fromkeys([*facts.quarantined, *ids])),
    )


def _names(task: Task, result: CheckResult) -> Iterator[Repair]:
    lines: dict[str, Finding] = {}
    for finding in result.findings:
        match = INTERFACE_LINE.search(finding.advice)
        if match:
            lines.setdefault(" ".join(match[1].split()), finding)
    fresh = tuple(line for line in lines if line not in task.instruction)
    if not fresh:
        return
    answers = tuple(f for f in result.findings if INTERFACE_LINE.search(f.advice))
    yield Repair(
        f"add {counted(len(fresh), 'name')} to the prompt's Interface section",
        result.check,
        f"hidden-names: the tests need {named([f.subject for f in answers])}, and neither base nor prompt has it",
        lambda t: said(t, fresh),
        answers,
    )


def said(task: Task, lines: Sequence[str]) -> Task:
    """The task with these lines in its prompt's Interface section."""
    text = with_interface_lines(task.instruction, lines)
    return _written(task.with_instruction(text), "instruction", "names added by assay")


def _restrict(made: Plan, task: Task, result: CheckResult) -> None:
    """Test files that hold no test at stake, and that are blamed, are not run any more."""
    idle = [path for path in task.assay.test_files if not any(_holds(path, i) for i in task.assay.fail_to_pass)]
    slow = tuple(finding for finding in result.findings if finding.kind == "slow-verdict")
    if result.check == "cost":
        if not slow:
            return
        paths = {finding.path for finding in result.findings if finding.kind == "slow-test"}
        blamed = [path for path in idle if any(_holds(path, other) for other in paths)] or idle
        needed = [] if blamed else list(task.assay.test_files)
        why = f"cost: {slow[0].what}"
    else:
        subjects = {finding.subject for finding in result.findings if "::" not in finding.subject}
        needed = [path for path in task.assay.test_files if path in subjects and path not in idle]
        blamed = [path for path in idle if path in subjects]
        why = f"{result.check}: {named(blamed)} cannot always be collected"
    if needed:
        made.refused.append(f"{named(needed)} cannot be left out: fail_to_pass tests are in there ({result.check})")
    if blamed:
        chosen = tuple(blamed)
        title = f"leave {counted(len(chosen), 'test file')} without a fail_to_pass test out: {named(chosen)}"
        made.repairs.append(Repair(title, result.check, why, lambda t: restricted(t, chosen), slow))


def restricted(task: Task, files: Collection[str]) -> Task:
    """The task without some of its test files, and without their tests."""
    facts = task.assay

    def kept(ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(i for i in ids if not any(_holds(path, i) for path in files))

    left = tuple(path for path in facts.test_files if path not in files)
    return amended(
        task,
        test_files=left,
        test_command=_command(task, left),
        **{name: kept(getattr(facts, name)) for name in ("pass_to_pass", "quarantined", "uncounted")},
    )


def _command(task: Task, files: Sequence[str]) -> tuple[str, ...]:
    """The command for other test files; one that names none stays as it is."""
    old, before = task.assay.test_command, set(task.assay.test_files)
    if before.isdisjoint(old):
        return old
    kept = [word for word in old if word not in before]
    return (*kept, *files)


def unneeded(checks: Sequence[CheckResult]) -> dict[str, Finding]:
    """Hunks of the reference change that the tests run and that change nothing for them, by their variants' keys."""
    found = next((result.findings for result in checks if result.check == "ablation"), ())
    return {finding.subject: finding for finding in found if is_unneeded_hunk(finding)}


def shortened(answers: Sequence[Finding], patch: bytes) -> Repair:
    """The reference change without the hunks of these findings; `patch` is what is left of it."""
    places = [f"{finding.path}:{finding.line}" for finding in answers]
    return Repair(
        f"take {counted(len(answers), 'hunk')} out of the reference change",
        "ablation",
        f"ablation: the tests run {named(places)}, and compute the same without",
        lambda task: with_gold(task, patch),
    )


def with_gold(task: Task, patch: bytes) -> Task:
    """The task with another reference change."""
    state = FileState(patch, task.files[GOLD_PATCH].mode)
    changed = replace(task, files={**task.files, GOLD_PATCH: state})
    return _written(changed, "gold", "parts left out by assay")


@dataclass(frozen=True, slots=True)
class Outside:
    """The tests of files that the task did not run so far, by what they are to it."""

    files: tuple[str, ...]
    passing: tuple[str, ...]
    unsteady: tuple[str, ...]
    others: tuple[str, ...]


def wanted_outside(checks: Sequence[CheckResult]) -> tuple[str, ...]:
    """Tests outside that notice a wrong change."""
    found = next((result.findings for result in checks if result.check == "collateral"), ())
    return tuple(dict.fromkeys(finding.subject for finding in found if finding.kind == OUTSIDE))


def sort_outside(files: Sequence[str], base: Sequence[TestReport], gold: Sequence[TestReport]) -> Outside:
    """What the tests of these files do, from runs of them on both sides: pass everywhere, flip, or anything else."""
    reports = [*gold, *base]
    names = list(dict.fromkeys(i for report in reports for i in report.outcomes))
    steady = [i for i in names if all(len({report.status(i) for report in side}) == 1 for side in (base, gold) if side)]
    passing = [i for i in steady if all(report.status(i) is Status.PASSED for report in reports)]
    return Outside(
        tuple(files),
        tuple(passing),
        tuple(i for i in names if i not in set(steady)),
        tuple(i for i in steady if i not in set(passing)),
    )


def guarded(outside: Outside, wanted: Sequence[str]) -> Repair:
    """Tests outside that notice a wrong change belong to the task."""
    count = len(outside.passing)
    return Repair(
        f"add {counted(count, 'test')} of {named(outside.files)} to pass_to_pass",
        "collateral",
        f"collateral: wrong changes that the task accepts are noticed by {named(wanted)}",
        lambda task: with_outside(task, outside),
    )


def with_outside(task: Task, outside: Outside) -> Task:
    """The task with further test files, all of whose tests are accounted for."""
    facts = task.assay
    files = (*facts.test_files, *(path for path in outside.files if path not in facts.test_files))
    if list(facts.test_files) == sorted(facts.test_files):
        files = tuple(sorted(files))
    known = {*facts.fail_to_pass, *facts.pass_to_pass, *facts.quarantined, *facts.uncounted}

    def joined(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
        return (*old, *(i for i in new if i not in known))

    return amended(
        task,
        test_files=files,
        test_command=_command(task, files),
        pass_to_pass=joined(facts.pass_to_pass, outside.passing),
        quarantined=joined(facts.quarantined, outside.unsteady),
        uncounted=joined(facts.uncounted, outside.others),
    )


def together(repairs: Sequence[Repair]) -> Repair:
    """Several repairs as one, for patches that touch the same lines."""

    def change(task: Task) -> Task:
        for repair in repairs:
            task = repair.change(task)
        return task

    return Repair(
        f"all {len(repairs)} of the above at once",
        repairs[0].check,
        "each of the patches above is for the task as it is now, and two of them may touch the same lines",
        change,
    )


def _written(task: Task, part: str, how: str) -> Task:
    """The task with a word in its provenance on what was done to a part."""
    was = getattr(task.assay.provenance, part)
    if how in was:
        return task
    return amended(task, provenance=task.assay.provenance.model_copy(update={part: f"{was}; {how}"}))


def _stem(test_id: str) -> str:
    return test_id.partition("[")[0]


def _holds(path: str, test_id: str) -> bool:
    """Whether a file or folder that tests are selected by holds a test, or a file of tests."""
    file = test_id.partition("::")[0]
    return file == path or file.startswith(path.rstrip("/") + "/")


def counted(count: int, what: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def named(names: Sequence[str]) -> str:
    """A few of these by name, and how many more there are."""
    shown = list(dict.fromkeys(names))
    more = f" and {len(shown) - NAMED} more" if len(shown) > NAMED else ""
    return ", ".join(shown[:NAMED]) + more
