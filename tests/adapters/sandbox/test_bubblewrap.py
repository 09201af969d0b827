"""What is special about bubblewrap: its words, its own refusals, the user it runs as."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.files import SANDBOX_UID
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.sandbox.messages import is_full, parse_statuses, signal_of
from assay.adapters.sandbox.staging import choose_stage
from assay.adapters.sandbox.unsafe import UnsafeSandbox
from assay.errors import InputError, SandboxError
from assay.model.sandbox import Command, ExecResult, Mount, SandboxSpec

pytestmark = pytest.mark.anyio


@given(st.binary(max_size=200))
def test_statuses_survive_anything(raw: bytes) -> None:
    assert parse_statuses(raw + b'\n{ "exit-code": 3 }\n')["exit-code"] == 3


def test_words_tell_a_signal_from_a_status() -> None:
    assert signal_of(137, "Killed") == signal.SIGKILL
    assert signal_of(137, "") is None
    assert signal_of(130, "") == signal.SIGINT
    assert signal_of(137, "assay-free 12 12 /tmp") is None
    assert signal_of(3, "anything") is None
    assert signal_of(None, "") == signal.SIGKILL


def test_a_full_place_is_recognised() -> None:
    assert is_full("Killed\nassay-free 0 0 /tmp")
    assert not is_full("assay-free 10 0 /tmp")


def test_the_stage_hides_nothing_that_is_needed() -> None:
    assert choose_stage([Path("/mnt/data/project")]) != Path("/mnt")
    with pytest.raises(SandboxError, match="no folder is free"):
        choose_stage([Path(name) / "x" for name in ("/mnt", "/media", "/srv", "/opt", "/run", "/var/tmp", "/tmp")])


def test_no_sandbox_is_never_silent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not asked for"):
        UnsafeSandbox(tmp_path)


async def run_in(tmp_path: Path, *argv: str, mounts: tuple[Mount, ...] = (), **spec: object) -> ExecResult:
    values: dict[str, object] = {"mounts": mounts, **spec}
    async with BubblewrapSandbox(tmp_path / "state").open(SandboxSpec(**values)) as session:  # type: ignore[arg-type]
        return await session.exec(Command(argv))


@pytest.mark.sandbox
async def test_its_own_failure_is_not_the_commands(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="bwrap: Can't chdir"):
        await run_in(tmp_path, "true", workdir="/no/such/place")


@pytest.mark.sandbox
async def test_builtins_of_the_shell_are_not_run(tmp_path: Path) -> None:
    assert (await run_in(tmp_path, "exit", "3")).exit_status == 127
    assert (await run_in(tmp_path, "export")).exit_status == 127


@pytest.mark.sandbox
async def test_sandboxes_share_no_file_that_could_be_locked(tmp_path: Path) -> None:
    """A lock works through a read-only bind: two sandboxes could speak through any file that is the same for both."""
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "a").write_text("")
    mine = ["/usr/bin/env", "/etc/ld.so.cache", str(layer / "a")]
    inside = ["/usr/bin/env", "/etc/ld.so.cache", "/layer/a"]
    held = [os.open(path, os.O_RDONLY) for path in mine]
    try:
        for descriptor in held:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        script = " && ".join(f"flock -n {path} true" for path in inside)
        result = await run_in(tmp_path, "sh", "-c", script, mounts=(Mount("/layer", (layer,)),))
        assert result.ok, result.stderr
    finally:
        for descriptor in held:
            os.close(descriptor)


@pytest.mark.sandbox
async def test_no_more_namespaces_inside(tmp_path: Path) -> None:
    assert (await run_in(tmp_path, "unshare", "--user", "true")).exit_status != 0


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has nothing to give up")
async def test_root_is_given_up_for_good(tmp_path: Path) -> None:
    sandbox = BubblewrapSandbox(tmp_path / "state")
    async with sandbox.open(SandboxSpec(mounts=(Mount("/w", (), writable=True),), workdir="/w")) as session:
        await session.exec(Command(("touch", "mine")))
        folder = next((tmp_path / "state").iterdir())
        assert (folder / "up" / "0" / "mine").stat().st_uid == SANDBOX_UID


@pytest.mark.sandbox
async def test_packages_of_the_system_are_hidden(tmp_path: Path) -> None:
    script = "ls -A /usr/lib/python3/dist-packages /usr/local/lib/python3*/* 2>/dev/null | grep -v : | grep ."
    assert (await run_in(tmp_path, "sh", "-c", script)).stdout == b""


@pytest.mark.sandbox
async def test_the_network_opens_only_when_asked_for(tmp_path: Path) -> None:
    show = ("sh", "-c", "ls /sys/class/net 2>/dev/null; cat /proc/net/dev; ls /etc")
    closed = await run_in(tmp_path, *show)
    opened = await run_in(tmp_path, *show, network="host")
    assert closed.stdout.count(b":") == 1
    assert b"resolv.conf" in opened.stdout or not await anyio.Path("/etc/resolv.conf").exists()
    assert b"resolv.conf" not in closed.stdout


@pytest.mark.sandbox
async def test_starting_is_quick(tmp_path: Path) -> None:
    """A wide bound: the machine may be busy. `bench/sandbox_start.py` measures."""
    async with BubblewrapSandbox(tmp_path / "state").open(SandboxSpec(mounts=())) as session:
        walls = [(await session.exec(Command(("true",)))).usage.wall_seconds for _ in range(5)]
    assert min(walls) < 0.2


@pytest.mark.sandbox
async def test_a_diagnosis_names_what_works(tmp_path: Path) -> None:
    findings = await BubblewrapSandbox(tmp_path / "state").diagnose()
    assert {f.name for f in findings} >= {"bwrap", "user namespaces", "overlays can be mounted", "control groups"}
    assert all(f.ok for f in findings if f.required), findings


@pytest.mark.sandbox
async def test_cancelling_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for milliseconds in range(0, 20, 2):
        with anyio.move_on_after(milliseconds / 1000):
            async with BubblewrapSandbox(state).open(SandboxSpec(mounts=())) as session:
                await session.exec(Command(("sleep", "60")))
    assert list(state.iterdir() if state.exists() else []) == []
