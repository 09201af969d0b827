"""The calibration's own audit: a random share of decisions is tried again from nothing, and how often that disagrees.

Fresh rollouts err too. So what counts is not whether the decision is right, which nobody sees, but whether the fresh
rollouts alone, with the population's prior and without anything that made the decision, would have answered otherwise;
and beside it stands how often they would if every belief were exact. Disagreement beyond that is the calibration's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from assay.core.bounds import upper_bound
from assay.core.calibration.posterior import updated
from assay.core.calibration.tables import Floats, Tables, tables_of
from assay.model.calibration import Band, Prior, Tally
from assay.model.calibration_run import Recheck

SHARE = 0.05
ROLLOUTS = 32
"""Fresh rollouts a task: on the Terminal-Bench population they answer 5.7 % of tasks wrongly, mostly near an edge."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, what it was made from, and what came of trying the task again."""

    task: str
    accepted: bool
    prior: Prior
    tally: Tally
    fresh: Tally


def chosen(tasks: Iterable[str], seed: int, share: float = SHARE) -> tuple[str, ...]:
    """A random share of the decided tasks, rounded up; the same for the same tasks and seed, whatever their order."""
    ordered = sorted(set(tasks))
    return tuple(sorted(random.Random(seed).sample(ordered, math.ceil(share * len(ordered) - 1e-9))))


def recheck(decided: Sequence[Decided], population: Prior, band: Band) -> Recheck:
    """Compare decisions with their fresh rollouts. Tasks without a scored fresh rollout are not counted."""
    tried = [one for one in decided if one.fresh.scored_count]
    alone = {count: tables_of(population, band, count) for count in {one.fresh.scored_count for one in tried}}
    judges = [_says_otherwise(one.accepted, alone[one.fresh.scored_count]) for one in tried]
    disagreeing = tuple(one.task for one, judge in zip(tried, judges, strict=True) if judge[one.fresh.resolved_count])
    upper = upper_bound(len(disagreeing), len(tried))
    if not tried:
        return Recheck(0, (), upper, 0.0, 0.0, 1.0, 1.0)
    known: dict[tuple[Prior, Tally, int], Tables] = {}
    otherwise, both, errors = np.array(
        [_expected(one, judge, band, known) for one, judge in zip(tried, judges, strict=True)]
    ).T
    wrong, right = errors.sum(), (1 - errors).sum()
    found = both.sum() / wrong if wrong > 0 else 0.0
    doubted = (otherwise - both).sum() / right if right > 0 else 0.0
    return Recheck(
        task_count=len(tried),
        disagreeing=disagreeing,
        upper=upper,
        predicted=float(otherwise.mean()),
        predicted_error=float(errors.mean()),
        error_upper=float(min(1.0, max(0.0, (upper - doubted) / (found - doubted)))) if found > doubted else 1.0,
        chance=_tail(otherwise, len(disagreeing)),
    )


def _says_otherwise(accepted: bool, alone: Tables) -> Floats:
    """For each number of fresh successes, 1.0 where the fresh rollouts alone would answer otherwise."""
    wrong_in, wrong_out = alone.loss_in[alone.cap], alone.loss_out[alone.cap]
    return np.asarray(wrong_in > wrong_out if accepted else wrong_out > wrong_in, dtype=np.float64)


def _expected(
    one: Decided, judge: Floats, band: Band, known: dict[tuple[Prior, Tally, int], Tables]
) -> tuple[float, float, float]:
    """The probability that the fresh rollouts say otherwise, that they do so of a wrong decision, and that it is wrong.

    Equal beliefs are computed once.
    """
    count = one.fresh.scored_count
    key = (one.prior, one.tally, count)
    if key not in known:
        known[key] = tables_of(updated(one.prior, one.tally), band, count)
    belief = known[key]
    otherwise = belief.step(0, count)[0] * judge
    wrong = belief.loss_in if one.accepted else belief.loss_out
    return float(otherwise.sum()), float(otherwise @ wrong[count]), float(wrong[0, 0])


def _tail(chances: Floats, least: int) -> float:
    """The probability that at least so many of independent events happen, each with its own chance."""
    counts = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(min(1.0, counts[least:].sum()))
