"""Filling a set: as few rollouts as possible for each accepted task in the band, at a wanted precision.

Nobody asks here what the rejected tasks were, so that a task is dropped at the first bad sign, and rollouts go to the
promising ones (reference/quality.md, 14). An accepted task in the band earns 1, one outside costs `penalty`, a rejected
one nothing. For a penalty, the best price of a rollout is the one at which the first rollout is worth exactly nothing:
the index of the start. Larger penalties give more precision for more rollouts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.core.calibration.programme import Outcome, Policy, Programme, Schedule, evaluate
from assay.core.calibration.tables import Tables

STEPS = 20
"""Halvings of the penalty's range; each costs a search, and the policies are finitely many."""


@dataclass(frozen=True, eq=False)
class Harvest:
    """A policy that accepts (IN) or rejects (OUT), the price and penalty that lead to it, and what it does."""

    policy: Policy
    price: float
    penalty: float
    outcome: Outcome

    @property
    def rollouts_per_accepted(self) -> float:
        """Rollouts spent on all candidates, for each accepted task."""
        return self.outcome.mean_rollouts / self.outcome.accepted_share

    @property
    def rollouts_per_good(self) -> float:
        """The same for each accepted task that is in the band: what a harvest makes small."""
        return self.outcome.mean_rollouts / self.outcome.good_share

    @property
    def candidates_per_accepted(self) -> float:
        """Tasks that are looked at for each that is accepted."""
        return 1 / self.outcome.accepted_share


def harvesting(tables: Tables, schedule: Schedule, penalty: float) -> Programme:
    """The programme that accepts or rejects, for a penalty."""
    gain = tables.in_band - penalty * (1 - tables.in_band)
    stop_loss = -np.maximum(gain, 0.0)
    stop_loss[0, 0] = 0.0  # nothing is accepted unseen
    return Programme(tables, schedule, stop_loss, gain > 0)


def best_harvest(tables: Tables, schedule: Schedule, precision: float) -> Harvest | None:
    """The cheapest harvest whose accepted tasks are in the band at this rate at least; None if the cap allows none.

    Raises ValueError for a precision that is no share.
    """
    if not 0 < precision < 1:
        raise ValueError(f"a precision is a share between 0 and 1, not {precision}")
    low, high = 0.0, precision / (1 - precision)  # where even the least sure that is accepted is sure enough
    best = _harvest(tables, schedule, high, precision)
    for _ in range(STEPS):
        middle = (low + high) / 2
        found = _harvest(tables, schedule, middle, precision)
        low, high = (low, middle) if found else (middle, high)
        if found and (best is None or found.rollouts_per_good < best.rollouts_per_good):
            best = found
    return best


def _harvest(tables: Tables, schedule: Schedule, penalty: float, precision: float) -> Harvest | None:
    """The best policy for a penalty; None unless it accepts something, precisely enough."""
    programme = harvesting(tables, schedule, penalty)
    price = float(programme.indices(np.array([[0, 0]]))[0])
    if price <= 0:
        return None
    policy = programme.solve(price * (1 - 1e-12))
    outcome = evaluate(policy, tables)
    if outcome.accepted_share <= 0 or outcome.precision < precision:
        return None
    return Harvest(policy, price, penalty, outcome)
