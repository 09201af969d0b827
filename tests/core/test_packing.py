"""A packed base is the base again, and the same base packs to the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.format.harbor import HarborFormat
from assay.adapters.source.archive import read_archive
from assay.core.packing import packed, self_contained
from assay.errors import TaskDefinitionError
from assay.model.task import BASE_ARCHIVE
from assay.model.tree import FileState, Mode, Tree
from assay.testing.puzzle import puzzle

NAMES = st.text(st.sampled_from("aé ._-\udc80'\\\n"), min_size=1, max_size=8).filter(
    lambda name: name.strip(".") != "" and "\n" not in name
)
MODES: st.SearchStrategy[Mode] = st.sampled_from(("100644", "100755"))
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.builds(FileState, st.binary(max_size=40), MODES),
    min_size=1,
    max_size=6,
).filter(lambda tree: not any(a != b and b.startswith(a + "/") for a in tree for b in tree))


@given(TREES)
def test_what_was_packed_comes_out_again(tree: Tree) -> None:
    data = packed(tree)
    assert dict(read_archive(data, "x")) == tree
    assert packed(dict(reversed(list(tree.items())))) == data


def test_links_within_come_along() -> None:
    tree = {"a/b": FileState(b"1"), "c": FileState(b"a/b", "120000")}
    assert dict(read_archive(packed(tree), "x")) == tree


def test_a_task_brings_its_base_and_a_broken_one_is_named(tmp_path: Path) -> None:
    task = HarborFormat().read(puzzle(tmp_path / "double"))
    elsewhere = task.assay.model_copy(update={"source": task.assay.source.model_copy(update={"kind": "git"})})
    base = {"double.py": FileState(b"print(1)\n")}
    whole = self_contained(type(task)(task.slug, task.config, elsewhere, task.instruction, task.files), base)
    assert HarborFormat().base(whole) == base
    assert b"ADD base.tar.gz" in whole.files["environment/Dockerfile"].data
    spoilt = type(task)(whole.slug, whole.config, elsewhere, "", {BASE_ARCHIVE: FileState(b"no archive")})
    with pytest.raises(TaskDefinitionError, match=BASE_ARCHIVE):
        HarborFormat().base(spoilt)
    assert HarborFormat().base(task) == task.workspace
