"""What the stages work with: one of each port, chosen by `app` and by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assay.model.ledger import Cost, LedgerEntry
from assay.model.sandbox import Usage
from assay.ports.agent import Agent
from assay.ports.clock import Clock
from assay.ports.environment import Environments
from assay.ports.framework import Framework
from assay.ports.layers import Layers
from assay.ports.patch import PatchWriter
from assay.ports.sandbox import Sandbox
from assay.ports.source import Source
from assay.ports.store import Store
from assay.ports.task_format import TaskFormat
from assay.ports.writer import Writer
from assay.stages.running import Runner


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The ports of one run. `run_id` labels sandboxes, claims and ledger entries."""

    run_id: str
    sandbox: Sandbox
    layers: Layers
    environments: Environments
    patches: PatchWriter
    store: Store
    tasks: TaskFormat
    clock: Clock
    source: Callable[[str], Source]
    framework: Callable[[str], Framework]
    agent: Callable[[str], Agent]
    tasks_folder: Path
    writer: Writer | None = None
    """A model that drafts prompts, if one is wanted."""
    slots: AbstractAsyncContextManager[object] | None = None
    """Bounds how many runs of tests go on at once."""

    def runner(self, framework: Framework) -> Runner:
        """A runner under this run's label."""
        return Runner(self.sandbox, self.layers, framework, self.run_id, self.slots)

    def entry(
        self, stage: str, subject: str, started_at: datetime, cost: Cost, outcome: str = "ok", note: str = ""
    ) -> LedgerEntry:
        """A ledger entry of this run."""
        return LedgerEntry(
            run_id=self.run_id,
            stage=stage,
            subject=subject,
            started_at=started_at,
            cost=cost,
            outcome=outcome,
            note=note,
        )


def cost_of(usage: Usage) -> Cost:
    """A sandboxed command's usage as a cost."""
    return Cost(cpu_seconds=usage.cpu_seconds, wall_seconds=usage.wall_seconds, written_bytes=usage.written_bytes)
