"""What a sandbox is asked for and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from assay.model.base import Frozen

MIB = 1024 * 1024


class Limits(Frozen):
    """What one command may use. Going over one of these is a fact about the command, not a fault of ours."""

    wall_seconds: float = 600.0
    cpu_seconds: float = 1200.0
    memory_mib: int = 4096
    process_count: int = 256
    open_file_count: int = 1024
    file_size_mib: int = 512
    """The largest single file."""
    disk_mib: int = 2048
    """New bytes of all writable mounts together, `/tmp` and the home counted apart with the same bound."""
    output_bytes: int = 8 * MIB
    """Each of stdout, stderr and the channel; what is over is dropped, marked, and stops the command."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One place in the sandbox.

    `layers` are directories of the host, topmost first. Not writable: they are seen merged and read-only.
    Writable: an overlay whose own bytes live in the session; no layer ever changes. No layers and writable: an
    empty directory that belongs to the session.
    """

    target: str
    layers: tuple[Path, ...] = ()
    writable: bool = False
    live: bool = False
    """Of one layer, read-only: the host's very folder, not a view of it, so that a socket in it can be connected to (a
    view of a socket is another socket, which nobody listens on)."""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a session is opened with. Nothing of the host is visible but the system's programs and `mounts`."""

    mounts: tuple[Mount, ...]
    workdir: str = "/"
    env: tuple[tuple[str, str], ...] = ()
    """The whole environment: nothing of the host's leaks in. A PATH and a HOME are given if these lack them."""
    network: Literal["none", "host"] = "none"
    """`host` only for the phase that fetches packages."""
    hidden: tuple[str, ...] = ()
    """Places inside read-only mounts or the system that must look empty."""
    limits: Limits = field(default_factory=Limits)
    nesting: bool = False
    """Whether the command may make mount and process namespaces of its own, out of what the sandbox shows. It keeps
    two capabilities for that, which reach no further than the sandbox's own user namespace. An adapter that has no such
    namespace does not grant it; the command then fails to make its own."""
    uid: int | None = None
    """The user and group that commands have inside, above 0; None for the adapter's own. An adapter that cannot give
    another one raises SandboxError."""
    read_only_home: bool = False
    """The home is there, empty, and nothing can be written to it. An adapter that cannot do that raises
    SandboxError."""
    image: str = ""
    """A container image, by name or digest, that is there instead of the system's programs; its own variables are
    below `env`. Empty for the system's. An adapter without images raises SandboxError."""
    image_writable: bool = False
    """Whether the image's own files may be changed, for the session; commands are root inside then, without any
    capability. What they change outside of `mounts` is not read out."""
    label: str = ""
    """The run this belongs to; the reaper collects by it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run in a session."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    """Added to the session's."""
    workdir: str | None = None
    stdin: bytes = b""
    wall_seconds: float | None = None
    """Tighter than the session's limit, if given."""
    channel: bool = False
    """Whether to open a one-way pipe out of the sandbox. Its descriptor's number is in ASSAY_CHANNEL_FD."""


Stop = Literal["wall", "cpu", "memory", "processes", "disk", "file-size", "output"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command cost. CPU counts every descendant, those that were killed too."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_peak_bytes: int | None = None
    written_bytes: int = 0
    """New bytes in the session's writable mounts when the command ended."""

    def __add__(self, other: Usage) -> Usage:
        """Costs of two commands, one after the other: sums, and the larger peak."""
        peaks = [p for p in (self.memory_peak_bytes, other.memory_peak_bytes) if p is not None]
        return Usage(
            wall_seconds=self.wall_seconds + other.wall_seconds,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            memory_peak_bytes=max(peaks) if peaks else None,
            written_bytes=max(self.written_bytes, other.written_bytes),
        )


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command ended. Exactly one of `exit_status` and `signal` is set."""

    exit_status: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    channel: bytes = b""
    truncated: frozenset[Literal["stdout", "stderr", "channel"]] = frozenset()
    stopped: Stop | None = None
    """The limit that ended the command or that it ran into; None when it ended by itself."""
    usage: Usage = field(default_factory=Usage)

    @property
    def ok(self) -> bool:
        """Ended by itself with status 0."""
        return self.exit_status == 0 and self.stopped is None
