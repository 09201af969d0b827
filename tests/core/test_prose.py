"""Maintainers' words, without what only maintainers need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.prose import clean, entries


def test_bullets_become_points_in_their_order() -> None:
    text = "## 1.2.0\n\n- Support for regex patterns\n  over two lines\n- Fix empty separators in slugs (#12)\n"
    assert entries(text) == ["Support for regex patterns over two lines", "Fix empty separators in slugs"]


def test_a_version_alone_is_no_point() -> None:
    assert clean("1.2.3") == ""
    assert clean("") == ""


@given(st.text(max_size=400))
def test_any_text_gives_points_of_one_line_that_are_no_longer_than_it(text: str) -> None:
    for point in entries(text):
        assert point
        assert "\n" not in point
        assert len(point) <= len(text.expandtabs(4)) * 2
