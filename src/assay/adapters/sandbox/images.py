"""The images that containers start from: the frame, and those of tasks that bring a Dockerfile.

The frame is nearly empty: a made-up `/etc`, empty folders, the links beside `/usr`. The system's programs are not in
it; they are mounted over it from the host, read-only, as bubblewrap shows them. So a test meets the very same bytes
in both sandboxes, nothing is downloaded, nothing goes stale, and making it takes a fraction of a second. An image of
Debian packages would be another userland, with other versions of what tests look at, and half a gigabyte.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from assay.adapters.sandbox import host
from assay.adapters.sandbox.client import Client, needs_network, refusal
from assay.adapters.sandbox.staging import HOME, INSIDE_UID
from assay.errors import EnvironmentBuildError, InputError, PrerequisiteError, SandboxError
from assay.model.sandbox import MIB, Mount

KIND = "assay.kind"
CONTEXT = "assay.context"
STATE = "assay.state"
FOLDERS = ("etc", "usr", "proc", "sys", "dev", "run", "home", HOME[1:])
BESIDE_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
BUILD_SECONDS = 3600.0
CONTEXT_BYTES = 1024 * MIB
"""The most that a folder with a Dockerfile may hold."""
TAIL_LINES = 15
STEP = re.compile(r"(?i)step \d+/\d+ ?: (.+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NOISE = (
    *("DEPRECATED:", "Install the buildx", "https://docs.docker.com/go/buildx", "Sending build context", "--->"),
    "Removing intermediate container",
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there."""

    digest: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Its own environment."""


def system_mounts() -> tuple[Mount, ...]:
    """The host's programs, as mounts over the frame."""
    beside = [Path("/") / name for name in BESIDE_USR]
    return tuple(Mount(str(p), (p,)) for p in (Path("/usr"), *beside) if p.is_dir() and not p.is_symlink())


