"""Which circumstance flips which test: from runs under conditions that should not matter to findings.

Conditions are tried several at a time, one of each kind. Only when something flips is each of them tried alone, and
what flips then is run once more. The hash seed is held still wherever it is not what is tried, so that a test that
depends on it is not blamed on the clock. What chance does is told apart from what a condition does by how often the
test fails elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal, TypeVar

from assay.core.admission import outcome_of
from assay.core.audit.table import conclude
from assay.model.audit import CheckResult, Finding, Measure
from assay.model.report import Status, TestOutcome, TestReport
from assay.model.task import AssayMetadata
from assay.model.tree import Tree

Side = Literal["the reference change", "the base"]
GOLD: Side = "the reference change"
BASE: Side = "the base"

STILL = "hash-seed-0"
"""The condition that all others are tried under; a test that it flips is not tried for anything else."""
ALONE = "alone"
TOGETHER = "together"
EVERYWHERE = "everywhere"
"""No condition's doing: the task's lists are wrong, and `stability` says so too."""
UNSTEADY = "unsteady"
CHANCE = 0.05
"""How probable it may be, over all conditions, that chance alone made a test fail as often as it did under one."""
EVIDENCE_TESTS = 20
BY_CHANCE = "quarantine it: it flips by chance, whatever the condition"
CLOCK_NOTE = "files that the test writes keep the true time: one that compares the two is disturbed by that alone"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Trial:
    """One run under some conditions."""

    side: Side
    names: tuple[str, ...]
    """The conditions that held in it."""
    tests: frozenset[str]
    """The tests of the task's lists that it was to run."""
    flipped: Mapping[str, TestOutcome] = field(default_factory=dict)
    """What did not end as it should, by test; by file where the file could not be collected, and by function where
    an id was not seen again."""
    whole: str = ""
    """Why the run as a whole came to nothing."""

    @property
    def key(self) -> tuple[Side, tuple[str, ...]]:
        """Trials of one key are repetitions."""
        return self.side, self.names

    @property
    def subjects(self) -> frozenset[str]:
        """What flipped: tests, files, or the run itself as the empty name."""
        return frozenset(self.flipped) | ({""} if self.whole else set())


def rounds(axes: Sequence[Sequence[Item]]) -> list[tuple[Item, ...]]:
    """One condition of each kind at a time, until all have had their turn."""
    return [tuple(item for item in row if item is not None) for row in zip_longest(*axes)]


def read(
    task: AssayMetadata, side: Side, names: Sequence[str], report: TestReport, ids: Sequence[str] | None = None
) -> Trial:
    """A run as a trial; `ids` are the tests that were asked for, None for all that count on this side."""
    is_base = side == BASE
    counted = task.fail_to_pass if is_base else (*task.fail_to_pass, *task.pass_to_pass)
    tests = frozenset(counted if ids is None else ids)
    whole = "" if is_base else _whole(report, tests)
    flipped: dict[str, TestOutcome] = {}
    for test_id in counted if not whole else ():
        outcome = outcome_of(report, test_id)
        if test_id in tests and (outcome.status is Status.PASSED) == is_base:
            flipped[_subject(report, test_id)] = outcome
    if whole and ids is not None:
        flipped, whole = dict.fromkeys(ids, TestOutcome(Status.MISSING, message=whole)), ""
    elif not is_base and not whole and not flipped and not report.complete:
        whole = "; ".join(map(str, report.problems)) or "the run is incomplete"
    return Trial(side, tuple(names), tests, flipped, whole)


def _subject(report: TestReport, test_id: str) -> str:
    """What flipped when this test did: the file that could not be collected, or the function whose ids are new."""
    if test_id in report.outcomes:
        return test_id
    path = test_id.partition("::")[0]
    return path if path in report.uncollected else test_id.partition("[")[0]


def _whole(report: TestReport, tests: frozenset[str]) -> str:
    """Why no test at all has an end of its own; empty when some have."""
    if tests & report.outcomes.keys():
        return f"stopped by the {report.stopped} limit" if report.stopped else ""
    first = next(iter(report.uncollected.values()), None)
    told = "; ".join(map(str, report.problems))
    return told or (f"{first.error_type} {first.message}" if first else "no test was reported")


