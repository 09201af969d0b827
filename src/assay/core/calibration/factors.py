"""Ability minus difficulty: how the results of other solvers on a task say what a target will do with it.

The model, on the logit of the rate: x[s, i] = level_s + slope_s * t_i + noise of variance_s. t_i ~ N(0, 1) is how easy
task i is; each solver has its own level (ability), slope (how much it agrees with the others) and own noise, so one
that agrees with nobody counts for little. A task that a solver never tried is missing, not failed. This is a factor
analysis with binomial observations, fitted by expectation and maximisation (Rubin and Thayer 1982) with integrals over
grids of logits, and with priors that hold each solver near the average of all while there is little of it.

With a previous checkpoint the target has one more term: carry * (what the checkpoint's logit has beyond its own line),
which makes the pair as correlated as its shared tasks say, up to a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

SLOPE, VARIANCE = 3.5, 3.7
"""Before there is any history: logits with standard deviation 4, two solvers correlated .77, both as on Terminal-Bench
core 0.1.1 (the reference's population, and the median pair of 13 systems)."""
SLOPE_SD = 1.0
LEVEL_SD = 1.0
"""Of a level around the mean of levels, until the solvers' own spread says otherwise."""
VARIANCE_WEIGHT = 20.0
"""So many tasks weighs what is believed of a variance beforehand."""
HABIT_WEIGHT = 2.0
"""So many solvers weighs what is believed beforehand of slopes and variances in general."""
CARRY = 0.8
"""Correlation of the two noises of a checkpoint and its successor, which with SLOPE and VARIANCE makes rho = .95."""
CARRY_SD = 0.4
LEAST_VARIANCE = 0.15
"""Below it the kernels would be narrower than the grids can hold."""

LOGITS: Floats = np.linspace(-14, 14, 113)
COARSE: Floats = LOGITS[::2]
EASE: Floats = np.linspace(-4, 4, 33)
NORMAL: Floats = np.exp(-(EASE**2) / 2) / np.exp(-(EASE**2) / 2).sum()
MOST_ROUNDS = 100
STILL = 0.005
"""Change of a coefficient or of the deviation around a line, in logits, below which a fit has settled."""
SLIGHT = 1e-7
"""Share of a node's weight, at its most in any task, below which it is left out."""


@dataclass(frozen=True, slots=True)
class Line:
    """How one solver's logits follow from the nodes: coefficients of their features, and the variance around."""

    coefficients: Floats
    variance: float
    covariance: Floats
    """How well the coefficients are known."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What is believed of a line before its own tallies: means, standard deviations, and a variance."""

    means: Floats
    deviations: Floats
    variance: float

    @property
    def spread(self) -> float:
        """The variance of a solver's logits over all tasks, from whatever source."""
        return float(self.means[1:] @ self.means[1:]) + self.variance

    def line(self) -> Line:
        """The line of a solver without a tally."""
        return Line(self.means, self.variance, np.diag(self.deviations**2))


@dataclass(frozen=True, slots=True)
class Seen:
    """The tallies of one solver over tasks, equal ones computed once."""

    places: Counts
    """Tasks with at least one scored trial."""
    kinds: Counts
    """For each of those: its row in `likelihood`."""
    likelihood: Floats
    """Distinct tallies x LOGITS, at most 1."""

    @classmethod
    def of(cls, scored: Counts, resolved: Counts) -> Seen:
        """From counts over all tasks, zeros where there was no trial."""
        places = np.flatnonzero(scored)
        pairs = np.stack([scored[places], resolved[places]], axis=1)
        distinct, kinds = np.unique(pairs, axis=0, return_inverse=True)
        n, k = distinct[:, :1].astype(float), distinct[:, 1:].astype(float)
        logs = k * special.log_expit(LOGITS) + (n - k) * special.log_expit(-LOGITS)
        return cls(places, kinds.reshape(-1), np.exp(logs - logs.max(axis=1, initial=-np.inf, keepdims=True)))


@dataclass(frozen=True, slots=True)
class Nodes:
    """Points over which a task's hidden quantities are summed, and each task's weights on them."""

    features: Floats
    """Nodes x coefficients."""
    weights: Floats
    """Tasks x nodes; each row sums to 1."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """What the others' tallies say: a line each, what solvers are like in general, and how easy each task is."""

    seen: tuple[Seen, ...]
    lines: tuple[Line, ...]
    habit: Habit
    task_count: int

    def nodes(self) -> Nodes:
        """Each task's ease after everything that is known of it."""
        return Nodes(_features(EASE), _shares(self._logs(self.lines)))

    def nodes_beside(self, checkpoint: int) -> Nodes:
        """The same, with what is known of the logit of the checkpoint (its place in `lines`) beyond its line."""
        line, seen = self.lines[checkpoint], self.seen[checkpoint]
        logs = self._logs(self.lines, without=checkpoint)
        each = np.zeros((self.task_count, len(COARSE)))
        each[seen.places] = np.log(seen.likelihood[:, ::2] + 1e-300)[seen.kinds]
        kernel = np.log(_kernel(line, _features(EASE), COARSE) + 1e-300)
        joint = _shares((logs[:, :, None] + each[:, None, :] + kernel).reshape(self.task_count, -1))
        ease, logit = (grid.reshape(-1) for grid in np.meshgrid(EASE, COARSE, indexing="ij"))
        beyond = (logit - _features(ease) @ line.coefficients) / np.sqrt(line.variance)
        kept = joint.max(axis=0, initial=0) > SLIGHT
        weights = joint[:, kept]
        features = np.stack([np.ones(kept.sum()), ease[kept], beyond[kept]], axis=1)
        return Nodes(features, weights / weights.sum(axis=1, keepdims=True))

    def _logs(self, lines: Sequence[Line], without: int = -1) -> Floats:
        logs = np.tile(np.log(NORMAL), (self.task_count, 1))
        for place, (seen, line) in enumerate(zip(self.seen, lines, strict=True)):
            if place != without:
                fits = seen.likelihood @ _kernel(line, _features(EASE), LOGITS).T
                logs[seen.places] += np.log(fits + 1e-300)[seen.kinds]
        return logs


def survey(scored: Counts, resolved: Counts) -> Landscape:
    """Fit all lines together. Both arrays are solvers x tasks, zeros where a solver never tried a task."""
    seen = tuple(Seen.of(n, k) for n, k in zip(scored, resolved, strict=True))
    habit = _usual()
    rates = (resolved.sum(axis=1) + 1) / (scored.sum(axis=1) + 2)
    start = habit.line()
    lines = tuple(replace(start, coefficients=np.array([4 * special.logit(rate), SLOPE])) for rate in rates)
    shares = (scored > 0).mean(axis=1) if scored.size else np.zeros(len(seen))
    for _ in range(MOST_ROUNDS if seen else 0):
        nodes = Landscape(seen, lines, habit, scored.shape[1]).nodes()
        better = tuple(_refit(line, habit, one, nodes) for line, one in zip(lines, seen, strict=True))
        moved = max(_moved(a, b) for a, b in zip(lines, better, strict=True))
        lines, habit = better, _habit_of(better, shares)
        if moved < STILL:
            break
    return Landscape(seen, lines, habit, scored.shape[1])


def target_line(seen: Seen, nodes: Nodes, habit: Habit) -> Line:
    """The target's own line: the habit where it has no tally yet, then what its tallies make of it."""
    line = habit.line()
    for _ in range(MOST_ROUNDS if len(seen.places) else 0):
        fits = seen.likelihood @ _kernel(line, nodes.features, LOGITS).T
        weights = nodes.weights.copy()
        weights[seen.places] *= fits[seen.kinds]
        weights /= weights.sum(axis=1, keepdims=True)
        better = _refit(line, habit, seen, Nodes(nodes.features, weights))
        moved, line = _moved(line, better), better
        if moved < STILL:
            break
    return line


def checkpoint_habit(habit: Habit) -> Habit:
    """The habit of a target with a previous checkpoint: it carries over most of what the checkpoint had of its own."""
    noise = np.sqrt(habit.variance)
    return Habit(
        np.append(habit.means, CARRY * noise),
        np.append(habit.deviations, CARRY_SD * noise),
        max(LEAST_VARIANCE, habit.variance * (1 - CARRY**2)),
    )


def predicted(line: Line, nodes: Nodes, logits: Floats) -> Floats:
    """Each task's distribution over these logits, without any tally of the target on this task: tasks x logits.

    That the line itself is known only so well widens it; a new target's ability is anybody's guess.
    """
    unsure = np.einsum("nf,fg,ng->n", nodes.features, line.covariance, nodes.features)
    return np.asarray(nodes.weights @ _kernel(line, nodes.features, logits, unsure), dtype=np.float64)


def _refit(line: Line, habit: Habit, seen: Seen, nodes: Nodes) -> Line:
    """One step of the maximisation: a regression of the solver's hidden logits on the features.

    `nodes.weights` are after all tallies, this solver's too; the logit's moments given a node come from its tally. What
    is believed beforehand of the variance is what the features leave of the usual spread: who agrees with nobody is not
    the same on all tasks for that. One rollout a task does not tell, and then this decides.
    """
    kernel = _kernel(line, nodes.features, LOGITS)
    zeroth = seen.likelihood @ kernel.T + 1e-300
    first = (seen.likelihood * LOGITS) @ kernel.T / zeroth
    second = (seen.likelihood * LOGITS**2) @ kernel.T / zeroth
    alike = (np.arange(len(zeroth))[:, None] == seen.kinds).astype(float)
    kinds = alike @ nodes.weights[seen.places]
    mass = kinds.sum(axis=0)
    sums, squares = (kinds * first).sum(axis=0), float((kinds * second).sum())
    count = float(len(seen.places))
    gram, cross = (nodes.features.T * mass) @ nodes.features, nodes.features.T @ sums
    hold = np.diag(habit.deviations**-2.0)
    known = np.linalg.inv(gram / line.variance + hold)
    found = known @ (cross / line.variance + hold @ habit.means)
    rest = squares - 2 * found @ cross + found @ gram @ found
    usual = max(habit.variance, habit.spread - float(found[1:] @ found[1:]))
    variance = (rest + VARIANCE_WEIGHT * usual) / (count + VARIANCE_WEIGHT)
    return Line(found, max(LEAST_VARIANCE, float(variance)), known)


def _moved(line: Line, better: Line) -> float:
    deviation = abs(np.sqrt(better.variance) - np.sqrt(line.variance))
    return max(float(abs(better.coefficients - line.coefficients).max()), float(deviation))


def _usual() -> Habit:
    return Habit(np.array([0.0, SLOPE]), np.array([LEVEL_SD, SLOPE_SD]), VARIANCE)


def _habit_of(lines: Sequence[Line], shares: Floats) -> Habit:
    """What solvers are like in general, each weighed by the share of tasks it has tried."""
    levels, slopes = np.array([line.coefficients for line in lines]).T
    variances = np.log([line.variance for line in lines])
    level = float(shares @ levels / (shares.sum() + 0.25))
    spread = (HABIT_WEIGHT * LEVEL_SD**2 + shares @ (levels - level) ** 2) / (HABIT_WEIGHT + shares.sum())
    slope = (shares @ slopes + HABIT_WEIGHT * SLOPE) / (shares.sum() + HABIT_WEIGHT)
    variance = np.exp((shares @ variances + HABIT_WEIGHT * np.log(VARIANCE)) / (shares.sum() + HABIT_WEIGHT))
    return Habit(np.array([level, slope]), np.array([np.sqrt(spread), SLOPE_SD]), float(variance))


def _features(ease: Floats) -> Floats:
    return np.stack([np.ones_like(ease), ease], axis=1)


def _kernel(line: Line, features: Floats, logits: Floats, unsure: Floats | float = 0.0) -> Floats:
    """The distribution of the logit at each node: nodes x logits, rows sum to 1. `unsure` adds to a node's variance."""
    away = logits - (features @ line.coefficients)[:, None]
    variances = line.variance + unsure * np.ones(len(features))
    logs = -(away**2) / (2 * variances[:, None])
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def _shares(logs: Floats) -> Floats:
    weights = np.exp(logs - logs.max(axis=1, initial=-np.inf, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)
