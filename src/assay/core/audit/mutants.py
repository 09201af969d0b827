"""Do the tests notice when the changed code computes something wrong?

The rate is over what the tests run. A mutant that computes the same as the reference change on all calls that the
tests make may be equivalent to it: it counts neither for nor against them, and is shown last. One that no test runs
is a finding, and does not count either: that is the matter of `ablation`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from assay.core.audit.survivors import Sight, Survival, accepted, finding, in_order, not_tried, place
from assay.core.audit.table import conclude, unanswered
from assay.core.bounds import interval
from assay.model.audit import AuditSettings, CheckResult, Finding, Measure
from assay.model.tree import Tree
from assay.model.variant import Trial, Variant

SAID: dict[Survival, tuple[str, str]] = {
    "unnoticed": ("the tests compute something else, and none of them minds", "assert what this changes"),
    "uncovered": ("no test runs it", "add a test that runs this line"),
    "unseen": ("no test notices", "assert what this changes, unless it changes nothing that anybody can see"),
    "undistinguished": (
        "no call that the tests make tells the two apart",
        "call it with values that do, unless there are none",
    ),
}
MAX_UNDISTINGUISHED = 3
MAX_UNSEEN = 10
MAX_UNCOVERED = 5


def mutants_result(
    trials: Sequence[Trial], sight: Sight, gold: Tree, settings: AuditSettings, *, left_out: Sequence[Variant] = ()
) -> CheckResult:
    """The check's result, over mutants and wrong fixes. `left_out` are mutants that were made and not tried: those
    that no test runs are shown, one a function.
    """
    decided = [trial for trial in trials if trial.fate != "unknown"]
    unknown = not_tried(trials)
    if not decided:
        return unanswered("mutants", unknown[0] if unknown else "the changed lines have no mutant that tests run")
    ordered = in_order(accepted(decided), sight)
    counts = Counter(survival for survival, _ in ordered)
    killed = len(decided) - len(ordered)
    counted = killed + counts["unnoticed"]
    # What nobody could look at may be equivalent, or not: the answer has to be the same both ways.
    doubtful = counts["unseen"] + len(trials) - len(decided)
    rate = killed / counted if counted else 1.0
    worst = killed / (counted + doubtful) if counted + doubtful else 1.0
    failed = bool(counted) and rate < settings.mutant_kill_rate
    if counts["unseen"]:
        unknown.append(f"whether {counts['unseen']} of the survivors compute anything else")
    low, high = interval(killed, counted)
    return conclude(
        "mutants",
        failed=failed,
        known=bool(counted) and worst >= settings.mutant_kill_rate,
        summary=_summary(killed, counted, counts, low, high),
        findings=[*_findings(ordered, gold, sight), *_uncovered(left_out, gold, sight)],
        measures=_measures(rate if counted else None, (low, high), counted, counts, trials),
        unknown=unknown,
    )


def _summary(killed: int, counted: int, counts: Counter[Survival], low: float, high: float) -> str:
    if not counted:
        return "no mutant was noticed, or seen to compute anything else"
    text = f"{killed} of {counted} mutants are noticed ({killed / counted:.0%}, 95 % interval {low:.0%} to {high:.0%})"
    same, unseen = counts["undistinguished"], counts["unseen"]
    text += f"; {same} more compute the same on the tests' calls" if same else ""
    return text + (f"; {unseen} more survive, and nobody could see whether they differ" if unseen else "")


def _measures(
    rate: float | None, ends: tuple[float, float], counted: int, counts: Counter[Survival], trials: Sequence[Trial]
) -> list[Measure]:
    made = [] if rate is None else [Measure(name="kill_rate", value=rate, low=ends[0], high=ends[1], count=counted)]
    wrong = [t for t in trials if t.variant.family == "wrong-fix" and t.fate != "unknown"]
    if wrong:
        passed = sum(trial.fate == "accepted" for trial in wrong)
        low, high = interval(passed, len(wrong))
        share = passed / len(wrong)
        made.append(Measure(name="wrong_fixes_accepted_share", value=share, low=low, high=high, count=len(wrong)))
    names: tuple[Survival, ...] = ("unnoticed", "uncovered", "unseen", "undistinguished")
    return [*made, *(Measure(name=f"{name}_count", value=counts[name], count=len(trials)) for name in names)]


def _findings(ordered: Sequence[tuple[Survival, Variant]], gold: Tree, sight: Sight) -> Iterable[Finding]:
    """The survivors, most telling first; of those that say little, a few."""
    shown: Counter[Survival] = Counter()
    limits: dict[Survival, int] = {"undistinguished": MAX_UNDISTINGUISHED, "unseen": MAX_UNSEEN}
    for survival, variant in ordered:
        shown[survival] += 1
        if shown[survival] > limits.get(survival, len(ordered)):
            continue
        yield _finding(survival, variant, gold, sight)


def _uncovered(left_out: Sequence[Variant], gold: Tree, sight: Sight) -> Iterable[Finding]:
    """Of each function with changed lines that no test runs, one mutant."""
    functions: dict[tuple[str, str], Variant] = {}
    for survival, variant in in_order([v for v in left_out if v.rank == 0], sight):
        if survival == "uncovered":
            functions.setdefault((variant.path, variant.function), variant)
    for variant in list(functions.values())[:MAX_UNCOVERED]:
        yield _finding("uncovered", variant, gold, sight)


def _finding(survival: Survival, variant: Variant, gold: Tree, sight: Sight) -> Finding:
    said, advice = SAID[survival]
    return finding(variant, gold, sight, kind=survival, what=f"{place(variant)}: {variant.what}: {said}", advice=advice)
