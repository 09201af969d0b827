"""Agents that need no model: the reference solution, doing nothing, and a patch somebody else made."""

from __future__ import annotations

from assay.model.task import Task


class OracleAgent:
    """Gives the reference change: the verifier must accept it."""

    name = "oracle"

    async def attempt(self, task: Task) -> bytes:
        """The gold patch."""
        return task.gold_patch


class NopAgent:
    """Changes nothing: the verifier must not accept it."""

    name = "nop"

    async def attempt(self, task: Task) -> bytes:
        """No change."""
        del task
        return b""


class PatchAgent:
    """Gives one patch to every task."""

    name = "patch"

    def __init__(self, patch: bytes = b"") -> None:
        self._patch = patch

    async def attempt(self, task: Task) -> bytes:
        """The patch that it was made with."""
        del task
        return self._patch
