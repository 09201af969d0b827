"""Who tries a task. An agent sees the prompt and the repository and leaves a patch."""

from __future__ import annotations

from typing import Protocol

from assay.model.task import Task


class Agent(Protocol):
    """A named way to turn a task into a patch."""

    name: str

    async def attempt(self, task: Task) -> bytes:
        """The patch, in git's format; empty for no change. Raises AssayError when no attempt could be made."""
        ...
