"""One trial: an agent tries a task, what it changed is read out from outside, and judged cold in other sandboxes.

The agent's part is handed over as soon as it has ended, before the judge begins: it is what was paid for, and is never
paid for twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from assay.errors import InfrastructureError
from assay.model.agent import Entrant
from assay.model.failure import Failure
from assay.model.trial import Trial, TrialCost
from assay.ports.agent import Agent
from assay.stages.attempt import judge_patch
from assay.stages.judging import Prepared
from assay.stages.toolbox import Toolbox

OnWorked = Callable[[Trial], Awaitable[None]]
"""Takes the trial when the agent has ended and nobody has judged yet."""


async def try_task(
    prepared: Prepared, agent: Agent, entrant: Entrant, attempt: int, tools: Toolbox, on_worked: OnWorked
) -> Trial:
    """Let the agent try, and judge. A fault around it is a failure in the trial, never a score.

    Raises PrerequisiteError and InputError when the agent cannot be used at all, TaskDefinitionError for the task.
    """
    task, started_at = prepared.task, tools.clock.now()
    trial = Trial(
        task=task.slug,
        task_digest=prepared.digest,
        agent=entrant.agent,
        agent_version=entrant.agent_version,
        model=entrant.model,
        attempt=attempt,
        started_at=started_at,
    )
    try:
        patch = await agent.attempt(task)
    except InfrastructureError as error:
        return trial.model_copy(update={"failure": Failure.of(error)})
    wall_seconds = (tools.clock.now() - started_at).total_seconds()
    cost = TrialCost(usd=0.0, model_call_count=0, wall_seconds=wall_seconds)
    worked = trial.model_copy(update={"patch": patch, "ended": "submitted", "cost": cost})
    await on_worked(worked)
    return await judge_trial(prepared, worked, tools)


async def judge_trial(prepared: Prepared, worked: Trial, tools: Toolbox) -> Trial:
    """The same trial with a verdict on its patch. Raises TaskDefinitionError."""
    verdict = await judge_patch(prepared, worked.agent, worked.patch or b"", tools)
    return worked.judged(verdict)
