"""What an audit found out about a task's verifier: one result a check, and what an author can do about it."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from assay.model.base import Frozen
from assay.model.failure import Failure

CheckId = Literal[
    "stability",
    "amplified",
    "ablation",
    "mutants",
    "alternatives",
    "hidden-names",
    "requirements",
    "leaks",
    "hackability",
    "collateral",
    "cost",
]
CHECK_IDS: tuple[CheckId, ...] = get_args(CheckId)
"""In the order in which people read them."""

CheckStatus = Literal["pass", "fail", "unknown"]
"""`unknown`: the check could not be made, or not far enough to say. Unknown is not pass."""

Severity = Literal["gate", "warning", "note"]
"""A failed gate fails the audit; a warning asks for a look; a note is work for a reviewer."""


class Finding(Frozen):
    """One thing that speaks against a task, with all that is needed to look at it."""

    kind: str
    """A stable word within its check, such as `flip`, `survivor`, `hidden-parameter`."""
    what: str
    """One sentence for people."""
    subject: str = ""
    """What it is about: a test's id, a name, a sentence of the prompt, a file of the sandbox."""
    path: str = ""
    """In the repository; empty when it is about no file of it."""
    line: int = 0
    """1-based, of the file as the reference change leaves it; 0 when no line is meant."""
    evidence: tuple[str, ...] = ()
    """Lines that show it: a diff, a message, the tests that ran."""
    advice: str = ""
    """What to do about this one, if that is more than the check's own advice."""


class Measure(Frozen):
    """A measured value. Shares run from 0 to 1, times are in seconds, sizes in bytes, as the name's end says."""

    name: str
    value: float
    low: float | None = None
    """Lower end of the 95 % interval, where one can be given."""
    high: float | None = None
    """Upper end."""
    count: int | None = None
    """How many trials it rests on."""


class CheckResult(Frozen):
    """What one check says about one task."""

    check: CheckId
    status: CheckStatus
    severity: Severity
    summary: str = ""
    """One line: what was measured."""
    findings: tuple[Finding, ...] = ()
    """What speaks against the task, the most telling first; also of a check that passes within its threshold."""
    measures: tuple[Measure, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be looked at, and why: each narrows what the result says."""
    advice: str = ""
    run_count: int = 0
    """Runs of tests that this took."""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    remembered: bool = False
    """Taken from an earlier audit of the same content."""


class Proposal(Frozen):
    """What could be done about a finding by rule. Never applied by itself."""

    title: str
    """What it does, in a few words."""
    why: str
    """Which finding it answers."""
    patch: str
    """A unified diff of the task's folder."""
    verified: str = ""
    """What was run to verify it, and how that ended."""


class AuditRun(Frozen):
    """All checks of one task."""

    task: str
    task_digest: str
    checks: tuple[CheckResult, ...] = ()
    complaint: str = ""
    """Why auditing means nothing: the reference change does not resolve the task."""
    failure: Failure | None = None
    """Why there is no result at all."""
    wall_seconds: float = 0.0
    proposals: tuple[Proposal, ...] = ()

    def of(self, check: CheckId) -> CheckResult | None:
        """One check's result, if it was made."""
        return next((result for result in self.checks if result.check == check), None)

    @property
    def failed_gates(self) -> tuple[CheckResult, ...]:
        """What makes the answer no."""
        return tuple(r for r in self.checks if r.severity == "gate" and r.status == "fail")

    @property
    def unknown_gates(self) -> tuple[CheckResult, ...]:
        """What keeps the answer from being yes."""
        return tuple(r for r in self.checks if r.severity == "gate" and r.status == "unknown")


class AuditSettings(Frozen):
    """Thresholds of the audit, as `[audit]` in assay.toml. Shares from 0 to 1, times in seconds."""

    runs: int = Field(default=10, ge=1)
    """Runs of the reference change, and of the base, for stability."""
    flips: int = Field(default=0, ge=0)
    """Tests that may flip in those runs."""
    mutant_count: int = Field(default=60, ge=0)
    """Mutants tried at most; more are drawn by lot."""
    mutant_kill_rate: float = Field(default=0.8, ge=0, le=1)
    """The check `mutants` fails below it."""
    unneeded_hunks: int = Field(default=0, ge=0)
    """Hunks of the reference change that no test needs."""
    alternatives_rejected: int = Field(default=0, ge=0)
    """Rewrites of the reference change with the same behaviour that the tests may reject."""
    attack_seconds: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """Wall time after which no further attack is begun."""
    check_seconds: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """Wall time after which a check begins no further variant."""
    verdict_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Wall time of a verdict, over which the check `cost` fails."""
    memory_mib: int = Field(default=2048, ge=1)
    """Memory of a run, over which the check `cost` fails."""
    disk_mib: int = Field(default=512, ge=1)
    """Bytes that a run may write, in MiB, over which the check `cost` fails."""
