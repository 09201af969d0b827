"""The table of checks: what each asks, how much its answer weighs, and what an author does about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.model.audit import CheckId, CheckResult, CheckStatus, Finding, Measure, Severity


@dataclass(frozen=True, slots=True)
class Definition:
    """One check."""

    check: CheckId
    question: str
    """What it asks, for people."""
    severity: Severity
    advice: str
    """What to do when it fails."""


TABLE: tuple[Definition, ...] = (
    Definition(
        "stability",
        "Do the same runs end the same way every time?",
        "gate",
        "quarantine the tests that flip, or make them independent of chance",
    ),
    Definition(
        "amplified",
        "Do they under another order, clock, locale, user, load?",
        "warning",
        "make these tests independent of the condition that flips them, or quarantine them",
    ),
    Definition(
        "ablation",
        "Does some test notice when a part of the reference change is left out?",
        "warning",
        "test the part, or take it out of the reference change",
    ),
    Definition(
        "mutants",
        "Do the tests notice when the changed code computes something wrong?",
        "warning",
        "assert what the surviving mutants change",
    ),
    Definition(
        "alternatives",
        "Are other spellings of the reference change accepted?",
        "gate",
        "do not test what the prompt does not ask for, or say it in the prompt",
    ),
    Definition(
        "hidden-names",
        "Is every name and text that the tests need in the base or in the prompt?",
        "gate",
        "say the name in the prompt's Interface section, or test without it",
    ),
    Definition(
        "requirements",
        "Which sentences of the prompt does no test exercise, which assertions does no sentence ask for?",
        "note",
        "read the pairs that are listed: test the sentence, or say what is tested",
    ),
    Definition(
        "leaks",
        "Is the answer in the prompt, in git, or anywhere in what the agent sees?",
        "gate",
        "take the answer out of the prompt and out of the environment",
    ),
    Definition(
        "hackability",
        "Is any scripted non-fix accepted?",
        "gate",
        "look at how it was accepted, and at the twins that the tests lack",
    ),
    Definition(
        "collateral",
        "Do tests outside the task's own list notice a wrong change that the task accepts?",
        "warning",
        "add these tests to pass_to_pass",
    ),
    Definition(
        "cost",
        "Is a verdict quick and small?",
        "warning",
        "look at where the time goes, and leave slow tests that guard nothing out",
    ),
)
BY_ID = {definition.check: definition for definition in TABLE}


def conclude(
    check: CheckId,
    *,
    failed: bool,
    summary: str,
    findings: Iterable[Finding] = (),
    measures: Iterable[Measure] = (),
    unknown: Iterable[str] = (),
    known: bool = True,
) -> CheckResult:
    """A check's result. What failed has failed, however much more could not be looked at; without `known` nothing
    else is said than that nobody knows.
    """
    status: CheckStatus = "fail" if failed else "pass" if known else "unknown"
    definition = BY_ID[check]
    return CheckResult(
        check=check,
        status=status,
        severity=definition.severity,
        summary=summary,
        findings=tuple(findings),
        measures=tuple(measures),
        unknown=tuple(unknown),
        advice=definition.advice if status == "fail" else "",
    )


def unanswered(check: CheckId, why: str) -> CheckResult:
    """A check that could not be made."""
    return conclude(check, failed=False, known=False, summary=why, unknown=(why,))
