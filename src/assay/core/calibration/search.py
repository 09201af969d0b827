"""Finding the price: the policy for a wanted error, for a budget, and the floor that no policy can go below.

As the price of a rollout falls, the best policy moves along the lower convex hull of all (mean rollouts, error) that
can be had (reference/quality.md, 9.5). The hull has finitely many corners, so that the edge over any wanted value is
found exactly: try the price at which both ends of a chord cost the same; what is better than both is a new corner, and
if nothing is, the chord is an edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from assay.core.calibration.programme import Outcome, Policy, Programme, deciding, evaluate, one_by_one
from assay.core.calibration.tables import Tables

CHEAPEST = 1e-11
"""The lowest price that is tried: below it, rollouts would be bought that change nothing but rounding."""
DEAREST = 2.0
"""No rollout is worth this much: an error costs 1."""
SLACK = 1e-12


@dataclass(frozen=True, eq=False)
class Corner:
    """A policy, the price that leads to it, and what it does under the prior that it was made for."""

    policy: Policy
    price: float
    outcome: Outcome
    cost: float
    """Mean rollouts, and what the waves themselves cost."""


@dataclass(frozen=True, eq=False)
class Edge:
    """Two neighbours on the hull; the careful one takes more rollouts and errs less. Where it ends, both are one."""

    careful: Corner
    hasty: Corner

    @property
    def price(self) -> float:
        """Errors saved by each rollout along the edge; the price at which both ends are equally good."""
        more = self.careful.cost - self.hasty.cost
        return (self.hasty.outcome.error - self.careful.outcome.error) / more if more > 0 else self.careful.price

    def rollouts_at(self, error: float) -> float:
        """The mean rollouts of a coin between both ends that errs exactly so often."""
        few, many = self.hasty.outcome, self.careful.outcome
        if few.error - many.error <= 0 or error >= few.error:
            return few.mean_rollouts
        share = (few.error - error) / (few.error - many.error)
        return few.mean_rollouts + share * (many.mean_rollouts - few.mean_rollouts)


def edge_at_error(programme: Programme, error: float) -> Edge | None:
    """The edge of the hull over a wanted error: `careful` errs at most so often. None if no policy errs so little."""
    return _edge(programme, lambda outcome: outcome.error <= error)


def edge_at_budget(programme: Programme, rollouts: float) -> Edge | None:
    """The edge over a wanted mean: `hasty` takes at most so many rollouts. None if every policy takes more."""
    edge = _edge(programme, lambda outcome: outcome.mean_rollouts > rollouts)
    if edge is None:  # even the most careful policy can be afforded
        careful = corner_at(programme, CHEAPEST)
        return Edge(careful, careful)
    return None if edge.hasty.outcome.mean_rollouts > rollouts else edge


def _edge(programme: Programme, careful_enough: Callable[[Outcome], bool]) -> Edge | None:
    careful, hasty = corner_at(programme, CHEAPEST), corner_at(programme, DEAREST)
    if not careful_enough(careful.outcome):
        return None
    if careful_enough(hasty.outcome):
        return Edge(hasty, hasty)
    while True:
        price = Edge(careful, hasty).price
        between = corner_at(programme, price)
        if _sum(between, price) >= min(_sum(careful, price), _sum(hasty, price)) - SLACK:
            return Edge(careful, hasty)
        careful, hasty = (between, hasty) if careful_enough(between.outcome) else (careful, between)


def corner_at(programme: Programme, price: float) -> Corner:
    """The best policy at a price."""
    return corner_of(programme, programme.solve(price), price)


def corner_of(programme: Programme, policy: Policy, price: float) -> Corner:
    """A policy with what it does and costs."""
    outcome = evaluate(policy, programme.tables)
    return Corner(policy, price, outcome, outcome.mean_rollouts + programme.schedule.look * outcome.mean_waves)


def _sum(corner: Corner, price: float) -> float:
    return corner.outcome.error + price * corner.cost


def floor_at(tables: Tables, error: float) -> float:
    """The least mean number of rollouts of any policy whatever that errs at most so often; inf where none does.

    Every policy counts: those that look after each rollout, that answer without any, that toss coins, and that move
    rollouts between tasks (9.5). A result below it is a bug, or knows something that the prior does not.
    """
    edge = edge_at_error(deciding(tables, one_by_one(tables.cap), starting=False), error + tables.cap * CHEAPEST)
    return math.inf if edge is None else edge.rollouts_at(error)
