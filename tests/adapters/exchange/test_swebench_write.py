"""Tasks out: rows as lines and parquet, the 5.x tree, and predictions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from assay.adapters.exchange.raw_rows import read_raw
from assay.adapters.exchange.swebench_write import ParquetExporter, PredictionExporter, RowExporter, TreeExporter
from assay.adapters.format.harbor import HarborFormat
from assay.model.exchange import Converted
from assay.model.task import Task
from assay.ports.exchange import BaseOf
from assay.testing.puzzle import GOLD, puzzle

pytestmark = pytest.mark.anyio


class Writes(Protocol):
    def write(self, tasks: Sequence[Task], out: Path, base_of: BaseOf | None) -> AsyncIterator[Converted]: ...


async def written(exporter: Writes, tmp_path: Path) -> list[Converted]:
    task = HarborFormat().read(puzzle(tmp_path / "double"))
    return [one async for one in exporter.write([task], tmp_path / "out", None)]


@pytest.mark.parametrize("exporter", [RowExporter(), ParquetExporter()])
async def test_rows_of_a_task_of_another_origin(tmp_path: Path, exporter: RowExporter) -> None:
    if isinstance(exporter, ParquetExporter):
        pytest.importorskip("pyarrow")
    (done,) = await written(exporter, tmp_path)
    assert done.paths == (tmp_path / "out" / exporter.file_name(),)
    assert "base_commit" in [loss.field for loss in done.losses]
    (raw,) = read_raw(done.paths[0])
    assert raw.value["patch"] == GOLD
    assert raw.value["FAIL_TO_PASS"] == '["tests/hidden.cases.toml::four"]'
    assert raw.value["test_patch"].startswith(
        "diff --git a/tests/hidden.cases.toml b/tests/hidden.cases.toml\nnew file"
    )


async def test_a_tree_is_written_again_over_itself(tmp_path: Path) -> None:
    await written(TreeExporter(), tmp_path)
    (done,) = await written(TreeExporter(), tmp_path)
    assert done.problem is None
    assert (tmp_path / "out" / "sweb.yaml").read_text() == 'datasets: ["assay/tasks"]\nsplits: ["test"]\n'
    assert json.loads((done.paths[0] / "tests.json").read_text())["PASS_TO_PASS"] == ["tests/hidden.cases.toml::none"]


async def test_what_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out" / "tasks" / "double").mkdir(parents=True)
    (tmp_path / "out" / "tasks" / "double" / "mine").write_text("x")
    (done,) = await written(TreeExporter(), tmp_path)
    assert done.problem is not None


async def test_reference_changes_as_predictions(tmp_path: Path) -> None:
    (done,) = await written(PredictionExporter(), tmp_path)
    assert json.loads(done.paths[0].read_text()) == {
        "instance_id": "double", "model_name_or_path": "gold", "model_patch": GOLD
    }  # fmt: skip
