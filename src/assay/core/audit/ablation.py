"""Does some test notice when a part of the reference change is left out?

A part that no test notices is one of three things: superfluous for this task, never run by a test, or run and not
asserted. Hunks decide; statements in a hunk whose absence is noticed are shown as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay.core.audit.survivors import Sight, Survival, accepted, finding, in_order, not_tried, place
from assay.core.audit.table import conclude, unanswered
from assay.core.bounds import interval
from assay.core.variants.ablation import HUNK
from assay.model.audit import AuditSettings, CheckResult, Finding, Measure
from assay.model.tree import Tree
from assay.model.variant import Trial, Variant

UNNEEDED = "unneeded"
KINDS: dict[Survival, tuple[str, str, str]] = {
    "unnoticed": (
        "unnoticed",
        "the tests compute something else without it, and none of them minds",
        "assert what it changes",
    ),
    "uncovered": ("untested", "no test runs it", "add a test that runs it, or take it out of the reference change"),
    "unseen": (
        "unneeded-or-untested",
        "no test notices when it is missing",
        "test it, or take it out of the reference change",
    ),
    "undistinguished": (
        UNNEEDED,
        "the tests run it, and compute the same without it",
        "take it out of the reference change, or test what it is for",
    ),
}
"""The finding's kind, what is said, and what to do, by what was seen."""
BACK: dict[Survival, str] = {
    "unnoticed": "the tests compute something else with what was deleted, and none of them minds",
    "uncovered": "no test runs the place",
    "unseen": "no test notices that it is there",
    "undistinguished": "the tests compute the same with what was deleted",
}
"""What is said of a part of the change that deletes something."""
MAX_STATEMENTS = 10


def is_unneeded_hunk(finding: Finding) -> bool:
    """Whether a finding says of a whole hunk that tests run it and that it changes nothing for them."""
    # The key of a variant ends in its kind, or in a number behind it.
    return finding.kind == UNNEEDED and HUNK in finding.subject.split(":")[-2:]


def ablation_result(
    trials: Sequence[Trial], sight: Sight, gold: Tree, settings: AuditSettings, *, untried: Iterable[str] = ()
) -> CheckResult:
    """The check's result. `untried` are parts that could not be left out, or that there was no time for, as
    sentences.
    """
    hunks = [trial for trial in trials if trial.variant.kind == HUNK]
    if not hunks:
        return unanswered("ablation", "the reference change has no part that can be left out on its own")
    decided = [trial for trial in hunks if trial.fate != "unknown"]
    surviving = accepted(hunks)
    statements = [v for v in accepted(t for t in trials if t.variant.kind != HUNK) if not _inside(v, surviving)]
    findings = [_finding(*pair, gold, sight) for pair in in_order(surviving, sight)]
    # A statement whose absence changes nothing says little: what it does may be done again elsewhere.
    telling = [pair for pair in in_order(statements, sight) if pair[0] != "undistinguished" and pair[1].rank == 0]
    findings += [_finding(*pair, gold, sight) for pair in telling[:MAX_STATEMENTS]]
    unknown = [*not_tried(trials), *untried]
    return conclude(
        "ablation",
        failed=len(surviving) > settings.unneeded_hunks,
        known=len(decided) == len(hunks) and not untried,
        summary=_summary(len(surviving), len(decided), len(telling)),
        findings=findings,
        measures=_measures(decided, trials),
        unknown=unknown,
    )


def _summary(surviving: int, decided: int, statements: int) -> str:
    text = f"{decided - surviving} of {decided} hunks are noticed when they are missing"
    return f"{text}; {statements} single statements are not" if statements else text


def _measures(decided: Sequence[Trial], trials: Sequence[Trial]) -> list[Measure]:
    made = []
    parts = [t for t in trials if t.variant.kind != HUNK and t.fate != "unknown"]
    for name, group in (("hunks_noticed_share", decided), ("statements_noticed_share", parts)):
        noticed = sum(trial.fate == "rejected" for trial in group)
        if group:
            low, high = interval(noticed, len(group))
            made.append(Measure(name=name, value=noticed / len(group), low=low, high=high, count=len(group)))
    return made


def _inside(variant: Variant, hunks: Sequence[Variant]) -> bool:
    """Whether a statement belongs to a hunk that is a finding already."""
    return any(
        hunk.path == variant.path and (variant.line in hunk.lines or not variant.lines.isdisjoint(hunk.lines))
        for hunk in hunks
    )


def _finding(survival: Survival, variant: Variant, gold: Tree, sight: Sight) -> Finding:
    kind, said, advice = KINDS[survival]
    if variant.what.endswith(" back"):
        said, advice = BACK[survival], "leave it there, or test that it is gone"
    return finding(variant, gold, sight, kind=kind, what=f"{place(variant)}: {variant.what}: {said}", advice=advice)
