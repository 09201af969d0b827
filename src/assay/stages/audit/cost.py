"""The check `cost`: one verdict on the reference change, and one bare run for where the time goes."""

from __future__ import annotations

from assay.core.audit.cost import judge as conclude
from assay.core.audit.table import unanswered
from assay.model.audit import CheckResult
from assay.stages.audit.ground import Ground
from assay.stages.judging import judge


async def check(ground: Ground) -> CheckResult:
    """Measure. Raises SandboxError and its kin."""
    prepared = ground.prepared
    judged = await judge(prepared, "oracle", ground.task.gold_patch, prepared.stand.runner)
    ground.tally.run_count += len(judged.reports)
    verdict = judged.verdict
    if verdict.failure is not None:
        return unanswered("cost", f"there is no verdict on the reference change: {verdict.failure.message}")
    run = await ground.run(ground.applied.layer)
    return conclude(verdict.wall_seconds, run.usage, run.report, bool(prepared.pool.woven), ground.settings)
