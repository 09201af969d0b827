"""Harbor 1.4 folders of any origin, in and out. Our own folders are such folders, so nothing of them is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import anyio
import yaml

from assay.adapters.format.folder import broken, read_tree
from assay.adapters.format.harbor import CONFIG, INSTRUCTION, OWN_NAMES, HarborFormat, read_config, read_text
from assay.adapters.format.tables import check_tables
from assay.core.exchange.difficulty import without_difficulty
from assay.core.exchange.harbor_tasks import adopted, from_terminal_bench
from assay.core.packing import self_contained
from assay.errors import AssayError, InputError, TaskDefinitionError
from assay.model.exchange import Converted, Reading
from assay.model.loss import Loss
from assay.model.task import BASE_ARCHIVE, PUZZLE, Task
from assay.ports.exchange import BaseOf

DOCKERFILE = "environment/Dockerfile"
LEGACY = "task.yaml"
SHEETS = (CONFIG, LEGACY)
MAX_SHEET = 1_000_000
"""Characters of a sheet."""


class HarborImporter:
    """Reads a task's folder, or a folder of them; legacy Terminal-Bench folders (`task.yaml`) too."""

    name = "harbor"

    def read(self, path: Path, repositories: Path | None) -> Iterator[Reading]:
        """See `assay.ports.exchange.Importer`; `repositories` is not needed."""
        folders = [path] if any((path / name).exists() for name in SHEETS) else _folders(path)
        if not folders:
            raise InputError(
                f"{path}: found no {CONFIG} in it or one level below, expected a Harbor task or a folder of them",
                hint="name the folder that holds the task's instruction.md",
            )
        return (_reading(folder) for folder in folders)


def _folders(path: Path) -> list[Path]:
    try:
        return sorted({place.parent for name in SHEETS for place in path.glob(f"*/{name}")})
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", hint="give a folder that can be read") from error


def _reading(folder: Path) -> Reading:
    name = folder.resolve().name
    try:
        if not (folder / CONFIG).exists():
            return _terminal_bench(folder, name)
        config = read_config(folder)
        if "assay" in (config.get("metadata") or {}):
            return Reading(name, *without_difficulty(HarborFormat().read(folder)))
        check_tables(config)
        instruction = read_text(folder / INSTRUCTION, INSTRUCTION)
        return Reading(name, *adopted(name, config, instruction, read_tree(folder, OWN_NAMES)))
    except RecursionError:
        deep = broken(CONFIG, "", "tables nested too deeply", "an ordinary task")
        deep.message = f"{name}: {deep.message}"
        return Reading(name, problem=deep)
    except TaskDefinitionError as error:
        error.message = f"{name}: {error.message}"
        return Reading(name, problem=error)
    except AssayError as error:
        return Reading(name, problem=error)


def _terminal_bench(folder: Path, name: str) -> Reading:
    try:
        text = read_text(folder / LEGACY, LEGACY)
        if len(text) > MAX_SHEET:
            raise broken(LEGACY, "", f"{len(text)} characters", f"at most {MAX_SHEET}")
        # A few lines of references to references are terabytes once they are written out.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise broken(LEGACY, "", "a reference (*name)", "values that are written out")
        sheet = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        where = " ".join(str(error).split())
        raise broken(LEGACY, "", where, "YAML") from error
    if not isinstance(sheet, dict) or not isinstance(sheet.get("instruction"), str):
        raise broken(LEGACY, "instruction", "no text", "what the agent is told")
    config, instruction, files = from_terminal_bench(name, sheet, read_tree(folder, frozenset()))
    task, losses = adopted(name, config, instruction, files)
    parser = Loss(subject=name, field="parser_name", reason="the exit status of run-tests.sh decides")
    return Reading(name, task, (*losses, parser))


class HarborExporter:
    """Writes folders that any harness for Harbor tasks runs."""

    name = "harbor"
    has_metadata = True

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
