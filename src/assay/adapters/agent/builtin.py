"""Agents that need no model: the reference solution, doing nothing, and patches that somebody else made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.core.exchange.swebench_tasks import TABLE
from assay.errors import InputError
from assay.model.task import Task


class OracleAgent:
    """Gives the reference change: the verifier must accept it."""

    name = "oracle"

    async def attempt(self, task: Task, number: int = 1) -> bytes:
        """The gold patch."""
        del number
        return task.gold_patch


class NopAgent:
    """Changes nothing: the verifier must not accept it."""

    name = "nop"

    async def attempt(self, task: Task, number: int = 1) -> bytes:
        """No change."""
        del task, number
        return b""


class PatchAgent:
    """Gives one patch to every task."""

    name = "patch"

    def __init__(self, patch: bytes = b"") -> None:
        self._patch = patch

    async def attempt(self, task: Task, number: int = 1) -> bytes:
        """The patch that it was made with."""
        del task, number
        return self._patch


class PredictionAgent:
    """Gives what a file of predictions has: of several for the same task, the first to the first attempt, and on."""

    name = "patch"

    def __init__(self, patches: Mapping[str, Sequence[bytes]]) -> None:
        self._patches = patches

    async def attempt(self, task: Task, number: int = 1) -> bytes:
        """The prediction for this task, by the name of its folder or of the row that it was made of. Raises InputError
        when there is none for this attempt.
        """
        row = task.config.get("metadata", {}).get(TABLE, {})
        known = next((self._patches[n] for n in (row.get("instance_id"), task.slug) if n in self._patches), ())
        if number > len(known):
            raise InputError(
                f"there are {len(known)} predictions for {task.slug}, and attempt {number} was asked for",
                hint="ask for fewer trials, or for the tasks that the file is about",
            )
        return known[number - 1]
