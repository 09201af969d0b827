"""What can be said of a task whose own script gives the reward: whether equal tries end equally, and what they take.

Everything else needs tests that can be looked at one by one, or tries without number; it is unknown, and never passed.
"""

from __future__ import annotations

from collections.abc import Collection

import anyio

from assay.core.audit.script import judge_cost, judge_tries
from assay.core.audit.table import unanswered
from assay.core.hashing import task_digest
from assay.model.audit import CHECK_IDS, AuditRun, AuditSettings, CheckId, CheckResult
from assay.model.event import Checked, OnEvent, Stage
from assay.model.task import Task
from assay.model.verdict import Verdict
from assay.stages.scripted import Try, judge_script
from assay.stages.toolbox import Toolbox

NO_TESTS = "its own script gives a reward, and no tests to look at one by one"


async def audit_script(
    task: Task, tools: Toolbox, emit: OnEvent, settings: AuditSettings, only: Collection[CheckId]
) -> AuditRun:
    """Every check that was asked for. Raises PrerequisiteError when the sandbox has no images."""
    began = anyio.current_time()
    tries: dict[str, list[Verdict]] = {"oracle": [], "nop": []}
    asked = [check for check in CHECK_IDS if check in (only or CHECK_IDS)]
    for _ in range(settings.runs if "stability" in asked else "cost" in asked):
        for agent, verdicts in tries.items():
            emit(Stage(subject=task.slug, stage=f"audit {agent}"))
            verdicts.append(await judge_script(task, Try(agent), tools, stage="audit"))
    checks = []
    for check in asked:
        result = _result(check, tries, settings)
        if check in ("stability", "cost"):
            judged = [verdict for verdicts in tries.values() for verdict in verdicts]
            spent = {"run_count": len(judged), "wall_seconds": round(sum(v.wall_seconds for v in judged), 3)}
            result = result.model_copy(update=spent if check == asked[0] or "stability" not in asked else {})
        checks.append(result)
        emit(Checked(checks[-1], task.slug))
    seconds = round(anyio.current_time() - began, 3)
    return AuditRun(task=task.slug, task_digest=task_digest(task), checks=tuple(checks), wall_seconds=seconds)


def _result(check: CheckId, tries: dict[str, list[Verdict]], settings: AuditSettings) -> CheckResult:
    if check == "stability":
        return judge_tries(tries, settings.flips)
    if check == "cost":
        return judge_cost(tries["oracle"], settings.verdict_seconds)
    return unanswered(check, NO_TESTS)
