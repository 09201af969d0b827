"""Sandboxes that are containers: docker and podman, through their command-line clients.

A session is one container, made when it opens and removed when it ends; each command is one life of it (`start`, not
`exec`). Measured, a start costs what a first `run` and `exec` cost together, and most sessions run one command. For
that price a command gets what `exec` into a living container cannot give, and bubblewrap gives: fresh process, IPC and
control groups, an empty `/tmp` and home, and an end that the kernel makes: when the first process of the container is
gone, so is everything that the command ever started. Files of layers can be read and frozen between commands, since
nothing is mounted then; what an image's own files were changed to stays, since the container does.

Who ends a command: assay at the deadline; a guard beside the client when assay is killed; a watchdog inside when both
are; and what all of them missed is found by its label and removed by the reaper.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from assay.adapters.files import give, give_to_sandbox, sandbox_uid
from assay.adapters.process import Finished, Program, Running, run
from assay.adapters.sandbox import host, lifetime, overlay, sessions, staging
from assay.adapters.sandbox.client import Client, refusal
from assay.adapters.sandbox.engines import Docker, Podman, View, link_of
from assay.adapters.sandbox.groups import groups_of
from assay.adapters.sandbox.images import STATE, Image, Images, system_mounts
from assay.adapters.sandbox.layered import LayeredSession, by_depth, no_folder
from assay.adapters.sandbox.limits import Watch
from assay.adapters.sandbox.messages import signal_of
from assay.errors import AssayError, DiskFullError, InfrastructureError, PrerequisiteError, SandboxError
from assay.model.sandbox import MIB, Command, ExecResult, SandboxSpec, Stop, Usage
from assay.ports.sandbox import Finding, Session

START_SECONDS = 120.0
"""How long an engine may take until a command begins."""
ENDING_SECONDS = 10.0
SESSION = "assay.session"
RUN = "assay.run"
LATE: Stop = "wall"
PROXIES = [
    each for name in ("http", "https", "ftp", "no", "all") for each in (f"{name}_proxy", f"{name}_proxy".upper())
]
"""Clients put the user's proxies, passwords and all, into every container's first process."""

# The guard's pipe ends with assay. Descriptors above 9 have no name in every shell, so it is opened by its path.
WITH_GUARD = """\
engine=$1 name=$2 life=$3; shift 3
(
  read -r _ <"/dev/fd/$life"; "$engine" kill "$name"; exec "$engine" rm --force --volumes "$name"
) </dev/null >/dev/null 2>&1 & guard=$!
"$@" start --attach --interactive "$name"; s=$?
exec 2>/dev/null; kill "$guard"; exit $s
"""


class _Life:
    """One command as it is watched from outside."""

    def __init__(self, session: ContainerSession, watch: Watch, seconds: float) -> None:
        self._session = session
        self._watch = watch
        self._seconds = seconds
        self.began_at: float | None = None

    async def tick(self, running: Running) -> str | None:
        """Look at the command; what ends it, if anything."""
        now = time.monotonic()
        if self.began_at is None:
            if not lifetime.read_notes(running.output(lifetime.NOTES)).ready:
                return "start" if now - running.started_at > START_SECONDS else None
            self.began_at = now
            self._watch.groups = (*self._watch.groups, *await self._session.live_groups())
        if now - self.began_at > self._seconds:
            return LATE
        return await self._watch.tick(running)


class ContainerSession(LayeredSession):
    """One open session."""

    def __init__(self, spec: SandboxSpec, folder: Path, client: Client, engine: Docker, image: Image) -> None:
        super().__init__(spec, folder)
        self._client = client
        self._engine = engine
        self._image = image
        self._groups: tuple[Path, ...] | None = None
        self._life: tuple[int, int] | None = None
        self._plain_uid = sandbox_uid() or os.geteuid()
        self._uid = 0 if spec.image_writable else self._plain_uid if spec.uid is None else spec.uid
        self.name = f"assay-{folder.name}"

    def prepare(self) -> None:
        """Lay out the folder; see `LayeredSession`. Layers of another user are copied, since ids are the host's."""
        for mount in self._spec.mounts:
            if not mount.layers and not mount.writable:
                raise SandboxError(f"the mount {mount.target} has no layers and is not writable", target=mount.target)
        super().prepare()
        door = self._folder / "door"
        door.mkdir(mode=0o755)
        for name in (lifetime.NOTES, lifetime.CHANNEL):
            os.mkfifo(door / name)
            (door / name).chmod(0o622)
        (self._folder / "ended").mkdir()
        if self._uid != self._plain_uid:
            self._copy_layers()

    def _fresh(self, index: int) -> None:
        super()._fresh(index)
        if self._uid != self._plain_uid:
            os.chown(self._folder / "up" / str(index), self._uid, self._uid)

    def _copy_layers(self) -> None:
        for index, mount in enumerate(self._spec.mounts):
            if not (mount.writable and mount.layers):
                continue
            own = self._folder / "own" / str(index)
            own.mkdir(parents=True)
            for path, state in overlay.merged(mount.layers).items():
                overlay.write_state(own / path, state)
            give(own, self._uid)
            for number in range(len(mount.layers)):
                place = own if number == 0 else own.with_name(f"{index}.{number}")
                place.mkdir(exist_ok=True)
                link = self._folder / "l" / f"{index}.{number}"
                link.unlink()
                link.symlink_to(place)

    async def freeze(self, target: str, destination: Path) -> None:
        """Make the session's bytes a layer; see the port."""
        if self._uid != self._plain_uid:
            await anyio.to_thread.run_sync(give_to_sandbox, self._folder / "up" / str(self._index(target)))
        await super().freeze(target, destination)

    async def create(self, labels: Mapping[str, str]) -> None:
        """Make the container. Raises what the client raises."""
        spec, limits, engine = self._spec, self._spec.limits, self._engine
        online, size = spec.network == "host", spec.limits.disk_mib * MIB
        shown = host.shown_etc(host.SHOWN_ETC_ONLINE) if online else []
        binds = [(self._folder / "door", lifetime.DOOR), (self._folder / "etc" / "hosts", "/etc/hosts")]
        if online:
            binds += [(path.resolve(), str(path)) for path in shown]
        else:
            (self._folder / "etc" / "resolv.conf").write_text("")
            binds.append((self._folder / "etc" / "resolv.conf", "/etc/resolv.conf"))
        view = View(spec, self._folder, tuple(binds), {STATE: labels[STATE], SESSION: self._folder.name})
        words = ["create", "--interactive", "--pull", "never", "--name", self.name, "--hostname", staging.HOST_NAME]
        words += [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        words += [word for name in PROXIES for word in ("--env", f"{name}=")]
        words += ["--network", spec.network, "--ipc", "private", "--cap-drop", "ALL"]
        words += ["--security-opt", "no-new-privileges", "--log-driver", "none", "--no-healthcheck"]
        words += ["--user", f"{self._uid}:{self._uid}", *(() if spec.image_writable else ("--read-only",))]
        words += ["--pids-limit", str(limits.process_count + lifetime.OWN_PROCESSES), "--ulimit", "core=0"]
        words += ["--ulimit", f"nofile={limits.open_file_count}:{limits.open_file_count}", "--shm-size", str(size)]
        words += ["--memory", f"{limits.memory_mib}m", "--memory-swap", f"{limits.memory_mib}m"]
        words += engine.scratch("/tmp", size, 0, read_only=False, mode="1777")
        words += engine.scratch(self._variables()["HOME"], size, self._uid, read_only=spec.read_only_home)
        words += engine.mounts(view)
        words += [word for place in host.hidden_places(spec) for word in engine.empty(place)]
        words += ["--workdir", "/", "--entrypoint", "/bin/sh", self._image.digest, f"{lifetime.DOOR}/{lifetime.SCRIPT}"]
        await self._client.tell(*words, program=engine.program(self._folder))
        self._life = os.pipe()

    async def close(self) -> None:
        """Remove the container, and whatever runs in it."""
        for descriptor in self._life or ():
            os.close(descriptor)
        self._life = None
        await self._client.remove_containers(self.name)
        link_of(self._folder).unlink(missing_ok=True)

    def _variables(self) -> dict[str, str]:
        given = {"PATH": staging.PATH, "HOME": staging.HOME, **self._image.variables}
        return {**given, **dict(self._spec.env)}

    async def live_groups(self) -> tuple[Path, ...]:
        """The running container's control groups; none when the engine is on another machine."""
        if self._groups is None:
            done = await self._client.ask("container", "inspect", "--format", "{{.State.Pid}} {{.Id}}", self.name)
            pid, _, digest = done.stdout.decode().strip().partition(" ")
            if not pid.isdigit() or pid == "0":
                return ()  # it has ended since
            # the number may be somebody else's by now, the group's name is not
            self._groups = tuple(group for group in groups_of(int(pid)) if digest in str(group))
        return self._groups

    async def exec(self, command: Command) -> ExecResult:
        """Run one command; see the port."""
        limits = self._spec.limits
        seconds = min(limits.wall_seconds, command.wall_seconds or limits.wall_seconds)
        async with self._lock:
            try:
                self._lay_out(command, seconds)
                watch = Watch(limits, (self._folder / "ended",), self._uppers(), self._large)
                life = _Life(self, watch, seconds)
                finished = await run(self._program(command, seconds), on_tick=life.tick, on_kill=self._kill)
                return await self._result(finished, watch, life, seconds)
            except OSError as error:
                raise no_folder(self._folder, error) from error
            except InfrastructureError as error:
                if isinstance(error, SandboxError | DiskFullError):
                    raise
                raise SandboxError(error.message, hint=error.hint, **error.context) from error

    def _lay_out(self, command: Command, seconds: float) -> None:
        """Write the script of the container's next life, and forget what the last one said."""
        variables = {**self._variables(), **dict(command.env)}
        workdir = command.workdir or self._spec.workdir
        text = lifetime.script(command.argv, variables, workdir, self._spec.limits, seconds, channel=command.channel)
        place = self._folder / "door" / lifetime.SCRIPT
        place.write_bytes(os.fsencode(text))
        place.chmod(0o644)
        for file in (self._folder / "ended").iterdir():
            file.unlink()

    def _program(self, command: Command, seconds: float) -> Program:
        if self._life is None:
            raise SandboxError("this session is closed")
        door, life = self._folder / "door", self._life[0]
        start = self._engine.program(self._folder)
        return Program(
            argv=("/bin/sh", "-c", WITH_GUARD, "sh", self._client.name, self.name, str(life), *start),
            env=self._client.env,
            stdin=command.stdin,
            wall_seconds=START_SECONDS + seconds + ENDING_SECONDS,
            output_bytes=self._spec.limits.output_bytes,
            pipes=(lifetime.NOTES,),
            channel=command.channel,
            places={lifetime.NOTES: door / lifetime.NOTES, "channel": door / lifetime.CHANNEL},
            pass_fds=(life,),
        )

    async def _kill(self, running: Running) -> None:
        """Kill the container: its client alone would leave it running."""
        with contextlib.suppress(AssayError):
            await self._client.ask("kill", self.name)
        await running.wait_exit(ENDING_SECONDS)

    async def _result(self, finished: Finished, watch: Watch, life: _Life, seconds: float) -> ExecResult:
        notes = lifetime.read_notes(finished.outputs[lifetime.NOTES])
        if finished.stopped == "start" or not (notes.ready or finished.stopped):
            raise self._broken(finished)
        for name, text in notes.groups.items():
            (self._folder / "ended" / name).write_text(text)
        out_of_memory = notes.over is None and finished.stopped is None and await self._ended_by_memory(finished)
        code = finished.exit_status
        stopped = await watch.verdict(replace(finished, cpu_seconds=0.0), notes.full, code)
        self._large = watch.large
        if stopped is None and out_of_memory:
            stopped = "memory"
        if stopped is None and (notes.wall_seconds or 0.0) > seconds:
            stopped = LATE  # the watchdog inside was first
        killed = signal_of(code, notes.words) if finished.stopped is None else signal.SIGKILL
        wall = notes.wall_seconds
        if wall is None:
            wall = time.monotonic() - (life.began_at or time.monotonic())
        return ExecResult(
            exit_status=code if killed is None else None,
            signal=killed,
            stdout=finished.stdout,
            stderr=finished.stderr,
            channel=finished.channel,
            truncated=frozenset(n for n in finished.truncated if n != lifetime.NOTES),  # type: ignore[misc]
            stopped=stopped,
            usage=Usage(
                wall_seconds=wall,
                cpu_seconds=watch.cpu_seconds or 0.0,
                memory_peak_bytes=watch.memory_peak_bytes,
                written_bytes=watch.written_bytes,
            ),
        )

    async def _ended_by_memory(self, finished: Finished) -> bool:
        """Whether the kernel killed the container's first process for memory, when that process told no end.

        Raises SandboxError when it did not end at all: then the client or the engine broke.
        """
        form = "{{.State.Running}} {{.State.OOMKilled}}"
        alive, killed = (await self._client.tell("container", "inspect", "--format", form, self.name)).split()
        if alive != "false":
            raise self._broken(finished)
        return killed == "true"

    def _broken(self, finished: Finished) -> AssayError:
        """The error for a command that did not begin, by the last words of the client and the script."""
        if finished.stopped == "start":
            name = self._client.name
            return SandboxError(f"{name} took longer than {START_SECONDS:g} s to start", hint=f"is {name} overloaded?")
        notes = finished.outputs[lifetime.NOTES].decode(errors="replace")
        words = [line for line in notes.splitlines() if line and not line.startswith("assay-")]
        said = "\n".join([*words, finished.stderr.decode(errors="replace")])
        if "/bin/sh" in said and "no such file" in said.lower():
            return SandboxError(f"the image has no shell: {said.strip()[-500:]}", hint="an image needs /bin/sh and env")
        return refusal(self._client.name, said)


class ContainerSandbox:
    """Opens sessions below `state_dir`, whose files the engine must see under the same paths: it is on this machine.

    `variables` are those by which the client finds its engine, such as DOCKER_HOST.
    """

    name = "docker"
    engine: Docker = Docker()

    def __init__(self, state_dir: Path, *, variables: Mapping[str, str] | None = None) -> None:
        self._state = Path(state_dir).absolute()
        self._client = Client(self.name, dict(variables or {}))
        # a digest, because filters split values at commas
        self._label = hashlib.sha256(f"{socket.gethostname()}:{self._state}".encode()).hexdigest()[:32]
        self.images = Images(self._client, self._state, self._label)

    def refuse(self, spec: SandboxSpec) -> None:
        """Raise what forbids a session. Nesting is never granted and no ground to refuse: outside a user namespace of
        its own, the capabilities for it would reach the machine. The command finds out and does without."""
        if spec.image_writable and not spec.image:
            raise SandboxError("only an image's own files can be made writable, not the system's")
        if os.geteuid() != 0:
            raise PrerequisiteError(
                f"{self.name} sandboxes need root: what overlays leave in their work folders belongs to it",
                hint="run assay as root, which whoever may talk to the engine is anyway, or use bubblewrap",
            )

    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncIterator[Session]:
        """Open a session; see the port."""
        self.refuse(spec)
        uid = sandbox_uid() or os.geteuid()
        image = await (self.images.named(spec.image) if spec.image else self.images.frame(uid))
        system = () if spec.image else system_mounts()
        whole = replace(spec, mounts=by_depth((*system, *spec.mounts)))
        try:
            folder = sessions.create(self._state, sessions.owner_now(spec.label))
        except OSError as error:
            raise no_folder(self._state, error) from error
        sessions.remember(folder)
        session = ContainerSession(whole, folder, self._client, self.engine, image)
        try:
            try:
                await anyio.to_thread.run_sync(session.prepare)
            except OSError as error:
                raise no_folder(folder, error) from error
            await session.create({STATE: self._label, SESSION: folder.name, RUN: spec.label})
            yield session
        finally:
            with anyio.CancelScope(shield=True):
                await self._end(session, folder)

    async def _end(self, session: ContainerSession, folder: Path) -> None:
        """Remove a session. Without its engine it stays for the reaper."""
        try:
            await session.close()
        except (AssayError, OSError):
            return
        await anyio.to_thread.run_sync(sessions.forget, folder)

    async def reap(self, live_labels: Sequence[str] = ()) -> int:
        """Remove what dead owners left; see the port. Raises what the client raises."""
        count = 0
        left = list(sessions.abandoned(self._state, frozenset(live_labels)))
        names = await self._containers()
        orphans = [name for name in names if not (self._state / name.removeprefix("assay-")).exists()]
        with anyio.CancelScope(shield=True):
            await self._client.remove_containers(*orphans)
            for folder, _ in left:
                if f"assay-{folder.name}" in names:
                    await self._client.remove_containers(f"assay-{folder.name}")
                link_of(folder).unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    await anyio.to_thread.run_sync(sessions.remove_tree, folder)
                    count += 1
            await self._remove_volumes()
            await self.images.reap(sandbox_uid() or os.geteuid())
        return count

    async def _containers(self) -> list[str]:
        """The containers of this state folder, ended ones too."""
        mine = f"label={STATE}={self._label}"
        told = await self._client.tell("ps", "--all", "--filter", mine, "--format", "{{.Names}}")
        return [line for line in told.splitlines() if line]

    async def _remove_volumes(self) -> None:
        """Volumes without a container: their making was broken off. Those of live sessions are not looked at."""
        mine = f"label={STATE}={self._label}"
        form = "{{.Name}}\t{{.Labels}}"
        told = await self._client.tell("volume", "ls", "--filter", "dangling=true", "--filter", mine, "--format", form)
        for name, _, labels in (line.partition("\t") for line in told.splitlines()):
            of = [word.removeprefix(f"{SESSION}=") for word in labels.split(",") if word.startswith(f"{SESSION}=")]
            if not any((self._state / session).exists() for session in of):
                await self._client.ask("volume", "rm", name)

    async def image_of(self, context: Path, *, online: bool = False) -> str:
        """An image for `SandboxSpec.image`, built from a folder with a Dockerfile; see `Images.build`."""
        return await self.images.build(context, online=online)

    async def diagnose(self) -> list[Finding]:
        """What this machine allows; see the port."""
        from assay.adapters.sandbox import container_diagnosis

        return await container_diagnosis.findings(self, self._client)


class DockerSandbox(ContainerSandbox):
    """Containers of docker."""

    name = "docker"
    engine = Docker()


class PodmanSandbox(ContainerSandbox):
    """Containers of podman."""

    name = "podman"
    engine = Podman()
