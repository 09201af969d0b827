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
from assay.core.calibration.posterior import losses, updated
from assay.core.calibration.tables import Floats, tables_of
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
    disagreeing = tuple(one.task for one in tried if _says_otherwise(one, population, band)[one.fresh.resolved_count])
    upper = upper_bound(len(disagreeing), len(tried))
    if not tried:
        return Recheck(0, (), upper, 0.0, 0.0, 1.0, 1.0)
    shares = [_expected(one, population, band) for one in tried]
    otherwise, both = np.array(shares).T
    errors = np.array([losses(updated(one.prior, one.tally), band)[0 if one.accepted else 1] for one in tried])
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


def _says_otherwise(one: Decided, population: Prior, band: Band) -> Floats:
    """For each number of fresh successes, 1.0 where the fresh rollouts alone would answer otherwise."""
    count = one.fresh.scored_count
    alone = tables_of(population, band, count)
    wrong_in, wrong_out = alone.loss_in[count, : count + 1], alone.loss_out[count, : count + 1]
    return np.asarray(wrong_in > wrong_out if one.accepted else wrong_out > wrong_in, dtype=np.float64)


def _expected(one: Decided, population: Prior, band: Band) -> tuple[float, float]:
    """The probability that the fresh rollouts say otherwise, and that they do so of a wrong decision."""
    count = one.fresh.scored_count
    belief = tables_of(updated(one.prior, one.tally), band, count)
    otherwise = belief.step(0, count)[0] * _says_otherwise(one, population, band)
    wrong = (belief.loss_in if one.accepted else belief.loss_out)[count, : count + 1]
    return float(otherwise.sum()), float(otherwise @ wrong)


def _tail(chances: Floats, least: int) -> float:
    """The probability that at least so many of independent events happen, each with its own chance."""
    counts = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(min(1.0, counts[least:].sum()))
