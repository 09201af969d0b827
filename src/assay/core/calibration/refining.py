"""One policy for a wanted error: the corners of the hull are apart, and between them lie policies without a coin.

A policy between two corners can be had by tossing a coin for each task. Nobody can check a coin, so that a policy that
always does the same is sought instead: one state after the other is given another action, as long as that saves
rollouts and keeps the error. What is found is never better than the coin, and mostly within 1 % of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assay.core.calibration.programme import Policy, Programme
from assay.core.calibration.search import Corner, Edge, corner_of, edge_at_budget, edge_at_error
from assay.core.calibration.tables import Floats

LEAST = 1e-7
"""Rollouts that a change must save; less is rounding."""
ROUNDING = 5e-10
"""Errors that nobody can tell apart."""
MOST_CHANGES = 200
HALVINGS = 8
"""Of the gap between two corners, in search of the least error that a budget buys."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another action in one state: the size of its next wave, and by how much that changes cost and error."""

    n: int
    k: int
    wave: int
    cost: float
    error: float


def best_within(programme: Programme, error: float) -> Corner | None:
    """A policy that errs at most so often, with as few rollouts as could be found; None if there is none."""
    edge = edge_at_error(programme, error)
    if edge is None:  # the least error there is may be the wanted one, but for rounding
        error += ROUNDING
        edge = edge_at_error(programme, error)
    if edge is None or edge.careful is edge.hasty:
        return edge.careful if edge else None
    found = [_trimmed(programme, edge.careful, error)]
    reached = _reaching(programme, edge, error)
    if reached is not None:
        found.append(_trimmed(programme, reached, error))
    best = min(found, key=lambda corner: corner.cost)
    return replace(best, price=edge.careful.price)  # at which the programme itself errs no more often


def best_for_budget(programme: Programme, rollouts: float) -> Corner | None:
    """A policy that takes at most so many rollouts on average, with as few errors as could be found; None if there is
    none.
    """
    edge = edge_at_budget(programme, rollouts)
    if edge is None or edge.careful is edge.hasty:
        return edge.hasty if edge else None
    best, low, high = edge.hasty, edge.careful.outcome.error, edge.hasty.outcome.error
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = best_within(programme, middle)
        if found is not None and found.outcome.mean_rollouts <= rollouts:
            best, high = found, middle
        else:
            low = middle
    return best


def _trimmed(programme: Programme, corner: Corner, error: float) -> Corner:
    """Save rollouts, the largest saving first, while the error stays within."""
    for _ in range(MOST_CHANGES):
        room = error - corner.outcome.error
        better = [c for c in _changes(programme, corner.policy) if c.cost < -LEAST and c.error <= room]
        if not better:
            break
        changed = _changed(programme, corner, min(better, key=lambda c: c.cost))
        if changed.outcome.error > error or changed.cost >= corner.cost:
            break  # rounding
        corner = changed
    return corner


def _reaching(programme: Programme, edge: Edge, error: float) -> Corner | None:
    """From the hasty end: spend where an error costs least, until the wanted one is reached."""
    corner = edge.hasty
    for _ in range(MOST_CHANGES):
        if corner.outcome.error <= error:
            return corner
        missing = error - corner.outcome.error
        careful = [c for c in _changes(programme, corner.policy) if c.error < -1e-12]
        enough = [c for c in careful if c.error <= missing]
        if not careful:
            return None
        dear = min((c.cost for c in enough), default=np.inf)
        step = min(careful, key=lambda c: c.cost / -c.error)
        if dear <= step.cost or (enough and dear <= edge.careful.cost - corner.cost):
            step = min(enough, key=lambda c: c.cost)
        corner = _changed(programme, corner, step)
        if corner.cost > edge.careful.cost:
            return None
    return None


def _changed(programme: Programme, corner: Corner, change: Change) -> Corner:
    wave = corner.policy.wave.copy()
    wave[change.n, change.k] = change.wave
    return corner_of(programme, Policy(wave, corner.policy.accept), corner.price)


def _changes(programme: Programme, policy: Policy) -> list[Change]:
    """What every other action in one reachable state would change; exact, since all others stay as they are."""
    schedule, look = programme.schedule, programme.schedule.look
    reach = _reach(programme, policy)
    after = np.zeros((2, programme.tables.cap + 1, programme.tables.cap + 1))
    found = []
    for n in reversed((0, *schedule.ends)):
        rows, ends = np.arange(n + 1), schedule.after(n)
        ways = np.array([0, *(end - n for end in ends)])
        loss, cost = np.zeros((len(ways), n + 1)), np.zeros((len(ways), n + 1))
        loss[0] = programme.stop_loss[n, : n + 1]
        if ends:
            fan = programme.tables.fan(n, ends)
            loss[1:] = (fan @ after[0, list(ends), :, None])[:, :, 0]
            cost[1:] = (fan @ after[1, list(ends), :, None])[:, :, 0] + (ways[1:] + look)[:, None]
        now = np.searchsorted(ways, policy.wave[n, : n + 1])
        after[:, n, : n + 1] = loss[now, rows], cost[now, rows]
        more_loss, more_cost = (loss - loss[now, rows]) * reach[n], (cost - cost[now, rows]) * reach[n]
        for way, k in np.argwhere((ways[:, None] != policy.wave[n, : n + 1]) & (reach[n] > 0)):
            if n == 0 and programme.starting and way == 0:
                continue
            found.append(Change(n, int(k), int(ways[way]), float(more_cost[way, k]), float(more_loss[way, k])))
    return found


def _reach(programme: Programme, policy: Policy) -> dict[int, Floats]:
    """The probability of coming through each state."""
    reach = {n: np.zeros(n + 1) for n in (0, *programme.schedule.ends)}
    reach[0][0] = 1.0
    for n in (0, *programme.schedule.ends):
        sizes = policy.wave[n, : n + 1]
        for size in set(sizes[reach[n] > 0].tolist()) - {0}:
            reach[n + size] += (reach[n] * (sizes == size)) @ programme.tables.step(n, n + size)
    return reach
