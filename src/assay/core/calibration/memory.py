"""Memory: what other solvers and the previous checkpoint did on a task sharpens what is believed of the target there.

A prior from here says where to look first and when to stop early. It never decides: whoever uses it certifies a band
only with at least one rollout of the target itself, because the best memory without one is worse than one rollout
(quality.md 13: log-loss .458 against .381). The stage that decides holds that line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from assay.core.calibration import factors
from assay.core.calibration.fitting import fit_prior
from assay.model.calibration import GridPrior, Prior, Record, Solver, Tally

CELLS: NDArray[np.float64] = np.arange(-13.95, 14.0, 0.1)
"""Logits of the points of a prior. Their cells end at multiples of .1, next to which lie the logits of the edges in
use: 2.197 for .1 and .9, 1.386 for .2 and .8, 1.099 for .25 and .75. So a band cuts no cell in two."""
TRIFLE = 1e-10


@dataclass(frozen=True, slots=True)
class Memory:
    """Priors for a target's tasks."""

    target: Solver
    population: Prior
    """For a task that nobody else has tried."""
    by_task: Mapping[str, GridPrior] = field(default_factory=dict)
    correlations: Mapping[Solver, float] = field(default_factory=dict)
    """Of each other solver's logits with the target's, as fitted; the checkpoint's is the rho of quality.md 13."""

    def prior(self, task: str) -> Prior:
        """What is believed of the target on this task before its own rollouts there."""
        return self.by_task.get(task, self.population)


def remember(
    records: Iterable[Record], target: Solver, tasks: Iterable[str], checkpoint: Solver | None = None
) -> Memory:
    """Priors of `target` for these tasks from everybody's records, its own on other tasks among them.

    A task's prior holds nothing of the target's own rollouts on that task but through what all tasks together say of
    the target's ability (two to four numbers): its tally there comes in as the posterior. `checkpoint` is the solver
    that the target was trained from; without records of it, it is ignored. Fit again after each wave.
    """
    table = _table(records)
    own, others = table.pop(target, {}), dict(sorted(table.items(), key=lambda item: (item[0].agent, item[0].model)))
    known = sorted({task for tallies in others.values() for task in tallies})
    pooled = [tally for tallies in others.values() for tally in tallies.values()]
    population = fit_prior(own.values() or pooled)
    if not known:
        return Memory(target, population)
    solvers = list(others)
    landscape = factors.survey(*_counts(others.values(), known))
    seen = factors.Seen.of(*(counts[0] for counts in _counts([own], known)))
    nodes, habit = landscape.nodes(), landscape.habit
    if checkpoint in others:
        nodes = landscape.nodes_beside(solvers.index(checkpoint))
        habit = factors.checkpoint_habit(habit)
    line = factors.target_line(seen, nodes, habit)
    weights = dict(zip(known, factors.predicted(line, nodes, CELLS), strict=True))
    wanted = [task for task in dict.fromkeys(tasks) if task in weights]
    return Memory(
        target,
        population,
        {task: _prior(weights[task], others, task) for task in wanted},
        {solver: _correlation(line, landscape.lines[i], solver == checkpoint) for i, solver in enumerate(solvers)},
    )


def _table(records: Iterable[Record]) -> dict[Solver, dict[str, Tally]]:
    """Tallies by solver and task, those of the same pair added up; none without a scored trial."""
    table: dict[Solver, dict[str, Tally]] = {}
    for record in records:
        if record.tally.scored_count:
            row = table.setdefault(record.solver, {})
            before = row.get(record.task, Tally())
            row[record.task] = Tally(
                resolved_count=before.resolved_count + record.tally.resolved_count,
                scored_count=before.scored_count + record.tally.scored_count,
            )
    return table


def _counts(rows: Iterable[Mapping[str, Tally]], tasks: list[str]) -> tuple[factors.Counts, factors.Counts]:
    """Scored and resolved trials, solvers x tasks."""
    none = Tally()
    both = [[(tally.scored_count, tally.resolved_count) for tally in (row.get(t, none) for t in tasks)] for row in rows]
    counts = np.array(both, dtype=np.int64).reshape(-1, len(tasks), 2)
    return counts[..., 0], counts[..., 1]


def _prior(weights: NDArray[np.float64], others: Mapping[Solver, Mapping[str, Tally]], task: str) -> GridPrior:
    kept = weights > TRIFLE
    tallies = [row[task] for row in others.values() if task in row]
    trials = sum(tally.scored_count for tally in tallies)
    return GridPrior(
        rates=tuple(special.expit(CELLS[kept]).tolist()),
        weights=tuple((weights[kept] / weights[kept].sum()).tolist()),
        origin=f"memory: {trials} trials of {len(tallies)} other solvers",
    )


def _correlation(line: factors.Line, other: factors.Line, is_checkpoint: bool) -> float:
    """Of the two solvers' logits over all tasks, as the lines have it."""
    _, slope, *carry = line.coefficients.tolist()
    together = slope * float(other.coefficients[1])
    if is_checkpoint:
        together += carry[0] * math.sqrt(other.variance)
    own = slope**2 + sum(value**2 for value in carry) + line.variance
    theirs = float(other.coefficients[1]) ** 2 + other.variance
    return float(together) / math.sqrt(float(own) * theirs)
