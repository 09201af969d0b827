"""How long a sandbox takes to its first instruction and back, against a bare process and against docker.

One run, interleaved, so that a busy machine slows all of them alike: read the ratios.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from assay.adapters.files import give_to_sandbox
from assay.adapters.process import Program
from assay.adapters.process import run as run_program
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.sandbox.client import Client
from assay.adapters.sandbox.container_diagnosis import engine as container_engine
from assay.adapters.sandbox.containers import DockerSandbox
from assay.model.sandbox import Command, Mount, SandboxSpec
from bench.timing import Row

ROUNDS = 40
DOCKER_ROUNDS = 5
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
IMAGE = "assay-bench-true"
AIMS = {"session and command": "< 20"}
STATIC = """
static void leave(void) { __asm__ volatile("mov $60, %eax; xor %edi, %edi; syscall"); }
void _start(void) { leave(); }
"""

Once = Callable[[], Awaitable[None]]


async def _timed(once: Once) -> float:
    before = time.perf_counter()
    await once()
    return time.perf_counter() - before


async def _docker_image(folder: Path) -> bool:
    """Make an image of one static binary, if there are a compiler and a daemon that answers."""
    if not (shutil.which("docker") and shutil.which("gcc")):
        return False
    info = await run_program(Program(("docker", "info"), env=ENV, wall_seconds=20))
    if info.exit_status != 0:
        return False
    (folder / "true.c").write_text(STATIC)
    steps = (
        ("gcc", "-static", "-nostdlib", "-O1", "-o", "true", "true.c"),
        ("sh", "-c", f"tar c true | docker import - {IMAGE}"),
    )
    return all([(await run_program(Program(step, env=ENV, cwd=folder))).exit_status == 0 for step in steps])


async def _measure() -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"fork+exec": [], "command in an open session": [], "session and command": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "layer").mkdir()
        (folder / "layer" / "a").write_text("a")
        give_to_sandbox(folder / "layer")
        spec = SandboxSpec(mounts=(Mount("/repo", (folder / "layer",), writable=True),), workdir="/repo")
        sandbox = BubblewrapSandbox(folder / "state")

        async def bare() -> None:
            await run_program(Program(("true",), env=ENV))

        async def whole() -> None:
            async with sandbox.open(spec) as session:
                await session.exec(Command(("true",)))

        async def docker() -> None:
            argv = ("docker", "run", "--rm", "--network", "none", IMAGE, "/true")
            await run_program(Program(argv, env=ENV))

        await whole()
        async with sandbox.open(spec) as session:

            async def command() -> None:
                await session.exec(Command(("true",)))

            for _ in range(ROUNDS):
                times["fork+exec"].append(await _timed(bare))
                times["command in an open session"].append(await _timed(command))
                times["session and command"].append(await _timed(whole))
        if (await container_engine(Client("docker"))).ok:
            container = DockerSandbox(folder / "containers")

            async def contained() -> None:
                async with container.open(spec) as session:
                    await session.exec(Command(("true",)))

            await contained()
            times["docker: session and command"] = [await _timed(contained) for _ in range(DOCKER_ROUNDS)]
            async with container.open(spec) as session:
                times["docker: command in an open session"] = [await _timed(command) for _ in range(DOCKER_ROUNDS)]
        if await _docker_image(folder):
            times["docker run"] = [await _timed(docker) for _ in range(DOCKER_ROUNDS)]
            await run_program(Program(("docker", "rmi", IMAGE), env=ENV))
    return times


def run(folder: Path) -> list[Row]:
    """Measure; medians, and the ratios that the targets speak of."""
    del folder
    medians = {name: statistics.median(values) for name, values in anyio.run(_measure).items()}
    start = medians["session and command"]
    rows: list[Row] = [
        {"name": f"{name}, median", "value": seconds * 1000, "unit": "ms", "aim": AIMS.get(name, "-")}
        for name, seconds in medians.items()
    ]
    rows.append({"name": "sandbox / fork+exec", "value": start / medians["fork+exec"], "unit": "times", "aim": "-"})
    docker = medians.get("docker run")
    if docker is None:
        sys.stderr.write("docker: no daemon answers, or no compiler: not measured\n")
    else:
        rows.append({"name": "docker run / sandbox", "value": docker / start, "unit": "times", "aim": "> 25"})
    return rows
