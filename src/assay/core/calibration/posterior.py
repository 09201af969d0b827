"""What is believed of one task after its trials: the distribution of its rate, and what a trainer gets from it.

A prior that has seen results is a distribution of the same kind, so that all questions are asked of a prior; before
the first trial, after them, or with what other models did.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaln, logsumexp

from assay.core.calibration.tables import SURE
from assay.model.calibration import Band, BetaMixture, BetaPart, GridPrior, Posterior, Prior, Tally

LEVEL = 0.9
"""The share of belief inside the interval that is shown."""
FORGOTTEN = 1e-12
"""A part of a mixture that is believed less than this is left out."""
HALVINGS = 60


def updated(prior: Prior, tally: Tally) -> Prior:
    """The prior after a task's scored trials. Trials without a verdict say nothing about the rate."""
    solved, failed = tally.resolved_count, tally.scored_count - tally.resolved_count
    if isinstance(prior, GridPrior):
        rates = np.clip(np.array(prior.rates), SURE, 1 - SURE)
        with np.errstate(divide="ignore"):
            logs = np.log(np.array(prior.weights)) + solved * np.log(rates) + failed * np.log1p(-rates)
        weights = np.exp(logs - logsumexp(logs))
        return prior.model_copy(update={"weights": tuple((weights / weights.sum()).tolist())})
    logs = np.array([np.log(p.weight) + betaln(p.a + solved, p.b + failed) - betaln(p.a, p.b) for p in prior.parts])
    weights = np.exp(logs - logsumexp(logs))
    weights = np.where(weights < FORGOTTEN, 0.0, weights)
    parts = tuple(
        BetaPart(weight=float(weight), a=part.a + solved, b=part.b + failed)
        for part, weight in zip(prior.parts, weights / weights.sum(), strict=True)
        if weight > 0
    )
    return prior.model_copy(update={"parts": parts})


def posterior(prior: Prior, tally: Tally, band: Band, level: float = LEVEL) -> Posterior:
    """Mean, interval with equal tails, and the shares of belief below, in and above the band (grey zone aside)."""
    known = updated(prior, tally)
    too_hard, too_easy = share_below(known, band.low, with_edge=False), 1 - share_below(known, band.high)
    tail = (1 - level) / 2
    return Posterior(
        mean=mean_rate(known),
        low=quantile(known, tail),
        high=quantile(known, 1 - tail),
        level=level,
        in_band=min(max(1 - too_hard - too_easy, 0.0), 1.0),
        too_hard=min(max(too_hard, 0.0), 1.0),
        too_easy=min(max(too_easy, 0.0), 1.0),
    )


def losses(prior: Prior, band: Band) -> tuple[float, float]:
    """The probabilities that IN and that OUT would be wrong, the grey zone counted (reference/quality.md, 9.2)."""
    wide = (max(0.0, band.low - band.grey), min(1.0, band.high + band.grey))
    narrow = (band.low + band.grey, band.high - band.grey)
    wrong_in = share_below(prior, wide[0], with_edge=False) + 1 - share_below(prior, wide[1])
    wrong_out = share_below(prior, narrow[1], with_edge=not band.grey)
    wrong_out -= share_below(prior, narrow[0], with_edge=bool(band.grey))
    return min(max(wrong_in, 0.0), 1.0), min(max(wrong_out, 0.0), 1.0)


def mean_rate(prior: Prior) -> float:
    """The probability that the next trial solves."""
    if isinstance(prior, GridPrior):
        return float(np.dot(prior.rates, prior.weights))
    return float(sum(part.weight * part.a / (part.a + part.b) for part in prior.parts))


def share_below(prior: Prior, rate: float, *, with_edge: bool = True) -> float:
    """The share of belief in rates below one. Whether the rate itself counts matters on a grid only."""
    if isinstance(prior, BetaMixture):
        return float(sum(part.weight * betainc(part.a, part.b, rate) for part in prior.parts))
    rates, weights = np.array(prior.rates), np.array(prior.weights)
    return float(weights[rates <= rate if with_edge else rates < rate].sum())


def quantile(prior: Prior, share: float) -> float:
    """The rate below which lies this share of belief."""
    if isinstance(prior, GridPrior):
        order = np.argsort(prior.rates)
        sums = np.cumsum(np.array(prior.weights)[order])
        return float(np.array(prior.rates)[order][min(int(np.searchsorted(sums, share)), len(sums) - 1)])
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if share_below(prior, middle) < share else (low, middle)
    return (low + high) / 2


def signal_share(prior: Prior, group: int) -> float:
    """The expected share of groups of so many rollouts in which some solve and some fail: 1 - E[p^G] - E[(1-p)^G].

    Only such a group teaches a model anything under group-relative advantages.
    """
    if isinstance(prior, GridPrior):
        rates, weights = np.array(prior.rates), np.array(prior.weights)
        return float(np.dot(weights, 1 - rates**group - (1 - rates) ** group))
    return float(sum(part.weight * _mixed(part, group) for part in prior.parts))


def _mixed(part: BetaPart, group: int) -> float:
    start = betaln(part.a, part.b)
    return float(1 - np.exp(betaln(part.a + group, part.b) - start) - np.exp(betaln(part.a, part.b + group) - start))
