"""The exact dynamic programme: from which states another wave of rollouts is worth its price.

Per task, the expected loss of the answer plus `price` for each rollout is made as small as possible, by recursion
from the cap back to the start (reference/quality.md, 9.3). A state's index is the largest price at which it goes on
(9.4); it says whose rollouts are worth most when tasks compete for a budget.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.core.calibration.tables import Floats, Tables

Ints = NDArray[np.int_]
Bools = NDArray[np.bool_]

LOOK = 0.2
"""What a wave costs beyond its rollouts where its size is free. At .2 the waves are as few as with doubling and the
rollouts within 2 % of the floor (docs/calibration.md).
"""
TIE = 1e-6
"""The same where waves are given: of two equal ways, the one with fewer waves."""
AT_ONCE = 128
"""States whose indices are searched together; more would fill the memory, fewer take longer."""
ROUNDS = 60
"""Rounds of the search for an index; each is exact for one more policy, and a handful is enough."""


@dataclass(frozen=True)
class Schedule:
    """After how many rollouts a task may be looked at: the ends of its waves, ascending; the last is the cap."""

    ends: tuple[int, ...]
    skipping: bool = True
    """Whether a wave may pass over ends, where the programme finds that better."""
    look: float = TIE
    """What a wave costs beyond its rollouts, in rollouts: somebody waits for its slowest one."""

    def __post_init__(self) -> None:
        """Raises ValueError for ends that do not ascend from 1."""
        if not self.ends or list(self.ends) != sorted({end for end in self.ends if end > 0}):
            raise ValueError(f"waves end after ever more rollouts, not after {self.ends}")

    @property
    def cap(self) -> int:
        """The most rollouts that a task gets."""
        return self.ends[-1]

    def after(self, n: int) -> tuple[int, ...]:
        """Where a wave that begins after n rollouts may end."""
        later = tuple(end for end in self.ends if end > n)
        return later if self.skipping else later[:1]


def one_by_one(cap: int) -> Schedule:
    """Looking after every rollout, and caring only for their number."""
    return Schedule(tuple(range(1, cap + 1)), skipping=False, look=0.0)


def free_waves(cap: int) -> Schedule:
    """Waves of whatever size serves best: nearly as few rollouts as one by one, in three waves or so.

    Ends lie one apart up to 32 rollouts, then two, four, ...: nobody misses the others.
    """
    ends, end, apart = [1], 1, 1
    while end < cap:
        if end >= 32 * apart:
            apart *= 2
        end = min(end + apart, cap)
        ends.append(end)
    return Schedule(tuple(ends), look=LOOK)


@dataclass(frozen=True, eq=False)
class Policy:
    """What to do in each state, as arrays indexed [n, k]: the size of the next wave, 0 to stop; then, whether IN."""

    wave: Ints
    accept: Bools

    @property
    def cap(self) -> int:
        """The most rollouts that it may take."""
        return len(self.wave) - 1

    @cached_property
    def states(self) -> tuple[tuple[int, int], ...]:
        """All states that it can reach, by n and k."""
        reached = np.zeros(self.wave.shape, bool)
        reached[0, 0] = True
        for n in range(self.cap):
            for k in np.flatnonzero(reached[n, : n + 1] & (self.wave[n, : n + 1] > 0)):
                size = int(self.wave[n, k])
                reached[n + size, k : k + size + 1] = True
        return tuple((int(n), int(k)) for n, k in np.argwhere(reached))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy does on average, for a task of a population; all exact."""

    mean_rollouts: float
    error: float
    """The share of tasks that are answered wrongly."""
    accepted_share: float
    """The share of tasks answered IN."""
    good_share: float
    """The share of tasks answered IN that are in the band."""
    mean_waves: float

    @property
    def precision(self) -> float:
        """The share of the accepted that are in the band; 1.0 where none is accepted."""
        return self.good_share / self.accepted_share if self.accepted_share > 0 else 1.0


def evaluate(policy: Policy, truth: Tables) -> Outcome:
    """What a policy does where `truth` holds, whatever it was made for (9.6).

    Raises ValueError for tables that end before the policy does.
    """
    if truth.cap < policy.cap:
        raise ValueError(f"tables up to {truth.cap} rollouts cannot judge a policy that takes {policy.cap}")
    reach = np.zeros((policy.cap + 1, policy.cap + 1))
    reach[0, 0] = 1.0
    rollouts = error = accepted = good = waves = 0.0
    for n in range(policy.cap + 1):
        here, sizes, accept = reach[n, : n + 1], policy.wave[n, : n + 1], policy.accept[n, : n + 1]
        if not here.any():
            continue
        stopping = here * (sizes == 0)
        rollouts += n * float(stopping.sum())
        loss = np.where(accept, truth.loss_in[n, : n + 1], truth.loss_out[n, : n + 1])
        error += float(stopping @ loss)
        accepted += float(stopping @ accept)
        good += float(stopping @ (accept * truth.in_band[n, : n + 1]))
        for size in set(sizes[here > 0].tolist()) - {0}:
            going = here * (sizes == size)
            waves += float(going.sum())
            reach[n + size, : n + size + 1] += going @ truth.step(n, n + size)
    return Outcome(rollouts, error, accepted, good, waves)


def fixed_error(truth: Tables, n: int) -> float:
    """The error of n rollouts for every task and then the better answer (9.6)."""
    return float(truth.step(0, n)[0] @ truth.loss[n, : n + 1])


def fixed_policy(truth: Tables, n: int) -> Policy:
    """The policy of n rollouts for every task."""
    wave = np.zeros((n + 1, n + 1), np.int_)
    wave[0, 0] = n
    return Policy(wave, (truth.loss_in <= truth.loss_out)[: n + 1, : n + 1])


