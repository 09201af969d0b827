"""Expected values that are held outside: what leaves, what comes back, and what speaks against a candidate."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.framework import events
from assay.core.twins.cases import Library
from assay.core.twins.rounds import OPAQUE_VALUE, unexpected_value
from assay.core.twins.weaving import design, write
from assay.model.report import OPAQUE, Status, TestOutcome
from assay.model.twin import Seal

PATH = "tests/test_x.py"
INSIDE = Path(events.__file__).parent / "inside" / "assay_report.py"


@pytest.fixture(scope="module")
def inside() -> Iterator[ModuleType]:
    """The plug-in as it runs in the sandbox, without a channel."""
    spec = importlib.util.spec_from_file_location("assay_report_under_test", INSIDE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("assay_report_under_test", None)


def seal(body: str, ids: tuple[str, ...] = ("test_it",)) -> tuple[str, Seal | None]:
    data = body.encode()
    woven, missing = design(Library(lambda _: data), [f"{PATH}::{i}" for i in ids], {}, random.Random(0))
    assert missing == {}
    found = woven[0].seal
    return (write(data, found.edits).decode() if found else ""), found


@pytest.mark.parametrize(
    ("body", "literal"),
    [
        ("def test_it():\n    assert f(1) == 'right answer'\n", "'right answer'"),
        ("def test_it():\n    assert [4711, 2] == f(1)\n", "[4711, 2]"),
        ("class T:\n    def test_it(self):\n        self.assertEqual(f(1), {'key': 4711})\n", "{'key': 4711}"),
        ("def test_it():\n    assert ok and f(1) == 4711\n", "4711"),
        ("def test_it():\n    assert f(1) == (\n        'right '\n        'answer'\n    )\n", "'right answer'"),
    ],
)
def test_the_expected_value_leaves_the_file(body: str, literal: str) -> None:
    text, found = seal(body, ("T::test_it",) if body.startswith("class") else ("test_it",))
    assert found
    assert literal not in text
    assert list(found.expected.values()) == [literal]
    assert all(f"see('{mark}', (f(1)))" in text for mark in found.expected)


def test_a_column_of_a_table_leaves_the_file() -> None:
    body = (
        "import pytest\n@pytest.mark.parametrize('given, expected', [('a', 'first'), ('b', 'second')])\n"
        "def test_it(given, expected):\n    assert given.upper() == expected\n"
    )
    text, found = seal(body, ("test_it[a-first]", "test_it[b-second]"))
    assert found
    assert sorted(found.expected.values()) == ["'first'", "'second'"]
    assert "first" not in text
    assert "see(expected, (given.upper()))" in text


@pytest.mark.parametrize(
    "line",
    ["assert f(1) is None", "assert f(1) == None", "assert f(1) == g(2)", "assert f(1) == True", "assert 1 == 1"],
)
def test_what_is_no_plain_literal_stays(line: str) -> None:
    assert seal(f"def test_it():\n    {line}\n")[1] is None


def test_a_column_with_another_use_stays() -> None:
    body = (
        "import pytest\n@pytest.mark.parametrize('expected', ['a', 'b'])\n"
        "def test_it(expected):\n    print(expected)\n    assert f(1) == expected\n"
    )
    assert seal(body, ("test_it[a]",))[1] is None


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=4)
    ),
    max_leaves=12,
)


@given(value=PLAIN)
def test_plain_data_comes_out_as_it_went_in(inside: ModuleType, value: object) -> None:
    told = json.loads(json.dumps(inside.plain(value, 0)))
    assert events.decode(told) == value


class Anything(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Colour(str, Enum):  # noqa: UP042  the older way has another __str__, and is what old code has
    RED = "red"


Point = namedtuple("Point", "x y")


def test_objects_with_an_equality_of_their_own_are_opaque(inside: ModuleType) -> None:
    for value in (Anything("a"), object(), [Anything("a")], {"a": object()}):
        with pytest.raises(inside.Opaque):
            inside.plain(value, 0)


def test_what_equals_plain_data_counts_as_plain_data(inside: ModuleType) -> None:
    for value, same in ((Colour.RED, "red"), (Point(1, 2), (1, 2)), (OrderedDict(a=1), {"a": 1})):
        assert value == same
        assert events.decode(inside.plain(value, 0)) == same


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_nothing_that_a_candidate_writes_makes_the_reader_stumble(value: object) -> None:
    line = json.dumps({"e": "value", "id": "a", "mark": "m", "value": value}).encode() + b"\n"
    begin = b'{"e": "start"}\n{"e": "begin", "id": "a"}\n'
    account = events.read(begin + line)
    assert account.started
    assert account.running == ["a"]


SEAL = Seal(edits=(), expected={"m": "[1, 2]", "n": "'x'"})


@pytest.mark.parametrize(
    ("values", "wanted", "complaint"),
    [
        ((("m", [1, 2]),), ("m",), ""),
        ((("m", [1, 2]), ("m", [1, 2])), ("m",), ""),
        ((("m", (1, 2)),), ("m",), "expected [1, 2], computed (1, 2)"),
        ((("m", [1, 2]), ("m", [1])), ("m",), "expected [1, 2], computed [1]"),
        ((), ("m",), "never computed what is expected to be [1, 2]"),
        ((("m", [1, 2]), ("z", 1)), ("m",), "expected nothing, computed 1"),
        ((("m", OPAQUE),), ("m",), OPAQUE_VALUE),
        ((("m", [1, 2]), ("n", "y")), ("m",), "expected 'x', computed 'y'"),
    ],
)
def test_values_are_held_against_what_is_expected(
    values: tuple[tuple[str, object], ...], wanted: tuple[str, ...], complaint: str
) -> None:
    assert unexpected_value(SEAL, TestOutcome(Status.PASSED, values=values), wanted) == complaint


def test_a_forked_child_tells_nothing(inside: ModuleType) -> None:
    told: list[object] = []

    class Channel:
        owner = os.getpid() + 1

        def tell(self, *found: object, **more: object) -> None:
            told.append((found, more))

    assert inside.Eye(Channel()).see("m", 1) is True
    assert told == []
