"""What verification leaves beside a task: enough to see why it was believed, bound to the content judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from assay import __version__
from assay.core.admission import Admission
from assay.core.hashing import task_digest
from assay.model.environment import Environment
from assay.model.evidence import Evidence
from assay.model.loss import Loss
from assay.model.report import TestReport
from assay.model.task import Task
from assay.model.twin import Pool
from assay.model.verdict import Verdict
from assay.ports.clock import Clock


def verify_evidence(
    task: Task,
    digest: str,
    environment: Environment,
    admission: Admission,
    base_runs: Sequence[TestReport],
    gold_runs: Sequence[TestReport],
    clock: Clock,
    *,
    suite: Mapping[str, object],
) -> Evidence:
    """Evidence of stage `verify`: statuses by run, the cause of each failure on the base, the environment, and which
    part of the project's tests was run (`whole`, `reached` by imports from the change, `changed` by it).
    """
    return _evidence(
        digest,
        clock,
        {
            "environment": environment.digest,
            "framework": task.assay.framework,
            "suite": dict(suite),
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


def proof_evidence(
    task: Task,
    digest: str,
    environment: Environment,
    pool: Pool,
    verdicts: Mapping[str, Sequence[Verdict]],
    complaints: Sequence[str],
    clock: Clock,
    losses: Sequence[Loss] = (),
) -> Evidence:
    """Evidence of stage `verify` when a task was proved again: every verdict by agent, what the twins cover, and which
    published tests of an imported task do not hold.
    """
    messages = {t.id: t.message for t in verdicts["nop"][0].tests}
    return _evidence(
        digest,
        clock,
        {
            "environment": environment.digest,
            "framework": task.assay.framework,
            "verdicts": {agent: [verdict_summary(v) for v in of_agent] for agent, of_agent in verdicts.items()},
            "fail_to_pass": [{"id": i, "base_message": messages.get(i, "")} for i in task.assay.fail_to_pass],
            "quarantined": list(task.assay.quarantined),
            "twins": twins_summary(pool),
            "proved": not complaints,
            "complaints": list(complaints),
            **({"not_as_published": [f"{loss.field}: {loss.reason}" for loss in losses]} if losses else {}),
        },
    )


def script_evidence(
    task: Task, verdicts: Mapping[str, Sequence[Verdict]], complaints: Sequence[str], clock: Clock
) -> Evidence:
    """Evidence of stage `verify` for a task whose own script gives the reward."""
    return _evidence(
        task_digest(task),
        clock,
        {
            "framework": task.assay.framework,
            "verdicts": {agent: [verdict_summary(v) for v in of_agent] for agent, of_agent in verdicts.items()},
            "guards": "none: the reward is what the task's own script writes beside the candidate's code",
            "proved": not complaints,
            "complaints": list(complaints),
        },
    )


def _evidence(digest: str, clock: Clock, data: dict[str, Any]) -> Evidence:
    return Evidence(stage="verify", task_digest=digest, assay_version=__version__, created_at=clock.now(), data=data)


def twins_summary(pool: Pool) -> dict[str, Any]:
    """What the twins of a task cover, and for each test that they do not, why."""
    kinds = Counter(twin.kind for woven in pool.woven for twin in woven.twins)
    return {
        "functions": len(pool.woven),
        "by_kind": dict(sorted(kinds.items())),
        "without": pool.without,
        "without_changed": pool.without_changed,
        "judged_alone": list(pool.plain),
        "run_seconds": round(pool.run_seconds, 3),
    }


def verdict_summary(verdict: Verdict) -> dict[str, Any]:
    """One verdict in numbers."""
    return {
        "resolved": verdict.resolved,
        "reason": verdict.reason,
        "passed": verdict.passed_count,
        "total": verdict.total_count,
        "twins": verdict.twins.model_dump(mode="json") if verdict.twins else None,
        "seed": verdict.seed,
        "verifier_sha256": verdict.verifier_sha256,
    }


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
