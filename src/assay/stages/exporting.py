"""Tasks of ours in the formats of others, with what those have no place for."""

from __future__ import annotations

from pathlib import Path

import anyio

from assay.core.exchange.difficulty import with_difficulty
from assay.core.hashing import task_digest
from assay.core.settling import with_settlement
from assay.errors import AssayError
from assay.model.difficulty import STAGE, difficulties_of
from assay.model.event import OnEvent
from assay.model.exchange import Converted, ExportOptions
from assay.model.task import Task
from assay.model.tree import Tree
from assay.ports.exchange import Exporter
from assay.stages.judging import base_of
from assay.stages.settling import INFERRED, settled
from assay.stages.toolbox import Toolbox


async def export_tasks(exporter: Exporter, options: ExportOptions, tools: Toolbox, emit: OnEvent) -> list[Converted]:
    """Write the tasks; a folder that cannot be read is told and passed over. Raises InputError when `out` holds
    something else.
    """
    done: list[Converted] = []
    tasks: list[Task] = []
    for path in options.what:
        read = await anyio.to_thread.run_sync(_read, tools, path, getattr(exporter, "has_metadata", False))
        if isinstance(read, Converted):
            done.append(read)
            emit(read)
        else:
            tasks.append(read)

    async def base(task: Task) -> Tree:
        return await base_of(task, tools)

    wanted = options.self_contained or getattr(exporter, "needs_base", False)
    async for written in exporter.write(tasks, options.out, base if wanted else None):
        done.append(written)
        emit(written)
    return done


def _read(tools: Toolbox, path: Path, has_metadata: bool) -> Task | Converted:
    try:
        task = tools.tasks.read(path)
        measured = tools.tasks.read_evidence(path, STAGE) if has_metadata else None
        is_current = measured is not None and measured.task_digest == task_digest(task)
        found = settled(task, tools.store) if task.assay.environment.install == INFERRED else None
        task = with_settlement(task, found) if found else task
        return with_difficulty(task, difficulties_of(measured)) if is_current else task
    except AssayError as error:
        return Converted(path.name, problem=error)
