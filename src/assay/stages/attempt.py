"""One attempt at a task by somebody outside assay: a sandbox over the base in which commands run, and a verdict.

The session sees the base and its environment, never the hidden tests nor the reference change. What it changed is read
out from outside, and judged cold, in other sandboxes: nothing that ran in the session takes part in its judgement.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.errors import InfrastructureError, InputError, VerifierError
from assay.model.environment import REPO_ROOT
from assay.model.event import OnEvent, Stage
from assay.model.sandbox import Command, ExecResult, Limits, Mount, SandboxSpec
from assay.model.task import Task
from assay.model.tree import FileChange, Tree, is_safe_path
from assay.model.verdict import Verdict
from assay.ports.sandbox import Session
from assay.stages.judging import Prepared, failed, judge_on_record, prepare
from assay.stages.running import repository_mounts, stack
from assay.stages.toolbox import Toolbox

SHELL = "bash"
RUN = 'exec 2>&1; assay_line=$(cat); exec </dev/null; eval "$assay_line"'
"""The line comes in by standard input, because an argument has to be short."""
PUT = 'case "$1" in */*) mkdir -p -- "${1%/*}";; esac && cat > "$1"'
LITTER = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".git")
"""Folders that programs leave behind; no change of anybody's."""
LIMITS = Limits(wall_seconds=600, cpu_seconds=1200, output_bytes=1024 * 1024)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An open attempt."""

    prepared: Prepared
    session: Session
    tools: Toolbox

    @property
    def task(self) -> Task:
        """What is to be done: its `instruction` is the prompt."""
        return self.prepared.task

    async def run(self, command: str, wall_seconds: float | None = None) -> ExecResult:
        """Run a line of shell in the repository's root, standard error among the output. Files stay from command to
        command, variables and the working directory do not. Raises SandboxError.
        """
        line = command.encode("utf-8", "surrogateescape")
        return await self.session.exec(Command((SHELL, "-c", RUN), stdin=line, wall_seconds=wall_seconds))

    async def put(self, path: str, content: str) -> ExecResult:
        """Write a file of the repository. Raises InputError for a path that leads out of it, and SandboxError."""
        if not is_safe_path(path):
            raise InputError(f"{path!r} is no path of the repository", hint="give one relative to its root", path=path)
        data = content.encode("utf-8", "surrogateescape")
        return await self.session.exec(Command((SHELL, "-c", PUT, SHELL, path), stdin=data))

    async def patch(self) -> bytes:
        """What the attempt has changed so far, as git's patch, read from outside. Raises SandboxError."""
        changes = await self.session.changes(REPO_ROOT)
        return await self.tools.patches.diff(_real(changes, self.prepared.stand.base))

    async def judge(self, agent: str) -> Verdict:
        """The verdict on the attempt as it is now; a fault of ours is a failure in it."""
        try:
            patch = await self.patch()
        except InfrastructureError as error:
            return failed(self.task.slug, self.prepared.digest, agent, b"", error)
        return (await judge_on_record(self.prepared, agent, patch, self.tools, stage="attempt", all_tests=True)).verdict


async def prepare_attempts(path: Path, tools: Toolbox, emit: OnEvent) -> Prepared:
    """A task ready to be tried and judged, as often as one likes.

    Raises TaskDefinitionError, PrerequisiteError, and VerifierError when the task's own proof does not hold.
    """
    task = await anyio.to_thread.run_sync(tools.tasks.read, path)
    emit(Stage(subject=task.slug, stage="environment"))
    started_at = tools.clock.now()
    prepared = await prepare(task, tools)
    tools.store.charge([tools.entry("environment", task.slug, started_at, prepared.cost)])
    if prepared.pool.broken:
        raise VerifierError(
            f"{task.slug}: the reference change does not resolve the task, so nothing can be judged by it: "
            f"{prepared.pool.broken}",
            hint=f"type: assay verify {path}",
        )
    return prepared


@asynccontextmanager
async def attempt(
    prepared: Prepared, tools: Toolbox, limits: Limits = LIMITS, mounts: tuple[Mount, ...] = ()
) -> AsyncIterator[Attempt]:
    """Open an attempt, with places of its own beside the repository; leaving it removes all that it did. Raises
    SandboxError.
    """
    stand = prepared.stand
    spec = SandboxSpec(
        mounts=(*repository_mounts(stand.environment, stack(stand.environment, stand.base_layer, None, None)), *mounts),
        workdir=REPO_ROOT,
        env=stand.environment.variables,
        hidden=stand.environment.hidden,
        limits=limits,
        label=tools.run_id,
    )
    async with tools.sandbox.open(spec) as session:
        yield Attempt(prepared, session, tools)


async def judge_patch(prepared: Prepared, agent: str, patch: bytes, tools: Toolbox) -> Verdict:
    """The cold verdict on a patch that was read out of an attempt before."""
    return (await judge_on_record(prepared, agent, patch, tools, stage="attempt", all_tests=True)).verdict


def _real(changes: Sequence[FileChange], base: Tree) -> list[FileChange]:
    """Changes against the base itself: what the installation laid into the working tree is none, nor is litter."""
    found = []
    for change in changes:
        parts = change.path.split("/")
        is_litter = any(part in LITTER for part in parts) or change.path.endswith((".pyc", ".pyo"))
        if not is_safe_path(change.path) or (is_litter and change.path not in base):
            continue
        old = base.get(change.path)
        if old is None and change.old is not None:
            continue
        found.append(FileChange(change.path, old, change.new))
    return [change for change in found if change.old != change.new]
