"""The one process runner: every program that assay starts, starts here.

Why there is one: a program that hangs, floods its output, forks daemons or is abandoned by a cancelled task must
be dealt with in exactly one place. What holds for every run:

- The program gets the environment that it is given and nothing else, its own session, and no descriptor but the
  pipes it was promised.
- Pipes are drained by the event loop, each up to a bound; what is over is dropped, marked, and ends the run.
- The end is observed through a pidfd (no thread, no child watcher, no signal handler), the cost through `wait4`,
  which counts every descendant that was waited for.
- However the run ends (by itself, a limit, an exception, cancellation), the whole process group is killed before
  the function returns, within a bounded time.

Needs Linux 5.3 (pidfd).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess  # noqa: TID251 - this is the module that the rule points to
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from assay.errors import DiskFullError, InfrastructureError, PrerequisiteError

CHUNK_BYTES = 65536
KILL_WAIT_SECONDS = 10.0
"""How long a process may take to die of SIGKILL. Only one that hangs in the kernel (a dead network file system)
takes long; after that we stop waiting and say so."""
DRAIN_SECONDS = 1.0
"""How long pipes may stay open after the program's end, held by something that left its session."""
DEFAULT_OUTPUT_BYTES = 8 * 1024 * 1024

OUTPUT = "output"
WALL = "wall"


class Pipe:
    """One pipe out of a program, drained by the event loop and bounded."""

    def __init__(self, limit_bytes: int, on_event: Callable[[], None], place: Path | None = None) -> None:
        self.data = bytearray()
        self.truncated = False
        self.closed = False
        self._limit_bytes = limit_bytes
        self._on_event = on_event
        self.read_fd, self.write_fd = os.pipe() if place is None else _both_ends(place)
        os.set_blocking(self.read_fd, False)

    def started(self) -> None:
        """The program holds the write end now: drop ours and drain."""
        self.close_write()
        asyncio.get_running_loop().add_reader(self.read_fd, self.drain)

    def drain(self) -> None:
        """Take what is there, one chunk at a time, so that no pipe starves the others."""
        try:
            chunk = os.read(self.read_fd, CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if not chunk:
            self.close()
            return
        room = self._limit_bytes - len(self.data)
        self.data += chunk[:room]
        if len(chunk) > room and not self.truncated:
            self.truncated = True
            self._on_event()

    def close_write(self) -> None:
        """Close our copy of the write end."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        """Stop reading; can be called again."""
        self.close_write()
        if not self.closed:
            self.closed = True
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self.read_fd)
            os.close(self.read_fd)
            self._on_event()


def _both_ends(place: Path) -> tuple[int, int]:
    """A named pipe, opened for reading and writing, so that neither waits for the other."""
    read_fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return read_fd, os.open(place, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        os.close(read_fd)
        raise


class _Feeder:
    """A pipe into a program, fed by the event loop, so that neither side can block the other for ever."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)
        self.read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)

    def started(self) -> None:
        os.close(self.read_fd)
        self.read_fd = -1
        asyncio.get_running_loop().add_writer(self._write_fd, self._feed)

    def _feed(self) -> None:
        try:
            written = os.write(self._write_fd, self._left[:CHUNK_BYTES]) if self._left else 0
        except (BlockingIOError, InterruptedError):
            return
        except BrokenPipeError:
            self.close()
            return
        self._left = self._left[written:]
        if not self._left:
            self.close()

    def close(self) -> None:
        if self.read_fd >= 0:
            os.close(self.read_fd)
            self.read_fd = -1
        if self._write_fd >= 0:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_writer(self._write_fd)
            os.close(self._write_fd)
            self._write_fd = -1


