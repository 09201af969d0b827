"""What a previous checkpoint's results are worth, in a population whose truth is known, and what misleading ones cost.

    python -m bench.memory_checkpoint [--seeds N] [--json]

The population of reference/quality.md, 13: logit p = 4 z; the checkpoint's logit = -.3 + 4 (rho z + sqrt(1 - rho^2) e);
8 old rollouts a task. What is believed comes from `remember`, from a drawn history; policies come from the exact
programme on what is believed, one rollout at a time with a cap of 32, never without a rollout of the target; what they
do is evaluated exactly under the truth. Nothing is simulated but the history. Not part of `make bench`: it takes
minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from assay.core.calibration.fitting import fit_prior
from assay.core.calibration.memory import CELLS, remember
from assay.core.calibration.programme import Policy, deciding, evaluate, fixed_error, fixed_policy, one_by_one
from assay.core.calibration.tables import Floats, Tables, tables_of
from assay.model.calibration import Band, GridPrior, Prior, Record, Solver, Tally

SIGMA, SHIFT, OLD = 4.0, -0.3, 8
CAP, FIXED = 32, 8
BANDS = (Band(low=0.1, high=0.9), Band(low=0.2, high=0.8))
PRICES = np.geomspace(1e-3, 0.2, 40)
NEW, BEFORE = Solver(agent="", model="new"), Solver(agent="", model="old")
SEEDS = 5


def main() -> None:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--json", action="store_true")
    wish = parser.parse_args()
    for band in BANDS:
        for row in [*help_of(band, wish.seeds), *harm_of(band, wish.seeds)]:
            line = {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
            print(json.dumps(line) if wish.json else "  ".join(f"{k} {v}" for k, v in line.items()))


@dataclass(frozen=True)
class Truth:
    """How likely each old tally is, and the rate's distribution given it."""

    shares: tuple[float, ...]
    priors: tuple[GridPrior, ...]


@cache
def truth(rho: float) -> Truth:
    """By summing over the checkpoint's logit; for each number of old successes."""
    z = CELLS / SIGMA
    weights = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    noise = np.linspace(-5, 5, 201)
    chances = np.exp(-(noise**2) / 2) / np.exp(-(noise**2) / 2).sum()
    rates = special.expit(SHIFT + SIGMA * (rho * z[:, None] + np.sqrt(1 - rho**2) * noise))
    shares, priors = [], []
    for k in range(OLD + 1):
        joint = weights * (special.binom(OLD, k) * (rates**k * (1 - rates) ** (OLD - k)) @ chances)
        shares.append(float(joint.sum()))
        priors.append(_grid(joint / joint.sum()))
    return Truth(tuple(shares), tuple(priors))


def population() -> GridPrior:
    """The rates of all tasks together."""
    weights = np.exp(-((CELLS / SIGMA) ** 2) / 2)
    return _grid(weights / weights.sum())


def _grid(weights: Floats) -> GridPrior:
    return GridPrior(rates=tuple(special.expit(CELLS).tolist()), weights=tuple(weights.tolist()))


def believed(rho: float, seed: int, tasks: int, own: int, old: bool = True) -> tuple[Prior, ...]:
    """What `remember` makes of a drawn history, for each number of old successes.

    `own` rollouts a task of the target itself are known, as after a first wave over all tasks.
    """
    draw = np.random.default_rng(seed)
    z = draw.normal(size=tasks)
    before = SHIFT + SIGMA * (rho * z + np.sqrt(1 - rho**2) * draw.normal(size=tasks))
    was, now = draw.binomial(OLD, special.expit(before)), draw.binomial(own, special.expit(SIGMA * z))
    if not old:
        return (fit_prior(Tally(scored_count=own, resolved_count=int(k)) for k in now),) * (OLD + 1)
    records = [_record(BEFORE, i, OLD, k) for i, k in enumerate(was)] + [
        _record(NEW, i, own, k) for i, k in enumerate(now)
    ]
    # one more task for each tally that an old result can have, so that there is a prior of each
    asked = [_record(BEFORE, tasks + k, OLD, k) for k in range(OLD + 1)]
    known = remember([*records, *asked], NEW, [record.task for record in asked], BEFORE)
    return tuple(known.prior(record.task) for record in asked)


def _record(solver: Solver, place: int, scored: int, resolved: int) -> Record:
    return Record(task=f"{place}", solver=solver, tally=Tally(scored_count=scored, resolved_count=int(resolved)))


@dataclass(frozen=True)
class Point:
    """A price, and what the policies that belong to it do."""

    price: float
    rollouts: float
    error: float
    promised: float