def frame_tar(uid: int) -> bytes:
    """The frame as a tar archive, the same bytes every time for the same host."""
    buffer = io.BytesIO()
    with (
        tempfile.TemporaryDirectory() as name,
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        folder = Path(name) / "etc"
        host.write_etc(folder, online=False)
        for file in ("passwd", "group"):
            text = (folder / file).read_text()
            (folder / file).write_text(
                text.replace(f"x:{INSIDE_UID}:", f"x:{uid}:").replace(f":{INSIDE_UID}:", f":{uid}:")
            )
        for place in FOLDERS:
            _add(tar, place, None)
        _add(tar, "tmp", None, mode=0o1777)
        for beside in BESIDE_USR:
            path = Path("/") / beside
            if path.is_symlink():
                _add(tar, beside, path)
            elif path.is_dir():
                _add(tar, beside, None)
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            _add(tar, f"etc/{path.name}", path)
        for shown in (path for path in host.shown_etc() if path.is_dir()):
            _add(tar, f"etc/{shown.name}", None)
            for path in sorted(shown.iterdir()):
                _add(tar, f"etc/{shown.name}/{path.name}", path)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, source: Path | None, mode: int = 0o755) -> None:
    """Add a folder, or a copy of a file or link of the host."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    if source is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif source.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(source)  # noqa: PTH115 - as it is written
        tar.addfile(info)
    elif source.is_file():
        data = source.read_bytes()
        info.size, info.mode = len(data), 0o644
        tar.addfile(info, io.BytesIO(data))


def frame_name(data: bytes) -> str:
    """The name of a frame, by its content."""
    return f"assay-frame:{hashlib.sha256(data).hexdigest()[:16]}"


class Images:
    """The images of one engine that assay uses or makes."""

    def __init__(self, client: Client, place: Path, state: str) -> None:
        self._client = client
        self._place = place
        self._state = state
        self._known: dict[str, Image] = {}
        self._frame: tuple[int, str] | None = None
        self._lock = anyio.Lock()

    async def frame(self, uid: int) -> Image:
        """The frame, made when it is not there. Raises what the client raises."""
        async with self._lock:
            if self._frame is None or self._frame[0] != uid:
                data = await anyio.to_thread.run_sync(frame_tar, uid)
                name = frame_name(data)
                found = await self._client.ask("image", "inspect", "--format", "{{.Id}}", name)
                digest = found.stdout.decode().strip()
                if found.exit_status != 0:
                    change = f"LABEL {KIND}=frame {CONTEXT}={json.dumps(str(self._place))}"
                    digest = await self._client.tell("import", "--change", change, "-", name, stdin=data)
                self._frame = (uid, digest.splitlines()[-1])
            return Image(self._frame[1])

    async def named(self, name: str) -> Image:
        """An image of somebody else's, by name or digest.

        Raises PrerequisiteError when it is not there or for another kind of machine.
        """
        if name.startswith("-"):
            raise InputError(f"{name!r} is no name of an image")
        async with self._lock:
            if name not in self._known:
                self._known[name] = await self._look_up(name)
            return self._known[name]

    async def _look_up(self, name: str) -> Image:
        found = json.loads(await self._client.tell("image", "inspect", name))[0]
        theirs = f"{found.get('Os')}/{found.get('Architecture')}"
        ours = await self.machine()
        if theirs != ours:
            raise PrerequisiteError(
                f"the image {name} is for {theirs}, this machine is {ours}",
                hint="build it for this machine",
                image=name,
            )
        pairs = [pair.partition("=") for pair in (found.get("Config") or {}).get("Env") or []]
        return Image(found["Id"], {key: value for key, _, value in pairs})

    async def machine(self) -> str:
        """What kind of machine containers run on, such as `linux/amd64`."""
        if self._client.name == "podman":
            return await self._client.tell("info", "--format", "{{.Host.OS}}/{{.Host.Arch}}")
        return await self._client.tell("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")

    async def build(self, context: Path, *, online: bool) -> str:
        """The digest of the image that a folder's Dockerfile describes, built when its content is new.

        `online` lets the build's commands reach the network; an image that it starts from must be on this machine
        either way. Raises InputError for a folder that cannot be built, EnvironmentBuildError with the last lines of
        the step that failed, and what the client raises.
        """
        digest = await anyio.to_thread.run_sync(context_digest, context)
        place = str(await anyio.Path(context).absolute())
        name = f"assay-task:{digest[:32]}"
        there = await self._client.ask("image", "inspect", "--format", "{{.Id}}", name)
        if there.exit_status == 0:
            return there.stdout.decode().strip()
        labels = {KIND: "task", CONTEXT: place, STATE: self._state}
        words = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
        network = "host" if online else "none"  # a daemon may have no bridge
        done = await self._client.ask(
            *("build", "--network", network, "--force-rm", "--tag", name, *words, "--", place),
            wall_seconds=BUILD_SECONDS,
        )
        if done.exit_status != 0:
            raise _build_error(self._client.name, (done.stdout + done.stderr).decode(errors="replace"), online)
        return await self._client.tell("image", "inspect", "--format", "{{.Id}}", name)

    async def reap(self, uid: int) -> None:
        """Remove frames of an older host, and images of tasks whose folders are gone. One in use stays."""
        current = frame_name(await anyio.to_thread.run_sync(frame_tar, uid))
        wanted = f"label={KIND}"
        form = "{{.ID}}\t{{.Repository}}:{{.Tag}}"
        lines = (
            await self._client.tell("image", "ls", "--no-trunc", "--filter", wanted, "--format", form)
        ).splitlines()
        for digest, _, name in (line.partition("\t") for line in lines):
            if await self._is_stale(digest, name.removeprefix("localhost/"), current):
                await self._client.ask("image", "rm", digest)

    async def _is_stale(self, digest: str, name: str, current: str) -> bool:
        form = "{{json .Config.Labels}}"
        told = await self._client.ask("image", "inspect", "--format", form, digest)
        labels = json.loads(told.stdout) if told.exit_status == 0 else {}
        place = labels.get(CONTEXT, "/")
        is_gone = not await anyio.Path(place).is_dir()
        if labels.get(KIND) == "task":
            return labels.get(STATE) == self._state and is_gone
        return name != current and (is_gone or place == str(self._place))


def _build_error(name: str, text: str, online: bool) -> Exception:
    """Why a build failed: which step, and its last words."""
    lines = [line for line in COLOUR.sub("", text).splitlines() if line.strip() and not line.strip().startswith(NOISE)]
    step = next((found[1] for line in reversed(lines) if (found := STEP.match(line))), "")
    tail = "\n".join(lines[-TAIL_LINES:])
    known = refusal(name, tail)
    if step.upper().startswith("FROM ") and (needs_network(tail) or isinstance(known, PrerequisiteError)):
        image = next((word for word in step.split()[1:] if not word.startswith("--")), "")
        why = f"the image that the Dockerfile starts from, {image}, is not on this machine and could not be fetched"
        return EnvironmentBuildError(why, step=step, tail=tail, hint=f"type: {name} pull {image}; or build it here")
    if needs_network(tail):
        hint = (
            "it must be reachable" if online else "allow the network for the build, or have its parts on this machine"
        )
        why = f"a step of the Dockerfile needs the network, which the build did not get: {step}"
        return EnvironmentBuildError(why, step=step, tail=tail, hint=hint)
    if isinstance(known, SandboxError):
        said = next((line for line in reversed(lines) if not line.startswith("The command ")), "no message")
        why = f"the image could not be built: {step or 'the Dockerfile'} failed: {said}"
        return EnvironmentBuildError(why, step=step, tail=tail, hint=f"try it by hand: {name} build")
    return known


def context_digest(context: Path) -> str:
    """What a folder with a Dockerfile holds, as a digest: names, modes, contents; links are not followed.

    Raises InputError when there is no Dockerfile, or more than a bound.
    """
    dockerfile = context / "Dockerfile"
    if dockerfile.is_symlink() or not dockerfile.is_file():
        raise InputError(f"there is no Dockerfile in {context}", hint="a task's own is in its folder `environment`")
    total, whole = 0, hashlib.sha256()
    for path in _files(context):
        info = path.lstat()
        whole.update(f"{path.relative_to(context)}\0{stat.S_IMODE(info.st_mode):o}\0".encode(errors="surrogateescape"))
        if stat.S_ISLNK(info.st_mode):
            whole.update(b"link\0" + os.fsencode(os.readlink(path)))  # noqa: PTH115 - as it is written
        elif stat.S_ISREG(info.st_mode):
            total += info.st_size
            if total > CONTEXT_BYTES:
                raise InputError(
                    f"{context} holds more than {CONTEXT_BYTES // MIB} MiB", hint="is that meant to be an image?"
                )
            whole.update(b"file\0" + hashlib.sha256(path.read_bytes()).digest())
        elif not stat.S_ISDIR(info.st_mode):
            raise InputError(f"{path} is neither a file nor a folder nor a link", hint="remove it")
    return whole.hexdigest()


def _files(context: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(context):
        folders.sort()
        yield from (Path(above) / name for name in sorted((*folders, *names)))
