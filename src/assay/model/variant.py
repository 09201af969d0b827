"""A changed reference change: a mutant, a part left out, the same thing put otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.model.tree import FileState

VariantFamily = Literal["ablation", "mutant", "wrong-fix", "alternative", "bank"]
Fate = Literal["rejected", "accepted", "unknown"]


@dataclass(frozen=True, slots=True)
class Variant:
    """Files that differ from the repository as the reference change leaves it."""

    key: str
    """Stable and unique within the task, such as `mutant:src/x.py:12:8:compare-boundary`."""
    family: VariantFamily
    kind: str
    """Operator or rule within the family: `hunk`, `statement`, `compare-boundary`, `rename-private`, ..."""
    what: str
    """What was changed, in words: `< became <=`."""
    path: str
    line: int
    """1-based, in the file as the reference change leaves it."""
    files: Mapping[str, FileState | None] = field(default_factory=dict)
    """Path in the repository to its new state; None deletes."""
    lines: frozenset[int] = frozenset()
    """Lines of `path`, as the reference change leaves it, that are touched: who runs them can notice."""
    function: str = ""
    """Dotted name of the function that holds the change, empty at the module's level."""
    rank: int = 0
    """How far from the heart of the change, 0 being the changed lines themselves; 1: what these call, and the like."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the task's tests say about a variant. No verdict: only our own variants are tried this way."""

    variant: Variant
    fate: Fate
    by: str = ""
    """The first test that noticed."""
    message: str = ""
    """What it said, or why the fate is unknown."""
    seconds: float = 0.0
