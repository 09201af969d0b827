"""Tasks inside Python packages for training loops: an environment of `verifiers`, and a plain one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import anyio

from assay.adapters.exchange.harbor import HarborExporter
from assay.adapters.files import file_error
from assay.core.exchange.packages import TASKS, module_name, package_name, plain_package, verifiers_package
from assay.errors import InputError
from assay.model.exchange import Converted
from assay.model.loss import Loss
from assay.model.task import Task
from assay.ports.exchange import BaseOf

Files = Callable[[str, int], dict[str, str]]


class VerifiersExporter:
    """Writes an environment package for `verifiers` 0.4: `out` becomes the package's folder."""

    name = "verifiers"

    def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """See `assay.ports.exchange.Exporter`."""
        return _package(tasks, out, base_of, verifiers_package)


class PlainExporter:
    """Writes a package with an environment factory, for TRL and for loops of one's own."""

    name = "environment"

    def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """See `assay.ports.exchange.Exporter`."""
        return _package(tasks, out, base_of, plain_package)


async def _package(tasks: Sequence[Task], out: Path, base_of: BaseOf | None, files: Files) -> AsyncIterator[Converted]:
    """The package appears when all of it is written."""
    name, working = await anyio.to_thread.run_sync(_begun, out)
    try:
        below = working / module_name(name) / TASKS
        judged = [task for task in tasks if not task.is_scripted]
        done = [_placed(one, working, out) async for one in HarborExporter().write(judged, below, base_of)]
        done += [Converted(task.slug, problem=_script(task)) for task in tasks if task.is_scripted]
        count = sum(one.problem is None for one in done)
        if count:
            await anyio.to_thread.run_sync(_finish, working, out, files(name, count))
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, working, True)
    for one in done:
        yield one


def _script(task: Task) -> InputError:
    return InputError(
        f"{task.slug}: its own script gives the reward, and an attempt is judged by tests",
        hint="Harbor runs it as it is: assay export harbor",
    )


def _begun(out: Path) -> tuple[str, Path]:
    """The package's name, and a folder to write it in."""
    name = package_name(out.absolute().name)
    if os.path.lexists(out):
        raise InputError(f"{out} is there already", hint="give a folder that is not there, or remove it")
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(None, ".writing-", out.absolute().parent))
        (working / module_name(name) / TASKS).mkdir(parents=True)
    except OSError as error:
        raise file_error("write", out, error) from error
    return name, working


def _finish(working: Path, out: Path, texts: Mapping[str, str]) -> None:
    try:
        for path, text in texts.items():
            (working / path).write_text(text, encoding="utf-8")
        working.chmod(0o755)
        working.rename(out)
    except OSError as error:
        raise file_error("write", out, error) from error


def _placed(one: Converted, working: Path, out: Path) -> Converted:
    """What was written, where it lies in the end. No image is built from these folders, so how theirs is does not
    matter.
    """
    paths = tuple(out / path.relative_to(working) for path in one.paths)
    losses = tuple(_reworded(loss) for loss in one.losses)
    return Converted(one.subject, paths, losses, one.problem)


def _reworded(loss: Loss) -> Loss:
    reason = "the base is fetched from a folder of this machine; --self-contained brings it along"
    return Loss(subject=loss.subject, field="metadata.assay.source", reason=reason)