@dataclass(frozen=True, slots=True)
class Program:
    """What to start. `argv[0]` is looked up in PATH of `env`, or is a path."""

    argv: tuple[str, ...] | Callable[[Mapping[str, int]], Sequence[str]]
    """The arguments, or a function of the numbers that the extra pipes have in the program."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment."""
    cwd: Path | None = None
    stdin: bytes = b""
    wall_seconds: float = 600.0
    output_bytes: int = DEFAULT_OUTPUT_BYTES
    """The bound of each pipe."""
    pipes: tuple[str, ...] = ()
    """Names of further pipes out of the program."""
    channel: bool = False
    """Whether to add the pipe `channel`, with its number in ASSAY_CHANNEL_FD."""
    places: Mapping[str, Path] = field(default_factory=dict)
    """Named pipes that take the place of pipes of that name, for writers that are no children of the program's. The
    program holds their writing ends too, so that they end no sooner than it."""
    pass_fds: tuple[int, ...] = ()
    pipe_owner: int | None = None
    """User id that shall be able to open the pipes anew (through /proc/self/fd); needs root."""
    tick_seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended. Exactly one of `exit_status` and `signal` is set."""

    exit_status: int | None
    signal: int | None
    outputs: Mapping[str, bytes]
    """By pipe: stdout, stderr and the extra ones."""
    truncated: frozenset[str]
    stopped: str | None
    """`wall`, `output`, what `on_tick` said; None when the program ended by itself."""
    wall_seconds: float
    cpu_seconds: float
    """Of the program and every descendant that was waited for."""
    memory_peak_bytes: int
    """The largest resident size of a single process."""

    @property
    def stdout(self) -> bytes:
        """What it wrote to descriptor 1."""
        return self.outputs["stdout"]

    @property
    def stderr(self) -> bytes:
        """What it wrote to descriptor 2."""
        return self.outputs["stderr"]

    @property
    def channel(self) -> bytes:
        """What it wrote to the channel, if it had one."""
        return self.outputs.get("channel", b"")


class Running:
    """A started program, as `on_tick` and `on_kill` see it."""

    def __init__(self, program: Program) -> None:
        self.changed = anyio.Event()
        self.exited = False
        self._pidfd = -1
        names = ["stdout", "stderr", *program.pipes, *(["channel"] if program.channel else [])]
        self.pipes: dict[str, Pipe] = {}
        self._feeder = _Feeder(program.stdin)
        try:
            for name in names:
                self.pipes[name] = Pipe(program.output_bytes, self._notify, program.places.get(name))
            self.pid = self._start(program)
            self._pidfd = os.pidfd_open(self.pid)
            asyncio.get_running_loop().add_reader(self._pidfd, self._on_exit)
        except BaseException:
            self._close()
            raise
        self.started_at = time.monotonic()

    def _start(self, program: Program) -> int:
        numbers = {name: pipe.write_fd for name, pipe in self.pipes.items() if name not in ("stdout", "stderr")}
        if program.pipe_owner is not None:
            for pipe in self.pipes.values():
                os.fchown(pipe.write_fd, program.pipe_owner, program.pipe_owner)
        env = dict(program.env)
        if program.channel:
            env["ASSAY_CHANNEL_FD"] = str(numbers["channel"])
        argv = list(program.argv(numbers) if callable(program.argv) else program.argv)
        with _start_errors(argv[0]):
            child = subprocess.Popen(
                argv,
                env=env,
                cwd=program.cwd,
                stdin=self._feeder.read_fd,
                stdout=self.pipes["stdout"].write_fd,
                stderr=self.pipes["stderr"].write_fd,
                pass_fds=(*numbers.values(), *program.pass_fds),
                start_new_session=True,
            )
        child.returncode = 0  # we wait for it ourselves: Popen must neither poll nor warn
        self._feeder.started()
        for pipe in self.pipes.values():
            pipe.started()
        return child.pid

    def _notify(self) -> None:
        self.changed.set()

    def _on_exit(self) -> None:
        self.exited = True
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._notify()

    @property
    def overflowed(self) -> bool:
        """Whether a pipe ran over its bound."""
        return any(pipe.truncated for pipe in self.pipes.values())

    def output(self, name: str) -> bytes:
        """What came out of a pipe so far."""
        return bytes(self.pipes[name].data)

    async def wait_exit(self, seconds: float) -> bool:
        """Wait for the end or an overflow, at most this long; whether it ended."""
        with anyio.move_on_after(max(0.0, seconds)):
            while not self.exited:
                await self._change()
        return self.exited

    async def wait_change(self, seconds: float) -> None:
        """Wait until it ended, a pipe overflowed or was closed, at most this long."""
        with anyio.move_on_after(max(0.0, seconds)):
            await self._change()

    async def _change(self) -> None:
        await self.changed.wait()
        self.changed = anyio.Event()

    def kill_group(self) -> None:
        """SIGKILL to the session's group; the program is not waited for yet, so its number is still its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def drain(self) -> None:
        """Read the pipes to their ends, or for as long as we care to wait."""
        with anyio.move_on_after(DRAIN_SECONDS):
            while not all(pipe.closed for pipe in self.pipes.values()):
                await self._change()

    def _close(self) -> None:
        self._feeder.close()
        for pipe in self.pipes.values():
            pipe.close()
        if self._pidfd >= 0:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def finish(self, stopped: str | None) -> Finished:
        """Collect the dead program and its cost, close everything."""
        wall_seconds = time.monotonic() - self.started_at
        _, status, usage = os.wait4(self.pid, 0)
        self._close()
        code = os.waitstatus_to_exitcode(status)
        return Finished(
            exit_status=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            outputs={name: bytes(pipe.data) for name, pipe in self.pipes.items()},
            truncated=frozenset(name for name, pipe in self.pipes.items() if pipe.truncated),
            stopped=stopped,
            wall_seconds=wall_seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            memory_peak_bytes=usage.ru_maxrss * 1024,
        )

    def abandon(self) -> None:
        """Close everything of a program that does not die."""
        self._close()