def unexplained(trials: Sequence[Trial]) -> list[Trial]:
    """Trials of several conditions whose flips none of these did alone."""
    alone: dict[tuple[Side, str], set[str]] = {}
    for trial in trials:
        if len(trial.names) == 1:
            alone.setdefault((trial.side, trial.names[0]), set()).update(trial.subjects)
    return [
        trial
        for trial in trials
        if len(trial.names) > 1
        and trial.subjects - {s for name in trial.names for s in alone.get((trial.side, name), ())}
    ]


def judge(trials: Sequence[Trial], *, unknown: Sequence[str], hints: Mapping[str, str] | None = None) -> CheckResult:
    """All findings of the check. `hints` says more of a test that minds the order."""
    findings = [finding for side in (GOLD, BASE) for finding in _of_side(side, trials, hints or {})]
    names = {name for trial in trials for name in trial.names}
    flips = {finding.subject for finding in findings}
    tried = f"{len(names)} conditions in {len(trials)} runs"
    return conclude(
        "amplified",
        failed=bool(findings),
        summary=f"{tried}: {f'{len(flips)} tests flipped' if flips else 'nothing flipped'}",
        findings=findings,
        measures=(
            Measure(name="conditions", value=len(names)),
            Measure(name="flips", value=len(flips)),
            Measure(name="unsteady", value=sum(finding.kind == UNSTEADY for finding in findings)),
        ),
        unknown=unknown,
        known=bool(trials),
    )


def _of_side(side: Side, trials: Sequence[Trial], hints: Mapping[str, str]) -> Iterator[Finding]:
    own = [trial for trial in trials if trial.side == side]
    for subject in dict.fromkeys(s for trial in own for s in sorted(trial.subjects)):
        yield from _of_subject(subject, [_Seen(t, subject) for t in own if _concerns(t, subject)], hints)


def _concerns(trial: Trial, subject: str) -> bool:
    """Whether a trial could have shown this subject to flip."""
    if trial.names == (ALONE,):
        return subject in trial.subjects or subject in trial.tests
    return True


@dataclass(frozen=True, slots=True)
class _Seen:
    """One subject in one trial."""

    trial: Trial
    subject: str

    @property
    def fails(self) -> bool:
        return self.subject in self.trial.subjects

    @property
    def text(self) -> str:
        outcome = self.trial.flipped.get(self.subject)
        if outcome is None:
            return self.trial.whole
        said = f"{outcome.error_type} {outcome.message}".strip().partition("\n")[0]
        return f"{outcome.status}: {said}" if said else str(outcome.status)


def _of_subject(subject: str, seen: Sequence[_Seen], hints: Mapping[str, str]) -> Iterator[Finding]:
    """What makes one subject flip: conditions that did it every time, or chance."""
    by_names: dict[tuple[str, ...], list[_Seen]] = {}
    for one in seen:
        by_names.setdefault(one.trial.names, []).append(one)
    always = {names: found for names, found in by_names.items() if len(found) > 1 and all(one.fails for one in found)}
    if (STILL,) in always:
        # Whatever else was tried with it was tried under this one too.
        kind = EVERYWHERE if all(one.fails for one in seen) else STILL
        yield _finding(subject, kind, always[STILL,], hints)
        return
    singles = {names[0] for names in always if len(names) == 1}
    # What a condition does by itself, it does in company too.
    always = {names: found for names, found in always.items() if len(names) == 1 or not singles & set(names)}
    blamed = {name for names in always for name in names}
    elsewhere = [one for one in seen if not blamed & set(one.trial.names)]
    rate = sum(one.fails for one in elsewhere) / len(elsewhere) if elsewhere else 0.0
    sure = {names: found for names, found in always.items() if rate ** len(found) * len(by_names) <= CHANCE}
    for names, found in sure.items():
        yield _finding(subject, names[0] if len(names) == 1 else TOGETHER, found, hints)
    if not sure:
        yield _unsteady(subject, by_names)


