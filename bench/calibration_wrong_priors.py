"""What a wrong prior costs: kept to the end, and fitted again to the set's own first wave."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay.core.calibration.fitting import fit_prior
from assay.core.calibration.programme import Policy, deciding, evaluate, fixed_error, fixed_policy, free_waves
from assay.core.calibration.refining import best_within
from assay.core.calibration.tables import Tables, tables_of
from assay.model.calibration import Band, Tally, beta
from assay.stages.calibrate import FIRST

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
SETS = 12
REFITTED = (
    *(("Beta(.155, .231)", belief) for belief in ("uniform", "Beta(.21, .88)", "Beta(2, 2)")),
    ("uniform", "Beta(.155, .231)"),
)


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
    """As `assay calibrate` does it: what is believed gives way to what the set's own first wave shows."""
    yield "| truth | believed | band | = fixed | tasks in the set | rollouts at equal error | the true prior's |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for band in BANDS:
        for truth, belief in REFITTED:
            true = tables_of(BELIEFS[truth], band, CAP)
            for tasks in (100, 30):
                curve = _refitted(true, truth, belief, tasks)
                for n in (8, 16):
                    wanted = fixed_error(true, n)
                    ideal = best_within(deciding(true, free_waves(CAP)), wanted)
                    if ideal is None:
                        continue
                    share = _rollouts_at(curve, wanted) / n
                    found = "never" if np.isinf(share) else f"{share:.2f}"
                    yield (
                        f"| {truth} | {belief} | {band} | {n} | {tasks} | {found} "
                        f"| {ideal.outcome.mean_rollouts / n:.2f} |"
                    )


def _refitted(true: Tables, truth: str, belief: str, tasks: int) -> list[tuple[float, float]]:
    """Mean rollouts and error by price, over sets: the believed prior's first wave for all, a prior fitted to it around
    what was believed, then its programme.
    """
    rng = np.random.default_rng(9)
    (part,) = BELIEFS[truth].parts
    before = deciding(tables_of(BELIEFS[belief], true.band, CAP), free_waves(CAP))
    first = [max(FIRST, int(before.solve(float(price)).wave[0, 0])) for price in PRICES]
    sums = np.zeros((len(PRICES), 2))
    for _ in range(SETS):
        rates = rng.beta(part.a, part.b, tasks)
        for size in sorted(set(first)):
            solved = rng.binomial(size, rates)
            tallies = (Tally(scored_count=size, resolved_count=int(k)) for k in solved)
            after = deciding(tables_of(fit_prior(tallies, BELIEFS[belief]), true.band, CAP), free_waves(CAP))
            for i in (i for i, one in enumerate(first) if one == size):
                policy = after.solve(float(PRICES[i]))
                wave = policy.wave.copy()
                wave[0, 0] = size
                outcome = evaluate(Policy(wave, policy.accept), true)
                sums[i] += outcome.mean_rollouts, outcome.error
    return [(float(rollouts), float(error)) for rollouts, error in sums / SETS]
