"""Digests name content, and nothing but content."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from assay.core.hashing import json_digest, tree_digest
from assay.model.tree import FileState

STATES = st.one_of(
    st.none(), st.builds(FileState, st.binary(max_size=8), st.sampled_from(["100644", "100755", "120000"]))
)
PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)
TREES = st.dictionaries(PATHS, STATES, max_size=5)


@given(TREES, st.integers())
def test_the_order_of_files_does_not_matter(tree: dict[str, FileState | None], seed: int) -> None:
    items = list(tree.items())
    random.Random(seed).shuffle(items)
    assert tree_digest(dict(items)) == tree_digest(tree)
    plain = {path: state.mode if state else None for path, state in items}
    assert json_digest(plain) == json_digest(dict(sorted(plain.items())))


@given(TREES, TREES)
def test_different_trees_have_different_digests(
    first: dict[str, FileState | None], second: dict[str, FileState | None]
) -> None:
    assert (tree_digest(first) == tree_digest(second)) is (first == second)


def test_a_path_that_is_not_utf8_has_a_digest() -> None:
    assert tree_digest({"\udcff": None}) != tree_digest({"\udcfe": None})
