"""A sandbox in memory: no process, no namespace, the same contract.

Tests of stages give it programs by name:

    async def pytest(run: FakeRun) -> int:
        run.stdout += b"1 passed"
        return 0

    sandbox = FakeSandbox({"pytest": pytest})

What it cannot express is what only a kernel can break: that isolation holds. It has no host to leak, so the checks
about the host hold trivially; those about files, results, limits and turns are worked for.
"""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from assay.adapters.sandbox import overlay
from assay.errors import SandboxError
from assay.model.sandbox import MIB, Command, ExecResult, SandboxSpec, Stop, Usage
from assay.model.tree import FileChange, FileState, changes_between
from assay.ports.sandbox import Finding, Session
from assay.testing.sandbox_memory import Disk, File, Link, Stopped

KNOWN_FAILURES: Mapping[str, str] = {}
HOME = "/home/sandbox"
INSIDE_UID = 1000
PATH = "/usr/bin:/bin"


class FakeRun:
    """One command that runs in the fake: what it was given, what it does."""

    def __init__(self, command: Command, spec: SandboxSpec, disk: Disk) -> None:
        self.argv = command.argv
        self.env = {"PATH": PATH, "HOME": HOME, **dict(spec.env), **dict(command.env)}
        if command.channel:
            self.env["ASSAY_CHANNEL_FD"] = "3"
        self.cwd = command.workdir or spec.workdir
        self.stdin = command.stdin
        self.limits = spec.limits
        self.uid = INSIDE_UID if spec.uid is None else spec.uid
        self.disk = disk
        self.stdout = b""
        self.stderr = b""
        self.channel = b""
        self.truncated: set[str] = set()
        self.cpu_seconds = 0.0
        self.children_cpu: list[tuple[float, float]] = []
        """Children that nobody waits for: when they started and how long they would compute."""
        self.started_at = time.monotonic()
        self.tasks = 1
        self.ignored: set[int] = set()
        self.full = False
        wall_seconds = command.wall_seconds or spec.limits.wall_seconds
        self.deadline = self.started_at + min(wall_seconds, spec.limits.wall_seconds)

    def emit(self, stream: str, data: bytes) -> None:
        """Write to `stdout`, `stderr` or `channel`."""
        whole: bytes = getattr(self, stream) + data
        setattr(self, stream, whole[: self.limits.output_bytes])
        if len(whole) > self.limits.output_bytes:
            self.truncated.add(stream)
            raise Stopped("output")

    async def sleep(self, seconds: float) -> None:
        """Let time pass, until the deadline at most."""
        left = self.deadline - time.monotonic()
        await anyio.sleep(min(seconds, max(0.0, left)))
        if seconds >= left:
            raise Stopped("wall")

    def compute(self, seconds: float) -> None:
        """Use CPU, in no time."""
        self.cpu_seconds += seconds
        if self.cpu_seconds >= self.limits.cpu_seconds:
            raise Stopped("cpu")

    def grow(self, mib: int) -> None:
        """Use memory."""
        if mib > self.limits.memory_mib:
            raise Stopped("memory")

    def fork(self, count: int) -> None:
        """Start processes."""
        self.tasks += count
        if self.tasks > self.limits.process_count:
            raise Stopped("processes")

    def path(self, path: str) -> str:
        """An absolute path."""
        return path if path.startswith("/") else f"{self.cwd.rstrip('/')}/{path}"

    def end_usage(self) -> Usage:
        """What it cost."""
        now = time.monotonic()
        orphans = sum(min(wanted, now - began) for began, wanted in self.children_cpu)
        return Usage(now - self.started_at, self.cpu_seconds + orphans, None, self.disk.written_bytes())


Handler = Callable[[FakeRun], Awaitable[int]]
"""Runs a program; returns its exit status, raises Killed or Stopped for other ends."""


