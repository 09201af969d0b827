"""Solutions of a task that a person has judged: kept beside it, and judged again at every audit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from assay.model.failure import Failure

MAX_SOLUTION_BYTES = 32 * 1024 * 1024
"""No honest solution of a task is near it."""
MAX_SOLUTIONS = 1000
"""Of one task: an audit judges them all."""
NAME_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Solution:
    """A patch, and what a person says of it."""

    patch: bytes
    is_right: bool

    @property
    def name(self) -> str:
        """The first digits of the patch's SHA-256: its name in the bank."""
        return hashlib.sha256(self.patch).hexdigest()[:NAME_DIGITS]


@dataclass(frozen=True, slots=True)
class Bank:
    """All solutions of a task, the right ones first, each kind by name."""

    solutions: tuple[Solution, ...] = ()


@dataclass(frozen=True, slots=True)
class Replay:
    """What the verifier says about a solution now."""

    solution: Solution
    resolved: bool | None
    """None when no verdict was reached."""
    reason: str = ""
    """Why it was not resolved, in the verdict's word."""
    failing: tuple[str, ...] = ()
    """Tests that did not pass."""
    message: str = ""
    """What the first of them said."""
    failure: Failure | None = None
