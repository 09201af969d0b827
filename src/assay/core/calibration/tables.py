"""What is believed in every state: after n scored rollouts, k of them solved, for all n up to a cap at once.

Rollouts of one task are independent given its rate p, and order carries nothing, so that (n, k) is all there is to
know. With a prior of Beta distributions everything is closed form (reference/quality.md, 9.2); a prior on a grid of
rates works the same with sums. Likelihoods are kept as logarithms: those of many rollouts are too small for floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, gammaln, logsumexp

from assay.model.calibration import Band, BetaMixture, GridPrior, Prior

Floats = NDArray[np.float64]

SURE = 1e-9
"""Rates of a grid are kept this far from 0 and 1, so that no result is impossible: a prior may be wrong."""


@dataclass(frozen=True)
class Tables:
    """Values of all states as arrays indexed [n, k]; meaningless where k > n.

    `log_evidence` is the logarithm of the probability of one given sequence with k of n solved; `mean` the probability
    that the next rollout solves; `loss_in` and `loss_out` the probabilities that this answer would be wrong.
    """

    prior: Prior
    band: Band
    cap: int
    log_evidence: Floats
    mean: Floats
    in_band: Floats
    loss_in: Floats
    loss_out: Floats
    _steps: dict[tuple[int, int], Floats] = field(default_factory=dict, repr=False, compare=False)
    _fans: dict[tuple[int, tuple[int, ...]], Floats] = field(default_factory=dict, repr=False, compare=False)

    @property
    def loss(self) -> Floats:
        """What stopping costs: the smaller of both losses."""
        return np.minimum(self.loss_in, self.loss_out)

    def step(self, start: int, end: int) -> Floats:
        """Probabilities of ending in (end, k') from (start, k), as a matrix [k, k'] of start + 1 by end + 1."""
        known = self._steps.get((start, end))
        if known is None:
            known = self._steps[start, end] = self._step(start, end)
        return known

    def fan(self, start: int, ends: tuple[int, ...]) -> Floats:
        """The steps from one start to several ends, as one array [end, k, k'] filled up with zeros to cap + 1."""
        known = self._fans.get((start, ends))
        if known is None:
            known = self._fans[start, ends] = np.zeros((len(ends), start + 1, self.cap + 1))
            for i, end in enumerate(ends):
                known[i, :, : end + 1] = self._step(start, end)
        return known

    def _step(self, start: int, end: int) -> Floats:
        more = end - start
        before, after = np.arange(start + 1)[:, None], np.arange(end + 1)[None, :]
        solved = after - before
        possible = (solved >= 0) & (solved <= more)
        solved = np.where(possible, solved, 0)
        ways = gammaln(more + 1) - gammaln(solved + 1) - gammaln(more - solved + 1)
        logs = ways + self.log_evidence[end, : end + 1][None, :] - self.log_evidence[start, : start + 1][:, None]
        chances = np.where(possible, np.exp(np.where(possible, logs, -np.inf)), 0.0)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))  # what rounding took, a prior would not miss


def tables_of(prior: Prior, band: Band, cap: int) -> Tables:
    """The tables of a prior and a band for up to `cap` rollouts. Raises ValueError for a cap below 1."""
    if cap < 1:
        raise ValueError(f"a cap of {cap} rollouts leaves nothing to plan")
    n, k = np.arange(cap + 2)[:, None], np.arange(cap + 2)[None, :]
    failed = np.maximum(n - k, 0)
    logs, below = _of_mixture(prior, k, failed) if isinstance(prior, BetaMixture) else _of_grid(prior, k, failed)
    inner_low, inner_high = band.low + band.grey, band.high - band.grey
    in_band = below(band.high, True) - below(band.low, False)
    if band.grey:
        outer_low, outer_high = max(0.0, band.low - band.grey), min(1.0, band.high + band.grey)
        loss_in = below(outer_low, False) + 1 - below(outer_high, True)
        loss_out = below(inner_high, False) - below(inner_low, True)
    else:
        loss_in, loss_out = 1 - in_band, in_band
    in_band, loss_in, loss_out = (np.clip(share[:-1, :-1], 0.0, 1.0) for share in (in_band, loss_in, loss_out))
    mean = np.exp(np.minimum(logs[1:, 1:] - logs[:-1, :-1], 0.0))
    return Tables(prior, band, cap, logs[:-1, :-1], mean, in_band, loss_in, loss_out)


Below = Callable[[float, bool], Floats]
"""The probability of a rate below an edge, in every state; True counts the edge itself. Only a grid can tell."""


def _of_mixture(prior: BetaMixture, solved: NDArray[np.int_], failed: NDArray[np.int_]) -> tuple[Floats, Below]:
    a = np.array([part.a for part in prior.parts])[:, None, None] + solved
    b = np.array([part.b for part in prior.parts])[:, None, None] + failed
    parts = np.array([np.log(part.weight) - betaln(part.a, part.b) for part in prior.parts])[:, None, None] + betaln(
        a, b
    )
    logs = np.asarray(logsumexp(parts, axis=0), np.float64)
    weights = np.exp(parts - logs)

    def below(edge: float, _with_edge: bool) -> Floats:
        return np.asarray((weights * betainc(a, b, edge)).sum(axis=0))

    return logs, below


def _of_grid(prior: GridPrior, solved: NDArray[np.int_], failed: NDArray[np.int_]) -> tuple[Floats, Below]:
    kept = [(rate, weight) for rate, weight in zip(prior.rates, prior.weights, strict=True) if weight > 0]
    rates = np.array([rate for rate, _ in kept])
    near = np.clip(rates, SURE, 1 - SURE)[:, None, None]
    start = np.log(np.array([weight for _, weight in kept]))[:, None, None]
    parts = start + solved * np.log(near) + failed * np.log1p(-near)
    logs = np.asarray(logsumexp(parts, axis=0), np.float64)
    weights = np.exp(parts - logs)

    def below(edge: float, with_edge: bool) -> Floats:
        which = rates <= edge if with_edge else rates < edge
        return np.asarray(weights[which].sum(axis=0))

    return logs, below
