"""What verification leaves beside a task: enough to see why it was believed, bound to the content judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from assay import __version__
from assay.core.admission import Admission
from assay.model.environment import Environment
from assay.model.evidence import Evidence
from assay.model.report import TestReport
from assay.model.task import Task
from assay.ports.clock import Clock


def verify_evidence(
    task: Task,
    digest: str,
    environment: Environment,
    admission: Admission,
    base_runs: Sequence[TestReport],
    gold_runs: Sequence[TestReport],
    clock: Clock,
) -> Evidence:
    """Evidence of stage `verify`: statuses by run, the cause of each failure on the base, the environment."""
    return Evidence(
        stage="verify",
        task_digest=digest,
        assay_version=__version__,
        created_at=clock.now(),
        data={
            "environment": environment.digest,
            "framework": task.assay.framework,
            "runs": {
                "base": [run_summary(run) for run in base_runs],
                "gold": [run_summary(run) for run in gold_runs],
            },
            "fail_to_pass": [
                {"id": name, "cause": cause, "base_message": _message(base_runs[0], name)}
                for name, cause in admission.causes
            ],
            "quarantined": list(admission.quarantined),
        },
    )


def run_summary(report: TestReport) -> dict[str, Any]:
    """One run in numbers."""
    counts = Counter(outcome.status.value for outcome in report.outcomes.values())
    return {
        "statuses": dict(sorted(counts.items())),
        "uncollected": sorted(report.uncollected),
        "complete": report.complete,
        "exit_status": report.exit_status,
        "test_seconds": round(sum(outcome.seconds for outcome in report.outcomes.values()), 3),
    }


def _message(report: TestReport, name: str) -> str:
    outcome = report.outcomes.get(name) or report.uncollected.get(name.partition("::")[0])
    return f"{outcome.error_type}: {outcome.message}"[:500] if outcome else ""
