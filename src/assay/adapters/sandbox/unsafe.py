"""`--sandbox none`: no sandbox at all. Commands run as the user that runs assay, with everything that user may do.

It exists for machines where nothing else works and for code that is trusted anyway. Layers are copied into a
private folder, so that layers cannot change by accident and changes can be told by comparison. A mount's target is
looked up nowhere: `/repo` does not exist, the working directory and the variables are translated to the copies,
programs that name a target by its absolute path fail.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread

from assay.adapters.process import Program, run
from assay.adapters.sandbox import overlay, sessions
from assay.errors import InputError, SandboxError
from assay.model.sandbox import MIB, Command, ExecResult, Mount, SandboxSpec, Stop, Usage
from assay.model.tree import FileChange, FileState, changes_between
from assay.ports.sandbox import Finding, Session

MORE_THAN_ANY_DISK = 1 << 62
PATH = "/usr/local/bin:/usr/bin:/bin"
NO_ISOLATION = "nothing is isolated: the command sees and may do what the user may"
NO_OTHER_USER = "commands have the user that runs assay, and a home of their own that they may write to"
NO_TARGET = "a mount's target does not exist as a path"
NO_LIMITS = "only wall time and output are limited"
ESCAPES = "a daemon that leaves its session is not found again"

KNOWN_FAILURES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "read_only_layers_cannot_be_changed",
            "several_read_only_layers_are_merged",
            "hidden_places_look_empty",
            "there_is_no_network",
            "a_server_of_the_host_is_out_of_reach",
            "the_hosts_files_are_not_seen",
            "the_hosts_processes_are_not_seen",
            "the_kernel_cannot_be_configured",
            "there_are_no_privileges",
            "the_system_cannot_be_changed",
            "tmp_and_home_can_be_written_and_are_private",
            "a_mount_of_the_host_is_seen_at_its_place",
        ),
        NO_ISOLATION,
    ),
    **dict.fromkeys(("a_command_has_the_user_that_was_asked_for", "a_home_can_be_made_read_only"), NO_OTHER_USER),
    **dict.fromkeys(
        (
            "deep_nesting_breaks_nothing",
            "a_mount_without_layers_starts_empty",
            "a_socket_in_a_live_mount_can_be_connected_to_and_nothing_written",
            "the_working_directory_is_the_one_asked_for",
            "concurrent_sessions_do_not_see_each_other",
        ),
        NO_TARGET,
    ),
    **dict.fromkeys(
        (
            "a_memory_bomb_is_stopped_and_named",
            "a_fork_bomb_is_stopped_and_named",
            "a_file_size_bomb_is_stopped_and_named",
            "a_disk_bomb_is_stopped_and_named",
            "a_cpu_bomb_is_stopped_and_named",
            "open_files_are_bounded",
        ),
        NO_LIMITS,
    ),
    **dict.fromkeys(
        (
            "a_time_out_kills_every_descendant",
            "the_end_of_a_command_is_the_end_of_its_daemons",
            "cancelling_leaves_nothing",
            "sigkill_of_the_owner_leaves_no_process_and_reap_cleans",
            "usage_counts_descendants",
        ),
        ESCAPES,
    ),
}
"""Checks of the contract that cannot hold without a sandbox, and why. As root and as an ordinary user alike, but for
`there_are_no_privileges` and those about writing to the system, which an ordinary user's own lack of rights upholds."""


