"""The check `stability`: the reference change and the base, again and again, each time from nothing."""

from __future__ import annotations

from pathlib import Path

import anyio

from assay.core.audit.stability import Repeats, judge
from assay.model.audit import CheckResult
from assay.stages.audit.cold import attempt
from assay.stages.audit.ground import Ground
from assay.stages.running import TestRun


async def check(ground: Ground) -> CheckResult:
    """Run both sides `settings.runs` times, as many at a time as the runner has slots for."""
    ground.say("stability")
    gold: list[TestRun] = []
    base: list[TestRun] = []
    lost: list[str] = []

    async def one(runs: list[TestRun], name: str, candidate: Path | None) -> None:
        run = await attempt(ground, candidate)
        if isinstance(run, str):
            lost.append(f"a run of {name}: {run}")
        else:
            runs.append(run)

    async with anyio.create_task_group() as group:
        for _ in range(ground.settings.runs):
            group.start_soon(one, gold, "the reference change", ground.applied.layer)
            group.start_soon(one, base, "the base", None)
    repeats = Repeats(
        gold=[run.report for run in gold],
        base=[run.report for run in base],
        gold_seconds=[run.usage.wall_seconds for run in gold],
        lost=lost,
    )
    return judge(ground.task.assay, repeats, ground.settings.flips)
