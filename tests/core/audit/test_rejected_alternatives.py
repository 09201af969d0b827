"""What rejected rewrites say about a task."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.core.alternatives.change import Change
from assay.core.alternatives.making import alternatives
from assay.core.audit.alternatives import judge_alternatives
from assay.model.audit import AuditSettings
from assay.model.tree import FileState
from assay.model.variant import Fate, Trial, Variant

PATH = "pkg.py"
GOLD = {
    PATH: FileState(
        b"def f(x):\n    if not x:\n        raise ValueError('nothing was given at all')\n    return x + 1\n"
    )
}
VARIANTS = {variant.kind: variant for variant in alternatives(Change({}, GOLD, GOLD, "", {}))}


def trial(kind: str, fate: Fate, message: str = "") -> Trial:
    return Trial(VARIANTS[kind], fate, by="t.py::test_f" if fate == "rejected" else "", message=message)


def test_a_rejected_rewrite_is_shown_with_what_to_do() -> None:
    trials = [trial("message", "rejected", "AssertionError: no match"), trial("extract-return", "accepted")]
    result = judge_alternatives(trials, GOLD, AuditSettings())
    assert (result.check, result.status, result.severity) == ("alternatives", "fail", "gate")
    (finding,) = result.findings
    assert (finding.kind, finding.subject, finding.path, finding.line) == ("message", "t.py::test_f", PATH, 3)
    assert "-        raise ValueError('nothing was given at all')" in finding.evidence
    assert '+        raise ValueError("This was refused")' in finding.evidence
    assert finding.evidence[-1] == "AssertionError: no match"
    assert "say the message in the prompt" in finding.advice
    assert [(m.value, m.count) for m in result.measures] == [(0.5, 2)]
    lenient = judge_alternatives(trials, GOLD, AuditSettings(alternatives_rejected=1))
    assert (lenient.status, lenient.findings) == ("pass", result.findings)


@pytest.mark.parametrize(
    ("fates", "status"),
    [
        ((), "unknown"),
        (("unknown", "unknown"), "unknown"),
        (("accepted", "unknown"), "pass"),
        (("accepted", "accepted"), "pass"),
        (("rejected", "unknown"), "fail"),
    ],
)
def test_unknown_is_not_pass(fates: tuple[Fate, ...], status: str) -> None:
    trials = [trial("extract-return", fate, "the sandbox broke") for fate in fates]
    result = judge_alternatives(trials, GOLD, AuditSettings())
    assert result.status == status
    assert len(result.unknown) == max(fates.count("unknown"), not fates)


def test_evidence_is_cut() -> None:
    many = "\n".join(f"x{n} = 1" for n in range(500))
    variant: Variant = replace(VARIANTS["message"], files={PATH: FileState(many.encode())})
    result = judge_alternatives([Trial(variant, "rejected", message=many)], GOLD, AuditSettings())
    assert len(result.findings[0].evidence) < 100
