"""Variants as they may have fared, of a file of three lines."""

from __future__ import annotations

from assay.model.tree import FileState, Tree
from assay.model.variant import Fate, Trial, Variant, VariantFamily

GOLD: Tree = {"a.py": FileState(b"x = 1\ny = 2\nz = 3\n")}


def trial(
    line: int, fate: Fate, kind: str = "hunk", family: VariantFamily = "ablation", message: str = "", rank: int = 0
) -> Trial:
    """The trial of a variant that changes one line; its key is `FAMILY:a.py:LINE:KIND`."""
    files = {"a.py": FileState(b"x = 0\n" * line)}
    name = f"{family}:a.py:{line}:{kind}"
    variant = Variant(name, family, kind, "changed", "a.py", line, files, frozenset({line}), "f", rank)
    return Trial(variant, fate, message=message)