class UnsafeSession:
    """Copies of layers, in which commands run unprotected."""

    def __init__(self, spec: SandboxSpec, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self._lock = anyio.Lock()

    def prepare(self) -> None:
        """Copy the layers, lowest first."""
        (self._folder / "home").mkdir()
        for index, mount in enumerate(self._spec.mounts):
            if not mount.layers and not mount.writable:
                raise SandboxError(f"the mount {mount.target} has no layers and is not writable", target=mount.target)
            for layer in mount.layers:
                if not layer.is_dir():
                    raise SandboxError(f"the layer {layer} of {mount.target} is not there", target=mount.target)
            if not self._is_in_place(mount):
                self._fill(index, mount)

    def _is_in_place(self, mount: Mount) -> bool:
        """Whether a mount only shows a folder of the host where it is anyway."""
        return not mount.writable and mount.layers == (Path(mount.target),)

    def _fill(self, index: int, mount: Mount) -> None:
        place = self._place(index)
        place.mkdir()
        for path, state in self._base(mount).items():
            overlay.write_state(place / path, state)

    def _place(self, index: int) -> Path:
        return self._folder / f"mount{index}"

    def _base(self, mount: Mount) -> dict[str, FileState]:
        """What the layers of a mount hold, merged."""
        return overlay.merged(mount.layers)

    def translate(self, path: str) -> str:
        """Where a path of the sandbox is on the host."""
        for index, mount in sorted(enumerate(self._spec.mounts), key=lambda item: -len(item[1].target)):
            if Path(path).is_relative_to(mount.target) and not self._is_in_place(mount):
                return str(self._place(index) / Path(path).relative_to(mount.target))
        return path

    async def exec(self, command: Command) -> ExecResult:
        """Run one command, unprotected."""
        limits = self._spec.limits
        env = {"PATH": PATH, "HOME": str(self._folder / "home")}
        given = {**dict(self._spec.env), **dict(command.env)}
        env |= {name: ":".join(map(self.translate, value.split(":"))) for name, value in given.items()}
        workdir = Path(self.translate(command.workdir or self._spec.workdir))
        argv = tuple(self.translate(word) if word.startswith("/") else word for word in command.argv)

        def whole(numbers: Mapping[str, int]) -> list[str]:
            channel = {"ASSAY_CHANNEL_FD": str(numbers["channel"])} if command.channel else {}
            return ["env", "-i", "--", *(f"{name}={value}" for name, value in {**env, **channel}.items()), *argv]

        program = Program(
            argv=whole,
            env={"PATH": PATH},
            cwd=workdir,
            stdin=command.stdin,
            wall_seconds=min(limits.wall_seconds, command.wall_seconds or limits.wall_seconds),
            output_bytes=limits.output_bytes,
            channel=command.channel,
        )
        async with self._lock:
            done = await run(program)
            weight = await anyio.to_thread.run_sync(
                overlay.weigh, self._places(), MORE_THAN_ANY_DISK, MORE_THAN_ANY_DISK
            )
        return ExecResult(
            exit_status=done.exit_status,
            signal=done.signal,
            stdout=done.stdout,
            stderr=done.stderr,
            channel=done.channel,
            truncated=frozenset(done.truncated),  # type: ignore[arg-type]
            stopped=cast("Stop | None", done.stopped) or ("file-size" if done.signal == signal.SIGXFSZ else None),
            usage=Usage(done.wall_seconds, done.cpu_seconds, done.memory_peak_bytes, weight.bytes),
        )

    def _places(self) -> list[Path]:
        return [self._place(i) for i, mount in enumerate(self._spec.mounts) if mount.writable]

    def _index(self, target: str) -> int:
        for index, mount in enumerate(self._spec.mounts):
            if mount.target == target and mount.writable:
                return index
        raise SandboxError(f"{target} is no writable mount of this session", target=target)

    async def changes(self, target: str) -> tuple[FileChange, ...]:
        """What differs from the layers; see the port."""
        index = self._index(target)
        mount = self._spec.mounts[index]

        def compare() -> tuple[FileChange, ...]:
            bound = self._spec.limits.disk_mib * MIB
            return changes_between(self._base(mount), overlay.contents(self._place(index), bound))

        async with self._lock:
            return await anyio.to_thread.run_sync(compare)

    async def read(self, target: str, path: str, max_bytes: int) -> bytes | None:
        """One file; see the port."""
        return overlay.read_file(self._place(self._index(target)), path, max_bytes)

    async def freeze(self, target: str, destination: Path) -> None:
        """Write what differs from the layers as a layer; see the port."""
        changes = await self.changes(target)
        index = self._index(target)

        def move() -> None:
            overlay.write_layer(changes, destination)
            sessions.remove_tree(self._place(index))
            self._fill(index, self._spec.mounts[index])

        async with self._lock:
            await anyio.to_thread.run_sync(move)


class UnsafeSandbox:
    """No protection. `i_know` must be True: somebody has read what that means."""

    name = "none"

    def __init__(self, state_dir: Path, *, i_know: bool = False) -> None:
        if not i_know:
            raise InputError(
                "running other people's code without a sandbox was not asked for",
                hint="use bubblewrap, or say --sandbox none, which lets the code do whatever you can do",
            )
        self._state = Path(state_dir).absolute()

    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncIterator[Session]:
        """Open a session; see the port."""
        if spec.uid is not None or spec.read_only_home:
            raise SandboxError(f"impossible without a sandbox: {NO_OTHER_USER}", hint="use bubblewrap")
        if spec.image:
            raise SandboxError("without a sandbox there are no images", hint="use --sandbox docker or podman")
        folder = sessions.create(self._state, sessions.owner_now(spec.label))
        sessions.remember(folder)
        try:
            session = UnsafeSession(spec, folder)
            await anyio.to_thread.run_sync(session.prepare)
            yield session
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(sessions.forget, folder)

    async def reap(self, live_labels: Sequence[str] = ()) -> int:
        """Remove what dead owners left on disk; their processes cannot be found."""
        left = [folder for folder, _ in sessions.abandoned(self._state, frozenset(live_labels))]
        for folder in left:
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)
        return len(left)

    async def diagnose(self) -> list[Finding]:
        """Say that there is nothing."""
        return [Finding("isolation", False, "there is none: commands can do what you can do", "use bubblewrap")]
