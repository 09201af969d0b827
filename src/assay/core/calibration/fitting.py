"""How a project's own history becomes the prior of its next task: empirical Bayes over tallies of one model.

The fit maximises the sum of log m(n_i, k_i). m is the probability of one given sequence of results, and a rule that
stops or goes on looks at results alone, so its choices are the same factor for every prior and fall away: tallies of an
adaptive run are as good as those of a fixed one. (Which tasks were measured at all is another matter: a history of
tasks that somebody picked for being hard is a history of those.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from scipy import optimize, special

from assay.model.calibration import DEFAULT_PRIOR, BetaMixture, BetaPart, Tally

DEFAULT_A, DEFAULT_B = DEFAULT_PRIOR.parts[0].a, DEFAULT_PRIOR.parts[0].b
RIDGE = 0.3
"""On the squared distance of log a and log b from the default: a standard deviation of 1.3 each, as between models.

`quality.md` 9.7 has .02 to .05, around 1. Around the default and with .3 the fit loses less on seven populations from
Beta(.08, .4) to Beta(1, 1) while there are fewer than 100 tasks, and the same from there on: mean Kullback-Leibler
distance of 8 rollouts from the truth at 10 tasks x 4 rollouts .088 (with .03: .157), at 100 tasks .012 (.013)."""
SHIFT_SD = 1.0
"""Of the mean's logit around the default's, while only the mean is fitted."""
ENOUGH_TASKS = 5
"""Tasks with two rollouts or more from which the concentration is fitted too: one rollout a task says nothing of it."""


def default_prior() -> BetaMixture:
    """What holds before there is any history."""
    return DEFAULT_PRIOR


def fit_prior(tallies: Iterable[Tally], around: BetaMixture | None = None) -> BetaMixture:
    """One Beta distribution for the rates behind these tallies of one model, a tally a task; the order is nothing.

    The default without a trial; its concentration a + b and a fitted mean while fewer than ENOUGH_TASKS tasks have two
    rollouts; else both. Trials without a verdict are not looked at. `around` takes the default's place: what somebody
    believes gives way to what is seen. A mixture of several parts does not: it says more than two numbers can.
    """
    usual = around or default_prior()
    counts = Counter((t.scored_count, t.resolved_count) for t in tallies if t.scored_count)
    if not counts or len(usual.parts) > 1:
        return usual
    (part,) = usual.parts
    trials = sum(n * times for (n, _), times in counts.items())
    where = f"{trials} trials of {counts.total()} tasks here"
    if around is not None:
        where = f"{around.origin or 'what was given'}, fitted to {where}"
    if sum(times for (n, _), times in counts.items() if n > 1) < ENOUGH_TASKS:
        spread = "its spread kept" if around is not None else "with the default's spread"
        return BetaMixture(parts=(_mean_fitted(counts, part),), origin=f"{where}, {spread}")
    return BetaMixture(parts=(_both_fitted(counts, part),), origin=where)


def _mean_fitted(counts: Counter[tuple[int, int]], part: BetaPart) -> BetaPart:
    concentration = part.a + part.b
    usual = float(special.logit(part.a / concentration))
    n, k, times = _arrays(counts)

    def loss(shift: float) -> float:
        a = concentration * special.expit(usual + shift)
        b = concentration - a
        gain = times @ (special.betaln(a + k, b + n - k) - special.betaln(a, b))
        return float(0.5 * (shift / SHIFT_SD) ** 2 - gain)

    found = optimize.minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-6})
    a = concentration * float(special.expit(usual + found.x))
    return BetaPart(a=a, b=concentration - a)


def _both_fitted(counts: Counter[tuple[int, int]], part: BetaPart) -> BetaPart:
    n, k, times = _arrays(counts)
    usual = np.log([part.a, part.b])

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = np.exp(logs)
        gain = times @ (special.betaln(a + k, b + n - k) - special.betaln(a, b))
        both = special.digamma(a + b) - special.digamma(a + b + n)
        slopes = [
            a * (times @ (special.digamma(a + k) - special.digamma(a) + both)),
            b * (times @ (special.digamma(b + n - k) - special.digamma(b) + both)),
        ]
        away = logs - usual
        return float(RIDGE * (away @ away) - gain), 2 * RIDGE * away - np.array(slopes)

    found = optimize.minimize(loss, usual, jac=True, method="L-BFGS-B", bounds=[(-9, 9)] * 2)
    a, b = np.exp(found.x)
    return BetaPart(a=float(a), b=float(b))


def _arrays(counts: Counter[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rollouts, successes and how often, sorted, so that sums come out the same whatever the order was."""
    states = sorted(counts)
    n, k = np.array(states, dtype=float).T
    return n, k, np.array([counts[state] for state in states], dtype=float)
