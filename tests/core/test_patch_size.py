"""A patch in numbers, counted by its hunks and by nothing that only looks like them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.patch_size import PatchSize, patch_size
from assay.testing.puzzle import GOLD

LINES = st.lists(st.sampled_from([" same", "-gone", "--- a/x", "+new", "+++ b/y"]), min_size=1, max_size=20)


def test_the_reference_change() -> None:
    assert patch_size(GOLD.encode()) == PatchSize(("double.py",), 1, 1)
    assert patch_size(b"") == PatchSize((), 0, 0)


@given(LINES)
def test_lines_that_look_like_headers_count_as_lines(lines: list[str]) -> None:
    old, new = (sum(line[0] in marks for line in lines) for marks in (" -", " +"))
    text = "\n".join(["--- a/f", "+++ b/f", f"@@ -1,{old} +1,{new} @@", *lines, ""])
    size = patch_size(text.encode())
    assert (size.added_count, size.removed_count) == (
        sum(line[0] == "+" for line in lines),
        sum(line[0] == "-" for line in lines),
    )


@given(st.binary())
def test_nothing_is_too_strange(data: bytes) -> None:
    size = patch_size(b"@@ -1 +1 @@\n" + data)
    assert min(size.added_count, size.removed_count) >= 0
