"""A variant's key is the same however it is found: from the whole text, or from the lines that differ."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.variants.changes import read_gold
from assay.core.variants.equivalence import Fingerprint
from assay.core.variants.mutants import mutants
from assay.core.variants.source import Module, read_module
from assay.model.tree import FileState

SOURCE = '''\
"""A module."""
from __future__ import annotations
import os; import sys

TABLE = (
    (1, "é"),
    (2, "b"),
)

@property
def first(self):
    """Says."""
    if self:
        return 1
    else:
        return 2

class Thing:
    size = 3

    def grow(self, by=1):
        self.size += by
        return [x for x in range(self.size)
                if x]

    def shrink(self):
        pass


def last(): return """a
b"""
'''


def module_of(text: str) -> Module:
    module = read_module("m.py", FileState(text.encode()))
    assert module is not None
    return module


MODULE = module_of(SOURCE)
PRINT = Fingerprint(MODULE)


def agrees(text: bytes, own: Fingerprint = PRINT) -> None:
    assert own.of_file(FileState(text)) == own.of_text(text)


@given(
    st.integers(0, len(SOURCE)),
    st.integers(0, 60),
    st.sampled_from(["", "\n", "x", "    pass\n", "x = 1\n", "'''", "\\\n"]),
)
def test_any_piece_may_be_put_otherwise(at: int, length: int, new: str) -> None:
    agrees((SOURCE[:at] + new + SOURCE[at + length :]).encode())


@given(st.lists(st.integers(0, SOURCE.count("\n")), max_size=6), st.randoms(use_true_random=False))
def test_lines_may_be_left_out_and_moved(lines: list[int], draw: random.Random) -> None:
    kept = [line for number, line in enumerate(SOURCE.splitlines(keepends=True)) if number not in lines]
    agrees("".join(kept).encode())
    draw.shuffle(kept)
    agrees("".join(kept).encode())


@pytest.mark.parametrize("name", ["textwrap.py", "configparser.py", "dataclasses.py"])
def test_real_modules(name: str) -> None:
    text = (Path(ast.__file__).parent / name).read_text()
    own, draw, lines = Fingerprint(module_of(text)), random.Random(name), text.splitlines(keepends=True)
    for _ in range(40):
        at = draw.randrange(len(lines))
        agrees("".join(lines[:at] + lines[at + draw.randrange(4) :]).encode(), own)


def test_another_encoding_is_another_text() -> None:
    text = "# -*- coding: latin-1 -*-\n" + SOURCE
    found = PRINT.of_file(FileState(text.encode("latin-1")))
    assert found is not None
    assert found == PRINT.of_text(text.encode())
    assert PRINT.of_file(FileState(b"\xff")) is None


def test_a_long_table_is_taken_apart_as_far_as_time_allows() -> None:
    rows = [f"    ({number}, {number + 3})," for number in range(2500)]
    old, new = ("\n".join(["T = (", *rows[::step], ")", ""]).encode() for step in (2, 1))
    gold = read_gold({"pkg/table.py": FileState(old)}, {"pkg/table.py": FileState(new)})
    (file,) = gold.files
    assert len(file.all_hunks) == 1
    made = mutants(gold)
    assert 10 < len(made) < 500
    assert "places of a long table" in " ".join(gold.untried)
    assert [variant.key for variant in mutants(read_gold(gold.base, gold.changed))] == [v.key for v in made]
