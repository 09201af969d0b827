"""Where docker and podman differ: how a session's overlays come into a container, and some words of the clients.

Docker has a daemon, which mounts: an anonymous volume of the local driver with type `overlay`, its upper layer in the
session's folder, so that what was written is read from outside, is frozen by a rename, and is the same layer that
bubblewrap makes. The other ways were worse: a copy of the layers into the container (`docker cp`, `docker diff`)
costs the size of the repository and cannot be frozen; mounting on the host needs root and survives a kill -9; mounting
inside needs a capability that reaches the machine. The volumes are part of `docker create`, so they cost no call of
their own, and they are mounted only while a command runs.

Podman has no daemon: what it starts sees the mounts of who called it. So its containers are made and started from
inside a private mount namespace in which the same file of mounts is mounted that bubblewrap's launcher uses.
"""

from __future__ import annotations

import csv
import io
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.adapters.sandbox import staging
from assay.errors import SandboxError
from assay.model.sandbox import Mount, SandboxSpec

OPTIONS_BYTES = 3500
"""The kernel takes one page of options."""
LINKS = Path("/var/tmp")
"""Where a session gets a short name when its own is too long for the kernel, or holds what separates options."""
PODMAN_PROCESSES = 32768
"""Podman takes this much at most for itself, and a container without privileges cannot get more."""
PODMAN_LAUNCH = 'set -e; cd -- "$1"; mount -n -a -T fstab; cd /; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class View:
    """What a container shall show of the host."""

    spec: SandboxSpec
    folder: Path
    """The session's, as `LayeredSession` lays it out."""
    binds: tuple[tuple[Path, str], ...]
    """Files and folders of the host, read-only, with their places inside."""
    labels: Mapping[str, str]


def row(*fields: str) -> str:
    """One line as the clients' `--mount` reads it: comma-separated, quoted where needed."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(fields)
    return buffer.getvalue()


def link_of(folder: Path) -> Path:
    """The short name that a session's folder may have."""
    return LINKS / f"assay-{folder.name}"


def short_name(folder: Path, spec: SandboxSpec) -> Path:
    """A name of a session's folder that overlay options can hold, made if need be."""
    longest = max((len(mount.layers) for mount in spec.mounts), default=0)
    plain = not any(c in ",:\\\"'" for c in str(folder)) and str(folder).isprintable()
    if plain and (longest + 3) * (len(str(folder)) + 8) < OPTIONS_BYTES:
        return folder
    link = link_of(folder)
    link.symlink_to(folder)
    return link


class Docker:
    """Arguments of the docker client."""

    name = "docker"
    read_only = "readonly"

    def mounts(self, view: View) -> list[str]:
        """Arguments of `create` for everything that a container shows of the host."""
        root = short_name(view.folder, view.spec)
        words: list[str] = []
        for index, mount in enumerate(view.spec.mounts):
            if not mount.layers:
                words += ["--mount", row("type=bind", f"src={view.folder}/up/{index}", f"dst={mount.target}")]
            elif mount.live:
                words += self.binds([(mount.layers[0].resolve(), mount.target)])
            else:
                words += ["--mount", self._volume(root, index, mount, view.labels)]
        return words + self.binds(view.binds)

    def binds(self, binds: Sequence[tuple[Path, str]]) -> list[str]:
        """Arguments for plain binds, read-only."""
        rows = [row("type=bind", f"src={source}", f"dst={target}", self.read_only) for source, target in binds]
        return [word for one in rows for word in ("--mount", one)]

    def _volume(self, root: Path, index: int, mount: Mount, labels: Mapping[str, str]) -> str:
        lower = ":".join(f"{root}/l/{index}.{number}" for number in range(len(mount.layers)))
        if mount.writable:
            options = f"lowerdir={lower},upperdir={root}/up/{index},workdir={root}/wk/{index},userxattr"
        else:
            options = f"lowerdir={root}/{staging.EMPTY}:{lower},userxattr"  # without an upper layer nothing can write
        fields = ["type=volume", f"dst={mount.target}", "volume-nocopy", "volume-driver=local"]
        fields += ["volume-opt=type=overlay", "volume-opt=device=overlay", f"volume-opt=o={options}"]
        fields += [f"volume-label={name}={value}" for name, value in labels.items()]
        return row(*fields)

    def empty(self, target: str) -> list[str]:
        """Arguments for an empty place that nobody can write to."""
        return ["--mount", row("type=tmpfs", f"dst={target}", "tmpfs-size=4096", self.read_only)]

    def scratch(self, target: str, size: int, uid: int, *, read_only: bool, mode: str = "0755") -> list[str]:
        """Arguments for memory to write to. Programs can be run from it, as in bubblewrap."""
        if ":" in target:
            raise SandboxError(f"the home {target} cannot be one in a container: its name holds a colon", target=target)
        access = "ro" if read_only else "rw"
        return ["--tmpfs", f"{target}:{access},exec,nosuid,nodev,size={size},mode={mode},uid={uid},gid={uid}"]

    def program(self, folder: Path) -> tuple[str, ...]:
        """The words before `create` and `start`."""
        del folder
        return (self.name,)


class Podman(Docker):
    """Arguments of the podman client."""

    name = "podman"
    read_only = "ro=true"

    def mounts(self, view: View) -> list[str]:
        """The same places, bound from a private stage; writes down what is to be mounted there."""
        stage = staging.plan(view.spec, view.folder, (), ())
        (view.folder / "fstab").write_text(stage.fstab)
        words: list[str] = []
        for index, mount in enumerate(view.spec.mounts):
            more = () if mount.writable else (self.read_only,)
            words += ["--mount", row("type=bind", f"src={stage.place}/{index}", f"dst={mount.target}", *more)]
        most = min(PODMAN_PROCESSES, resource.getrlimit(resource.RLIMIT_NPROC)[1] % (1 << 64))
        return [*words, *self.binds(view.binds), "--read-only-tmpfs=false", "--ulimit", f"nproc={most}:{most}"]

    def empty(self, target: str) -> list[str]:
        """As of docker, in podman's words."""
        return ["--mount", row("type=tmpfs", f"dst={target}", "tmpfs-size=4096", "ro=true", "notmpcopyup")]

    def scratch(self, target: str, size: int, uid: int, *, read_only: bool, mode: str = "0755") -> list[str]:
        """As of docker, in podman's words: U is the user that commands have."""
        words = super().scratch(target, size, uid, read_only=read_only, mode=mode)
        return [word.replace(f"uid={uid},gid={uid}", "U" if uid else "notmpcopyup") for word in words]

    def program(self, folder: Path) -> tuple[str, ...]:
        """Podman, in a mount namespace in which the session's stage is mounted."""
        spaces = ("unshare", "--mount", "--propagation", "slave")
        return (*spaces, "/bin/sh", "-c", PODMAN_LAUNCH, "sh", str(folder), self.name)
