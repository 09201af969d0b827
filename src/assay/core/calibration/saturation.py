"""Whether a set still teaches a model: two rollouts a task tell it for the set, more of them for a task.

S = E[2 p (1 - p)] is the chance that two rollouts of a task differ, which is what group-relative training feeds on
(reference/quality.md, 16). k successes of m estimate it without bias as 2 k (m - k) / (m (m - 1)); at m = 2 simply
whether the two differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from assay.core.bounds import CONFIDENCE, upper_bound
from assay.core.calibration.posterior import share_below, updated
from assay.model.calibration import Prior, Tally

RETIRED_BELOW = 0.08
"""Of S: a set in whose band lie fewer than about 18 % of its tasks."""
TOO_EASY, SURE = 0.9, 0.9
"""A task goes when its rate is above the first with a probability above the second."""


@dataclass(frozen=True, slots=True)
class Signal:
    """How often two rollouts of a task of this set differ."""

    task_count: int
    """Tasks with two scored trials or more; others say nothing."""
    mean: float
    standard_error: float
    upper: float
    """One-sided 95 % bound; 1.0 without such a task."""

    @property
    def saturated(self) -> bool:
        """Whether the set has, for sure, little left to teach."""
        return self.upper < RETIRED_BELOW


def signal_of(tallies: Iterable[Tally], confidence: float = CONFIDENCE) -> Signal:
    """S over tasks, each counted once, with its standard error and upper bound.

    The bound is the binomial one of Clopper and Pearson for the sum of the tasks' estimates, rounded up: with two
    rollouts a task it holds whatever the rates are (yes and no with unequal chances spread less than with equal ones,
    Hoeffding 1956); more rollouts spread less still. Unlike mean + 1.645 standard errors, 0 of 20 is not never.
    """
    found = [_differing(t.scored_count, t.resolved_count) for t in tallies if t.scored_count > 1]
    count = len(found)
    if not count:
        return Signal(0, 0.0, 0.0, 1.0)
    total = math.fsum(found)
    mean = total / count
    spread = math.fsum((value - mean) ** 2 for value in found) / max(1, count - 1)
    upper = upper_bound(min(count, math.ceil(total - 1e-9)), count, confidence)
    return Signal(count, mean, math.sqrt(spread / count), upper)


def outgrown(prior: Prior, tally: Tally) -> bool:
    """Whether this one task is too easy for the model by now: P(p > .9) > .9, after rollouts of the model itself."""
    return tally.scored_count > 0 and 1 - share_below(updated(prior, tally), TOO_EASY) > SURE


def _differing(scored: int, resolved: int) -> float:
    return 2 * resolved * (scored - resolved) / (scored * (scored - 1))
