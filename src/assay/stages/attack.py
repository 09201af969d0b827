"""Trying scripted non-fixes on a task: whatever its verifier accepts shows how it can be fooled.

The reference change and doing nothing are judged first. If the verifier gets those wrong, a rejection proves nothing,
and the attacks are not run.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.core.attacks.battery import BATTERY, BY_NAME
from assay.core.attacks.planting import Attack, NotApplicable
from assay.core.attacks.target import Target, target_of
from assay.core.hashing import task_digest
from assay.errors import InfrastructureError, InputError, UnguardedError
from assay.model.attack import AttackResult, AttackRun
from assay.model.event import Attacked, OnEvent, Stage
from assay.model.failure import Failure
from assay.model.task import Task
from assay.model.tree import FileState, changes_between
from assay.model.verdict import Verdict
from assay.stages.judging import Prepared, judge_on_record, prepare
from assay.stages.toolbox import Toolbox

CONTROLS = (("oracle", True), ("nop", False))
"""Agents and the answer that a working verifier gives them."""


def chosen(names: Sequence[str]) -> tuple[Attack, ...]:
    """Attacks by name, all of them without names. Raises InputError for a name that there is not."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise InputError(
            f"there is no attack {unknown[0]!r}", hint="`assay attack --list` names them all", attack=unknown[0]
        )
    return tuple(attack for attack in BATTERY if not names or attack.name in names)


async def attack_task(
    path: Path, tools: Toolbox, emit: OnEvent, *, names: Sequence[str] = (), jobs: int = 2
) -> AttackRun:
    """Judge every attack on the task at `path`, `jobs` at a time. Raises TaskDefinitionError, PrerequisiteError, and
    InputError for an unknown attack.
    """
    attacks = chosen(names)
    task = await anyio.to_thread.run_sync(tools.tasks.read, path)
    emit(Stage(subject=task.slug, stage="environment"))
    started_at = tools.clock.now()
    try:
        prepared = await prepare(task, tools)
    except InfrastructureError as error:
        return AttackRun(task=task.slug, task_digest=task_digest(task), failure=Failure.of(error))
    tools.store.charge([tools.entry("environment", task.slug, started_at, prepared.cost)])
    siege = Siege(prepared, target_of(task, prepared.stand.base), tools, emit)
    complaint, failure = await siege.controls()
    results = () if complaint or failure else await siege.run(attacks, jobs)
    return AttackRun(
        task=task.slug, task_digest=prepared.digest, results=tuple(results), complaint=complaint, failure=failure
    )


@dataclass(frozen=True, slots=True)
class Siege:
    """One task, and all that is tried on it."""

    prepared: Prepared
    target: Target
    tools: Toolbox
    emit: OnEvent
    hasty: bool = False
    """Whether the first run of an attack may decide against it."""

    @property
    def task(self) -> Task:
        """The task."""
        return self.prepared.task

    async def controls(self) -> tuple[str, Failure | None]:
        """What is wrong with the answers that are known beforehand, or why there are none."""
        if self.prepared.pool.broken:
            return f"the reference change does not satisfy the tests: {self.prepared.pool.broken}", None
        for name, wanted in CONTROLS:
            verdict = await self._judge(name, await self.tools.agent(name).attempt(self.task))
            if verdict.failure is not None:
                return "", verdict.failure
            if verdict.resolved is not wanted:
                what = f"the reference change is rejected ({verdict.reason})" if wanted else "doing nothing is accepted"
                return f"{what}, so that the attacks would show nothing", None
        return "", None

    async def run(self, attacks: Collection[Attack], jobs: int, seconds: float = math.inf) -> list[AttackResult]:
        """All results, in the order of the attacks; none of those that were not begun within the time."""
        found: dict[str, AttackResult] = {}
        limiter = anyio.CapacityLimiter(max(1, jobs))
        deadline = anyio.current_time() + seconds

        async def one(attack: Attack) -> None:
            async with limiter:
                if anyio.current_time() > deadline:
                    return
                result = found[attack.name] = await self._attack(attack)
                self.emit(Attacked(result))

        async with anyio.create_task_group() as group:
            for attack in attacks:
                group.start_soon(one, attack)
        return [found[attack.name] for attack in attacks if attack.name in found]

    async def _attack(self, attack: Attack) -> AttackResult:
        files = attack.build(self.target)
        if isinstance(files, NotApplicable):
            return self._result(attack, status="not-applicable", reason=files.reason)
        base = self.prepared.stand.base
        changed: dict[str, FileState] = {
            path: state for path, state in {**base, **files}.items() if state is not None and not _covered(path, files)
        }
        patch = await self.tools.patches.diff(changes_between(base, changed))
        verdict = await self._judge(f"attack:{attack.name}", patch)
        # No reward on purpose is no lack of a verdict: the attack was recognised.
        failure = verdict.failure if verdict.failure and verdict.failure.kind != UnguardedError.code else None
        status = "no-verdict" if failure else "accepted" if verdict.resolved else "rejected"
        reason = UnguardedError.code if verdict.failure and not failure else verdict.reason
        return self._result(
            attack,
            status=status,
            reason=f"{failure.boundary}: {failure.message}" if failure else reason,
            patch_sha256=hashlib.sha256(patch).hexdigest(),
            dropped_paths=verdict.dropped_paths,
            problems=verdict.problems,
            tamper=verdict.tamper,
            failure=failure,
            wall_seconds=verdict.wall_seconds,
            cpu_seconds=verdict.cpu_seconds,
        )

    def _result(self, attack: Attack, **fields: object) -> AttackResult:
        return AttackResult.model_validate(
            {
                "task": self.task.slug,
                "attack": attack.name,
                "mechanism": attack.mechanism,
                "what": attack.what,
                **fields,
            }
        )

    async def _judge(self, agent: str, patch: bytes) -> Verdict:
        self.emit(Stage(subject=self.task.slug, stage=agent))
        hasty = self.hasty and agent.startswith("attack:")
        return (await judge_on_record(self.prepared, agent, patch, self.tools, stage="attack", hasty=hasty)).verdict


def _covered(path: str, files: Collection[str]) -> bool:
    """Whether a path lies below one that the attack makes a file, or makes no sense beside it."""
    return any(path.startswith(f"{other}/") for other in files)
