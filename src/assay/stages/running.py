"""Putting a candidate's patch on the base and running tests over it, each in a fresh sandbox.

Trust (design, section 4): the patch is applied in one sandbox and read out from outside; what crosses into the
verifier's sandbox is a new layer that holds only the paths that the candidate may change; the hidden tests lie in a
layer above it, so that nothing the candidate wrote can stand in their place. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.errors import PrerequisiteError, VerifierError
from assay.model.environment import ENV_ROOT, REPO_ROOT, Environment
from assay.model.report import TestReport
from assay.model.sandbox import MIB, Command, ExecResult, Limits, Mount, SandboxSpec, Usage
from assay.model.tree import FileChange, FileState
from assay.model.warm import Harvest, WarmJob
from assay.ports.framework import Framework, Nursery, Selection
from assay.ports.layers import Layers
from assay.ports.sandbox import Sandbox

APPLY_LIMITS = Limits(wall_seconds=60, cpu_seconds=60, memory_mib=2048, process_count=16, disk_mib=1024)
REPORT_BYTES = 64 * MIB
COMMAND_NOT_FOUND = 127
WARM_UP_SECONDS = 60.0
"""To load what the tests need."""
WARM_BYTES = 128 * MIB
LINK_MODE = "120000"


@dataclass(frozen=True, slots=True)
class Applied:
    """A patch on the base. `problem` is set when it could not be applied; then there is no layer."""

    layer: Path | None
    dropped: tuple[tuple[str, str], ...] = ()
    """Paths that the patch changed and that were restored, each with the reason."""
    problem: str = ""
    usage: Usage = field(default_factory=Usage)
    kept: tuple[FileChange, ...] = ()
    """What is in the layer."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run and its cost."""

    __test__ = False

    report: TestReport
    usage: Usage


@dataclass(frozen=True, slots=True)
class Conditions:
    """Circumstances of a run that should not matter. The defaults are those of every verdict."""

    name: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    """Added to the environment's own, and over them."""
    launcher: tuple[str, ...] = ()
    """A program and its arguments that start the command instead."""
    uid: int | None = None
    """Another user inside."""
    read_only_home: bool = False
    order: str = ""
    """As in a Selection."""
    workers: int = 0
    """As in a Selection."""
    shifted_clock: bool = False
    """As in a Selection."""
    patience: float = 1.0
    """How many times as long as usual a run, and a test, may take."""


NORMAL = Conditions()


@dataclass(frozen=True, slots=True)
class Runner:
    """Sandboxes, layers and a framework, under one label for the reaper."""

    sandbox: Sandbox
    layers: Layers
    framework: Framework
    label: str
    slots: AbstractAsyncContextManager[object] | None = None
    """Held while tests run, so that no more run at once than the machine has cores for."""

    async def apply(self, patch: bytes, base_layer: Path, is_protected: Callable[[str], str]) -> Applied:
        """Put a patch on the base. Raises SandboxError; a patch that does not apply is a value."""
        if not patch.strip():
            return Applied(layer=None)
        spec = SandboxSpec(
            mounts=(Mount(REPO_ROOT, (base_layer,), writable=True),),
            workdir=REPO_ROOT,
            limits=APPLY_LIMITS,
            label=self.label,
        )
        async with self.sandbox.open(spec) as session:
            result = await session.exec(
                Command(argv=("git", "apply", "--whitespace=nowarn", "--binary", "-"), stdin=patch)
            )
            if not result.ok:
                return Applied(layer=None, problem=_apply_problem(result), usage=result.usage)
            changes = await session.changes(REPO_ROOT)
        kept, dropped = _filter(changes, is_protected)
        layer = await self.layers.put({change.path: change.new for change in kept}) if kept else None
        return Applied(layer=layer, dropped=dropped, usage=result.usage, kept=kept)

    async def test(
        self,
        environment: Environment,
        repo_layers: Sequence[Path | None],
        selection: Selection,
        limits: Limits,
        *,
        conditions: Conditions = NORMAL,
    ) -> TestRun:
        """Run tests over these layers (topmost first). Raises SandboxError, or VerifierError when the framework
        itself is not there; whatever the code under test does is a value.
        """
        plan = self.framework.plan(environment, _under(conditions, selection))
        spec = SandboxSpec(
            mounts=(*repository_mounts(environment, repo_layers), *plan.mounts),
            workdir=REPO_ROOT,
            env=(*environment.variables, *conditions.variables),
            hidden=environment.hidden,
            limits=_patient(limits, conditions.patience),
            uid=conditions.uid,
            read_only_home=conditions.read_only_home,
            label=self.label,
        )
        async with self.slots or nullcontext(), self.sandbox.open(spec) as session:
            command = replace(plan.command, argv=(*conditions.launcher, *plan.command.argv))
            result = await session.exec(command)
            structured = await session.read(plan.report_target, plan.report_path, REPORT_BYTES)
            # A candidate can end with this status too, and would like to be excused; the interpreter alone knows.
            absent = result.exit_status == COMMAND_NOT_FOUND and not result.channel
            absent = absent and not (await session.exec(Command((environment.python, "-I", "-S", "-c", "")))).ok
        if absent:
            raise VerifierError(
                f"the environment's interpreter could not be started: {environment.python}",
                hint="remove the environment below .assay/environments and run the same line again",
            )
        report = replace(self.framework.report(plan, result, structured), stopped=result.stopped or "")
        return TestRun(report, result.usage)

    async def warm(
        self,
        environment: Environment,
        repo_layers: Sequence[Path | None],
        jobs: Sequence[WarmJob],
        modules: Sequence[str],
        limits: Limits,
        *,
        keep_compiled: bool = False,
    ) -> tuple[Harvest, Usage, Mapping[str, FileState]]:
        """Run jobs in children of one warm interpreter over these layers. Only variants of assay's own making.

        Raises SandboxError; a job that was not answered is missing in what comes back. The last value holds the
        compiled files that were left in the repository, by path, if they are wanted.
        """
        framework = self.framework
        if not isinstance(framework, Nursery):
            return Harvest((), f"the framework {framework.name} has no warm runs"), Usage(), {}
        plan = framework.nursery(environment, jobs, modules, limits.memory_mib)
        wall_seconds = WARM_UP_SECONDS + sum(job.wall_seconds + 1 for job in jobs)
        spec = SandboxSpec(
            mounts=(*repository_mounts(environment, repo_layers), *plan.mounts),
            workdir=REPO_ROOT,
            env=environment.variables,
            hidden=environment.hidden,
            limits=limits.model_copy(
                update={"wall_seconds": wall_seconds, "cpu_seconds": wall_seconds * 2, "output_bytes": WARM_BYTES}
            ),
            nesting=True,
            label=self.label,
        )
        async with self.slots or nullcontext(), self.sandbox.open(spec) as session:
            result = await session.exec(plan.command)
            changes = await session.changes(REPO_ROOT) if keep_compiled else ()
        compiled = {c.path: c.new for c in changes if c.new and c.path.endswith(".pyc") and c.new.mode != LINK_MODE}
        return framework.harvest(plan, result), result.usage, compiled


