"""The names that hidden tests use and only the change brings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.interface import needed_names, unsaid_texts
from assay.model.tree import FileState

BASE = {"pkg/__init__.py": FileState(b"def old(text):\n    return text\n")}
GOLD = {
    "pkg/__init__.py": FileState(
        b"def old(text, limit=0):\n    return text\n\ndef fresh(a, *, b=1):\n    return a\n\ndef unused():\n    pass\n"
    )
}


def shown(test: bytes) -> list[str]:
    return [item.shown for item in needed_names(BASE, GOLD, {"tests/test_x.py": FileState(test)})]


def test_a_new_function_is_listed_with_its_signature() -> None:
    found = shown(b"from pkg import fresh\n\ndef test_it():\n    assert fresh(1)\n")
    assert found == ["pkg.fresh(a, *, b=1)"]


def test_a_new_parameter_is_listed_where_the_test_gives_it() -> None:
    assert any("limit" in text for text in shown(b"from pkg import old\n\ndef test_it():\n    old('x', limit=1)\n"))


def test_what_the_base_has_is_not_listed() -> None:
    assert shown(b"from pkg import old\n\ndef test_it():\n    old('x')\n") == []


def test_a_text_that_nobody_could_guess_is_found_until_somebody_says_it() -> None:
    long = "the value has to be one of those that were registered before, " * 3
    gold = {"pkg/__init__.py": FileState(f"def old(text):\n    return {long!r} + text + ' a b'\n".encode())}
    tests = {
        "tests/test_x.py": FileState(f"from pkg import old\n\ndef test():\n    assert old('') == {long!r}\n".encode())
    }
    assert unsaid_texts(BASE, gold, tests, "Say more.") == (long.strip(),)
    assert unsaid_texts(BASE, gold, tests, f"Say:\n\n    {long}") == ()
    assert unsaid_texts(gold, gold, tests, "") == ()
    assert unsaid_texts(BASE, gold, {"tests/test_x.py": FileState(b"def test(): pass\n")}, "") == ()


def test_of_a_new_module_the_names_that_tests_want_are_listed_too() -> None:
    gold = {**BASE, "pkg/tools.py": FileState(b"def cut(text, at):\n    return text[:at]\n\ndef other():\n    pass\n")}
    test = b"from pkg.tools import cut\n\ndef test_it():\n    assert cut('abc', 1) == 'a'\n"
    found = [item.shown for item in needed_names(BASE, gold, {"tests/test_x.py": FileState(test)})]
    assert found == ["pkg.tools", "pkg.tools.cut(text, at)"]


@given(st.binary(max_size=120))
def test_any_bytes_are_read_without_an_error(source: bytes) -> None:
    files = {"pkg/__init__.py": FileState(source)}
    assert isinstance(needed_names(BASE, files, {"tests/test_x.py": FileState(source)}), tuple)
