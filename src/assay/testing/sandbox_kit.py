"""What a sandbox check gets to work with, and where checks register."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.adapters.files import give_to_sandbox
from assay.model.sandbox import Command, ExecResult, Limits, Mount, SandboxSpec
from assay.model.tree import FileChange
from assay.ports.sandbox import Sandbox, Session
from assay.testing.sandbox_programs import Outcome, Step, program

REPO = "/repo"
SMALL = Limits(
    wall_seconds=20, cpu_seconds=20, memory_mib=256, process_count=40, file_size_mib=8, disk_mib=24, output_bytes=65536
)
FILES: Mapping[str, bytes] = {
    "a.txt": b"alpha\n",
    "b.bin": b"\x00\xff\x01\r\n",
    "dir/one.txt": b"one\n",
    "dir/sub/two.txt": b"two\n",
    "run.sh": b"#!/bin/sh\necho hi\n",
}

Factory = Callable[[Path], Sandbox]
"""Makes the sandbox under test, with its state below the given folder."""


@dataclass(frozen=True)
class Kit:
    """One check's world: an adapter, and a folder of its own."""

    make: Factory
    root: Path
    adapter: str = ""
    """The name under which another process can make the same adapter; empty when there is none."""

    @property
    def state(self) -> Path:
        """Where the adapter keeps its sessions."""
        return self.root / "state"

    def sandbox(self) -> Sandbox:
        """The adapter under test."""
        return self.make(self.state)

    def layer(self, files: Mapping[str, bytes] = FILES, name: str = "layer") -> Path:
        """A layer with these files; `run.sh` is executable, `link` points to a.txt."""
        folder = self.root / name
        for path, data in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755 if path.endswith(".sh") else 0o644)
        folder.mkdir(exist_ok=True)
        give_to_sandbox(folder)
        return folder

    def spec(self, *mounts: Mount, **changes: object) -> SandboxSpec:
        """A session over one writable repository, unless mounts are given; Python is where it is outside."""
        chosen = mounts or (Mount(REPO, (self.layer(),), writable=True),)
        prefix = Path(os.path.realpath(sys.executable)).parent.parent
        if not prefix.is_relative_to("/usr"):
            chosen = (*chosen, Mount(str(prefix), (prefix,)))
        values: dict[str, object] = {"mounts": chosen, "workdir": REPO, "limits": SMALL, "label": "contract", **changes}
        return SandboxSpec(**values)  # type: ignore[arg-type]

    @asynccontextmanager
    async def session(self, *mounts: Mount, **changes: object) -> AsyncIterator[Probe]:
        """An open session."""
        async with self.sandbox().open(self.spec(*mounts, **changes)) as session:
            yield Probe(session)


class Probe:
    """A session, with shorter words for what checks do all the time."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def exec(self, *argv: str, **more: object) -> ExecResult:
        """Run any command."""
        return await self.session.exec(Command(argv, **more))  # type: ignore[arg-type]

    async def steps(self, *steps: Step, **more: object) -> Outcome:
        """Run a program made of steps."""
        return Outcome(await self.exec(*program(*steps), **more))

    async def changes(self) -> dict[str, FileChange]:
        """What changed in the repository, by path."""
        return {change.path: change for change in await self.session.changes(REPO)}


Check = Callable[[Kit], Awaitable[None]]
CHECKS: dict[str, Check] = {}
"""Every named behaviour of the contract."""


HARMFUL: set[str] = set()


def check(function: Check) -> Check:
    """Register a behaviour under its function's name."""
    name = getattr(function, "__name__")  # noqa: B009 - a Callable type has no name
    if name in CHECKS:
        raise ValueError(f"two checks are called {name}")
    CHECKS[name] = function
    return function


def harmful(function: Check) -> Check:
    """Register a behaviour whose test hurts the machine if the adapter isolates nothing: for such it is not run."""
    HARMFUL.add(getattr(function, "__name__"))  # noqa: B009 - as above
    return check(function)


def expect(truth: object, message: str) -> None:
    """Fail the check with a message; unlike `assert`, also under `python -O`."""
    if not truth:
        raise AssertionError(message)


def token() -> str:
    """A word that no other process on this machine has in its command line."""
    return f"assay-contract-{secrets.token_hex(8)}"


def processes_with(word: str) -> list[int]:
    """The processes of this machine that have a word in their command line, ours excepted."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            try:
                if word.encode() in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue
    return found
