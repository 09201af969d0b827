"""What counts can say about rates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.bounds import interval, lower_bound, upper_bound


@pytest.mark.parametrize(
    ("errors", "trials", "bound"),
    # From tables of the exact one-sided 95 % bound.
    [(0, 19, 0.1459), (0, 59, 0.0495), (0, 3300, 0.000907), (1, 10, 0.3942), (3, 20, 0.3437), (10, 10, 1.0)],
)
def test_known_bounds(errors: int, trials: int, bound: float) -> None:
    assert upper_bound(errors, trials) == pytest.approx(bound, abs=5e-5)


@settings(deadline=None)
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


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # From tables of the exact two-sided 95 % interval.
    [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (9, 10, 0.5550, 0.9975), (10, 10, 0.6915, 1.0), (0, 0, 0.0, 1.0)],
)
def test_known_intervals(hits: int, trials: int, low: float, high: float) -> None:
    assert interval(hits, trials) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 80).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_lower_bound_mirrors_the_upper_one_and_both_hold_the_rate(counts: tuple[int, int]) -> None:
    hits, trials = counts
    low, high = interval(hits, trials)
    assert 0.0 <= low <= hits / trials <= high <= 1.0
    assert lower_bound(hits, trials) == pytest.approx(1 - upper_bound(trials - hits, trials), abs=1e-12)
    assert low <= lower_bound(hits, trials) <= upper_bound(hits, trials) <= high
    if hits:
        at_least = math.fsum(math.comb(trials, k) * low**k * (1 - low) ** (trials - k) for k in range(hits, trials + 1))
        assert at_least == pytest.approx(0.025, rel=1e-5)
