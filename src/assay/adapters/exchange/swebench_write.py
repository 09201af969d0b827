"""Tasks as SWE-bench rows (JSON lines or parquet), as its 5.x tree, and reference changes as predictions."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from assay.adapters.files import file_error
from assay.adapters.format.folder import replace_file, replace_folder
from assay.adapters.patch.git import GitPatchWriter
from assay.core.exchange.swebench_export import instance_id, needs_test_patch, root_file, row_for, tree_for
from assay.core.exchange.swebench_predictions import record_of
from assay.errors import AssayError, InputError, PrerequisiteError
from assay.model.exchange import Converted
from assay.model.loss import Loss
from assay.model.prediction import Prediction
from assay.model.task import PUZZLE, Task
from assay.model.tree import FileState, changes_between
from assay.ports.exchange import BaseOf

ROWS = "rows"
PREDICTIONS = "predictions.jsonl"


class RowExporter:
    """Classic rows, one a line."""

    name = "swe-bench"
    needs_base = True

    async def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """See `assay.ports.exchange.Exporter`: one file, written when all rows are there."""
        rows, done = [], []
        path = out / self.file_name()
        for task in tasks:
            try:
                row, losses = row_for(task, await _test_patch(task, base_of))
                rows.append(row)
                done.append(Converted(task.slug, (path,), losses))
            except AssayError as error:
                done.append(Converted(task.slug, problem=error))
        if rows:
            await anyio.to_thread.run_sync(self.put, path, rows)
        for one in done:
            yield one

    def file_name(self) -> str:
        """Of the one file."""
        return f"{ROWS}.jsonl"

    def put(self, path: Path, rows: Sequence[dict[str, Any]]) -> None:
        """Write the file whole or not at all."""
        _put(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


class ParquetExporter(RowExporter):
    """Classic rows as parquet, which needs pyarrow."""

    name = "swe-bench-parquet"

    def file_name(self) -> str:
        """Of the one file."""
        return f"{ROWS}.parquet"

    def put(self, path: Path, rows: Sequence[dict[str, Any]]) -> None:
        """Write the file whole or not at all. Raises PrerequisiteError without pyarrow, InputError for rows whose
        columns are of different types.
        """
        try:
            arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        except ImportError as error:
            raise PrerequisiteError(
                "parquet files are written by pyarrow, which is not installed",
                hint="type: pip install 'swe-assay[parquet]', or export swe-bench, which writes JSON lines",
            ) from error
        sink = arrow.BufferOutputStream()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        try:
            parquet.write_table(arrow.table({c: [row.get(c) for row in rows] for c in columns}), sink)
        except arrow.ArrowException as error:
            raise InputError(
                f"the rows do not have the same columns: {error}", hint="export families one by one, or as JSON lines"
            ) from error
        _put(path, sink.getvalue().to_pybytes())


class TreeExporter:
    """SWE-bench's 5.x tree."""

    name = "swe-bench-tree"
    needs_base = True

    async def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """See `assay.ports.exchange.Exporter`; each task is a folder below `tasks/`."""
        await anyio.to_thread.run_sync(_put, out / "sweb.yaml", root_file())
        for task in tasks:
            try:
                files, losses = tree_for(task, await _test_patch(task, base_of))
                place = out / "tasks" / instance_id(task)
                if "/" in instance_id(task) or instance_id(task) in ("", ".", ".."):
                    raise InputError(f"{instance_id(task)!r} cannot be a folder's name")
                states = {path: FileState(data) for path, data in files.items()}
                await anyio.to_thread.run_sync(replace_folder, place, states, "test_assets", "task.yaml")
                yield Converted(task.slug, (place,), losses)
            except AssayError as error:
                yield Converted(task.slug, problem=error)


class PredictionExporter:
    """The reference changes as predictions, to be graded by any harness."""

    name = "predictions"

    async def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]:
        """See `assay.ports.exchange.Exporter`: one file for all."""
        path = out / PREDICTIONS
        records = [record_of(Prediction(instance_id(task), "gold", task.gold_patch)) for task in tasks]
        await anyio.to_thread.run_sync(_put, path, "".join(json.dumps(record) + "\n" for record in records).encode())
        reason = "a prediction is a change alone"
        for task in tasks:
            yield Converted(task.slug, (path,), (Loss(subject=task.slug, field="everything else", reason=reason),))


async def _test_patch(task: Task, base_of: BaseOf | None) -> bytes:
    """The hidden tests as a patch; empty where the row's own is used. Raises InputError without the base."""
    if not needs_test_patch(task):
        return b""
    if task.assay.source.kind == PUZZLE:
        base = task.workspace
    elif base_of is None:
        raise InputError(f"{task.slug}: its tests cannot be written as a patch without its base")
    else:
        base = await base_of(task)
    now = {path: base[path] for path in task.hidden_tests if path in base}
    then = {path: state for path, state in task.hidden_tests.items() if state is not None}
    return await GitPatchWriter().diff(changes_between(now, then))


def _put(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError(
                f"{os.fspath(path)} is there already and is no file", hint="name another folder with --out"
            )
    except OSError as error:
        raise file_error("write below", path.parent, error) from error
    replace_file(path, data)