def _finding(subject: str, kind: str, found: Sequence[_Seen], hints: Mapping[str, str]) -> Finding:
    trial = found[0].trial
    is_base = trial.side == BASE
    conditions = "every condition" if kind == EVERYWHERE else " + ".join(trial.names)
    does = "passes on the base" if is_base else "fails with the reference change"
    what = f"{subject} {does} under {conditions}" if subject else f"the whole run comes to nothing under {conditions}"
    evidence = list(dict.fromkeys(one.text for one in found if one.text))
    if kind.startswith("order") and subject in hints:
        evidence.append(hints[subject])
    return Finding(
        kind=kind,
        what=what if kind != ALONE else f"{subject} {does} when it runs alone",
        subject=subject,
        path=subject.partition("::")[0],
        evidence=tuple(evidence),
        advice=CLOCK_NOTE if kind.startswith("clock") and not is_base else "",
    )


def _unsteady(subject: str, by_names: Mapping[tuple[str, ...], Sequence[_Seen]]) -> Finding:
    failing = {names: found for names, found in by_names.items() if any(one.fails for one in found)}
    bad = sum(one.fails for found in by_names.values() for one in found)
    count = sum(map(len, by_names.values()))
    told = [
        f"{' + '.join(names)}: {sum(one.fails for one in found)} of {len(found)} runs"
        for names, found in failing.items()
    ]
    texts = dict.fromkeys(one.text for found in failing.values() for one in found if one.fails and one.text)
    return Finding(
        kind=UNSTEADY,
        what=f"{subject or 'the whole run'} ended otherwise in {bad} of {count} runs, under no condition every time",
        subject=subject,
        path=subject.partition("::")[0],
        evidence=tuple([*told, *texts][:EVIDENCE_TESTS]),
        advice=BY_CHANCE,
    )


def functions(ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The test functions behind ids, with the ids of each."""
    found: dict[str, list[str]] = {}
    for test_id in ids:
        found.setdefault(test_id.partition("[")[0], []).append(test_id)
    return {name: tuple(own) for name, own in found.items()}


def sample(names: Sequence[str], count: int, first: Container[str] = ()) -> tuple[list[str], list[str]]:
    """At most so many of these, and those left out: `first` before the others, evenly from one end to the other."""
    chosen = set(_evenly([name for name in names if name in first], count))
    chosen |= set(_evenly([name for name in names if name not in first], count - len(chosen)))
    return [name for name in names if name in chosen], [name for name in names if name not in chosen]


def _evenly(names: Sequence[str], count: int) -> list[str]:
    if len(names) <= count or count < 2:
        return list(names[: max(0, count)])
    return [names[place] for place in sorted({round(i * (len(names) - 1) / (count - 1)) for i in range(count)})]


CONFIGURATION = re.compile(r"(?:^|/)(?:tox\.ini|setup\.cfg|pyproject\.toml|\.?pytest\.(?:ini|toml)|noxfile\.py)$")
WORKFLOW = re.compile(r"^(?:\.github/workflows/|\.gitlab-ci|\.travis|\.circleci/|azure-pipelines|Makefile$|justfile$)")
WORKERS = re.compile(r"""(?:^|[\s"'=])(?:-n[\s=]?["',\s]*(?:\d+|auto|logical)\b|--numprocesses\b|--dist[\s=])""")
ASKS = re.compile(r"pytest|py\.test|addopts|posargs")


def uses_workers(tree: Tree) -> bool:
    """Whether the project's own configuration or CI shares its tests out with pytest-xdist."""
    for path, state in tree.items():
        is_configuration = bool(CONFIGURATION.search(path))
        if not is_configuration and not WORKFLOW.match(path):
            continue
        for line in state.data.decode("utf-8", "replace").splitlines():
            if WORKERS.search(line) and (
                ASKS.search(line) or (is_configuration and line.lstrip(" \"'").startswith("-"))
            ):
                return True
    return False
