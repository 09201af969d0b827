"""Trying a random share of decided tasks again with fresh rollouts: the audit of the calibration itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from assay.core.calibration.history import free_attempts
from assay.core.calibration.recheck import ROLLOUTS, Decided, chosen, recheck
from assay.model.calibration import Band, Prior, Tally
from assay.model.calibration_run import Calibrated, Recheck
from assay.model.difficulty import Difficulty
from assay.model.event import Note, OnEvent
from assay.model.trial_record import TrialRecord
from assay.model.trial_run import TrialEnd, Wish
from assay.stages.trials import TrialRunner

Lines = Sequence[tuple[Calibrated, Sequence[TrialRecord]]]
"""Tasks as the calibration left them, each with the entrant's trials up to then."""


async def recheck_some(
    lines: Lines, share: float, population: Prior, band: Band, runner: TrialRunner, emit: OnEvent
) -> tuple[Recheck, Mapping[str, bool]]:
    """Fresh rollouts for a random share of the decided tasks; and of each that was tried, whether they agree."""
    found = {line.task: (line, one, records) for line, records in lines if (one := _decided(line)) is not None}
    seed = int(runner.entrant_digest[:8], 16) + sum(one.tally.scored_count for _, one, _ in found.values())
    names = chosen(found, seed, share)
    emit(Note(text=f"trying {len(names)} of {len(found)} decided tasks again, {ROLLOUTS} fresh rollouts each"))
    wishes = [Wish(found[name][0].path, n) for name in names for n in free_attempts(found[name][2], ROLLOUTS)]
    ends: dict[str, list[TrialEnd]] = {name: [] for name in names}
    paths = {found[name][0].path: name for name in names}
    for wish, end in zip(wishes, await runner.run(wishes), strict=True):
        ends[paths[wish.path]].append(end)
    tried = [_tried(name, found[name][1], ends[name]) for name in names]
    said = recheck(tried, population, band)
    return said, {one.task: one.task not in said.disagreeing for one in tried if one.fresh.scored_count}


def marked(line: Calibrated, agrees: Mapping[str, bool]) -> Calibrated:
    """The line with what the fresh rollouts said."""
    if line.difficulty is None or line.task not in agrees:
        return line
    return replace(line, difficulty=line.difficulty.model_copy(update={"rechecked": agrees[line.task]}))


def _decided(line: Calibrated) -> Difficulty | None:
    found = line.difficulty
    return found if found is not None and found.placing != "undecided" else None


def _tried(name: str, found: Difficulty, ends: Iterable[TrialEnd]) -> Decided:
    scores = [end.resolved for end in ends if end.resolved is not None]
    fresh = Tally(resolved_count=sum(scores), scored_count=len(scores))
    return Decided(name, found.placing == "in", found.prior, found.tally, fresh)
