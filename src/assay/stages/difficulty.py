"""What is known of the difficulty of a project's tasks: evidence beside them, held against the trials in the store.

Evidence is stale when the task has changed since, or when its trials count otherwise now: more of them were made, or a
person has judged a patch that the verifier had accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.core.calibration.curve import Attempted, Curve, DifficultyReport, Placed, Review, curve_of
from assay.core.calibration.history import resolved, tally_of
from assay.errors import InputError, StoreError
from assay.model.difficulty import STAGE, Difficulty, difficulties_of
from assay.model.trial import Trial
from assay.model.trial_record import TrialRecord
from assay.ports.store import Store
from assay.ports.task_format import TaskFormat
from assay.stages.calibrate_tasks import Subject, subject_of

BEST_SHOWN = 2
"""Failed trials of a task that nobody solved."""
FEWEST_FAILED = 2
"""Rollouts without a success from which a task is to be looked at."""

Key = tuple[str, str]
"""Entrant's digest and band."""
ReadTrial = Callable[[TrialRecord], Trial]


@dataclass(frozen=True, slots=True)
class Known:
    """One task and what stands beside it."""

    subject: Subject
    difficulties: tuple[Difficulty, ...]
    is_stale: bool


def difficulty_report(
    project: str, paths: Sequence[Path], tasks: TaskFormat, store: Store, read: ReadTrial, *, model: str = ""
) -> DifficultyReport:
    """The curves of all entrants that were calibrated on these tasks, or of one model. Blocking; raises StoreError.

    Tasks that cannot be read are left out: `assay verify` says what is wrong with them.
    """
    known = [found for path in paths if (found := _known(path, tasks)) is not None]
    by_key: dict[Key, Difficulty] = {}
    for one in known:
        for difficulty in one.difficulties:
            if not model or difficulty.entrant.model == model:
                by_key.setdefault((difficulty.entrant_digest, str(difficulty.band)), difficulty)
    curves, reviews = [], []
    for key, example in sorted(by_key.items(), key=lambda item: (item[1].entrant.name, item[0])):
        trials = _by_task(store.trials(key[0], {one.subject.digest for one in known}))
        placed = [_placed(one, key, trials) for one in known]
        curves.append(curve_of(_name(example, by_key.values()), example.band, placed))
        reviews += _reviews(curves[-1], known, trials, read)
    return DifficultyReport(project, tuple(curves), tuple(_once(reviews)), len(known))


def _known(path: Path, tasks: TaskFormat) -> Known | None:
    try:
        subject = subject_of(path, tasks)
        evidence = tasks.read_evidence(path, STAGE)
    except InputError:
        return None
    is_stale = evidence is not None and evidence.task_digest != subject.digest
    return Known(subject, difficulties_of(evidence), is_stale)


def _name(difficulty: Difficulty, others: Iterable[Difficulty]) -> str:
    """The entrant's name; with its digest where another of the same name and band has other limits or settings."""
    entrant = difficulty.entrant
    same = {one.entrant_digest for one in others if one.entrant.name == entrant.name}
    return entrant.name if len(same) == 1 else f"{entrant.name} ({difficulty.entrant_digest[:6]})"


def _by_task(trials: Iterable[TrialRecord]) -> Mapping[str, list[TrialRecord]]:
    found: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(trial.task_digest, []).append(trial)
    return found


def _placed(one: Known, key: Key, trials: Mapping[str, Sequence[TrialRecord]]) -> Placed:
    mine = next((d for d in one.difficulties if (d.entrant_digest, str(d.band)) == key), None)
    if mine is None:
        return Placed(one.subject.slug, None)
    now = tally_of(trials.get(one.subject.digest, ()), one.subject.judged)
    # Trials of another machine are not in this store; its evidence holds as it was written.
    has_trials = one.subject.digest in trials
    counts = (now.resolved_count, now.scored_count) != (mine.tally.resolved_count, mine.tally.scored_count)
    difficulty = mine if mine.audit == one.subject.audit else mine.model_copy(update={"audit": one.subject.audit})
    return Placed(one.subject.slug, difficulty, one.is_stale, has_trials and counts)


def _reviews(
    curve: Curve, known: Sequence[Known], trials: Mapping[str, Sequence[TrialRecord]], read: ReadTrial
) -> list[Review]:
    by_slug = {one.subject.slug: one.subject for one in known}
    found = []
    for placed in curve.measured:
        difficulty, subject = placed.difficulty, by_slug[placed.task]
        if difficulty is None or difficulty.tally.resolved_count or difficulty.tally.scored_count < FEWEST_FAILED:
            continue
        failed = [one for one in trials.get(subject.digest, ()) if resolved(one, subject.judged) is False]
        best = sorted((_attempted(one, read) for one in failed), key=_nearness, reverse=True)
        review = Review(
            placed.task, curve.entrant, difficulty.tally.scored_count, difficulty.audit, tuple(best[:BEST_SHOWN])
        )
        found.append(review)
    return found


def _attempted(record: TrialRecord, read: ReadTrial) -> Attempted:
    try:
        verdict = read(record).verdict
    except StoreError:
        verdict = None
    passed, total = (verdict.passed_count, verdict.total_count) if verdict is not None else (0, 0)
    return Attempted(record.id, record.reason, passed, total)


def _nearness(one: Attempted) -> tuple[float, int]:
    return (one.passed_count / one.total_count if one.total_count else 0.0, one.passed_count)


def _once(reviews: Iterable[Review]) -> list[Review]:
    """A task and entrant once, though it was calibrated for several bands."""
    return list({(one.task, one.entrant): one for one in reviews}.values())
