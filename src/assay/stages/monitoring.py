"""Whether a set of tasks still teaches a model: two rollouts a task tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio

from assay.core.calibration.fitting import fit_prior
from assay.core.calibration.history import free_attempts, tally_of
from assay.core.calibration.saturation import RETIRED_BELOW, outgrown, signal_of
from assay.model.calibration import Tally
from assay.model.calibration_run import Monitored
from assay.model.event import OnEvent
from assay.model.trial_record import TrialRecord
from assay.model.trial_run import Wish
from assay.stages.calibrate_tasks import Subject, read_subjects
from assay.stages.toolbox import Toolbox
from assay.stages.trials import TrialRunner

ROLLOUTS = 2
"""Of each task: fewer cannot differ."""


async def monitor(paths: Sequence[Path], runner: TrialRunner, tools: Toolbox, emit: OnEvent) -> Monitored:
    """Top every task up to two scored rollouts, and say what they have left to teach the runner's entrant.

    Earlier rollouts count. Raises as `TrialRunner.run` does.
    """
    del emit  # the runner tells what happens
    subjects, broken = await anyio.to_thread.run_sync(read_subjects, paths, tools)
    before = await anyio.to_thread.run_sync(_known, subjects, runner, tools)
    wishes = [Wish(one.path, number) for one in subjects for number in _missing(before.get(one.digest, []))]
    ends = await runner.run(wishes)
    known = await anyio.to_thread.run_sync(_known, subjects, runner, tools)
    tallies = {one.slug: tally_of(known.get(one.digest, []), one.judged) for one in subjects}
    return _said(runner, tallies, [one.task for one in broken], sum(end.resolved is not None for end in ends))


def _known(subjects: Sequence[Subject], runner: TrialRunner, tools: Toolbox) -> dict[str, list[TrialRecord]]:
    found: dict[str, list[TrialRecord]] = {}
    for record in tools.store.trials(runner.entrant_digest, {one.digest for one in subjects}):
        found.setdefault(record.task_digest, []).append(record)
    return found


def _missing(records: Sequence[TrialRecord]) -> tuple[int, ...]:
    return free_attempts(records, max(0, ROLLOUTS - tally_of(records).scored_count))


def _said(runner: TrialRunner, tallies: dict[str, Tally], broken: list[str], new: int) -> Monitored:
    prior, signal = fit_prior(tallies.values()), signal_of(tallies.values())
    return Monitored(
        entrant=runner.entrant.name,
        entrant_digest=runner.entrant_digest,
        task_count=signal.task_count,
        signal=signal.mean,
        standard_error=signal.standard_error,
        upper=signal.upper,
        retired_below=RETIRED_BELOW,
        is_saturated=signal.saturated,
        outgrown=tuple(name for name, tally in tallies.items() if outgrown(prior, tally)),
        unknown=(*broken, *(name for name, tally in tallies.items() if tally.scored_count < ROLLOUTS)),
        new_rollouts=new,
        usd=runner.purse.spent_usd,
        stopped=runner.stopped,
    )
