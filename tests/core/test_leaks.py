"""A prompt may name what is wanted and may not carry the change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.leaks import MAX_LEAKS, leaks
from assay.model.tree import FileChange, FileState

FIX = "    return self.cache.get(key, default_value)\n"
OLD = "class Cache:\n    def fetch(self, key):\n        pass\n"
CHANGE = FileChange("pkg/cache.py", FileState(OLD.encode()), FileState((OLD + FIX).encode()))


def test_a_line_of_the_change_is_a_leak_however_it_is_spaced() -> None:
    assert [leak.kind for leak in leaks(f"Please write {FIX.strip()} there.", [CHANGE])] == ["line"]
    assert leaks("Do: return   self.cache.get(key,  default_value)", [CHANGE])


def test_naming_what_is_wanted_is_none() -> None:
    assert leaks("`Cache.fetch` should give the default value for an unknown key.", [CHANGE]) == []


def test_what_was_there_before_is_none() -> None:
    assert leaks(OLD, [CHANGE]) == []


def test_diffs_and_positions_are_leaks_of_any_change() -> None:
    assert [leak.kind for leak in leaks("diff --git a/x b/x\n", [])] == ["diff"]
    assert [leak.kind for leak in leaks("see pkg/cache.py:12", [])] == ["position"]


def test_an_allowed_piece_is_none() -> None:
    assert leaks(f"Call `{FIX.strip()}`.", [CHANGE], [FIX.strip()]) == []


def test_documents_cannot_be_leaked() -> None:
    change = FileChange("docs/a.md", None, FileState(FIX.encode()))
    assert leaks(FIX, [change]) == []


@given(st.text(max_size=200), st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=100)))
def test_any_bytes_are_judged_and_bounded(text: str, new: bytes, old: bytes | None) -> None:
    change = FileChange("a.py", None if old is None else FileState(old), FileState(new))
    assert len(leaks(text, [change])) <= MAX_LEAKS
