"""What trials of rewrites say: a verifier that rejects one of them tests more than the prompt asks for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from assay.core.audit.table import conclude, unanswered
from assay.core.syntax import decode
from assay.model.audit import AuditSettings, CheckResult, Finding, Measure
from assay.model.tree import FileState, Tree
from assay.model.variant import Trial, Variant

MAX_DIFF_LINES = 40
MAX_UNKNOWN = 10

ADVICE = {
    "message": "say the message in the prompt, or assert the exception's type alone",
    "warning-text": "say the warning's text in the prompt, or assert its category alone",
    "rename-helper": "name it in the prompt's Interface section, or test what it is for through the public names",
    "rename-attribute": "name it in the prompt's Interface section, or test through the public names",
    "rename-local": "do not look at local variables or source lines",
    "docstring": "say the docstring in the prompt, or do not test it",
    "drop-annotations": "say the annotations in the prompt, or do not test them",
    "container": "compare what comes out, not the kind of container",
    "constant-container": "compare what comes out, not the kind of container",
}
OTHERWISE = "find out what the test depends on: no caller sees a difference; test the result alone"


NO_REWRITE = "no rewrite could be made that surely does the same; add another right solution: --right FILE"
"""Then nobody knows, until the bank holds a right solution."""


def judge_alternatives(trials: Sequence[Trial], gold: Tree, settings: AuditSettings) -> CheckResult:
    """The check `alternatives`, from the trials of rewrites; `gold` is the repository that they were made of."""
    if not trials:
        return unanswered("alternatives", NO_REWRITE)
    rejected = [trial for trial in trials if trial.fate == "rejected"]
    open_ones = [trial for trial in trials if trial.fate == "unknown"]
    known = len(trials) - len(open_ones)
    return conclude(
        "alternatives",
        failed=len(rejected) > settings.alternatives_rejected,
        summary=f"{len(rejected)} of {known} rewrites with the same behaviour are rejected",
        findings=[_finding(trial, gold) for trial in rejected],
        measures=_measures(len(rejected), known),
        unknown=[f"{trial.variant.key}: {trial.message}" for trial in open_ones[:MAX_UNKNOWN]],
        known=known > 0,
    )


def _measures(rejected: int, known: int) -> list[Measure]:
    return [Measure(name="rejected_share", value=rejected / known, count=known)] if known else []


def _finding(trial: Trial, gold: Tree) -> Finding:
    variant = trial.variant
    return Finding(
        kind=variant.kind,
        what=f"{trial.by or 'a run'} rejects a solution with the same behaviour: {variant.what}",
        subject=trial.by,
        path=variant.path,
        line=variant.line,
        evidence=(*diff_of(variant, gold), *trial.message.splitlines()[:MAX_DIFF_LINES]),
        advice=ADVICE.get(variant.kind, OTHERWISE),
    )


def diff_of(variant: Variant, gold: Tree) -> list[str]:
    """What a variant changes, as the lines of a unified diff; cut when it is long."""
    lines: list[str] = []
    for path, state in sorted(variant.files.items()):
        before, after = _lines(gold.get(path)), _lines(state)
        lines += difflib.unified_diff(before, after, path, path, n=2, lineterm="")
    cut = [f"... and {len(lines) - MAX_DIFF_LINES} lines more"] if len(lines) > MAX_DIFF_LINES else []
    return lines[:MAX_DIFF_LINES] + cut


def _lines(state: FileState | None) -> list[str]:
    return (decode(state.data) or "").splitlines() if state else []
