"""How the parts of a trial are done: reading and preparing its task, the agent's attempt, the judgement.

Apart from `stages.trials`, which decides what is done when, so that each can be tried without the other: a scripted
craft (`assay.testing.trials`) runs ten thousand trials in a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from assay.core.hashing import task_digest
from assay.model.agent import Entrant
from assay.model.event import OnEvent
from assay.model.trial import Trial
from assay.ports.agent import Agent, Worker
from assay.ports.model import ModelGate
from assay.stages.attempt import prepare_attempts
from assay.stages.judging import Prepared, first_of
from assay.stages.toolbox import Toolbox
from assay.stages.trial import OnWorked, judge_trial, try_task
from assay.stages.trial_money import Meter, MeteredGate


@dataclass(frozen=True, slots=True)
class Named:
    """A task as it stands in its folder."""

    slug: str
    digest: str


class Craft(Protocol):
    """The parts of a trial of one entrant. A fault around the agent is a failure in the trial; see `stages.trial`."""

    @property
    def entrant(self) -> Entrant:
        """Who tries."""
        ...

    async def read(self, path: Path) -> Named:
        """Which task lies there. Raises TaskDefinitionError."""
        ...

    async def prepare(self, path: Path) -> Prepared:
        """The task, ready to be tried as often as one likes. Raises TaskDefinitionError, InfrastructureError,
        PrerequisiteError.
        """
        ...

    async def attempt(self, prepared: Prepared, number: int, meter: Meter, on_worked: OnWorked) -> Trial:
        """Let the agent try, and judge. `meter` sees dollars as they are spent. Raises as `try_task` does."""
        ...

    async def judge(self, prepared: Prepared, worked: Trial) -> Trial:
        """The verdict on what an agent has left. Raises TaskDefinitionError."""
        ...


@dataclass(frozen=True, slots=True)
class Trying:
    """The craft of real trials, by an agent that is ready to try."""

    agent: Agent | Worker
    entrant: Entrant
    gate: ModelGate | None
    tools: Toolbox
    emit: OnEvent

    async def read(self, path: Path) -> Named:
        """Which task lies there."""
        return await anyio.to_thread.run_sync(self._read, path)

    def _read(self, path: Path) -> Named:
        task = self.tools.tasks.read(path)
        return Named(task.slug, task_digest(task))

    async def prepare(self, path: Path) -> Prepared:
        """The task, ready to be tried."""
        return await prepare_attempts(path, self.tools, self.emit)

    async def attempt(self, prepared: Prepared, number: int, meter: Meter, on_worked: OnWorked) -> Trial:
        """Let the agent try, and judge."""
        one = partial(try_task, prepared, self.agent, self.entrant, number, self.tools, on_worked)
        if self.gate is None:
            return await one()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(meter.watch)
                trial = await one(gate=MeteredGate(self.gate, meter))
                group.cancel_scope.cancel()
        except BaseExceptionGroup as several:
            raise first_of(several) from several
        return trial

    async def judge(self, prepared: Prepared, worked: Trial) -> Trial:
        """The verdict on what an agent has left."""
        return await judge_trial(prepared, worked, self.tools)
