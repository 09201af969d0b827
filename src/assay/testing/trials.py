"""Trials that end as a script says, without a sandbox: ten thousand of them in a few seconds."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio

from assay.core.hashing import json_digest
from assay.errors import AssayError, InfrastructureError
from assay.model.agent import Entrant
from assay.model.failure import Failure
from assay.model.trajectory import AgentSystem, Step, Trajectory
from assay.model.trial import Trial, TrialCost
from assay.model.verdict import Verdict
from assay.ports.store import Store
from assay.stages.judging import Prepared
from assay.stages.toolbox import Toolbox
from assay.stages.trial import OnWorked
from assay.stages.trial_craft import Named
from assay.stages.trial_money import Meter

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Ending = bool | AssayError
"""Resolved or not. An InfrastructureError becomes the trial's failure, any other error is raised."""


class StillClock:
    """It is always the same moment."""

    def now(self) -> datetime:
        """The moment."""
        return NOW

    def monotonic(self) -> float:
        """Nothing has passed."""
        return 0.0


def bare_toolbox(store: Store) -> Toolbox:
    """A toolbox of a store and a clock, under a run of its own; what else is asked of it is not there."""
    absent = cast("Any", None)
    return Toolbox(
        run_id=store.begin_run(["run"], NOW),
        sandbox=absent,
        layers=absent,
        environments=absent,
        patches=absent,
        store=store,
        tasks=absent,
        clock=StillClock(),
        source=absent,
        framework=absent,
        agent=absent,
        tasks_folder=Path("tasks"),
    )


def digest_of(slug: str) -> str:
    """The digest that the script's task of this name has."""
    return json_digest(["scripted", slug])


@dataclass
class ScriptedCraft:
    """See `assay.stages.trial_craft.Craft`. Tasks are folders' names, and need not be there."""

    script: Callable[[str, int], Ending] = lambda task, number: False
    """How the agent's part at a task's attempt ends."""
    entrant: Entrant = field(default_factory=lambda: Entrant(agent="scripted", model="stub"))
    usd: float | None = 0.0
    """What each attempt costs."""
    judge_script: Callable[[str, int], AssayError | None] = lambda task, number: None
    """Why a judgement comes to nothing."""
    prepare_script: Callable[[str], AssayError | None] = lambda task: None
    """Why a task cannot be prepared."""
    gate: anyio.Event | None = None
    """Attempts wait for it, if it is there."""
    digest: Callable[[str], str] = digest_of
    """Of a task's content, by its name."""
    attempts: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often each was begun."""
    judged: Counter[tuple[str, int]] = field(default_factory=Counter)
    prepared: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0

    async def read(self, path: Path) -> Named:
        """The task of this name."""
        return Named(path.name, self.digest(path.name))

    async def prepare(self, path: Path) -> Prepared:
        """Something that stands for it."""
        self.prepared[path.name] += 1
        if error := self.prepare_script(path.name):
            raise error
        return cast("Prepared", Named(path.name, self.digest(path.name)))

    async def attempt(self, prepared: Prepared, number: int, meter: Meter, on_worked: OnWorked) -> Trial:
        """End as the script says."""
        task = cast("Named", prepared).slug
        self.attempts[task, number] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await (self.gate.wait() if self.gate else anyio.lowlevel.checkpoint())
        finally:
            self.in_flight -= 1
        ending = self.script(task, number)
        trial = Trial(
            task=task,
            task_digest=self.digest(task),
            agent=self.entrant.agent,
            model=self.entrant.model,
            attempt=number,
            started_at=NOW,
            cost=TrialCost(usd=self.usd, prompt_tokens=10, completion_tokens=2, wall_seconds=1.0, model_call_count=1),
        )
        if isinstance(ending, InfrastructureError):
            return trial.model_copy(update={"failure": Failure.of(ending)})
        if isinstance(ending, AssayError):
            raise ending
        agent = AgentSystem(name="scripted", version="1")
        steps = (Step(step_id=1, source="user", message="do it"), Step(step_id=2, source="agent", message="done"))
        trajectory = Trajectory(agent=agent, steps=steps)
        patch = b"resolved" if ending else b""
        worked = trial.model_copy(update={"patch": patch, "ended": "submitted", "trajectory": trajectory})
        await on_worked(worked)
        return await self.judge(prepared, worked)

    async def judge(self, prepared: Prepared, worked: Trial) -> Trial:
        """The verdict that the agent's part deserves."""
        self.judged[worked.task, worked.attempt] += 1
        error = self.judge_script(worked.task, worked.attempt)
        resolved = worked.patch == b"resolved"
        verdict = Verdict(
            task=worked.task,
            task_digest=worked.task_digest,
            agent=worked.agent,
            patch_sha256=hashlib.sha256(worked.patch or b"").hexdigest(),
            failure=Failure.of(error) if error else None,
            resolved=None if error else resolved,
            reward=None if error else int(resolved),
            reason="" if resolved or error else "tests-failed",
        )
        return worked.judged(verdict)
