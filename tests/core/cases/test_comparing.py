"""Comparing answers: every way says yes to what was asked for, no to anything else, and never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.cases.comparing import Answer, difference
from assay.core.cases.spec import Expect

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def differs(output: str | bytes, found: int = 0, *, errors: bytes = b"", **expect: Any) -> str:
    data = output.encode() if isinstance(output, str) else output
    return difference(Expect.model_validate(expect), Answer(found, data, errors))


@pytest.mark.parametrize(
    ("expect", "good", "bad"),
    [
        ({"text": "a\nb"}, ["a\nb", "a \nb\n\n", "a\r\nb\r\n"], ["a", "a\nb\nc", " a\nb", "b\na", ""]),
        ({"exact": "a\n"}, ["a\n"], ["a", "a\n\n", "A\n"]),
        ({"lines": ["x", "y", "y"]}, ["y\nx\ny\n", "x\n\ny\ny "], ["x\ny", "x\ny\ny\nz", "xyy"]),
        ({"contains": ["one", "two"]}, ["two and one"], ["one", "tw o"]),
        (
            {"json": {"a": [1, True]}},
            ['{"a": [1, true]}', '{"a":[1.0,true]}\n'],
            ['{"a":[1,1]}', "{", "", "[1]", "NaN"],
        ),
        ({"json": 1.5, "tolerance": 0.01}, ["1.505"], ["1.6", '"1.5"', "true"]),
        ({"numbers": [1, 2.5]}, ["1 2.5", "1.0,\n2.50"], ["1", "1 2.5 3", "1 2.6", "one 2.5", "nan 2.5"]),
        ({"numbers": [1000], "tolerance": 0.001}, ["1000.9"], ["1002", "inf", "nan"]),
        ({"stderr": ["E"], "status": "failure"}, [], ["x"]),
    ],
)
def test_each_way(expect: dict[str, Any], good: list[str], bad: list[str]) -> None:
    assert [differs(text, **expect) for text in good] == [""] * len(good)
    assert all(differs(text, **expect) for text in bad)


def test_statuses() -> None:
    assert not differs("")
    assert differs("", 1)
    assert differs("", -9)
    assert not differs("", 3, status=3)
    assert not differs("", -9, status="failure")
    assert differs("", 0, status="failure")
    assert not differs("x", 7, status="any", text="x")
    assert "line 1" in differs("y", 7, status="any", text="x")
    assert not differs("", 2, errors=b"usage: x", status=2, stderr=["usage"])
    assert differs("", 2, errors=b"oops", status=2, stderr=["usage"])


def test_http_answers() -> None:
    def http(found: int, sent: dict[str, str] | None = None, **expect: Any) -> str:
        return difference(Expect.model_validate(expect), Answer(found, b"", headers=sent or {}, http=True))

    assert not http(204)
    assert http(301)
    assert http(500)
    assert not http(404, status="failure")
    assert not http(200, {"content-type": "text/plain"}, headers={"Content-Type": "text/plain"})
    assert http(200, {}, headers={"Content-Type": "text/plain"})


@given(st.binary(max_size=200), st.sampled_from(["text", "exact", "lines", "contains", "json", "numbers"]))
def test_nothing_that_a_program_prints_raises(output: bytes, way: str) -> None:
    values: dict[str, Any] = {"lines": ["a"], "contains": ["q\0"], "numbers": [1.5], "json": {"a": 1}}
    assert isinstance(differs(output, **{way: values.get(way, "a")}), str)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "1e999999999", "-" * 10, '"\\ud800"', "1" + "0" * 400])
def test_hostile_documents_are_differences(text: str) -> None:
    assert differs(text, json=[1])
    assert differs(text, numbers=[1], tolerance=0.5)


@given(JSON)
def test_json_equals_itself_and_its_text_says_so(value: Any) -> None:
    assert not differs(json.dumps(value), json=value)
    assert differs(json.dumps([value]), json=value)
