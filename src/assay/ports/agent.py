"""Who tries a task. An agent leaves a patch; one that works does so in a sandbox, out of which the patch is read.

Three kinds of bad ends are told apart, because only one of them is a score:

- The agent gave up, ran into its limits, or ended with an error of its own: a value (`Work.ended`), and the workspace
  is judged as it is.
- The model's endpoint did not do its part, or the sandbox broke: raises an InfrastructureError; the trial is void.
- The agent itself cannot be used (its program is not there): raises PrerequisiteError or InputError; no trial at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from assay.model.agent import TrialLimits
from assay.model.json_values import JsonObject
from assay.model.sandbox import Command, ExecResult
from assay.model.task import Task
from assay.model.trajectory import Trajectory


@runtime_checkable
class Agent(Protocol):
    """A named way to turn a task into a patch without working on it."""

    name: str

    async def attempt(self, task: Task, number: int = 1) -> bytes:
        """The patch of its so-manieth attempt, in git's format; empty for no change. Raises AssayError when no attempt
        could be made.
        """
        ...


@dataclass(frozen=True, slots=True)
class Demands:
    """What a worker wants in its sandbox besides the repository and its environment."""

    mounts: tuple[tuple[Path, str], ...] = ()
    """Folders of the host, and where they are seen, read-only: the agent's own program."""
    variables: tuple[tuple[str, str], ...] = ()
    git: bool = False
    """Whether it wants its workspace to be a git repository, of one commit."""


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """How a worker reaches its model: never with a key of anybody's."""

    model: str
    """The name to ask for."""
    url: str
    """Speaks OpenAI's chat completions below it; ends before `/chat/completions`. As seen from where the agent runs."""
    token: str
    """To be sent as the key; good for this trial alone."""
    folder: str = ""
    """Inside the sandbox, for an agent that runs there: holds what opens `url` (see the adapter)."""


class Workspace(Protocol):
    """The sandbox that a worker works in, over the task's base."""

    async def run(self, command: str, wall_seconds: float | None = None) -> ExecResult:
        """Run a line of shell in the repository's root, standard error among the output. Raises SandboxError."""
        ...

    async def exec(self, command: Command) -> ExecResult:
        """Run a program. Raises SandboxError."""
        ...

    async def put(self, path: str, content: str) -> ExecResult:
        """Write a file of the repository. Raises InputError for a path that leads out of it, and SandboxError."""
        ...


@dataclass(frozen=True, slots=True)
class Workplace:
    """One trial, as its agent sees it: nothing of the reference change or the hidden tests is in here."""

    instruction: str
    workspace: Workspace
    limits: TrialLimits
    seed: int
    """Differs from attempt to attempt and is the same when one is repeated."""
    python: str
    """An interpreter in the sandbox, by its path: 3.6 or later."""
    model: ModelAccess | None = None
    """From outside of the sandbox."""
    model_inside: ModelAccess | None = None
    """From within."""


@dataclass(frozen=True, slots=True)
class Work:
    """How a worker ended. What it changed is read out of the sandbox, and what it spent is counted at the model's gate;
    neither is taken from its own words.
    """

    ended: str
    """In a word: `submitted`, `limit-wall`, `limit-steps`, `limit-tokens`, `limit-usd`, `exit-status-1`."""
    trajectory: Trajectory | None = None
    extra: JsonObject = field(default_factory=dict)


@runtime_checkable
class Worker(Protocol):
    """A named way to turn a task into a patch by working on it."""

    name: str
    version: str
    """Of its program, if known."""
    settings: JsonObject
    """All that makes it a different agent than another of the same name and version."""
    has_model: bool
    """Whether it needs a model."""

    def demands(self) -> Demands:
        """What it wants in its sandbox. Raises PrerequisiteError when its program is not there."""
        ...

    async def work(self, place: Workplace) -> Work:
        """Work until done or at a limit. Raises InfrastructureError, PrerequisiteError, InputError; see above."""
        ...