@contextlib.contextmanager
def _start_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if error.filename != name:
            raise InfrastructureError(f"cannot start {name}: {error.filename} does not exist") from error
        raise PrerequisiteError(
            f"{name} is not installed", hint=f"install it, for example: apt-get install {Path(name).name}", program=name
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(f"no space left on the disk when starting {name}", hint="free some space") from error
        raise InfrastructureError(f"cannot start {name}: {error.strerror}", program=name) from error


OnTick = Callable[[Running], Awaitable[str | None]]
"""Looks at a running program every now and then; what it returns ends the run and becomes `Finished.stopped`."""
OnKill = Callable[[Running], Awaitable[None]]
"""Ends a running program in a better way than SIGKILL to its group, which follows anyway."""


async def run(program: Program, *, on_tick: OnTick | None = None, on_kill: OnKill | None = None) -> Finished:
    """Run a program to its end, or to the first limit.

    A program that fails is a value. Raises PrerequisiteError when its executable is missing, DiskFullError when the
    disk is full, InfrastructureError when it could not be started or does not die.
    """
    running = Running(program)
    stopped: str | None = None
    try:
        stopped = await _watch(running, program, on_tick)
    finally:
        with anyio.CancelScope(shield=True):
            finished = await _end(running, stopped, on_kill)
    if finished is None:
        raise InfrastructureError(f"process {running.pid} does not die of SIGKILL", pid=running.pid)
    return finished


async def _watch(running: Running, program: Program, on_tick: OnTick | None) -> str | None:
    deadline = running.started_at + program.wall_seconds
    next_tick = running.started_at + program.tick_seconds
    while not running.exited:
        now = time.monotonic()
        if running.overflowed:
            return OUTPUT
        if now >= deadline:
            return WALL
        if on_tick is not None and now >= next_tick:
            stopped = await on_tick(running)
            if stopped is not None:
                return stopped
            next_tick = time.monotonic() + program.tick_seconds
        wake = deadline if on_tick is None else min(deadline, next_tick)
        await running.wait_change(wake - time.monotonic())
    return None


async def _end(running: Running, stopped: str | None, on_kill: OnKill | None) -> Finished | None:
    if not running.exited and on_kill is not None:
        await on_kill(running)
    running.kill_group()
    if not running.exited and not await running.wait_exit(KILL_WAIT_SECONDS):
        running.abandon()
        return None
    await running.drain()
    if stopped is None and running.overflowed:
        stopped = OUTPUT
    return running.finish(stopped)


async def output_of(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    wall_seconds: float = 300.0,
    output_bytes: int = 64 * 1024 * 1024,
) -> bytes:
    """What a trusted tool prints; anything but success is an error.

    Raises InfrastructureError with the tool's last words when it fails, takes too long or prints too much,
    DiskFullError when those words say that the disk is full, PrerequisiteError when it is not installed.
    """
    result = await run(
        Program(tuple(argv), env=env, cwd=cwd, stdin=stdin, wall_seconds=wall_seconds, output_bytes=output_bytes)
    )
    if result.exit_status == 0 and result.stopped is None:
        return result.stdout
    tail = result.stderr.decode(errors="replace").strip()[-2000:]
    if "No space left on device" in tail:
        raise DiskFullError(f"no space left on the disk when running {argv[0]}", hint="free some space")
    why = {
        WALL: f"took longer than {wall_seconds:g} s",
        OUTPUT: f"printed more than {output_bytes} bytes",
        None: f"failed with status {result.exit_status if result.signal is None else -result.signal}",
    }[result.stopped]
    raise InfrastructureError(f"{' '.join(argv[:3])}: {why}\n{tail}".strip(), argv=list(argv), tail=tail)
