"""Calibration over simulated tasks, through the code that ships: policy tables and the chooser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.core.calibration.choice import Chooser, Rule
from assay.core.calibration.planning import lines_of
from assay.core.calibration.programme import Policy, Schedule, deciding, fixed_error, one_by_one
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, BetaMixture, Tally, beta

TB = beta(0.155, 0.231)
SETS = 300
SET_TASKS = 200


@dataclass(frozen=True)
class Measured:
    """A mean and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ± {self.error:.4f}" if self.value < 1 else f"{self.value:.3f} ± {self.error:.3f}"


@dataclass(frozen=True)
class Simulated:
    """What happened, a task on average."""

    rollouts: Measured
    wrong: Measured


def rates_of(prior: BetaMixture, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Tasks of a population of one Beta distribution."""
    (part,) = prior.parts
    return rng.beta(part.a, part.b, count)


def by_table(policy: Policy, prior: BetaMixture, band: Band, count: int, seed: int) -> Simulated:
    """Walk the lines that `assay plan --json` prints."""
    table = {(line.n, line.k): (line.next, line.action == "in") for line in lines_of(policy)}
    return _walk(lambda n, k: table[n, k], prior, band, count, seed)


def by_looking(schedule: Schedule, price: float, prior: BetaMixture, band: Band, count: int, seed: int) -> Simulated:
    """Ask the chooser after every wave."""
    chooser = Chooser(Rule(band, schedule, price))

    def step(n: int, k: int) -> tuple[int, bool]:
        look = chooser.look(prior, Tally(resolved_count=k, scored_count=n))
        return (look.next_rollouts if look.decision == "undecided" else 0), look.decision == "in"

    return _walk(step, prior, band, count, seed)


def _walk(step: object, prior: BetaMixture, band: Band, count: int, seed: int) -> Simulated:
    """Tasks in the same state are moved together; each result is drawn for its own task."""
    if not callable(step):
        raise TypeError("a step is asked for every state")
    rng = np.random.default_rng(seed)
    rates = rates_of(prior, count, rng)
    inside = (rates >= band.low) & (rates <= band.high)
    rollouts, wrong = np.zeros(count), np.zeros(count)
    waiting: dict[tuple[int, int], list[NDArray[np.int_]]] = {(0, 0): [np.arange(count)]}
    while waiting:
        state = min(waiting)
        tasks = np.concatenate(waiting.pop(state))
        size, accepted = step(*state)
        if not size:
            rollouts[tasks], wrong[tasks] = state[0], inside[tasks] != accepted
            continue
        solved = rng.binomial(size, rates[tasks])
        for more in np.unique(solved):
            waiting.setdefault((state[0] + size, state[1] + int(more)), []).append(tasks[solved == more])
    return Simulated(_mean(rollouts), _mean(wrong))


def _mean(values: NDArray[np.float64]) -> Measured:
    return Measured(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def batch_lines() -> Iterator[str]:
    """200 tasks share a budget: the next rollout goes to the largest index; error at a mean of 4, 8 and 16."""
    theirs = {
        (0.1, 4): ".134",
        (0.1, 8): ".086",
        (0.1, 16): ".058",
        (0.2, 4): ".105",
        (0.2, 8): ".065",
        (0.2, 16): ".048",
    }
    yield "| band | mean budget | index | reference | every task the same |"
    yield "|---|--:|--:|--:|--:|"
    for band in (Band(low=0.1, high=0.9), Band(low=0.2, high=0.8)):
        tables = tables_of(TB, band, 32)
        states = np.array([(n, k) for n in range(33) for k in range(n + 1)])
        index = np.full((34, 34), -np.inf)
        index[states[:, 0], states[:, 1]] = deciding(tables, one_by_one(32)).indices(states)
        accept = tables.loss_in <= tables.loss_out
        errors: dict[int, list[float]] = {4: [], 8: [], 16: []}
        rng = np.random.default_rng(12)
        for _ in range(SETS):
            rates = rates_of(TB, SET_TASKS, rng)
            n, k = np.zeros(SET_TASKS, np.int_), np.zeros(SET_TASKS, np.int_)
            worth = index[n, k]
            for spent in range(1, 16 * SET_TASKS + 1):
                task = int(worth.argmax())
                n[task] += 1
                k[task] += rng.random() < rates[task]
                worth[task] = index[n[task], k[task]]
                if spent % SET_TASKS == 0 and spent // SET_TASKS in errors:
                    inside = (rates >= band.low) & (rates <= band.high)
                    errors[spent // SET_TASKS].append(float(np.mean(accept[n, k] != inside)))
        for mean, found in errors.items():
            same = fixed_error(tables, mean)
            yield f"| {band} | {mean} | {_mean(np.array(found))} | {theirs[band.low, mean]} | {same:.4f} |"
