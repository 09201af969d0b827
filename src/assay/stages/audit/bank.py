"""Judging the bank again: every solution that a person judged gets a verdict as any candidate does, cold and woven."""

from __future__ import annotations

from pathlib import Path

import anyio

from assay.model.bank import Replay, Solution
from assay.model.report import Status
from assay.model.sandbox import Usage
from assay.model.verdict import Verdict
from assay.stages.audit.ground import Ground
from assay.stages.judging import judge


async def replay_bank(ground: Ground, folder: Path) -> tuple[Replay, ...]:
    """Verdicts of all solutions in the bank of the task at `folder`, the right ones first.

    A fault of ours is a replay without an answer. Raises TaskDefinitionError when the bank cannot be read.
    """
    bank = await anyio.to_thread.run_sync(ground.tools.tasks.read_bank, folder)
    return tuple([await _replay(ground, solution) for solution in bank.solutions])


async def _replay(ground: Ground, solution: Solution) -> Replay:
    agent = f"bank:{solution.name}"
    ground.say(agent)
    prepared = ground.prepared
    judged = await judge(prepared, agent, solution.patch, prepared.stand.runner)
    verdict = judged.verdict
    ground.tally.run_count += len(judged.reports)
    ground.tally.usage += Usage(wall_seconds=verdict.wall_seconds, cpu_seconds=verdict.cpu_seconds)
    return _as_replay(solution, verdict)


def _as_replay(solution: Solution, verdict: Verdict) -> Replay:
    failing = [test for test in verdict.tests if test.status is not Status.PASSED]
    said = [test.message for test in failing if test.message]
    return Replay(
        solution=solution,
        resolved=verdict.resolved,
        reason=verdict.reason,
        failing=tuple(test.id for test in failing),
        message=(said or list(verdict.problems) or [""])[0],
        failure=verdict.failure,
    )