class Killed(Exception):
    """The program died of a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class FakeSession:
    """An open fake."""

    def __init__(self, spec: SandboxSpec, programs: Mapping[str, Handler]) -> None:
        self._spec = spec
        self._programs = programs
        self._lock = anyio.Lock()
        self._disk = Disk(spec, dict(spec.env).get("HOME", HOME))

    async def exec(self, command: Command) -> ExecResult:
        """Run one command; see the port."""
        from assay.testing.sandbox_programs import steps_of
        from assay.testing.sandbox_steps import run_steps

        async with self._lock:
            self._disk.forget_temporary()
            run = FakeRun(command, self._spec, self._disk)
            steps = steps_of(command.argv)
            if steps is not None:
                return await self._finish(run, lambda r: run_steps(r, steps))
            handler = self._programs.get(Path(command.argv[0]).name)
            if handler is not None:
                return await self._finish(run, handler)
            present = self._disk.lookup(run.path(command.argv[0])) if "/" in command.argv[0] else None
            return ExecResult(126 if present else 127, None, b"", f"{command.argv[0]}: cannot run\n".encode())

    async def _finish(self, run: FakeRun, handler: Handler) -> ExecResult:
        status: int | None = None
        killed: int | None = None
        stopped: Stop | None = None
        try:
            status = await handler(run)
        except Stopped as stop:
            stopped = stop.limit
            killed = signal.SIGXFSZ if stopped == "file-size" else signal.SIGKILL
        except Killed as death:
            killed = death.number
        if stopped is None:
            stopped = self._traces(run, status)
        return ExecResult(
            exit_status=status if killed is None else None,
            signal=killed,
            stdout=run.stdout,
            stderr=run.stderr,
            channel=run.channel,
            truncated=frozenset(run.truncated),  # type: ignore[arg-type]
            stopped=stopped,
            usage=run.end_usage(),
        )

    def _traces(self, run: FakeRun, status: int | None) -> Stop | None:
        """A limit that the program survived."""
        if self._disk.largest_bytes() >= run.limits.file_size_mib * MIB:
            return "file-size"
        return "disk" if run.full and status else None

    async def changes(self, target: str) -> tuple[FileChange, ...]:
        """What was done below a writable mount; see the port."""
        async with self._lock:
            return self._changes(target)

    def _changes(self, target: str) -> tuple[FileChange, ...]:
        mount = self._disk.writable_mount(target)
        base = overlay.merged(mount.layers)
        states: dict[str, FileState] = {}
        new_bytes = 0
        for path, node in self._disk.below(target):
            if len(path) > overlay.PATH_MAX_BYTES:
                continue
            if isinstance(node, Link):
                states[path] = FileState(node.target, "120000")
            elif isinstance(node, File):
                states[path] = FileState(node.content(), "100755" if node.mode & 0o100 else "100644")
                new_bytes += 0 if states[path] == base.get(path) else node.size
        if new_bytes > self._spec.limits.disk_mib * MIB:
            raise SandboxError("the sandbox holds more than its disk limit")
        return changes_between(base, states)

    async def read(self, target: str, path: str, max_bytes: int) -> bytes | None:
        """One file that the session wrote; see the port."""
        changed = {change.path: change.new for change in await self.changes(target)}
        state = changed.get(path)
        if state is None or state.mode == "120000" or len(state.data) > max_bytes:
            return None
        return state.data

    async def freeze(self, target: str, destination: Path) -> None:
        """Write the session's bytes as a layer; see the port."""
        async with self._lock:
            changed = self._changes(target)
            await anyio.to_thread.run_sync(overlay.write_layer, changed, destination)
            self._disk.reset(target)


class FakeSandbox:
    """Sandboxes in memory; `programs` answer to commands by the name of their executable."""

    name = "fake"

    def __init__(self, programs: Mapping[str, Handler] | None = None) -> None:
        self._programs = dict(programs or {})
        self.opened: list[SandboxSpec] = []
        """What was asked for, in order."""

    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncIterator[Session]:
        """Open a session; see the port."""
        self.opened.append(spec)
        yield FakeSession(spec, self._programs)

    async def reap(self, live_labels: Sequence[str] = ()) -> int:
        """Nothing is ever left."""
        return 0

    async def diagnose(self) -> list[Finding]:
        """Everything is allowed in memory."""
        return [Finding("fake sandbox", True, "in memory")]