def curve(beliefs: Sequence[Prior], facts: Truth, band: Band) -> list[Point]:
    """Every price: the best policy under each belief, as the truth judges it."""
    programmes = {prior: deciding(tables_of(prior, band, CAP), one_by_one(CAP)) for prior in set(beliefs)}
    judges = [_judge(prior, band) for prior in facts.priors]
    points = []
    for price in PRICES:
        policies: dict[Prior, Policy] = {prior: one.solve(float(price)) for prior, one in programmes.items()}
        real = [evaluate(policies[prior], judge) for prior, judge in zip(beliefs, judges, strict=True)]
        hoped = {prior: evaluate(policies[prior], one.tables).error for prior, one in programmes.items()}
        points.append(
            Point(
                float(price),
                sum(share * one.mean_rollouts for share, one in zip(facts.shares, real, strict=True)),
                sum(share * one.error for share, one in zip(facts.shares, real, strict=True)),
                sum(share * hoped[prior] for share, prior in zip(facts.shares, beliefs, strict=True)),
            )
        )
    return points


@cache
def _judge(prior: GridPrior, band: Band) -> Tables:
    return tables_of(prior, band, CAP)


def rollouts_at(points: Sequence[Point], error: float) -> float:
    """The fewest mean rollouts with this error, between two neighbouring prices by a coin; nan if never reached."""
    found = []
    for careful, hasty in itertools.pairwise(points):
        low, high = sorted((careful, hasty), key=lambda point: point.error)
        if low.error <= error < high.error:
            share = (high.error - error) / (high.error - low.error)
            found.append(high.rollouts + share * (low.rollouts - high.rollouts))
    found += [point.rollouts for point in points if point.error <= error]
    return min(found, default=float("nan"))


def help_of(band: Band, seeds: int) -> list[dict[str, Any]]:
    """Mean rollouts at the error of fixed 8, with rho = .95 in truth."""
    error = fixed_error(_judge(population(), band), FIXED)
    rows: list[dict[str, Any]] = [
        _row(band, "no memory, population known", [rollouts_at(curve([population()] * 9, truth(0.0), band), error)]),
        _row(band, "rho .95, all known", [rollouts_at(curve(truth(0.95).priors, truth(0.95), band), error)]),
    ]
    for tasks, own in ((100, 0), (100, 1), (100, 2), (400, 1), (400, 2)):
        found = [
            rollouts_at(curve(believed(0.95, seed, tasks, own), truth(0.95), band), error) for seed in range(seeds)
        ]
        rows.append(_row(band, f"rho .95, fitted: {tasks} tasks, {own} own rollouts each", found))
    return rows


def _row(band: Band, what: str, found: Sequence[float]) -> dict[str, Any]:
    values = np.array(found)
    row = {
        "band": str(band),
        "what": what,
        "rollouts": float(values.mean()),
        "share_of_fixed": float(values.mean() / FIXED),
    }
    return row | ({"worst": float(values.max())} if len(values) > 1 else {})


def harm_of(band: Band, seeds: int) -> list[dict[str, Any]]:
    """The same where the old results say nothing (rho = 0) and .95 is believed, is the default, or is fitted.

    At the price at which the belief promises the error of fixed 8: what it costs and errs in truth.
    """
    facts = truth(0.0)
    error = fixed_error(_judge(population(), band), FIXED)
    ways: dict[str, list[Sequence[Prior]]] = {
        "no memory, population known": [[population()] * 9],
        "no memory, Beta fitted: 100 tasks, 2 own rollouts each": [
            believed(0.0, seed, 100, 2, old=False) for seed in range(seeds)
        ],
        "believed .95, never corrected": [truth(0.95).priors],
    }
    for tasks, own in ((100, 0), (100, 1), (100, 2), (100, 4), (400, 2)):
        ways[f"fitted: {tasks} tasks, {own} own rollouts each"] = [
            believed(0.0, seed, tasks, own) for seed in range(seeds)
        ]
    rows = []
    for what, beliefs in ways.items():
        curves = [curve(one, facts, band) for one in beliefs]
        at = [min(points, key=lambda point: abs(point.promised - error)) for points in curves]
        rows.append(
            {
                "band": str(band),
                "what": f"rho 0 in truth; {what}",
                "rollouts": float(np.mean([point.rollouts for point in at])),
                "error": float(np.mean([point.error for point in at])),
                "promised": error,
                "rollouts_at_fixed_error": float(np.mean([rollouts_at(points, error) for points in curves])),
            }
        )
    fixed = evaluate(fixed_policy(_judge(population(), band), FIXED), _judge(population(), band))
    return [*rows, {"band": str(band), "what": "fixed 8", "rollouts": fixed.mean_rollouts, "error": fixed.error}]


if __name__ == "__main__":
    main()
