# ruff: noqa: D103 - the name of a check says what it demands
"""The contract's checks about commands: how they end, what they see of the host, what limits stop them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio

from assay.adapters.process import Program, Running, run
from assay.model.sandbox import Command, Limits, Mount
from assay.testing.sandbox_kit import REPO, SMALL, Kit, check, expect, harmful, processes_with, token
from assay.testing.sandbox_programs import Outcome, describe, program

GONE_SECONDS = 10.0


def _limits(**values: float) -> Limits:
    return SMALL.model_copy(update=values)


@check
async def exit_status_and_streams_come_back(kit: Kit) -> None:
    async with kit.session() as probe:
        result = await probe.exec(*program(["emit", "stdout", "out", 1], ["emit", "stderr", "err", 1], ["exit", 3]))
        expect((result.exit_status, result.signal, result.stopped) == (3, None, None), describe(result))
        expect((result.stdout, result.stderr) == (b"out", b"err"), describe(result))
        expect(not result.ok, "a failed command is ok")


@check
async def success_is_ok(kit: Kit) -> None:
    async with kit.session() as probe:
        result = (await probe.steps(["note", 1])).result
        expect(result.ok and result.signal is None and not result.truncated, describe(result))


@check
async def death_by_signal_is_told(kit: Kit) -> None:
    async with kit.session() as probe:
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT):
            result = (await probe.steps(["signal", int(number)])).result
            expect((result.exit_status, result.signal, result.stopped) == (None, number, None), describe(result))


@check
async def an_exit_status_like_a_signal_is_an_exit_status(kit: Kit) -> None:
    async with kit.session() as probe:
        for status in (137, 139, 255):
            result = (await probe.steps(["exit", status])).result
            expect((result.exit_status, result.signal) == (status, None), describe(result))


@check
async def a_missing_executable_is_status_127(kit: Kit) -> None:
    async with kit.session() as probe:
        result = await probe.exec("assay-no-such-program", "x")
        expect((result.exit_status, result.stopped) == (127, None), describe(result))


@check
async def an_unexecutable_file_is_status_126(kit: Kit) -> None:
    async with kit.session() as probe:
        result = await probe.exec(f"{REPO}/a.txt")
        expect((result.exit_status, result.stopped) == (126, None), describe(result))


@check
async def stdin_is_fed_and_ends(kit: Kit) -> None:
    async with kit.session(limits=_limits(output_bytes=4 << 20)) as probe:
        data = bytes(range(256)) * 1000
        done = await probe.steps(["stdin"], stdin=data)
        expect(done.value() == data.decode("latin-1"), "stdin was changed")
        expect((await probe.steps(["stdin"])).value() == "", "stdin is not empty by default")


@check
async def unread_stdin_blocks_nothing(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(["emit", "stderr", "x" * 1000, 60], ["note", "end"], stdin=b"z" * 1_000_000)
        expect(done.value() == "end" and len(done.result.stderr) == 60_000, describe(done.result))


@check
async def the_environment_is_only_what_was_given(kit: Kit) -> None:
    async with kit.session(env=(("GIVEN", "1"), ("BOTH", "spec"))) as probe:
        env = (await probe.steps(["env"], env=(("BOTH", "command"), ("ODD.NAME", "a=b c")))).value()
        for name in ("PWD", "LC_CTYPE", "_", "SHLVL"):
            env.pop(name, None)
        expect(set(env) == {"GIVEN", "BOTH", "ODD.NAME", "PATH", "HOME"}, f"got {sorted(env)}")
        expect((env["BOTH"], env["ODD.NAME"]) == ("command", "a=b c"), "the command's variables do not win")


@check
async def the_working_directory_is_the_one_asked_for(kit: Kit) -> None:
    async with kit.session() as probe:
        expect((await probe.steps(["cwd"])).value() == REPO, "not the session's")
        expect((await probe.steps(["cwd"], workdir=f"{REPO}/dir")).value() == f"{REPO}/dir", "not the command's")


@check
async def the_channel_carries_bytes(kit: Kit) -> None:
    async with kit.session() as probe:
        result = (await probe.steps(["emit", "channel", "\x00\xff", 3], channel=True)).result
        expect(result.channel == b"\x00\xff" * 3 and b"\xff" not in result.stdout, describe(result))
        env = (await probe.steps(["env"])).value()
        expect("ASSAY_CHANNEL_FD" not in env, "a channel that nobody asked for")


@check
async def the_channel_is_bounded(kit: Kit) -> None:
    async with kit.session() as probe:
        result = (await probe.steps(["emit", "channel", "x" * 1000, 100000], channel=True)).result
        expect(result.stopped == "output" and "channel" in result.truncated, describe(result))
        expect(len(result.channel) == SMALL.output_bytes, f"{len(result.channel)} bytes")


@check
async def output_is_bounded_and_marked(kit: Kit) -> None:
    async with kit.session() as probe:
        for stream in ("stdout", "stderr"):
            result = (await probe.steps(["emit", stream, "x" * 1000, 10_000_000])).result
            expect(result.stopped == "output" and stream in result.truncated, describe(result))
            expect(len(getattr(result, stream)) == SMALL.output_bytes, "not cut at the bound")


@check
async def a_time_out_stops_the_command(kit: Kit) -> None:
    async with kit.session() as probe:
        before = time.monotonic()
        result = (await probe.steps(["emit", "stderr", "started", 1], ["sleep", 60], wall_seconds=2.0)).result
        expect(result.stopped == "wall" and result.stderr == b"started", describe(result))
        expect(time.monotonic() - before < 10, "it took too long")
        expect((await probe.steps(["note", 1])).value() == 1, "the session cannot be used afterwards")


@harmful
async def a_time_out_kills_every_descendant(kit: Kit) -> None:
    word = token()
    async with kit.session() as probe:
        await probe.steps(["note", word], ["fork", 3], ["daemon"], ["sleep", 60], wall_seconds=1.0)
        expect(not processes_with(word), "descendants live on")


@harmful
async def the_end_of_a_command_is_the_end_of_its_daemons(kit: Kit) -> None:
    word = token()
    async with kit.session() as probe:
        result = (await probe.steps(["note", word], ["fork", 2], ["daemon"])).result
        expect(result.ok, describe(result))
        expect(not processes_with(word), "a daemon lives on")


@harmful
async def cancelling_leaves_nothing(kit: Kit) -> None:
    word = token()
    with anyio.move_on_after(0.5) as scope:
        async with kit.session() as probe:
            await probe.steps(["note", word], ["daemon"], ["sleep", 60])
    expect(scope.cancelled_caught, "the cancellation was swallowed")
    expect(not processes_with(word), "a cancelled command lives on")
    expect(not _left(kit.state), f"left: {_left(kit.state)}")


@harmful
async def sigkill_of_the_owner_leaves_no_process_and_reap_cleans(kit: Kit) -> None:
    expect(kit.adapter, "run the suite with an adapter's name to check this")
    word = token()
    argv = (sys.executable, "-m", "assay.testing.sandbox_contract", "--hold", kit.adapter, str(kit.root), word)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}

    async def kill_when_ready(owner: Running) -> str | None:
        if b"ready" in owner.output("stderr"):
            os.kill(owner.pid, signal.SIGKILL)
            await owner.wait_exit(GONE_SECONDS)
        return None

    kit.layer()
    ended = await run(Program(argv, env=env, wall_seconds=30), on_tick=kill_when_ready)
    expect(ended.signal == signal.SIGKILL, f"the owner ended otherwise: {ended}")
    with anyio.move_on_after(GONE_SECONDS):
        while processes_with(word):  # noqa: ASYNC110 - nothing tells us of a stranger's end
            await anyio.sleep(0.01)
    expect(not processes_with(word), "a sandboxed process outlives its owner")
    sandbox = kit.sandbox()
    left = len(_left(kit.state))
    expect(await sandbox.reap(("contract",)) == 0 and len(_left(kit.state)) == left, "a live label was reaped")
    expect(await sandbox.reap() == left, "the reaper missed a session")
    expect(not _left(kit.state), f"the reaper left {_left(kit.state)}")


@check
async def the_reaper_spares_the_living(kit: Kit) -> None:
    async with kit.session() as probe:
        await probe.steps(["write", "kept", "k"])
        expect(await kit.sandbox().reap() == 0, "a live session was reaped")
        expect((await probe.steps(["read", "kept"])).value() == "k", "a live session lost a file")


@check
async def there_is_no_network(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(["interfaces"], ["connect", "198.51.100.1", 80], ["connect", "127.0.0.1", 9])
        expect(done.value(0) in ([], ["lo"]), f"interfaces: {done.value(0)}")
        expect(done.error(1) in ("ENETUNREACH", "EPERM", "EACCES"), f"outside: {done.error(1)}")
        expect(done.error(2) is not None, "something of the host listens inside")


@check
async def a_server_of_the_host_is_out_of_reach(kit: Kit) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with kit.session() as probe:
            done = await probe.steps(["connect", "127.0.0.1", port])
            expect(done.error() is not None, "the host's loopback is reachable")


@check
async def the_hosts_files_are_not_seen(kit: Kit) -> None:
    (kit.root / "host-secret").write_text("x")
    async with kit.session() as probe:
        home = str(Path.home())
        places = [str(kit.root / "host-secret"), str(kit.state), "/etc/shadow", f"{home}/.ssh", "/var/log", "/boot"]
        done = await probe.steps(*(["exists", place] for place in places), ["list", "/tmp"])
        seen = [place for index, place in enumerate(places) if done.value(index)]
        expect(not seen, f"seen: {seen}")
        expect(done.value() == [], "/tmp is not empty")


@check
async def the_hosts_processes_are_not_seen(kit: Kit) -> None:
    async with kit.session() as probe:
        count = (await probe.steps(["processes"])).value()
        expect(count <= 5, f"{count} processes are seen")
        done = await probe.steps(["exists", f"/proc/{os.getpid()}/cwd"])
        expect(os.getpid() < 10 or done.value() is False, "assay's own process is seen")


@harmful
async def the_kernel_cannot_be_configured(kit: Kit) -> None:
    places = ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger")
    async with kit.session() as probe:
        users = ["write", "/proc/self/uid_map", "0 0 1"]
        done = await probe.steps(*(["reach", place] for place in places), users, ["list", "/dev"])
        open_ = [place for index, place in enumerate(places) if done.value(index)]
        expect(not open_, f"can be written: {open_}")
        expect(done.error(len(places)) is not None, "a command can map users")
        devices = {"full", "null", "random", "tty", "urandom", "zero", "console", "core", "fd", "ptmx", "pts", "shm"}
        expect(set(done.value()) <= devices | {"stdin", "stdout", "stderr", "mqueue"}, f"devices: {done.value()}")


@check
async def there_are_no_privileges(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(["uid"], ["caps"])
        expect(done.value(0) != 0, "commands are root")
        expect(all(int(word, 16) == 0 for word in done.value(1)), f"capabilities: {done.value(1)}")


@check
async def a_command_has_the_user_that_was_asked_for(kit: Kit) -> None:
    async with kit.session(uid=54321) as probe:
        done = await probe.steps(["uid"], ["write", "new", "x"], ["write", "a.txt", "x"], ["write", "/tmp/new", "x"])
        expect(done.value(0) == 54321, f"user {done.value(0)}")
        refused = [index for index in (1, 2, 3) if done.error(index)]
        expect(not refused, f"this user may not write: {refused}")
        expect({"new", "a.txt"} <= set(await probe.changes()), "its changes are not seen")


@check
async def a_home_can_be_made_read_only(kit: Kit) -> None:
    for more in ({}, {"env": (("HOME", "/home/elsewhere"),)}):
        async with kit.session(read_only_home=True, **more) as probe:
            home = (await probe.steps(["env"])).value()["HOME"]
            done = await probe.steps(["list", home], ["write", f"{home}/new", "x"], ["write", "/tmp/new", "x"])
            expect(done.value(0) == [], f"the home holds {done.value(0)}")
            expect(done.error(1) == "EROFS", f"writing to the home gave {done.error(1)}")
            expect(done.error(2) is None, "/tmp is read-only too")


@harmful
async def the_system_cannot_be_changed(kit: Kit) -> None:
    async with kit.session() as probe:
        done = await probe.steps(
            *(["write", f"{place}/assay-x", "x"] for place in ("/usr/bin", "/etc", "/", "/proc", "/dev"))
        )
        worked = [index for index in range(5) if done.error(index) is None]
        expect(not worked, f"written: {worked}")


@harmful
async def tmp_and_home_can_be_written_and_are_private(kit: Kit) -> None:
    async with kit.session() as probe:
        name = f"/tmp/{token()}"
        done = await probe.steps(["write", name, "t"], ["write", "/dev/shm/s", "s"])
        expect(done.error(0) is None and done.error(1) is None, "no room for temporary files")
        home = (await probe.steps(["env"])).value()["HOME"]
        expect((await probe.steps(["write", f"{home}/h", "h"])).error() is None, "the home cannot be written")
        expect(not await probe.changes(), "temporary files are changes")
    expect(not await anyio.Path(name).exists(), "the host's /tmp was written")


@check
async def concurrent_sessions_do_not_see_each_other(kit: Kit) -> None:
    kit.layer()
    seen: dict[int, Outcome] = {}
    changed: dict[int, set[str]] = {}

    async def one(number: int) -> None:
        async with kit.session() as probe:
            await probe.steps(["write", f"own{number}", "x"], ["write", f"/tmp/own{number}", "x"])
            seen[number] = await probe.steps(["list", REPO], ["list", "/tmp"], ["processes"])
            changed[number] = set(await probe.changes())

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(one, number)
    for number, done in seen.items():
        others = {f"own{other}" for other in range(4) if other != number}
        expect(not others & {*done.value(0), *done.value(1)}, "another session's files are seen")
        expect(changed[number] == {f"own{number}"}, f"changes are mixed up: {changed[number]}")


@check
async def commands_of_one_session_take_turns(kit: Kit) -> None:
    async with kit.session() as probe:

        async def append(word: str) -> None:
            await probe.steps(*(["append", "log", word] for _ in range(20)))

        async with anyio.create_task_group() as group:
            group.start_soon(append, "a")
            group.start_soon(append, "b")
        log = await probe.session.read(REPO, "log", 1000)
        expect(log in (b"a" * 20 + b"b" * 20, b"b" * 20 + b"a" * 20), f"commands ran at once: {log!r}")


@harmful
async def a_memory_bomb_is_stopped_and_named(kit: Kit) -> None:
    async with kit.session(limits=_limits(memory_mib=96)) as probe:
        result = (await probe.steps(["grow", 4000])).result
        expect(result.stopped == "memory" and not result.ok, describe(result))
        expect((await probe.steps(["note", 1])).value() == 1, "the session cannot be used afterwards")


@harmful
async def a_fork_bomb_is_stopped_and_named(kit: Kit) -> None:
    word = token()
    async with kit.session() as probe:
        result = (await probe.steps(["note", word], ["fork", 5000], ["sleep", 30])).result
        expect(result.stopped == "processes", describe(result))
        expect(not processes_with(word), "the bomb goes on")


@check
async def a_file_size_bomb_is_stopped_and_named(kit: Kit) -> None:
    async with kit.session() as probe:
        result = (await probe.steps(["fill", "big", 20])).result
        expect(result.stopped == "file-size", describe(result))
        result = (await probe.steps(["ignore", int(signal.SIGXFSZ)], ["fill", "big", 20])).result
        expect(result.stopped == "file-size", "survived: " + describe(result))


@harmful
async def a_disk_bomb_is_stopped_and_named(kit: Kit) -> None:
    async with kit.session() as probe:
        result = (await probe.steps(["fill_many", "part", 1000, 7])).result
        expect(result.stopped == "disk", describe(result))
    async with kit.session(limits=_limits(disk_mib=4)) as probe:
        result = (await probe.steps(["fill", "/tmp/big", 7], ["exit", 1])).result
        expect(result.stopped == "disk", "/tmp: " + describe(result))


@check
async def a_cpu_bomb_is_stopped_and_named(kit: Kit) -> None:
    async with kit.session(limits=_limits(cpu_seconds=0.5)) as probe:
        result = (await probe.steps(["spin", 15])).result
        expect(result.stopped == "cpu", describe(result))


@check
async def open_files_are_bounded(kit: Kit) -> None:
    async with kit.session(limits=_limits(open_file_count=64)) as probe:
        expect((await probe.steps(["files"])).value() == 64, "the limit is another one")


@check
async def usage_counts_descendants(kit: Kit) -> None:
    async with kit.session() as probe:
        usage = (await probe.steps(["spend", 0.3, True])).result.usage
        expect(0.3 <= usage.cpu_seconds < 10, f"a reaped child: {usage}")
        usage = (await probe.steps(["spend", 9.0, False], ["sleep", 0.5])).result.usage
        expect(usage.cpu_seconds > 0.1, f"a killed child: {usage}")
        expect(usage.wall_seconds >= 0.5, f"wall: {usage}")


@check
async def usage_counts_written_bytes(kit: Kit) -> None:
    async with kit.session() as probe:
        usage = (await probe.steps(["fill", "big", 2])).result.usage
        expect(2 << 20 <= usage.written_bytes < 3 << 20, f"{usage}")


@check
async def the_machine_can_be_diagnosed(kit: Kit) -> None:
    findings = await kit.sandbox().diagnose()
    expect(findings and all(finding.name and (finding.ok or finding.advice) for finding in findings), f"{findings}")


@check
async def a_mount_of_the_host_is_seen_at_its_place(kit: Kit) -> None:
    place = kit.layer({"x": b"x"}, "host mount")
    async with kit.session(Mount(str(place), (place,)), workdir="/") as probe:
        done = await probe.steps(["read", f"{place}/x"], ["write", f"{place}/x", "y"])
        expect(done.value(0) == "x" and done.error(1) is not None, "not seen, or not read-only")


@check
async def a_socket_in_a_live_mount_can_be_connected_to_and_nothing_written(kit: Kit) -> None:
    place = kit.layer({"x": b"x"}, "live mount")
    with socket.socket(socket.AF_UNIX) as listening:
        with _short(place) as name:
            listening.bind(f"{name}/door")
        listening.listen()
        (place / "door").chmod(0o666)
        async with kit.session(Mount("/live", (place,), live=True), workdir="/") as probe:
            done = await probe.steps(["knock", "/live/door"], ["write", "/live/y", "y"], ["delete", "/live/x"])
            expect(done.error(0) is None, f"not connected: {done.error(0)}")
            expect(None not in (done.error(1), done.error(2)), "the host's folder could be changed")


@contextlib.contextmanager
def _short(place: Path) -> Iterator[str]:
    """A name of a folder that fits into a socket's address."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


async def hold(kit: Kit, word: str) -> None:
    """Open a session, run a command that does not end, and say so: the victim of the SIGKILL check."""
    async with kit.session() as probe, anyio.create_task_group() as group:
        group.start_soon(probe.session.exec, Command(program(["note", word], ["daemon"], ["sleep", 60])))
        while not processes_with(word) and kit.adapter != "fake":  # noqa: ASYNC110 - nor of its start
            await anyio.sleep(0.01)
        sys.stderr.write("ready\n")
        sys.stderr.flush()


def _left(state: Path) -> list[str]:
    return sorted(path.name for path in state.iterdir()) if state.is_dir() else []
