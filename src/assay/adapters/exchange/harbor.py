"""Harbor 1.4 folders of any origin, in and out. Our own folders are such folders, so nothing of them is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import anyio

from assay.adapters.format.harbor import CONFIG, HarborFormat
from assay.core.packing import self_contained
from assay.errors import AssayError, InputError
from assay.model.exchange import Converted, Reading
from assay.model.loss import Loss
from assay.model.task import BASE_ARCHIVE, PUZZLE, Task
from assay.ports.exchange import BaseOf

DOCKERFILE = "environment/Dockerfile"


class HarborImporter:
    """Reads a task's folder, or a folder of them."""

    name = "harbor"

    def read(self, path: Path, repositories: Path | None) -> Iterator[Reading]:
        """See `assay.ports.exchange.Importer`; `repositories` is not needed."""
        folders = [path] if (path / CONFIG).exists() else _folders(path)
        if not folders:
            raise InputError(
                f"{path}: found no {CONFIG} in it or one level below, expected a Harbor task or a folder of them",
                hint="name the folder that holds the task's instruction.md",
            )
        return (_reading(folder) for folder in folders)


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(place.parent for place in path.glob(f"*/{CONFIG}"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", hint="give a folder that can be read") from error


def _reading(folder: Path) -> Reading:
    try:
        return Reading(folder.name, HarborFormat().read(folder))
    except AssayError as error:
        return Reading(folder.name, problem=error)


class HarborExporter:
    """Writes folders that any harness for Harbor tasks runs."""

    name = "harbor"

    async def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """See `assay.ports.exchange.Exporter`; evidence stays behind, since it is bound to the content it judged."""
        for task in tasks:
            try:
                yield await _written(task, out, base_of)
            except AssayError as error:
                yield Converted(task.slug, problem=error)


async def _written(task: Task, out: Path, base_of: BaseOf | None) -> Converted:
    losses: tuple[Loss, ...] = ()
    if base_of is not None and task.assay.source.kind != PUZZLE:
        base = await base_of(task)
        task = await anyio.to_thread.run_sync(self_contained, task, base)
        if HarborFormat().base(task) != base:
            raise InputError(
                f"{task.slug}: its base cannot be packed: it holds links that lead out of it",
                hint="export it without --self-contained",
            )
    elif not _can_be_fetched(task):
        reason = "the image is built from a folder of this machine; --self-contained brings it along"
        losses = (Loss(subject=task.slug, field=DOCKERFILE, reason=reason),)
    place = await anyio.to_thread.run_sync(HarborFormat().write, task, out)
    return Converted(task.slug, (place,), losses)


def _can_be_fetched(task: Task) -> bool:
    source = task.assay.source
    brings = source.kind == PUZZLE or BASE_ARCHIVE in task.files
    return brings or bool(source.base_url) or "://" in source.origin
