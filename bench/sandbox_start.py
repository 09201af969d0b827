"""Start of a sandbox to its first instruction, against fork+exec and against docker where a daemon answers."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from pathlib import Path

import anyio

from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.model.environment import REPO_ROOT
from assay.model.sandbox import Command, Mount, SandboxSpec
from assay.model.tree import FileState
from bench.timing import Row, wall_seconds

TIMES = 40


def run(folder: Path) -> list[Row]:
    floor = wall_seconds(["/bin/true"], TIMES)
    started = anyio.run(_sandbox_seconds, folder)
    rows: list[Row] = [
        {"name": "sandbox start to end of /bin/true", "value": started * 1000, "unit": "ms", "aim": "< 20"},
        {"name": "sandbox start / fork+exec", "value": started / floor, "unit": "times", "aim": "-"},
    ]
    docker = _docker_seconds(folder)
    if docker is None:
        print("docker: no daemon answers, not measured")
    else:
        rows.append({"name": "docker run / sandbox start", "value": docker / started, "unit": "times", "aim": "> 25"})
    return rows


async def _sandbox_seconds(folder: Path) -> float:
    layer = await LayerStore(folder / "layers").put({"a": FileState(b"a")})
    sandbox = BubblewrapSandbox(folder / "sandboxes")
    spec = SandboxSpec(mounts=(Mount(REPO_ROOT, (layer,), writable=True),), workdir=REPO_ROOT)
    taken = []
    for _ in range(TIMES):
        before = time.perf_counter()
        async with sandbox.open(spec) as session:
            result = await session.exec(Command(argv=("/bin/true",)))
            taken.append(time.perf_counter() - before)
        if not result.ok:
            raise RuntimeError(result.stderr)
    return statistics.median(taken)


def _docker_seconds(folder: Path) -> float | None:
    """`docker run` of a static binary in an image made here; None without a daemon."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        return None
    source = folder / "true.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-o", str(folder / "true"), str(source)], check=True)
    archive = subprocess.run(["tar", "-C", str(folder), "-c", "true"], check=True, capture_output=True).stdout
    subprocess.run(["docker", "import", "-", "assay-bench:true"], input=archive, check=True, capture_output=True)
    return wall_seconds(["docker", "run", "--rm", "--network", "none", "assay-bench:true", "/true"], 10)
