"""What all checks of one task stand on: the prepared task, the reference change, and runs that are counted.

Everything is computed once and on demand. Runs here are cold: each in a sandbox and an interpreter of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from assay.core.hashing import json_digest, tree_digest
from assay.core.twins.cases import stem
from assay.model.audit import AuditSettings
from assay.model.event import OnEvent, Stage
from assay.model.sandbox import Usage
from assay.model.task import Task
from assay.model.tree import FileState, Tree
from assay.ports.framework import Selection
from assay.stages.judging import Prepared, prepare
from assay.stages.running import NORMAL, Applied, Conditions, TestRun, stack
from assay.stages.toolbox import Toolbox


@dataclass(slots=True)
class Tally:
    """What a check cost so far."""

    run_count: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class Ground:
    """One task under audit."""

    prepared: Prepared
    applied: Applied
    """The reference change on the base."""
    tools: Toolbox
    settings: AuditSettings
    emit: OnEvent
    attacks: tuple[str, ...] = ()
    """Names of the attacks to try; empty for all."""
    tally: Tally = field(default_factory=Tally)

    @property
    def task(self) -> Task:
        """The task."""
        return self.prepared.task

    @property
    def counted(self) -> tuple[str, ...]:
        """The tests that a verdict rests on, without those whose ids come and go."""
        task, volatile = self.task.assay, set(self.prepared.pool.volatile)
        return tuple(i for i in (*task.fail_to_pass, *task.pass_to_pass) if stem(i) not in volatile)

    @property
    def changed(self) -> dict[str, FileState | None]:
        """Files of the reference change, as it leaves them; tests and protected files are not among them."""
        return {change.path: change.new for change in self.applied.kept}

    @property
    def base(self) -> Tree:
        """The repository before the change, as the task ships it."""
        return self.prepared.stand.base

    @property
    def gold(self) -> Tree:
        """The repository after the change, without the hidden tests."""
        tree = {**self.base, **self.changed}
        return {path: state for path, state in tree.items() if state is not None}

    @property
    def code_digest(self) -> str:
        """Of all that a run depends on: neither the prompt nor the folder's name."""
        task = self.task
        return json_digest(
            [
                task.assay.source.model_dump(mode="json"),
                self.prepared.stand.environment.digest,
                tree_digest(task.files),
                task.assay.test_files,
                self.counted,
                task.assay.limits.model_dump(mode="json"),
            ]
        )

    def say(self, what: str) -> None:
        """Tell whoever watches what is being done."""
        self.emit(Stage(subject=self.task.slug, stage=what))

    async def run(
        self,
        candidate: Path | None,
        *,
        files: tuple[str, ...] = (),
        ids: tuple[str, ...] = (),
        conditions: Conditions = NORMAL,
    ) -> TestRun:
        """One cold run of the task's tests (or of `files` or `ids`) over the layer of a candidate, None for the base.

        Raises SandboxError and VerifierError.
        """
        stand = self.prepared.stand
        selection = Selection(
            files=() if ids else files or self.task.assay.test_files, ids=ids, hidden=self.task.hidden_tests
        )
        layers = stack(stand.environment, stand.base_layer, candidate, stand.hidden_layer)
        run = await stand.runner.test(
            stand.environment, layers, selection, self.task.assay.limits, conditions=conditions
        )
        self.count(run)
        return run

    def count(self, run: TestRun) -> None:
        """Add a run to what the check at work costs."""
        self.tally.run_count += 1
        self.tally.usage += run.usage

    async def layer_of(self, files: dict[str, FileState | None]) -> Path:
        """A layer of the reference change with `files` over it, to be given to `run`."""
        return await self.tools.layers.put({**self.changed, **files})


async def lay(
    task: Task, tools: Toolbox, settings: AuditSettings, emit: OnEvent, attacks: tuple[str, ...] = ()
) -> Ground:
    """Prepare a task for its audit. Raises InfrastructureError, PrerequisiteError, TaskDefinitionError."""
    started_at = tools.clock.now()
    prepared = await prepare(task, tools)
    tools.store.charge([tools.entry("environment", task.slug, started_at, prepared.cost)])
    applied = await prepared.stand.runner.apply(task.gold_patch, prepared.stand.base_layer, prepared.is_protected)
    return Ground(prepared, applied, tools, settings, emit, attacks)
