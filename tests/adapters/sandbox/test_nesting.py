"""Two powers for those who make namespaces inside, and no more."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.model.sandbox import Command, ExecResult, SandboxSpec
from assay.stages.running import host_mounts
from assay.testing.interpreter import own_environment

pytestmark = pytest.mark.sandbox

LOOK = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd"))])
print("users", libc.unshare(0x10000000), "mounts", libc.unshare(0x20000), "network", libc.unshare(0x40000000))
print("over /usr", libc.umount2(b"/usr", 2), "proc", libc.mount(b"none", b"/proc", None, 32, None))
"""


def look(tmp_path: Path, *, nesting: bool) -> str:
    async def go() -> ExecResult:
        own = own_environment()
        spec = SandboxSpec(mounts=host_mounts(own), nesting=nesting)
        async with BubblewrapSandbox(tmp_path).open(spec) as session:
            return await session.exec(Command((own.python, "-c", LOOK)))

    done = anyio.run(go)
    return done.stdout.decode() or done.stderr.decode()


def test_without_nesting_there_is_no_power(tmp_path: Path) -> None:
    told = look(tmp_path, nesting=False)
    assert "['0000000000000000', '0000000000000000']" in told
    assert "users -1 mounts -1 network -1" in told


def test_with_nesting_there_are_two_and_no_new_user_namespace(tmp_path: Path) -> None:
    told = look(tmp_path, nesting=True)
    assert "['0000000000200002', '0000000000200002']" in told
    assert "users -1 mounts 0" in told
    assert "over /usr -1 proc -1" in told
