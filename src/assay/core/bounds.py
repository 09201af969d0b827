"""What a number of trials can say about a rate: exact bounds, so that nobody reads 0 of 19 as never."""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def upper_bound(errors: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The one-sided upper bound of a rate after Clopper and Pearson: 1 - (1 - confidence)^(1/trials) without errors.

    A share from 0 to 1; 1.0 without trials. Raises ValueError for counts that cannot be.
    """
    if not 0 <= errors <= trials or not 0 < confidence < 1:
        raise ValueError(f"{errors} errors of {trials} trials at confidence {confidence} cannot be")
    if errors == trials:
        return 1.0
    if errors == 0:
        return 1.0 - float((1.0 - confidence) ** (1.0 / trials))
    low, high = errors / trials, 1.0
    while low < (middle := (low + high) / 2) < high:  # until a float cannot tell them apart
        if _at_most(errors, trials, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def lower_bound(errors: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """The one-sided lower bound of a rate, the counterpart of `upper_bound`: 0.0 without errors or without trials."""
    return 1.0 - upper_bound(trials - errors, trials, confidence) if errors else 0.0


def interval(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The two-sided interval of a rate after Clopper and Pearson: both ends exact, so that it may be wide.

    Shares from 0 to 1; (0, 1) without trials. Raises ValueError for counts that cannot be.
    """
    one_side = (1.0 + confidence) / 2
    return lower_bound(hits, trials, one_side), upper_bound(hits, trials, one_side)


def _at_most(errors: int, trials: int, rate: float) -> float:
    """The probability of so many errors or fewer; summed as logarithms, since the terms may be tiny."""
    if rate >= 1.0:
        return 0.0
    yes, no = math.log(rate), math.log1p(-rate)
    logs = [
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * yes + (trials - k) * no
        for k in range(errors + 1)
    ]
    top = max(logs)
    return math.exp(top) * math.fsum(math.exp(value - top) for value in logs)
