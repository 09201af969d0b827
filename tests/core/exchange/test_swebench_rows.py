"""Rows: which family, what its columns mean, and what is said of a broken one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.exchange.swebench_rows import family_of, read_row
from assay.errors import InputError

ROW: dict[str, Any] = {
    "repo": "acme/slug",
    "instance_id": "acme__slug-1",
    "base_commit": "a" * 40,
    "patch": "diff --git a/x.py b/x.py\n",
    "test_patch": "diff --git a/test_x.py b/test_x.py\n",
    "problem_statement": "It breaks.\r\n",
    "hints_text": "",
    "created_at": "2023-03-04T18:36:21Z",
    "version": "2.3",
    "FAIL_TO_PASS": '["test_x.py::test_new"]',
    "PASS_TO_PASS": "['test_x.py::test_old']",
    "environment_setup_commit": "b" * 40,
}
LESS = {key: ROW[key] for key in ("repo", "instance_id", "base_commit", "patch", "problem_statement", "FAIL_TO_PASS")}


@pytest.mark.parametrize(
    ("row", "family"),
    [
        (ROW, "swe-bench"),
        ({**ROW, "difficulty": "<15 min fix"}, "swe-bench-verified"),
        ({**ROW, "eval_script": "x", "eval_type": "pass_and_fail"}, "swe-bench-5"),
        ({k: v for k, v in ROW.items() if k != "environment_setup_commit"}, "swe-gym"),
        ({**LESS, "image_name": "x"}, "swe-smith"),
        ({**LESS, "repo": "swesmith/acme__slug.12345678"}, "swe-smith"),
        ({**ROW, "install_config": {"install": []}, "interface": "", "pr_description": ""}, "swe-rebench-v2"),
        ({**ROW, "test_cmds": ["pytest"], "log_parser": "def parser(log): ..."}, "swe-bench-live"),
        ({**LESS, "test_patch": "", "fail_to_pass": "['a']", "before_repo_set_cmd": ""}, "swe-bench-pro"),
    ],
)
def test_a_family_is_told_by_its_keys(row: dict[str, Any], family: str) -> None:
    assert family_of(row) == family
    assert read_row(row, "rows, row 1").family == family


def test_what_a_row_says() -> None:
    row = read_row(ROW, "rows, row 1")
    assert (row.fail_to_pass, row.pass_to_pass) == (("test_x.py::test_new",), ("test_x.py::test_old",))
    assert row.instruction == "It breaks.\r\n"
    assert row.created_at == datetime(2023, 3, 4, 18, 36, 21, tzinfo=UTC)
    assert [loss.field for loss in row.losses] == ["environment_setup_commit"]


def test_what_the_tests_need_to_know_is_told() -> None:
    pro = {**LESS, "test_patch": "", "before_repo_set_cmd": "", "requirements": "Be fast.", "interface": "def f()"}
    row = read_row({**pro, "fail_to_pass": "['t.py::a']", "pass_to_pass": "[]", "FAIL_TO_PASS": "['t.py::a']"}, "r")
    assert row.instruction == "It breaks.\n\n## Requirements\n\nBe fast.\n\n## Interface\n\ndef f()\n"


def test_foreign_parsers_are_a_loss_and_impossible_ids_too() -> None:
    live = {**ROW, "log_parser": "import os", "test_cmds": ["pytest"], "PASS_TO_PASS": ["[100%]", "t.py::a"]}
    losses = {loss.field: loss.reason for loss in read_row(live, "r").losses}
    assert losses["log_parser"].startswith("kept as text and never run")
    assert losses["PASS_TO_PASS"].startswith("'[100%]' cannot be a test")


@pytest.mark.parametrize(
    "value", [1677955000, 1677955000_000, datetime(2023, 3, 4), "2023-03-04", "2023-03-04 10:00:00"]
)
def test_dates_of_every_family(value: object) -> None:
    moment = read_row({**ROW, "created_at": value}, "r").created_at
    assert moment is not None
    assert (moment.year, moment.month, moment.tzinfo) == (2023, 3, UTC)


def test_a_date_that_is_none_is_a_loss() -> None:
    row = read_row({**ROW, "created_at": "soon"}, "r")
    assert row.created_at is None
    assert "created_at" in [loss.field for loss in row.losses]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"repo": None}, "'repo': found None"),
        ({"repo": 3}, "'repo': found 3"),
        ({"instance_id": " "}, "'instance_id': found ' '"),
        ({"patch": ""}, "'patch': found ''"),
        ({"test_patch": ["x"]}, "'test_patch': found ['x']"),
        ({"FAIL_TO_PASS": "os.system('x')"}, "'FAIL_TO_PASS': found a text that is neither"),
        ({"FAIL_TO_PASS": []}, "'FAIL_TO_PASS': found no test"),
        ({"FAIL_TO_PASS": ["[100%]"]}, "'FAIL_TO_PASS': found no test"),
        ({"problem_statement": "\ud800"}, "'problem_statement': found half a character"),
        ({"base_commit": ...}, "has no 'base_commit'"),
    ],
)
def test_a_broken_row_is_named_with_its_key(changed: dict[str, Any], said: str) -> None:
    row = {key: value for key, value in {**ROW, **changed}.items() if value is not ...}
    with pytest.raises(InputError) as caught:
        read_row(row, "rows.jsonl, line 7")
    assert said in caught.value.message
    assert caught.value.message.startswith("rows.jsonl, line 7")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
"""What JSON and parquet can hold."""


@given(st.dictionaries(st.sampled_from([*ROW, "interface", "parser"]), VALUES))
def test_no_row_breaks_the_reader(changed: dict[str, Any]) -> None:
    try:
        read_row({**ROW, **changed}, "r")
    except InputError as error:
        assert error.message.startswith("r")


@pytest.mark.parametrize("raw", [None, 3, [], "x"])
def test_what_is_no_object_is_no_row(raw: object) -> None:
    with pytest.raises(InputError, match="is not a row"):
        read_row(raw, "r")