def _under(conditions: Conditions, selection: Selection) -> Selection:
    """The selection as these conditions want it."""
    return replace(
        selection,
        order=conditions.order,
        workers=conditions.workers,
        shifted_clock=conditions.shifted_clock,
        test_seconds=selection.test_seconds * conditions.patience,
    )


def _patient(limits: Limits, patience: float) -> Limits:
    times = {name: patience * getattr(limits, name) for name in ("wall_seconds", "cpu_seconds")}
    return limits.model_copy(update=times)


def host_mounts(environment: Environment) -> tuple[Mount, ...]:
    """The interpreter's own folders, at their own paths."""
    return tuple(Mount(str(path), (path,)) for path in environment.host_mounts)


def repository_mounts(environment: Environment, repo_layers: Sequence[Path | None]) -> tuple[Mount, ...]:
    """Interpreter and environment to read, the repository of these layers (topmost first) to write."""
    return (
        *host_mounts(environment),
        *((Mount(ENV_ROOT, environment.env_layers),) if environment.env_layers else ()),
        Mount(REPO_ROOT, tuple(layer for layer in repo_layers if layer), writable=True),
    )


def stack(
    environment: Environment, base_layer: Path, candidate: Path | None, hidden: Path | None
) -> tuple[Path | None, ...]:
    """The repository as the verifier sees it, topmost first: hidden tests, candidate, installation, base."""
    return (hidden, candidate, *environment.repo_layers, base_layer)


def _filter(
    changes: Sequence[FileChange], is_protected: Callable[[str], str]
) -> tuple[tuple[FileChange, ...], tuple[tuple[str, str], ...]]:
    kept, dropped = [], []
    for change in changes:
        why = "a link that leads out of the repository" if _leaves_tree(change) else is_protected(change.path)
        if why:
            dropped.append((change.path, why))
        else:
            kept.append(change)
    return tuple(kept), tuple(dropped)


def _leaves_tree(change: FileChange) -> bool:
    """A link to an absolute path, or to one above the root, could reach the hidden tests or the judge."""
    if change.new is None or change.new.mode != LINK_MODE:
        return False
    target = change.new.data.decode("utf-8", "surrogateescape")
    if target.startswith("/"):
        return True
    depth = change.path.count("/")
    for part in target.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False


def _apply_problem(result: ExecResult) -> str:
    if result.exit_status == COMMAND_NOT_FOUND:
        raise PrerequisiteError("git is not among the system's programs", hint="type: apt-get install git")
    if result.stopped:
        return f"applying the patch ran into the {result.stopped} limit"
    text = result.stderr.decode("utf-8", "replace").strip()
    return "\n".join(text.splitlines()[:5]) or f"git apply ended with status {result.exit_status}"
