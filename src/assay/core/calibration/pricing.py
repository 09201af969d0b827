"""What a rollout may cost where tasks have priors of their own: one price for all, so that errors are rare enough.

What is known beforehand of a task makes errors rarer at any price; so a set with memory is done for a higher price, and
fewer rollouts, than the population's prior alone would have it. The price is that of the whole set before its first
rollout, and not made anew as results come in: with few tasks, luck would move it more than knowledge does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from assay.core.calibration.programme import Schedule, deciding, evaluate
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, Prior

ENDS = (1, 2, 4, 8, 16, 32, 64)
"""Waves that are enough to find a price: the error hardly depends on them."""
CHEAPEST, DEAREST = 1e-7, 1.0
HALVINGS = 12


def price_for(priors: Iterable[Prior], band: Band, cap: int, error: float) -> float:
    """The highest price at which the mean error over tasks of these priors is not more; the least one if none is."""
    schedule = Schedule((*(end for end in ENDS if end < cap), cap))
    programmes = [(deciding(tables_of(prior, band, cap), schedule), count) for prior, count in Counter(priors).items()]
    total = sum(count for _, count in programmes)
    if not total:
        return DEAREST

    def mean_error(price: float) -> float:
        errors = ((evaluate(one.solve(price), one.tables).error, count) for one, count in programmes)
        return sum(value * count for value, count in errors) / total

    low, high = CHEAPEST, DEAREST
    for _ in range(HALVINGS):
        price = (low * high) ** 0.5
        low, high = (price, high) if mean_error(price) <= error else (low, price)
    return low
