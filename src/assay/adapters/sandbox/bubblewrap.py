"""Sandboxes made of Linux namespaces by bubblewrap, over overlays: milliseconds to start, kilobytes to keep.

How one command starts: own mount namespace (an ordinary user: own user namespace too) -> overlays and binds are
mounted on a private stage -> root gives up root for good -> bubblewrap makes the sandbox's own namespaces out of the
stage -> a small init applies limits and runs the command. Everything is killed with the thread that started it.

What can be told about limits when the machine grants no control groups: see `limits.py`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from assay.adapters.files import sandbox_uid
from assay.adapters.process import Finished, Program, Running, run
from assay.adapters.sandbox import host, sessions, staging
from assay.adapters.sandbox.groups import make_groups, remove_groups, remove_orphans, usable_groups
from assay.adapters.sandbox.layered import HOST_PATH, LayeredSession, by_depth, no_folder
from assay.adapters.sandbox.limits import Watch, children_of
from assay.adapters.sandbox.messages import is_full, parse_statuses, signal_of
from assay.errors import DiskFullError, InfrastructureError, PrerequisiteError, SandboxError
from assay.model.sandbox import MIB, Command, ExecResult, SandboxSpec, Usage
from assay.ports.sandbox import Finding, Session

ENDING_SECONDS = 5.0


class BubblewrapSession(LayeredSession):
    """One open session."""

    def __init__(self, spec: SandboxSpec, folder: Path, groups: Sequence[Path]) -> None:
        super().__init__(spec, folder)
        self._controllers = tuple(groups)
        self._count = 0
        self._stage = staging.plan(spec, folder, host.hidden_places(spec), host.shared_folders())

    def prepare(self) -> None:
        """Lay out the folder, and write down what is to be mounted."""
        super().prepare()
        (self._folder / "fstab").write_text(self._stage.fstab)

    async def exec(self, command: Command) -> ExecResult:
        """Run one command; see the port."""
        async with self._lock:
            groups: tuple[Path, ...] = ()
            self._count += 1
            try:
                groups = make_groups(self._controllers, f"{self._folder.name}-{self._count}", self._spec.limits)
                watch = Watch(self._spec.limits, groups, self._uppers(), self._large)
                finished = await run(self._program(command, groups), on_tick=watch.tick, on_kill=_kill_inner)
                return await self._result(finished, watch)
            except OSError as error:
                raise no_folder(self._folder, error) from error
            except InfrastructureError as error:
                if isinstance(error, SandboxError | DiskFullError):
                    raise
                raise SandboxError(error.message, hint=error.hint, **error.context) from error
            finally:
                with anyio.CancelScope(shield=True):
                    await remove_groups(groups)

    def _program(self, command: Command, groups: Sequence[Path]) -> Program:
        limits = self._spec.limits
        uid = sandbox_uid()
        wall_seconds = min(limits.wall_seconds, command.wall_seconds or limits.wall_seconds)

        def argv(numbers: dict[str, int]) -> list[str]:
            variables = {"PATH": staging.PATH, "HOME": staging.HOME, **dict(self._spec.env), **dict(command.env)}
            if command.channel:
                variables["ASSAY_CHANNEL_FD"] = str(numbers["channel"])
            online = self._spec.network == "host"
            system = host.system_arguments(self._stage.place)
            bwrap = staging.bwrap_arguments(self._spec, self._stage, system, numbers["status"])
            bwrap += host.etc_arguments(online)
            bwrap += ["--chdir", command.workdir or self._spec.workdir, "--", "/bin/sh", "-c", staging.INIT, "init"]
            bwrap += [str(numbers["errors"]), "" if groups else str(limits.process_count), str(limits.open_file_count)]
            bwrap += [str(limits.file_size_mib * MIB // 512), str(max(1, int(limits.cpu_seconds)))]
            bwrap += [f"{name}={value}" for name, value in variables.items()] + list(command.argv)
            return staging.launcher(staging.launch_script(self._folder, uid, groups, bwrap), uid)

        return Program(
            argv=argv,  # type: ignore[arg-type]
            env=HOST_PATH,
            stdin=command.stdin,
            wall_seconds=wall_seconds,
            output_bytes=limits.output_bytes,
            pipes=("errors", "status"),
            channel=command.channel,
            pipe_owner=uid,
        )

    async def _result(self, finished: Finished, watch: Watch) -> ExecResult:
        status = parse_statuses(finished.outputs["status"])
        notes = finished.stderr.decode(errors="replace").strip()
        stopped = await watch.verdict(finished, is_full(notes), status.get("exit-code"))
        self._large = watch.large
        if "exit-code" not in status and stopped is None:
            raise _broken(notes)
        code = status.get("exit-code")
        killed = signal_of(code, notes) if finished.stopped is None else signal.SIGKILL
        outputs = finished.outputs
        names = {"stdout": "stdout", "errors": "stderr", "channel": "channel"}
        return ExecResult(
            exit_status=code if killed is None else None,
            signal=killed,
            stdout=outputs["stdout"],
            stderr=outputs["errors"],
            channel=finished.channel,
            truncated=frozenset(names[n] for n in finished.truncated if n in names),  # type: ignore[misc]
            stopped=stopped,
            usage=Usage(
                wall_seconds=finished.wall_seconds,
                cpu_seconds=max(watch.cpu_seconds or 0.0, finished.cpu_seconds),
                memory_peak_bytes=watch.memory_peak_bytes or finished.memory_peak_bytes,
                written_bytes=watch.written_bytes,
            ),
        )


class BubblewrapSandbox:
    """Opens sessions below `state_dir`, which must be on the file system of the layers for `freeze` to be a rename."""

    name = "bubblewrap"

    def __init__(self, state_dir: Path, *, control_groups: bool = True) -> None:
        self._state = Path(state_dir).absolute()
        self._use_groups = control_groups
        self._groups: tuple[Path, ...] | None = None

    def _controllers(self) -> tuple[Path, ...]:
        if self._groups is None:
            self._groups = usable_groups() if self._use_groups else ()
        return self._groups

    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncIterator[Session]:
        """Open a session; see the port."""
        if spec.image:
            raise SandboxError("bubblewrap has no images", hint="use --sandbox docker or podman for this task")
        owner = sessions.owner_now(spec.label, tuple(str(group) for group in self._controllers()))
        try:
            folder = sessions.create(self._state, owner)
        except OSError as error:
            raise no_folder(self._state, error) from error
        sessions.remember(folder)
        try:
            session = BubblewrapSession(replace(spec, mounts=by_depth(spec.mounts)), folder, self._controllers())
            try:
                session.prepare()
            except OSError as error:
                raise no_folder(folder, error) from error
            yield session
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(sessions.forget, folder)

    async def reap(self, live_labels: Sequence[str] = ()) -> int:
        """Remove what dead owners left; see the port."""
        count = 0
        for folder, owner in list(sessions.abandoned(self._state, frozenset(live_labels))):
            groups = tuple(Path(g) / f"assay-{folder.name}" for g in (owner.groups if owner else ()))
            with anyio.CancelScope(shield=True):
                await remove_groups([found for g in groups for found in g.parent.glob(g.name + "-*")])
                with contextlib.suppress(OSError):
                    await anyio.to_thread.run_sync(sessions.remove_tree, folder)
                    count += 1
        await anyio.to_thread.run_sync(remove_orphans, self._controllers(), time.time())  # noqa: TID251  the kernel's
        return count

    async def diagnose(self) -> list[Finding]:
        """What this machine allows; see the port."""
        from assay.adapters.sandbox import diagnosis

        return await diagnosis.findings(self, self._controllers())


def _broken(notes: str) -> Exception:
    """The error for a sandbox that did not come up, by its last words."""
    if "No space left on device" in notes:
        return DiskFullError("no space left on the disk to start a sandbox", hint="free some space")
    if "bwrap" in notes and "not found" in notes:
        return PrerequisiteError("bubblewrap is not installed", hint="apt-get install bubblewrap", program="bwrap")
    return SandboxError(f"the sandbox broke: {notes[-500:] or 'no message'}", hint="run: assay doctor", tail=notes)


async def _kill_inner(running: Running) -> None:
    """Kill bubblewrap, which takes everything inside along; who started it then reaps it, so its cost is known."""
    inner = children_of(running.pid)
    for pid in inner:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if inner:
        await running.wait_exit(ENDING_SECONDS)
