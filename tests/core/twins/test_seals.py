"""Expected values that are held outside: what leaves, what comes back, and what speaks against a candidate."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from collections import OrderedDict, UserList, UserString, namedtuple
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, ModuleType

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


@pytest.mark.parametrize(
    "body",
    [
        "    expected = 'right'\n    result = f(1)\n    assert result == expected\n",
        "    result, expected = f(1), 'right'\n    assert result == expected\n",
        "    for given, expected in [(1, 'right'), (2, 'right')]:\n        assert f(given) == expected\n",
        "    for given, expected in {1: 'right'}.items():\n        assert f(given) == expected\n",
        "    assert_equal(f(1), 'right')\n",
        "    case.assertEqual('right', f(1), 'message')\n",
        "    case.assertListEqual(f(1), ['right'], msg='message')\n",
    ],
)
def test_names_and_loops_and_helpers_are_sealed_too(body: str) -> None:
    text, found = seal(f"def test_it():\n{body}")
    assert found
    assert "right" not in text
    assert "assay_report" in text
    compile(text, "x", "exec")


@pytest.mark.parametrize(
    "body",
    [
        "    expected = 'right'\n    g(expected)\n    assert f(1) == expected\n",
        "    expected = 'right'\n    expected = 'wrong'\n    assert f(1) == expected\n",
        "    case.assertAlmostEqual(f(1), 1.5)\n",
        "    case.assertCountEqual(f(1), [1])\n",
    ],
)
def test_what_is_used_twice_or_compared_otherwise_stays(body: str) -> None:
    assert seal(f"def test_it():\n{body}")[1] is None


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


def test_an_equality_of_their_own_counts_for_nothing(inside: ModuleType) -> None:
    for value, content in ((Anything("a"), "a"), ([Anything("a")], ["a"]), ({"k": Anything("a")}, {"k": "a"})):
        assert events.decode(inside.plain(value, 0)) == content
        assert events.decode(inside.plain(value, 0)) != "b"


class Explodes:
    def __getattribute__(self, name: str) -> object:
        raise KeyboardInterrupt if name == "shape" else ValueError


def test_what_is_no_plain_data_is_told_as_such(inside: ModuleType) -> None:
    told: list[object] = []

    class Channel:
        owner = os.getpid()

        def tell(self, *found: object, **more: object) -> None:
            told.append(more["value"])

    eye = inside.Eye(Channel())
    assert eye.see("m", object()) is True
    assert eye.see("m", {"a": object()}) is True
    assert eye.see("m", Decimal("inf")) is True
    assert eye.see("m", Explodes()) is True
    assert told == [None] * 4


def test_what_equals_plain_data_counts_as_plain_data(inside: ModuleType) -> None:
    cases: list[tuple[object, object]] = [
        (Colour.RED, "red"),
        (Point(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        ({"a": 1}.keys(), {"a"}),
        (UserList([1]), [1]),
        (UserString("a"), "a"),
        (MappingProxyType({"a": (1,)}), {"a": (1,)}),
        (Decimal("2.50"), 2.5),
        (Fraction(4, 2), 2),
    ]
    for value, same in cases:
        assert value == same
        assert events.decode(json.loads(json.dumps(inside.plain(value, 0)))) == same


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


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [16**9999, [16**9999], {"a": -(16**9999)}, nested(100_000)], ids=["int", "in", "of", "deep"]
)
def test_a_value_that_cannot_be_shown_is_a_complaint_like_any_other(value: object) -> None:
    complaint = unexpected_value(SEAL, TestOutcome(Status.PASSED, values=(("m", value),)), ("m",))
    assert complaint.startswith("expected [1, 2], computed ")


def test_a_forked_child_tells_nothing(inside: ModuleType) -> None:
    told: list[object] = []

    class Channel:
        owner = os.getpid() + 1

        def tell(self, *found: object, **more: object) -> None:
            told.append((found, more))

    assert inside.Eye(Channel()).see("m", 1) is True
    assert told == []
