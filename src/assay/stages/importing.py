"""Tasks of other formats become folders of ours, each whole or not at all, and say what did not come along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio

from assay.core.hashing import task_digest
from assay.errors import AssayError, InputError
from assay.model.event import OnEvent
from assay.model.exchange import Converted, ImportOptions, Reading
from assay.ports.exchange import Importer
from assay.ports.task_format import TaskFormat


async def import_tasks(
    importer: Importer, options: ImportOptions, tasks: TaskFormat, folder: Path, emit: OnEvent
) -> list[Converted]:
    """Read everything and write it below `folder`; what is broken is told and passed over."""
    done: list[Converted] = []

    def add(converted: Converted) -> None:
        done.append(converted)
        emit(converted)

    readings = _readings(importer, options)
    while options.limit is None or len(done) < options.limit:
        reading = await anyio.to_thread.run_sync(next, readings, None)
        if reading is None:
            break
        if not options.only or reading.subject in options.only:
            add(await anyio.to_thread.run_sync(_written, reading, tasks, folder))
    for converted in _lacking(options.only, done):
        add(converted)
    return done


def _readings(importer: Importer, options: ImportOptions) -> Iterator[Reading]:
    """All of all paths; one that holds something else altogether is one broken thing."""
    for path in options.paths:
        try:
            yield from importer.read(path, options.repositories)
        except InputError as error:
            yield Reading(str(path), problem=error)


def _written(reading: Reading, tasks: TaskFormat, folder: Path) -> Converted:
    """The folder of a task that was read. One that is there already and says the same stays as it is."""
    if reading.task is None:
        return Converted(reading.subject, losses=reading.losses, problem=reading.problem)
    target = folder / reading.task.slug
    try:
        if not target.exists():
            tasks.write(reading.task, folder)
        elif task_digest(tasks.read(target)) != task_digest(reading.task):
            raise InputError(
                f"{reading.subject}: there is another task at {target}",
                hint="move it away, or import into another project",
                task=reading.task.slug,
            )
    except AssayError as error:
        return Converted(reading.subject, losses=reading.losses, problem=error)
    return Converted(reading.subject, (target,), reading.losses)


def _lacking(only: Sequence[str], done: Sequence[Converted]) -> list[Converted]:
    """What was asked for by name and is not there."""
    found = {converted.subject for converted in done}
    return [
        Converted(name, problem=InputError(f"there is no {name!r} in what was read", hint="names are matched whole"))
        for name in dict.fromkeys(only)
        if name not in found
    ]
