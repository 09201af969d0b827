"""What a prior and a tally together say about one rate: the few questions that fits, audits and monitors ask.

Everything works on logarithms of the evidence, m(n, k) = sum of w_j B(a_j + k, b_j + n - k) / B(a_j, b_j) for a mixture
and the same sum over points for a grid. m is the probability of one given sequence of results, so it does not matter
by which rule somebody stopped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from assay.model.calibration import Band, BetaMixture, GridPrior, Prior, Tally

Floats = NDArray[np.float64]


def evidence_log(prior: Prior, scored: Floats, resolved: Floats) -> Floats:
    """log m(n, k) for arrays of counts of equal shape: the log probability of one sequence with so many successes."""
    return np.asarray(special.logsumexp(_terms(prior, scored, resolved), axis=0), dtype=np.float64)


def expected_rate(prior: Prior, tally: Tally) -> float:
    """The posterior mean, which is the probability that the next rollout succeeds."""
    counts = np.array([tally.scored_count, tally.scored_count + 1.0])
    now, then = evidence_log(prior, counts, np.array([tally.resolved_count, tally.resolved_count + 1.0]))
    return float(np.exp(then - now))


def share_below(prior: Prior, tally: Tally, rate: float) -> float:
    """P(p < rate) after this tally. A point of a grid that lies on `rate` is not below it."""
    terms = _terms(prior, np.array([float(tally.scored_count)]), np.array([float(tally.resolved_count)]))[:, 0]
    weights = np.exp(terms - special.logsumexp(terms))
    if isinstance(prior, GridPrior):
        return float(weights[np.asarray(prior.rates) < rate].sum())
    a, b = _shapes(prior)
    failed = tally.scored_count - tally.resolved_count
    return float(weights @ special.betainc(a + tally.resolved_count, b + failed, rate))


def share_above(prior: Prior, tally: Tally, rate: float) -> float:
    """P(p > rate) after this tally, computed from its own side, so that tiny shares stay exact."""
    if isinstance(prior, GridPrior):
        mirror: Prior = GridPrior(rates=tuple(1 - r for r in reversed(prior.rates)), weights=prior.weights[::-1])
    else:
        parts = tuple(part.model_copy(update={"a": part.b, "b": part.a}) for part in prior.parts)
        mirror = BetaMixture(parts=parts)
    failed = tally.scored_count - tally.resolved_count
    return share_below(mirror, Tally(resolved_count=failed, scored_count=tally.scored_count), 1 - rate)


def losses(prior: Prior, tally: Tally, band: Band) -> tuple[float, float]:
    """The probability that `in` is wrong, and that `out` is; they sum to 1 without a grey zone."""
    outside = share_below(prior, tally, band.low - band.grey) + share_above(prior, tally, band.high + band.grey)
    if not band.grey:
        return outside, 1 - outside
    inside = 1 - share_below(prior, tally, band.low + band.grey) - share_above(prior, tally, band.high - band.grey)
    return outside, max(0.0, inside)


def next_counts(prior: Prior, tally: Tally, count: int) -> Floats:
    """The probability of 0, 1, ... `count` successes among so many further rollouts; sums to 1."""
    more = np.arange(count + 1.0)
    ways = special.gammaln(count + 1) - special.gammaln(more + 1) - special.gammaln(count - more + 1)
    scored = np.full_like(more, tally.scored_count + count)
    logs = ways + evidence_log(prior, scored, tally.resolved_count + more)
    return np.asarray(np.exp(logs - special.logsumexp(logs)), dtype=np.float64)


def _terms(prior: Prior, scored: Floats, resolved: Floats) -> Floats:
    """The log of each part's share of the evidence: parts x counts."""
    k, failed = np.asarray(resolved, dtype=float), np.asarray(scored, dtype=float) - resolved
    if isinstance(prior, GridPrior):
        rates = np.asarray(prior.rates)[:, None]
        logs = special.xlogy(k, rates) + special.xlog1py(failed, -rates)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.asarray(prior.weights))[:, None] + logs, dtype=np.float64)
    a, b = (values[:, None] for values in _shapes(prior))
    weights = np.log([part.weight for part in prior.parts])[:, None]
    return np.asarray(weights + special.betaln(a + k, b + failed) - special.betaln(a, b), dtype=np.float64)


def _shapes(prior: BetaMixture) -> tuple[Floats, Floats]:
    return np.array([part.a for part in prior.parts]), np.array([part.b for part in prior.parts])
