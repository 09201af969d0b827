"""Benchmark rows come in through files of several formats, and a row that cannot be read is never skipped."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.exclusions import read_rows
from assay.errors import InputError, PrerequisiteError
from assay.model.benchmark import BenchmarkRow

ROW = {"repo": "owner/name", "base_commit": "a" * 40, "patch": "p", "instance_id": "n-1", "version": 2.0}
READ = BenchmarkRow("rows: n-1", "owner/name", "a" * 40, "p")


def line(**changed: Any) -> str:
    return json.dumps({**ROW, **changed})


def file(folder: Path, data: str | bytes) -> Path:
    path = folder / "rows"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        f"{line()}\n{line()}\n",
        f"\ufeff{line()}\r\n\r\n{line()}",
        f"  [{line()},\n{line()}]\n",
        f"\ufeff[{line()},{line()}]",
    ],
)
def test_lines_and_arrays(tmp_path: Path, data: str) -> None:
    assert list(read_rows([file(tmp_path, data)])) == [READ, READ]


def test_what_a_row_may_leave_out(tmp_path: Path) -> None:
    bare = {"repo": "owner/name", "base_commit": "a", "patch": None}
    path = file(tmp_path, f"{json.dumps(bare)}\n{line(merge_commit='c', patch='')}\n")
    assert list(read_rows([path])) == [
        BenchmarkRow("rows: line 1", "owner/name", "a"),
        BenchmarkRow("rows: n-1", "owner/name", "a" * 40, gold_commit="c"),
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "JSON"),
        (b"\xff", "JSON"),
        ("[" * 100_000, "JSON"),
        ("3", "int"),
        ('{"repo": "a/b", "patch": ""}', "'base_commit'"),
        (line(repo=None), "None"),
        (line(base_commit=" "), "expected text"),
        (line(patch=[1]), "[1]"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str | bytes, said: str) -> None:
    data = bad.encode() if isinstance(bad, str) else bad
    path = file(tmp_path, f"{line()}\n\n".encode() + data)
    with pytest.raises(InputError) as caught:
        list(read_rows([path]))
    assert f"{path}, line 3" in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("data", ["", "\n", "[]", "[3]", "[{}", "PAR1"])
def test_a_file_that_excludes_nothing_is_an_error(tmp_path: Path, data: str) -> None:
    if data == "PAR1":
        pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match="rows"):
        list(read_rows([file(tmp_path, data)]))


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="cannot read"):
            list(read_rows([path]))


def test_parquet_without_pyarrow_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PrerequisiteError) as caught:
        list(read_rows([file(tmp_path, b"PAR1 and more")]))
    assert "pip install 'swe-assay[parquet]'" in str(caught.value.hint)


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows"
    parquet.write_table(pyarrow.Table.from_pylist([{**ROW, "tests": ["x"]}, {**ROW, "patch": "p"}]), path)
    assert list(read_rows([path])) == [READ, READ]
    parquet.write_table(pyarrow.table({"repo": ["a/b"]}), path)
    with pytest.raises(InputError, match="row 1 has no 'base_commit'"):
        list(read_rows([path]))
