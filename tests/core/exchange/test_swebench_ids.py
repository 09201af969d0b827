"""Published ids: three notations of a list, what no test can be called, and what the others stand for."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.exchange.swebench_ids import impossible, is_cut, listed, plain, resolve

IDS = st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=6, unique=True)


@given(IDS)
def test_a_list_is_the_same_in_every_notation(ids: list[str]) -> None:
    assert listed(ids) == listed(json.dumps(ids)) == listed(repr(ids)) == listed(f"  {ids!r}\n") == tuple(ids)


@pytest.mark.parametrize("value", [None, "", "  ", [], "[]", ()])
def test_no_list_is_an_empty_one(value: object) -> None:
    assert listed(value) == ()


@pytest.mark.parametrize("value", [3, {"a": 1}, "3", "['a', 1]", "__import__('os')", "[" * 10_000, "['a'", "\0", [1]])
def test_what_is_no_list_of_texts_says_so(value: object) -> None:
    with pytest.raises(ValueError, match="text"):
        listed(value)


@given(st.text(max_size=60))
def test_no_text_is_ever_run_or_breaks_the_reader(text: str) -> None:
    with suppress(ValueError):
        assert all(isinstance(one, str) for one in listed(text))


@pytest.mark.parametrize(
    "test_id", ["", " ", "[100%]", "[", "[100%]----", "/n/fs/x/test_a.py::test_b", "../a.py::t", "a b"]
)
def test_what_no_test_can_be_called(test_id: str) -> None:
    assert impossible(test_id)


@pytest.mark.parametrize("test_id", ["tests/test_a.py::test_b", "a.py::A::b[/tmp/x y]", "test_b", "test_b[1-2]"])
def test_what_a_test_may_be_called(test_id: str) -> None:
    assert impossible(test_id) == ""


REPORTED = (
    "t.py::test_a[not b]",
    "t.py::test_a[not b or c]",
    "t.py::test_a[x]",
    "t.py::test_d[ISO 8]",
    "t.py::A::test_e",
    "t.py::test_f[/repo/data/one.dcm-1]",
    "t.py::test_g[]",
)


@pytest.mark.parametrize(
    ("published", "meant"),
    [
        ("t.py::test_a[x]", ("t.py::test_a[x]",)),
        ("t.py::test_a[not", ("t.py::test_a[not b]", "t.py::test_a[not b or c]")),
        ("t.py::test_d[ISO", ("t.py::test_d[ISO 8]",)),
        ("t.py::A::()::test_e", ("t.py::A::test_e",)),
        ("t.py::test_f[/n/fs/jimenez/temp/data/one.dcm-1]", ("t.py::test_f[/repo/data/one.dcm-1]",)),
        ("test_e", ("t.py::A::test_e",)),
        ("t.py::test_g", ()),
        ("u.py::test_a[x]", ()),
    ],
)
def test_what_an_id_stands_for(published: str, meant: tuple[str, ...]) -> None:
    assert resolve([published], REPORTED) == {published: meant}


@given(st.lists(st.sampled_from(REPORTED), unique=True))
def test_ids_that_are_there_stand_for_themselves(ids: list[str]) -> None:
    assert resolve(ids, REPORTED) == {test_id: (test_id,) for test_id in ids}


@given(st.text("ab []/:", max_size=12), st.integers(1, 12))
def test_an_id_cut_at_a_blank_stands_for_the_whole(parameter: str, _: int) -> None:
    whole = f"t.py::test[{parameter} z]"
    cut = whole.partition(" ")[0]
    assert is_cut(cut) is not cut.endswith("]")
    if is_cut(cut):
        assert whole in resolve([cut], [whole])[cut]


def test_folders_of_another_machine_are_left_out() -> None:
    assert plain("t.py::test[/a/b/c.x-0]") == plain("t.py::test[/d/c.x-0]") != plain("t.py::test[/d/e.x-0]")
    assert plain("t.py::test[http://host/a/b]") == "t.py::test[http://host/a/b]"
