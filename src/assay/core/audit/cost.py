"""What a verdict costs, and where the time goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assay.core.audit.table import conclude
from assay.model.audit import AuditSettings, CheckResult, Finding, Measure
from assay.model.report import TestReport
from assay.model.sandbox import MIB, Usage

SLOWEST = 5
SLOW_SHARE = 0.1
"""A test that takes less of the run than this is not worth a line."""


def judge(verdict_seconds: float, run: Usage, report: TestReport, twins: bool, settings: AuditSettings) -> CheckResult:
    """The answer, from the wall time of a verdict and from one run of the tests over the reference change."""
    testing = sum(outcome.seconds for outcome in report.outcomes.values())
    peak = run.memory_peak_bytes
    findings = [
        *_over("slow-verdict", "a verdict takes", verdict_seconds, settings.verdict_seconds, "s"),
        *_over("much-memory", "a run takes", (peak or 0) / MIB, settings.memory_mib, "MiB of memory"),
        *_over("much-disk", "a run writes", run.written_bytes / MIB, settings.disk_mib, "MiB"),
    ]
    if findings:
        findings += _where(report, run.wall_seconds, testing)
    measures = [
        Measure(name="verdict_seconds", value=round(verdict_seconds, 3)),
        Measure(name="run_seconds", value=round(run.wall_seconds, 3)),
        Measure(name="testing_seconds", value=round(testing, 3)),
        Measure(name="written_bytes", value=float(run.written_bytes)),
    ]
    if peak is not None:
        measures.append(Measure(name="memory_peak_bytes", value=float(peak)))
    memory = f"{peak / MIB:.0f} MiB" if peak is not None else "memory unknown"
    ways = "two runs with twins" if twins else "runs without twins"
    return conclude(
        "cost",
        failed=bool(findings),
        summary=f"verdict {verdict_seconds:.1f} s ({ways}), {memory}, {run.written_bytes / MIB:.1f} MiB written",
        findings=findings,
        measures=measures,
        unknown=() if peak is not None else ("the machine does not tell how much memory a run takes",),
    )


def _over(kind: str, what: str, value: float, limit: float, unit: str) -> Iterator[Finding]:
    if value > limit:
        yield Finding(kind=kind, what=f"{what} {value:.1f} {unit}; the budget is {limit:g}")


def _where(report: TestReport, wall_seconds: float, testing: float) -> Iterable[Finding]:
    """The slowest tests, and what is spent around them."""
    slowest = sorted(report.outcomes.items(), key=lambda pair: -pair[1].seconds)[:SLOWEST]
    for test_id, outcome in slowest:
        if outcome.seconds > SLOW_SHARE * wall_seconds:
            yield Finding(
                kind="slow-test",
                what=f"{test_id} takes {outcome.seconds:.1f} s of {wall_seconds:.1f} s",
                subject=test_id,
                path=test_id.partition("::")[0],
            )
    around = wall_seconds - testing
    if around > SLOW_SHARE * wall_seconds and around > 1:
        yield Finding(
            kind="slow-start",
            what=f"{around:.1f} s of {wall_seconds:.1f} s go into starting, importing and collecting",
        )
