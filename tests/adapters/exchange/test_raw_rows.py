"""Rows from files: every notation, and what is broken is one row's problem."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.adapters.exchange.raw_rows import read_raw
from assay.errors import InputError

A, B = {"instance_id": "a"}, {"instance_id": "b"}
LA, LB = json.dumps(A), json.dumps(B)


def read(folder: Path, data: str | bytes) -> list[tuple[object, str]]:
    path = folder / "rows"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return [(row.value, row.problem) for row in read_raw(path)]


@pytest.mark.parametrize(
    "data",
    [
        f"{LA}\n{LB}\n",
        f"\ufeff{LA}\r\n\n{LB}",
        f"[{LA}, {LB}]",
        f"\ufeff\n[{LA},\n{LB}]\n",
        json.dumps({"a": A, "b": B}),
        json.dumps({"a": A, "b": B}, indent=2),
    ],
)
def test_every_notation(tmp_path: Path, data: str) -> None:
    assert read(tmp_path, data) == [(A, ""), (B, "")]


def test_one_object_is_one_row(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps({**A, "meta": 3}, indent=1)) == [({**A, "meta": 3}, "")]
    assert read(tmp_path, json.dumps({**A, "meta": 3})) == [({**A, "meta": 3}, "")]


def test_the_key_of_a_keyed_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(json.dumps({"a": {"model_patch": ""}}))
    assert [(row.key, row.where) for row in read_raw(tmp_path / "rows")] == [("a", "rows, a")]


@pytest.mark.parametrize("bad", [b"{", b"\xff", b"[" * 100_000, b'{"a": "\xed\xa0\x80"}'])
def test_a_broken_line_keeps_no_other_back(tmp_path: Path, bad: bytes) -> None:
    (first, _), (_, problem), (last, _) = read(tmp_path, LA.encode() + b"\n" + bad + b"\n" + LB.encode())
    assert (first, last) == (A, B)
    assert "not JSON" in problem


def test_a_truncated_list_gives_what_was_whole(tmp_path: Path) -> None:
    rows = read(tmp_path, f'[{LA},\n {LB}, {{"instance_id": "c", "pat')
    assert [value for value, problem in rows if not problem] == [A, B]
    assert "not JSON" in rows[-1][1]


@pytest.mark.parametrize("data", ["", "\n\n", "[]"])
def test_nothing_is_nothing(tmp_path: Path, data: str) -> None:
    assert read(tmp_path, data) == []


def test_parquet_and_broken_parquet(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows"
    parquet.write_table(arrow.table({"instance_id": ["a", "b"], "F": [["x"], None]}), path)
    assert [row.value for row in read_raw(path)] == [{**A, "F": ["x"]}, {**B, "F": None}]
    path.write_bytes(path.read_bytes()[:-9])
    assert "not parquet" in next(iter(read_raw(path))).problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        list(read_raw(tmp_path / "none"))
