"""What a verdict with twins costs beside the same tests run by bare pytest, of the same hour. Needs the index.

The tests compute, so that both runs of a verdict compete for the machine's cores: the worst case. What is measured is
judging one more candidate of a task that is prepared, as training does it thousands of times.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path

import anyio

from assay import wiring
from assay.adapters.store.project import STATE
from assay.core.hashing import task_digest
from assay.stages.judging import judge, prepare
from bench.project import mined
from bench.timing import PYTHON, Row, children_seconds

TIMES = 3
COUNT = 40
TEST = """
import time
from busy import answer

def work():
    end = time.process_time() + {seconds}
    while time.process_time() < end:
        pass

def test_new():
    work()
    assert answer(1) == [1, "{value}"]
"""
MORE = """
def test_more_{number}():
    work()
    assert answer({number})[0] == {number}
"""


def run(folder: Path) -> list[Row]:
    rows: list[Row] = []
    fixed = 0.0
    for name, seconds in (("busy-none", 0.0), ("busy-some", 0.06)):
        ours, plain, ours_cpu, plain_cpu = _measure(folder / name, seconds)
        if not seconds:
            fixed = max(0.0, ours - plain)
            rows.append(_row("fixed wall time of a verdict over bare pytest", 1000 * fixed, "ms", "< 150"))
            continue
        about = f"{COUNT * seconds:.1f} s of computing tests"
        rows.append(_row(f"verdict over bare pytest, wall, {about}", ours / plain, "times", "< 2.0"))
        rows.append(_row(f"verdict over bare pytest, CPU, {about}", ours_cpu / plain_cpu, "times", "< 2.0"))
    return rows


def _row(name: str, value: float, unit: str, aim: str) -> Row:
    return {"name": name, "value": value, "unit": unit, "aim": aim}


def _measure(folder: Path, seconds: float) -> tuple[float, float, float, float]:
    """Wall of a verdict and of bare pytest, CPU of a verdict and of bare pytest."""
    more = "".join(MORE.format(number=number) for number in range(COUNT - 1))
    base, gold = (
        {"busy.py": f"def answer(n):\n    return [n, '{value}']\n",
         "tests/test_busy.py": TEST.format(seconds=seconds, value=value) + more}
        for value in ("old", "new")
    )  # fmt: skip
    project, task = mined(folder, "busy", base, gold)
    return anyio.run(_compare, project, task, folder / "busy")


async def _compare(project: Path, folder: Path, repository: Path) -> tuple[float, float, float, float]:
    found: list[tuple[float, float, float, float]] = []
    async with wiring.toolbox(project / STATE, folder.parent, "bubblewrap", unsafe=False) as tools:
        task = tools.tasks.read(folder)
        prepared = await prepare(task, tools)
        patch = await tools.agent("oracle").attempt(task)
        for _ in range(TIMES):
            plain, plain_cpu = await anyio.to_thread.run_sync(bare, repository)
            before, cpu = time.perf_counter(), time.process_time()
            verdict = (await judge(prepared, "oracle", patch, prepared.stand.runner)).verdict
            ours, own_cpu = time.perf_counter() - before, time.process_time() - cpu
            if not verdict.resolved or verdict.twins is None or not verdict.twins.run_count:
                raise RuntimeError(f"no verdict with twins on {task_digest(task)}: {verdict}")
            found.append((ours, plain, verdict.cpu_seconds + own_cpu, plain_cpu))
    ours, plain, ours_cpu, plain_cpu = (statistics.median(column) for column in zip(*found, strict=True))
    return ours, plain, ours_cpu, plain_cpu


def bare(repository: Path) -> tuple[float, float]:
    """Wall and CPU of the tests without assay."""
    before, cpu = time.perf_counter(), children_seconds()
    argv = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests/test_busy.py"]
    subprocess.run(argv, check=True, cwd=repository, stdout=subprocess.DEVNULL, env={"PYTHONPATH": "."})
    return time.perf_counter() - before, children_seconds() - cpu
