"""One warm run against one cold run of a test of 50 ms, of the same hour. Needs the package index.

Cold is what a verdict does: a sandbox of its own, an interpreter, pytest, one test. Warm is one of 24 jobs that a warm
interpreter works off, its own start and what it loads included. Both collect the same 40 tests and run one of them.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay import wiring
from assay.adapters.store.project import STATE
from assay.model.audit import AuditSettings
from assay.model.sandbox import Usage
from assay.model.warm import WarmJob
from assay.stages.audit.ground import Ground
from assay.stages.audit.warm import Trials
from assay.stages.judging import prepare
from bench.project import mined
from bench.timing import Row
from bench.verdict_cost import COUNT, MORE, TEST

JOBS = 24
ROUNDS = 3
SECONDS = 0.05


@dataclass(frozen=True)
class Taken:
    """Seconds of one run."""

    wall: float
    cpu: float


def run(folder: Path) -> list[Row]:
    """Ratios of wall and CPU."""
    more = "".join(MORE.format(number=number) for number in range(COUNT - 1))
    base, gold = (
        {"busy.py": f"def answer(n):\n    return [n, '{value}']\n",
         "tests/test_busy.py": TEST.format(seconds=SECONDS, value=value) + more}
        for value in ("old", "new")
    )  # fmt: skip
    cold, warm = anyio.run(_measure, *mined(folder / "warm", "busy", base, gold))
    about = f"of a {1000 * SECONDS:.0f} ms test"
    return [
        {"name": f"cold run {about}, wall", "value": 1000 * cold.wall, "unit": "ms", "aim": "-"},
        {"name": f"warm run {about}, wall, one of {JOBS}", "value": 1000 * warm.wall, "unit": "ms", "aim": "-"},
        {"name": f"cold run / warm run {about}, wall", "value": cold.wall / warm.wall, "unit": "times", "aim": "> 5"},
        {"name": f"cold run / warm run {about}, CPU", "value": cold.cpu / warm.cpu, "unit": "times", "aim": "-"},
    ]


async def _measure(project: Path, folder: Path) -> tuple[Taken, Taken]:
    async with wiring.toolbox(project / STATE, folder.parent, "bubblewrap", unsafe=False) as tools:
        task = tools.tasks.read(folder)
        prepared = await prepare(task, tools)
        applied = await prepared.stand.runner.apply(task.gold_patch, prepared.stand.base_layer, prepared.is_protected)
        ground = Ground(prepared, applied, tools, AuditSettings(), lambda event: None)
        trials, first = Trials(ground), task.assay.fail_to_pass[:1]
        known = await trials.known()
        if known.cannot:
            raise RuntimeError(f"the benchmark's own task cannot be warmed: {known.cannot}")
        jobs = [WarmJob(f"{n}", test_files=task.assay.test_files, tests=first) for n in range(JOBS)]
        cold, warm = [], []
        for _ in range(ROUNDS):
            before, ground.tally.usage = time.perf_counter(), Usage()
            for _ in range(ROUNDS):
                report = (await ground.run(applied.layer, ids=first)).report
                if list(report.passed()) != list(first):
                    raise RuntimeError(f"a cold run did not pass: {report}")
            cold.append(_share(before, ground, ROUNDS))
            before, ground.tally.usage = time.perf_counter(), Usage()
            harvest = await trials._harvest(jobs, known.modules)
            if any(list(made.report.passed()) != list(first) for made in harvest.runs) or len(harvest.runs) != JOBS:
                raise RuntimeError(f"a warm run did not pass: {harvest}")
            warm.append(_share(before, ground, JOBS))
    return _median(cold), _median(warm)


def _share(before: float, ground: Ground, count: int) -> Taken:
    return Taken((time.perf_counter() - before) / count, ground.tally.usage.cpu_seconds / count)


def _median(taken: list[Taken]) -> Taken:
    return Taken(statistics.median(t.wall for t in taken), statistics.median(t.cpu for t in taken))
