"""An agent at work in a sandbox of its own, until it is done, at a limit, or without a model."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import anyio
import anyio.to_thread

from assay.core.exchange.model_calls import trajectory_of
from assay.core.trial_keys import entrant_digest, seed_of
from assay.errors import AssayError, InfrastructureError, PrerequisiteError, ProviderError, SandboxError
from assay.model.agent import Entrant
from assay.model.json_values import JsonObject
from assay.model.sandbox import MIB, Command, ExecResult, Limits, Mount
from assay.model.trajectory import AgentSystem, Trajectory
from assay.model.trial import TrialCost
from assay.ports.agent import Work, Worker, Workplace
from assay.ports.model import Gate, ModelGate
from assay.stages.attempt import Attempt, attempt
from assay.stages.judging import Prepared
from assay.stages.running import COMMAND_NOT_FOUND
from assay.stages.toolbox import Toolbox

GRACE_SECONDS = 20.0
"""For an agent that has reached a limit of its model, to notice and to end."""
SLACK_SECONDS = 15.0
"""Beyond the wall limit, for a worker that holds it by itself and ends properly."""
HELD_UP = 0.1
"""Of the wall time: an agent that ran out of it, and was held up this long by its endpoint, has no score."""
SPACE = Limits(cpu_seconds=4 * 3600, process_count=512, open_file_count=4096, output_bytes=4 * 1024 * 1024)
"""What an agent may use of the machine. Wall time comes from the trial's limits."""
LIMIT_DISK = "limit-disk"
READ_BYTES = 512 * MIB
"""New bytes of a workspace. In one that holds more no patch is looked for: a tenth of it would be too much to judge."""
GIT = """\
set -e
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=assay GIT_AUTHOR_EMAIL=assay@localhost GIT_AUTHOR_DATE='@0 +0000'
export GIT_COMMITTER_NAME=assay GIT_COMMITTER_EMAIL=assay@localhost GIT_COMMITTER_DATE='@0 +0000'
git init -q --template= . && git add -Af . && git -c gc.auto=0 commit -q --allow-empty -m Base
"""


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of it. With a failure there is no patch to judge; what was spent was spent all the same."""

    ended: str = ""
    patch: bytes | None = None
    failure: InfrastructureError | None = None
    cost: TrialCost | None = None
    trajectory: Trajectory | None = None
    extra: JsonObject = field(default_factory=dict)


class WatchedWorkspace:
    """An attempt as a worker has it; notes how much it holds."""

    def __init__(self, opened: Attempt) -> None:
        self._opened = opened
        self._is_full = False
        self._written_bytes = 0

    @property
    def problem(self) -> str:
        """Why it holds too much to be read; empty if it does not."""
        if self._is_full or self._written_bytes > READ_BYTES:
            return f"the workspace holds {self._written_bytes // MIB} MiB of new files"
        return ""

    async def run(self, command: str, wall_seconds: float | None = None) -> ExecResult:
        """See the port."""
        return self._noted(await self._opened.run(command, wall_seconds))

    async def exec(self, command: Command) -> ExecResult:
        """See the port."""
        return self._noted(await self._opened.session.exec(command))

    async def put(self, path: str, content: str) -> ExecResult:
        """See the port."""
        return self._noted(await self._opened.put(path, content))

    def _noted(self, result: ExecResult) -> ExecResult:
        self._is_full, self._written_bytes = result.stopped == "disk", result.usage.written_bytes
        return result


async def work(
    prepared: Prepared, worker: Worker, entrant: Entrant, number: int, tools: Toolbox, way: ModelGate | None
) -> Worked:
    """Let a worker work. Raises PrerequisiteError and InputError when it cannot be used at all; a fault around it is
    a value.
    """
    demands = worker.demands()
    started_at = tools.clock.now()
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(way.open(entrant.limits)) if way is not None else None
        desk = _Desk(prepared, worker, entrant, tools, gate)
        try:
            mounts = [Mount(place, (folder,)) for folder, place in demands.mounts]
            mounts += [Mount(gate.inside.folder, (gate.folder,), live=True)] if gate is not None else []
            wall_seconds = entrant.limits.wall_seconds + SLACK_SECONDS
            limits = SPACE.model_copy(update={"wall_seconds": wall_seconds})
            opened = await stack.enter_async_context(attempt(prepared, tools, limits, tuple(mounts)))
            if demands.git:
                await _make_repository(opened)
            worked = await desk.work(opened, number)
        except InfrastructureError as error:
            worked = Worked(failure=error)
        wall = (tools.clock.now() - started_at).total_seconds()
        return await desk.accounted(worked, wall)


@dataclass(frozen=True, slots=True)
class _Desk:
    """One worker at one task."""

    prepared: Prepared
    worker: Worker
    entrant: Entrant
    tools: Toolbox
    gate: Gate | None

    async def work(self, opened: Attempt, number: int) -> Worked:
        """Until it ends, and what it left. Raises InfrastructureError, PrerequisiteError, InputError."""
        workspace = WatchedWorkspace(opened)
        place = Workplace(
            instruction=opened.task.instruction,
            workspace=workspace,
            limits=self.entrant.limits,
            seed=seed_of(self.prepared.digest, entrant_digest(self.entrant), number),
            python=self.prepared.stand.environment.python,
            model=self.gate.outside if self.gate else None,
            model_inside=self.gate.inside if self.gate else None,
        )
        done = await self._until_over(place)
        ended = self._end(done)
        if workspace.problem:
            # It is the agent who filled it: judged as it is, which is as nothing.
            return Worked(LIMIT_DISK, b"", trajectory=done.trajectory, extra={**done.extra, "disk": workspace.problem})
        return Worked(ended, await opened.patch(), trajectory=done.trajectory, extra=done.extra)

    async def _until_over(self, place: Workplace) -> Work:
        """The worker's own end, or that of its time or its model."""
        done, error = Work("limit-wall"), None

        async def watch(gate: Gate) -> None:
            await gate.over()
            if gate.limit:
                await anyio.sleep(GRACE_SECONDS)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            if self.gate is not None:
                group.start_soon(watch, self.gate)
            with anyio.move_on_after(place.limits.wall_seconds + SLACK_SECONDS):
                try:
                    done = await self.worker.work(place)
                except AssayError as raised:
                    error = raised
            group.cancel_scope.cancel()
        if self.gate is not None:
            self.gate.check()
        if error is not None:
            raise error
        return done

    def _end(self, done: Work) -> str:
        """Why it ended. A limit of the model is known here alone. Raises ProviderError."""
        gate = self.gate
        if gate is None:
            return done.ended
        waited, limits = gate.waited_seconds, self.entrant.limits
        if done.ended == "limit-wall" and not gate.limit and waited > HELD_UP * limits.wall_seconds:
            raise ProviderError(
                f"the agent ran out of its {limits.wall_seconds:g} s, and its endpoint held it up for {waited:.0f}"
            )
        return gate.limit or done.ended

    async def accounted(self, worked: Worked, wall_seconds: float) -> Worked:
        """With what it cost, and the trajectory as the gate saw it unless the worker has one of its own."""
        cost = TrialCost(usd=0.0, model_call_count=0, prompt_tokens=0, completion_tokens=0, cached_tokens=0)
        extra, lines = dict(worked.extra), b""
        if self.gate is not None:
            cost, lines = self.gate.cost(), self.gate.exchanges()
        if lines:
            extra["exchanges_sha256"] = await anyio.to_thread.run_sync(self.tools.store.put_blob, lines)
        cost = cost.model_copy(update={"wall_seconds": wall_seconds})
        entrant = self.entrant
        system = AgentSystem(
            name=entrant.agent, version=entrant.agent_version or "unknown", model_name=entrant.model or None
        )
        trajectory = worked.trajectory
        if trajectory is None:
            parsed = [json.loads(line) for line in lines.splitlines()]
            trajectory = trajectory_of(parsed, self.prepared.task.instruction, system, cost, dict(worked.extra))
        return replace(worked, cost=cost, trajectory=trajectory, extra=extra)


async def _make_repository(opened: Attempt) -> None:
    """One commit of what the agent sees, and no other object: nothing of the future is in it (design, rule 7)."""
    result = await opened.run(GIT, wall_seconds=120)
    if result.exit_status == COMMAND_NOT_FOUND:
        raise PrerequisiteError("git is not among the system's programs", hint="type: apt-get install git")
    if not result.ok:
        said = result.stdout.decode("utf-8", "replace").strip()[-300:]
        raise SandboxError(f"no git repository could be made of the workspace: {said or result.stopped}")
