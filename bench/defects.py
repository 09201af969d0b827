"""The table of defects: how each is planted, which checks must name it, and when a finding does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.model.audit import AuditRun, CheckId, CheckResult, Finding
from bench import planting_task, planting_tests
from bench.soil import Plant


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind of defect, and the checks of which one at least must name it."""

    plant: Plant | None
    """None: it is planted together with another."""
    checks: tuple[CheckId, ...]


DEFECTS: dict[str, Defect] = {
    "assertion": Defect(planting_tests.lost_assertion, ("ablation", "mutants")),
    "comparison": Defect(planting_tests.wide_comparison, ("ablation", "mutants")),
    "order": Defect(planting_tests.order_and_clock, ("amplified",)),
    "clock": Defect(None, ("amplified",)),
    "network": Defect(planting_tests.network_dependence, ("stability",)),
    "chance": Defect(planting_tests.chance, ("stability",)),
    "hidden-name": Defect(planting_task.hidden_name, ("hidden-names",)),
    "told-fix": Defect(planting_task.told_fix, ("leaks",)),
    "release": Defect(planting_task.fixed_release, ("leaks",)),
    "hunk": Defect(planting_task.unneeded_hunk, ("ablation",)),
    "narrow": Defect(planting_tests.narrow_message, ("hidden-names", "alternatives")),
}


def told(audit: AuditRun, before: AuditRun | None, marks: Sequence[str]) -> dict[str, Any]:
    """Whether a finding names the defect, and what was said."""
    named = [
        (result, finding)
        for result in audit.checks
        for finding in result.findings
        if (names(finding, marks) if marks else is_new(result, finding, before))
    ]
    complaint = audit.complaint or (str(audit.failure) if audit.failure else "")
    told_so = any(mark in complaint for mark in marks)
    return {
        "found": bool(named) or told_so,
        "by": sorted({result.check for result, _ in named}) or (["complaint"] if told_so else []),
        "complaint": complaint,
        "status": {result.check: result.status for result in audit.checks},
        "summary": {result.check: result.summary for result in audit.checks},
        "unknown": {result.check: result.unknown for result in audit.checks if result.unknown},
        "named": [finding.what for _, finding in named][:5],
        "kinds": dict(Counter(finding.kind for _, finding in named)),
        "findings": sum(len(result.findings) for result in audit.checks),
        "audit_seconds": audit.wall_seconds,
    }


def names(finding: Finding, marks: Sequence[str]) -> bool:
    """Whether a finding has a mark of the defect in it."""
    text = "\n".join((finding.what, finding.subject, finding.path, *finding.evidence))
    return any(mark in text for mark in marks)


def is_new(result: CheckResult, finding: Finding, before: AuditRun | None) -> bool:
    """Whether the untouched task lacks a finding, and stands better by the check's own measures."""
    known = before.of(result.check) if before else None
    return known is not None and finding.subject not in {f.subject for f in known.findings} and worse(result, known)


def worse(result: CheckResult, known: CheckResult) -> bool:
    """Whether a share of the check has sunk, or more survive; checks that measure neither cannot be worse or better."""
    before, now = ({m.name: m.value for m in one.measures if not m.name.startswith("wrong")} for one in (known, result))
    shares = [name for name in before if name.endswith(("_share", "_rate"))]
    counts = [name for name in before if name.endswith("_count")]
    more = sum(now.get(name, 0.0) for name in counts) > sum(before[name] for name in counts)
    return more or not (shares or counts) or any(now.get(name, 0.0) < before[name] for name in shares)
