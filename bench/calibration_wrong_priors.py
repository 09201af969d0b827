"""What a wrong prior costs: kept to the end, and fitted again to the set's own first wave."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln

from assay.core.calibration.programme import Policy, deciding, evaluate, fixed_error, fixed_policy, free_waves
from assay.core.calibration.refining import best_within
from assay.core.calibration.tables import Tables, tables_of
from assay.model.calibration import Band, BetaMixture, beta

BELIEFS = {
    "Beta(.155, .231)": beta(0.155, 0.231),
    "uniform": beta(1, 1),
    "Beta(.3, .5)": beta(0.3, 0.5),
    "Beta(.21, .88)": beta(0.21, 0.88),
    "Beta(2, 2)": beta(2, 2),
}
BANDS = (Band(low=0.1, high=0.9), Band(low=0.2, high=0.8))
CAP = 64
PRICES = np.geomspace(3e-4, 0.1, 50)
RIDGE = 0.03
SETS = 24


def wrong_prior_lines() -> Iterator[str]:
    """Rollouts for the true error of fixed n, in shares of n; then what happens as it is run."""
    yield "| truth | believed | band | = fixed | at equal error | as run: rollouts | errors | fixed n: errors |"
    yield "|---|---|---|--:|--:|--:|--:|--:|"
    for band in BANDS:
        tables = {name: tables_of(prior, band, CAP) for name, prior in BELIEFS.items()}
        for truth, true in tables.items():
            for belief, believed in tables.items():
                if belief != truth and "Beta(.155, .231)" in {belief, truth}:
                    for n in (8, 16):
                        yield f"| {truth} | {belief} | {band} | {n} | {_cells(true, believed, n)} |"


def _cells(true: Tables, believed: Tables, n: int) -> str:
    wanted = fixed_error(true, n)
    programme = deciding(believed, free_waves(CAP))
    points = [evaluate(programme.solve(float(price)), true) for price in PRICES]
    equal = _rollouts_at([(point.mean_rollouts, point.error) for point in points], wanted)
    own = best_within(programme, fixed_error(believed, n))
    if own is None:
        return "- | - | - | -"
    ran = evaluate(own.policy, true)
    fixed = evaluate(fixed_policy(believed, n), true)
    return (
        f"{'never' if np.isinf(equal) else f'{equal / n:.2f}'} | {ran.mean_rollouts / n:.2f} "
        f"| {ran.error / wanted:.2f} | {fixed.error / wanted:.2f}"
    )


def _rollouts_at(points: list[tuple[float, float]], error: float) -> float:
    """The fewest mean rollouts of a policy that errs at most so often; a coin between two is not used."""
    return min((rollouts for rollouts, found in points if found <= error), default=np.inf)


def refitted_lines() -> Iterator[str]:
    """Whatever was believed: the first wave of a set says what the set is like; shares of n at the error of fixed n."""
    yield "| truth | band | = fixed | tasks in the set | first wave | rollouts at equal error | the true prior's |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for band in BANDS:
        for truth in ("Beta(.155, .231)", "Beta(2, 2)", "uniform"):
            true = tables_of(BELIEFS[truth], band, CAP)
            for tasks, first in ((100, 2), (100, 4), (30, 4)):
                curve = _refitted(true, BELIEFS[truth], band, tasks, first)
                for n in (8, 16):
                    wanted = fixed_error(true, n)
                    ideal = best_within(deciding(true, free_waves(CAP)), wanted)
                    if ideal is None:
                        continue
                    share = _rollouts_at(curve, wanted) / n
                    found = "never" if np.isinf(share) else f"{share:.2f}"
                    yield (
                        f"| {truth} | {band} | {n} | {tasks} | {first} | {found} "
                        f"| {ideal.outcome.mean_rollouts / n:.2f} |"
                    )


def _refitted(true: Tables, prior: BetaMixture, band: Band, tasks: int, first: int) -> list[tuple[float, float]]:
    """Mean rollouts and error by price, over sets: a first wave for all, a prior fitted to it, then its programme."""
    rng = np.random.default_rng(9)
    (part,) = prior.parts
    sums = np.zeros((len(PRICES), 2))
    for _ in range(SETS):
        solved = rng.binomial(first, rng.beta(part.a, part.b, tasks))
        programme = deciding(tables_of(fitted(solved, first), band, CAP), free_waves(CAP))
        for i, price in enumerate(PRICES):
            policy = programme.solve(float(price))
            wave = policy.wave.copy()
            wave[0, 0] = first
            outcome = evaluate(Policy(wave, policy.accept), true)
            sums[i] += outcome.mean_rollouts, outcome.error
    return [(float(rollouts), float(error)) for rollouts, error in sums / SETS]


def fitted(solved: NDArray[np.int_], n: int) -> BetaMixture:
    """The likeliest Beta distribution, held back from extremes by a ridge (reference/quality.md, 9.7)."""

    def loss(logs: NDArray[np.float64]) -> float:
        a, b = np.exp(logs)
        return float(RIDGE * (logs**2).sum() - (betaln(a + solved, b + n - solved) - betaln(a, b)).sum())

    a, b = np.exp(minimize(loss, np.zeros(2), method="Nelder-Mead").x)
    return beta(float(a), float(b))
