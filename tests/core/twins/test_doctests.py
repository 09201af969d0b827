"""Doctests: every twin of an example fails under the real doctest, the woven original passes."""

from __future__ import annotations

import doctest
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.twins.cases import Library
from assay.core.twins.weaving import design, write

MODULE = b'''"""The module.

    >>> 1 + 1
    2
"""


def helper():
    """Helps.

    >>> helper()
    'one two three'
    >>> x = [
    ...     1,
    ... ]
    >>> x
    [1]
    """
    return "one two three"


class Group:
    """Groups.

    >>> Group().size()
    12
    >>> len([]) / 0
    Traceback (most recent call last):
        ...
    ZeroDivisionError: division by zero
    """

    def size(self):
        r"""Tells \\ the size.

        >>> Group().size() > 3
        True"""
        return 12

    def escaped(self):
        """Has an escape.

        >>> print("a\\tb")
        a	b
        """
'''
TEXT = b"Words: \xc3\xa4\xc3\xb6\n\n>>> print('a', 1)\na 1\n\nMore words.\n\n>>> y = 3\n"


def failures(text: str, names: dict[str, object]) -> int:
    test = doctest.DocTestParser().get_doctest(text, names, "t", None, 0)
    return doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed


def docstring(data: bytes, name: str) -> tuple[str, dict[str, object]]:
    space: dict[str, object] = {"__name__": "m"}
    exec(compile(data, "m", "exec"), space)  # noqa: S102  our own text, edited by our own code
    thing: object = space.get("__doc__") if not name else space[name.split(".", maxsplit=1)[0]]
    for part in name.split(".")[1:]:
        thing = getattr(thing, part)
    return (thing if isinstance(thing, str) else str(thing.__doc__)), space


@pytest.mark.parametrize("name", ["", "helper", "Group", "Group.size"])
@given(seed=st.integers(0, 2**32))
def test_docstrings(name: str, seed: int) -> None:
    dotted = ".".join(["tests", "m", name]).rstrip(".")
    woven, missing = design(Library({"tests/m.py": MODULE}.get), [f"tests/m.py::{dotted}"], {}, random.Random(seed))
    assert missing == {}
    [one] = woven
    assert failures(*docstring(write(MODULE, one.real), name)) == 0
    assert {twin.kind for twin in one.twins} == {"forced", "value"}
    for twin in one.twins:
        assert failures(*docstring(write(MODULE, twin.edits), name)) == 1


@given(st.integers(0, 2**32))
def test_text_files(seed: int) -> None:
    woven, missing = design(Library({"docs/a.rst": TEXT}.get), ["docs/a.rst::a.rst"], {}, random.Random(seed))
    assert missing == {}
    [one] = woven
    assert failures(write(TEXT, one.real).decode(), {}) == 0
    assert [failures(write(TEXT, twin.edits).decode(), {}) for twin in one.twins] == [1] * len(one.twins)
    assert len(one.twins) == 2


def test_what_cannot_be_woven_has_its_reason() -> None:
    ids = ["tests/m.py::tests.m.Group.escaped", "docs/none.rst::none.rst", "docs/bad.rst::bad.rst"]
    files = {"tests/m.py": MODULE, "docs/bad.rst": b"\xff >>> 1\n"}
    woven, missing = design(Library(files.get), ids, {}, random.Random(0))
    assert woven == []
    assert set(missing) == set(ids)
