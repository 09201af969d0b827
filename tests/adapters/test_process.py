"""The process runner: ends, bounds, costs, and that nothing stays."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import anyio
import pytest

from assay.adapters.process import Finished, Program, Running, output_of, run
from assay.errors import DiskFullError, InfrastructureError, PrerequisiteError

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
pytestmark = pytest.mark.anyio


async def python(code: str, **more: object) -> Finished:
    values: dict[str, object] = {"argv": (sys.executable, "-c", code), "env": ENV, "wall_seconds": 30.0, **more}
    return await run(Program(**values))  # type: ignore[arg-type]


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


async def test_status_and_streams() -> None:
    done = await run(Program(("sh", "-c", "echo out; echo err >&2; exit 3"), env=ENV))
    assert (done.exit_status, done.signal, done.stopped) == (3, None, None)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


async def test_a_signal_is_told() -> None:
    done = await run(Program(("sh", "-c", "kill -TERM $$"), env=ENV))
    assert (done.exit_status, done.signal) == (None, signal.SIGTERM)


async def test_the_environment_is_only_what_was_given() -> None:
    done = await run(Program(("env",), env={**ENV, "A": "1"}))
    assert set(done.stdout.decode().splitlines()) == {"A=1", f"PATH={ENV['PATH']}"}


async def test_large_input_and_output_at_once_do_not_block() -> None:
    data = os.urandom(1 << 20)
    done = await run(Program(("cat",), env=ENV, stdin=data))
    assert done.stdout == data


async def test_input_that_nobody_reads_blocks_nothing() -> None:
    done = await run(Program(("true",), env=ENV, stdin=b"x" * (1 << 22)))
    assert done.exit_status == 0


async def test_too_much_output_is_cut_marked_and_stops() -> None:
    done = await run(Program(("yes",), env=ENV, output_bytes=1000))
    assert (len(done.stdout), done.stopped, set(done.truncated)) == (1000, "output", {"stdout"})


async def test_output_of_exactly_the_bound_is_fine() -> None:
    done = await run(Program(("head", "-c", "1000", "/dev/zero"), env=ENV, output_bytes=1000))
    assert (len(done.stdout), done.stopped) == (1000, None)


async def test_a_time_out_kills_the_whole_group() -> None:
    before = time.monotonic()
    done = await run(Program(("sh", "-c", "sleep 60 & sleep 60"), env=ENV, wall_seconds=0.2))
    assert (done.stopped, done.signal) == ("wall", signal.SIGKILL)
    assert time.monotonic() - before < 5


async def test_a_background_child_does_not_outlive_its_parent() -> None:
    done = await run(Program(("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"), env=ENV))
    child = int(done.stdout)
    with anyio.fail_after(5):
        while _lives(child):  # noqa: ASYNC110 - it is not our child, nothing tells us
            await anyio.sleep(0.01)


async def test_a_daemon_that_holds_the_pipes_is_not_waited_for_long() -> None:
    before = time.monotonic()
    code = "import os,time\nif os.fork()==0:\n os.setsid(); time.sleep(5)"
    done = await python(code)
    assert done.exit_status == 0
    assert time.monotonic() - before < 4


async def test_cancelling_kills() -> None:
    pids: list[int] = []

    async def note(running: Running) -> None:
        pids.append(running.pid)

    with anyio.move_on_after(0.2):
        await run(Program(("sleep", "60"), env=ENV), on_kill=note)
    assert pids
    assert not _lives(pids[0])


async def test_no_descriptor_stays_open() -> None:
    await run(Program(("true",), env=ENV))
    before = open_descriptors()
    await run(Program(("true",), env=ENV, channel=True, pipes=("more",)))
    with pytest.raises(PrerequisiteError):
        await run(Program(("assay-no-such-program",), env=ENV))
    with anyio.move_on_after(0.1):
        await run(Program(("sleep", "60"), env=ENV))
    assert open_descriptors() == before


async def test_the_channel_and_other_pipes() -> None:
    code = "import os; os.write(int(os.environ['ASSAY_CHANNEL_FD']), b'c'); print('o')"
    done = await python(code, channel=True)
    assert (done.channel, done.stdout) == (b"c", b"o\n")
    done = await run(Program(lambda n: ("sh", "-c", f"echo m > /proc/self/fd/{n['more']}"), env=ENV, pipes=("more",)))
    assert done.outputs["more"] == b"m\n"


async def test_no_other_descriptor_is_inherited() -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    done = await python("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])")
    os.close(read)
    os.close(write)
    assert done.stdout == b"[0, 1, 2]\n"


async def test_cpu_of_children_is_counted() -> None:
    spin = "import time,os\nif os.fork()==0:\n while time.process_time()<0.3: pass\nelse: os.wait()"
    done = await python(spin)
    assert 0.3 <= done.cpu_seconds < 10


async def test_a_tick_can_stop() -> None:
    async def stop(running: Running) -> str | None:
        return "enough" if running.output("stdout") else None

    done = await run(Program(("sh", "-c", "echo x; sleep 60"), env=ENV, tick_seconds=0.01), on_tick=stop)
    assert done.stopped == "enough"


async def test_an_error_in_a_tick_leaves_nothing() -> None:
    pids: list[int] = []

    async def broken(running: Running) -> str | None:
        pids.append(running.pid)
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await run(Program(("sleep", "60"), env=ENV, tick_seconds=0.01), on_tick=broken)
    assert not _lives(pids[0])


async def test_many_at_once_without_threads() -> None:
    import threading

    threads = threading.active_count()
    statuses: list[int | None] = []

    async def one(number: int) -> None:
        statuses.append((await run(Program(("sh", "-c", f"exit {number}"), env=ENV))).exit_status)

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(one, number)
    assert sorted(s for s in statuses if s is not None) == list(range(30))
    assert threading.active_count() == threads


async def test_a_missing_program_is_a_prerequisite() -> None:
    with pytest.raises(PrerequisiteError, match="assay-no-such-program is not installed") as caught:
        await run(Program(("assay-no-such-program",), env=ENV))
    assert caught.value.hint


async def test_a_missing_folder_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="does not exist"):
        await run(Program(("true",), env=ENV, cwd=tmp_path / "absent"))


async def test_output_of_gives_bytes_or_says_why() -> None:
    assert await output_of(["echo", "hi"], env=ENV) == b"hi\n"
    with pytest.raises(InfrastructureError, match=r"failed with status 4\nwords"):
        await output_of(["sh", "-c", "echo words >&2; exit 4"], env=ENV)
    with pytest.raises(InfrastructureError, match="took longer"):
        await output_of(["sleep", "60"], env=ENV, wall_seconds=0.1)
    with pytest.raises(InfrastructureError, match="printed more"):
        await output_of(["yes"], env=ENV, output_bytes=10)
    with pytest.raises(DiskFullError):
        await output_of(["sh", "-c", "head -c 9 /dev/zero > /dev/full"], env={**ENV, "LC_ALL": "C"})


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