@dataclass(frozen=True, eq=False)
class Programme:
    """The recursion for one prior, one band and one schedule.

    `stop_loss` is what ending in a state costs (the tables' own loss, unless a harvest says otherwise) and `accept`
    whether it ends with IN. `starting` takes the first wave whatever it is worth: no band without a rollout.
    """

    tables: Tables
    schedule: Schedule
    stop_loss: Floats
    accept: Bools
    starting: bool = True
    _values: dict[float, Floats] = field(default_factory=dict, repr=False)

    def solve(self, price: float) -> Policy:
        """The best policy at this price of a rollout; where going on is worth nothing more than stopping, it stops."""
        size = self.schedule.cap + 1
        return Policy(self._recursion(price)[0], self.accept[:size, :size])

    def best_wave(self, n: int, k: int, price: float) -> int:
        """The size of the best wave from a state, were it to go on; 0 where none is left."""
        if not self.schedule.after(n):
            return 0
        if price not in self._values:
            self._values[price] = self._recursion(price)[1]
        return int(self._onward(n, self._values[price], price)[1][k])

    def _recursion(self, price: float) -> tuple[Ints, Floats]:
        """Waves and values of all states, indexed [n, k]."""
        wave = np.zeros((self.schedule.cap + 1, self.schedule.cap + 1), np.int_)
        value = np.zeros((self.tables.cap + 1, self.tables.cap + 1))
        for n in reversed((0, *self.schedule.ends)):
            stop = self.stop_loss[n, : n + 1]
            if not self.schedule.after(n):
                value[n, : n + 1] = stop
                continue
            best, sizes = self._onward(n, value, price)
            going = best < stop
            if n == 0 and self.starting:
                going = np.ones(1, bool)
            wave[n, : n + 1] = np.where(going, sizes, 0)
            value[n, : n + 1] = np.where(going, best, stop)
        return wave, value

    def _onward(self, n: int, value: Floats, price: float) -> tuple[Floats, Ints]:
        """The least cost of going on from each state of n, and the size of the wave that has it."""
        ends = self.schedule.after(n)
        sizes = np.array(ends) - n
        after = (self.tables.fan(n, ends) @ value[list(ends), :, None])[:, :, 0]
        costs = price * (sizes[:, None] + self.schedule.look) + after
        best = costs.argmin(axis=0)
        return costs[best, np.arange(n + 1)], sizes[best]

    def indices(self, states: Ints) -> Floats:
        """The index of each state, given as rows (n, k): the largest price at which going on is best (9.4).

        0 where nothing helps, -inf where no wave is left. A state need not be one of the schedule's: what
        infrastructure took from a wave leaves odd counts. The index is the best of all ways to go on of the loss that
        is saved for each rollout; starting low, the best way at one price gives the next, and the last is exact
        (Dinkelbach, 1967).
        """
        parts = [states[start : start + AT_ONCE] for start in range(0, len(states), AT_ONCE)]
        return np.concatenate([self._indices(part) for part in parts])

    def _indices(self, states: Ints) -> Floats:
        n, k = states[:, 0], states[:, 1]
        price = np.zeros(len(states))
        open_ = np.array([bool(self.schedule.after(int(one))) for one in n], bool)
        for _ in range(ROUNDS):
            loss, rollouts = self._continued(states, price)
            saved = np.where(open_, self.stop_loss[n, k] - loss, 0.0)
            better = np.maximum(np.where(open_, saved / np.maximum(rollouts, 1e-300), 0.0), 0.0)
            if np.all(better <= price * (1 + 1e-13)):
                break
            price = np.maximum(better, price)
        return np.where(open_, np.where(price < NOTHING, 0.0, price), -np.inf)

    def _continued(self, states: Ints, price: Floats) -> tuple[Floats, Floats]:
        """Expected loss and cost in rollouts of going on from each state, and then doing the best at its own price."""
        loss, rollouts = np.zeros(len(states)), np.ones(len(states))
        lowest, size = int(states[:, 0].min()), self.tables.cap + 1
        losses, costs = np.zeros((size, size, len(states))), np.zeros((size, size, len(states)))
        for n in sorted({*self.schedule.ends, *states[:, 0].tolist()}, reverse=True):
            if n < lowest or n > self.schedule.cap:
                continue
            stop = self.stop_loss[n, : n + 1][:, None]
            if not self.schedule.after(n):
                losses[n, : n + 1] = stop
                continue
            onward_loss, onward_cost = self._ways(n, losses, costs, price)
            mine = np.flatnonzero(states[:, 0] == n)
            loss[mine], rollouts[mine] = onward_loss[states[mine, 1], mine], onward_cost[states[mine, 1], mine]
            going = onward_loss + price * onward_cost < stop
            losses[n, : n + 1] = np.where(going, onward_loss, stop)
            costs[n, : n + 1] = np.where(going, onward_cost, 0.0)
        return loss, rollouts

    def _ways(self, n: int, losses: Floats, costs: Floats, price: Floats) -> tuple[Floats, Floats]:
        """Loss and cost of the best wave from each state of n (rows), at each price (columns)."""
        ends = self.schedule.after(n)
        fan = self.tables.fan(n, ends)
        loss = fan @ losses[list(ends)]
        cost = fan @ costs[list(ends)] + (np.array(ends) - n + self.schedule.look)[:, None, None]
        best = (loss + price * cost).argmin(axis=0)[None]
        return np.take_along_axis(loss, best, 0)[0], np.take_along_axis(cost, best, 0)[0]


NOTHING = 1e-12
"""An index below this is rounding."""


def deciding(tables: Tables, schedule: Schedule, *, starting: bool = True) -> Programme:
    """The programme that answers IN or OUT with as few errors as possible."""
    return Programme(tables, schedule, tables.loss, tables.loss_in <= tables.loss_out, starting)
