"""One trial: an agent tries a task, what it changed is read out from outside, and judged cold in other sandboxes.

The agent's part is handed over as soon as it has ended, before the judge begins: it is what was paid for, and is never
paid for twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from assay.errors import InfrastructureError
from assay.model.agent import Entrant
from assay.model.failure import Failure
from assay.model.task import Task
from assay.model.trial import Trial, TrialCost
from assay.ports.agent import Agent, Worker
from assay.ports.model import ModelGate
from assay.stages.attempt import judge_patch
from assay.stages.judging import Prepared
from assay.stages.toolbox import Toolbox
from assay.stages.working import Worked, work

OnWorked = Callable[[Trial], Awaitable[None]]
"""Takes the trial when the agent has ended and nobody has judged yet."""


async def try_task(
    prepared: Prepared,
    agent: Agent | Worker,
    entrant: Entrant,
    attempt: int,
    tools: Toolbox,
    on_worked: OnWorked,
    gate: ModelGate | None = None,
) -> Trial:
    """Let the agent try, and judge; `gate` is the way to its model, if it has one. A fault around it is a failure in
    the trial, never a score, and then nobody is told that it has worked.

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
    if isinstance(agent, Worker):
        worked = await work(prepared, agent, entrant, attempt, tools, gate)
    else:
        worked = await _ask(agent, task, attempt, tools)
    told = {"cost": worked.cost, "trajectory": worked.trajectory, "extra": worked.extra}
    if worked.failure is not None:
        return trial.model_copy(update={**told, "failure": Failure.of(worked.failure)})
    trial = trial.model_copy(update={**told, "patch": worked.patch, "ended": worked.ended})
    await on_worked(trial)
    return await judge_trial(prepared, trial, tools)


async def _ask(agent: Agent, task: Task, attempt: int, tools: Toolbox) -> Worked:
    """The patch of an agent that does not work in a sandbox."""
    started_at = tools.clock.now()
    try:
        patch = await agent.attempt(task, attempt)
    except InfrastructureError as error:
        return Worked(failure=error)
    wall_seconds = (tools.clock.now() - started_at).total_seconds()
    cost = TrialCost(usd=0.0, model_call_count=0, wall_seconds=wall_seconds)
    return Worked("submitted", patch, cost=cost)


async def judge_trial(prepared: Prepared, worked: Trial, tools: Toolbox) -> Trial:
    """The same trial with a verdict on its patch. Raises TaskDefinitionError."""
    verdict = await judge_patch(prepared, worked.agent, worked.patch or b"", tools)
    return worked.judged(verdict)
