"""What counts can say about rates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.bounds import upper_bound


@pytest.mark.parametrize(
    ("errors", "trials", "bound"),
    # From tables of the exact one-sided 95 % bound.
    [(0, 19, 0.1459), (0, 59, 0.0495), (0, 3300, 0.000907), (1, 10, 0.3942), (3, 20, 0.3437), (10, 10, 1.0)],
)
def test_known_bounds(errors: int, trials: int, bound: float) -> None:
    assert upper_bound(errors, trials) == pytest.approx(bound, abs=5e-5)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_at_the_bound_so_few_errors_are_just_plausible(counts: tuple[int, int]) -> None:
    errors, trials = counts
    rate = upper_bound(errors, trials)
    tail = math.fsum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(errors + 1))
    assert tail == pytest.approx(0.05, rel=1e-6)
    assert errors / trials < rate <= 1


def test_nothing_tried_says_nothing() -> None:
    assert upper_bound(0, 0) == 1.0
    with pytest.raises(ValueError, match="cannot be"):
        upper_bound(2, 1)
