"""Running other people's code where it can do no harm.

The contract, which `assay.testing.sandbox_contract` turns into named checks that every adapter must pass:

- Units: seconds, MiB where a name says so, bytes otherwise.
- A command that fails, is killed or runs into a limit is a value (`ExecResult`). Only the sandbox's own
  breakdown raises, always `SandboxError` (or `DiskFullError`): it is never passed off as the command's output.
  A missing executable is a value too: exit status 127.
- Nothing of the host is visible but its programs and libraries, read-only, and the mounts asked for.
  No host environment variable, process, home, `/tmp`, network, device or IPC object.
- A command's end is the end of all its descendants, double-forked daemons included.
- Layers never change. New bytes live in the session, are read out from outside, and go away with it, unless
  they were frozen.
- Two sessions never see each other. Commands of one session run one after the other.
- A session that is cancelled or whose owner is killed with SIGKILL leaves no process; what it leaves on disk is
  collected by `reap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from assay.model.sandbox import Command, ExecResult, SandboxSpec
from assay.model.tree import FileChange


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `assay doctor`."""

    name: str
    ok: bool
    detail: str
    advice: str = ""
    """What to do about it when not ok."""
    required: bool = True


class Session(Protocol):
    """An open sandbox: a view of files, in which commands run one after the other."""

    async def exec(self, command: Command) -> ExecResult:
        """Run one command to its end, its descendants' too.

        Raises SandboxError when the command could not be run for a cause that is not its own.
        """
        ...

    async def changes(self, target: str) -> tuple[FileChange, ...]:
        """What the session did below a writable mount, against its layers, read from outside; sorted by path.

        Files that are neither regular nor links (sockets, pipes, devices) are left out, ownership and times are
        not compared, a rewritten file with equal content and mode is no change, an empty directory is nothing.
        Raises SandboxError when the mount is not writable or what it holds is over the session's disk limit.
        """
        ...

    async def read(self, target: str, path: str, max_bytes: int) -> bytes | None:
        """A file that the session wrote below a writable mount, read from outside without following links.

        None when it is absent, no regular file, or larger than `max_bytes`.
        """
        ...

    async def freeze(self, target: str, destination: Path) -> None:
        """Move the session's own bytes of a writable mount to `destination`, as a layer for later sessions.

        Temp-then-rename: `destination` exists whole or not at all; if it exists already it stays as it is. The
        mount is at its layers' state afterwards.
        """
        ...


@runtime_checkable
class ImageBuilder(Protocol):
    """A sandbox whose sessions can start from images of tasks."""

    async def image_of(self, context: Path, *, online: bool = False) -> str:
        """The image that the Dockerfile in this folder describes, built unless it is there; for `SandboxSpec.image`.

        Only with `online` may its steps use the network. Raises EnvironmentBuildError with the last lines of the
        step that failed, PrerequisiteError without a daemon, and SandboxError.
        """
        ...


class Sandbox(Protocol):
    """A provider of sessions."""

    name: str

    def open(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Session]:
        """Open a session. It costs milliseconds; leaving it removes everything that was not frozen."""
        ...

    async def reap(self, live_labels: Sequence[str] = ()) -> int:
        """Remove what dead owners left behind, except for the labels given; how many sessions that were."""
        ...

    async def diagnose(self) -> list[Finding]:
        """What this machine allows, for `assay doctor`; never raises."""
        ...
