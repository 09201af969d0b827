"""Whether a set still teaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.bounds import upper_bound
from assay.core.calibration.saturation import outgrown, signal_of
from assay.model.calibration import Tally, beta

TALLY = st.integers(0, 20).flatmap(
    lambda n: st.builds(Tally, scored_count=st.just(n), resolved_count=st.integers(0, n), void_count=st.integers(0, 2))
)


def pairs(differing: int, alike: int) -> list[Tally]:
    half = [Tally(resolved_count=1, scored_count=2)] * differing
    return half + [Tally(resolved_count=2, scored_count=2)] * alike


def test_two_rollouts_count_whether_they_differ() -> None:
    signal = signal_of(pairs(12, 88))
    assert signal.mean == pytest.approx(0.12)
    assert signal.standard_error == pytest.approx((0.12 * 0.88 / 99) ** 0.5)
    assert signal.upper == upper_bound(12, 100)


def test_a_set_is_retired_only_when_that_is_sure() -> None:
    assert signal_of(pairs(4, 196)).saturated
    assert not signal_of(pairs(15, 185)).saturated  # .075, but it may well be .11
    assert not signal_of(pairs(0, 20)).saturated
    assert signal_of(pairs(0, 40)).saturated


def test_nothing_tried_twice_says_nothing() -> None:
    signal = signal_of([Tally(scored_count=1, resolved_count=1, void_count=5)] * 50)
    assert (signal.task_count, signal.upper, signal.saturated) == (0, 1.0, False)


def test_the_estimate_has_no_bias_and_the_bound_holds_for_unequal_tasks() -> None:
    draw = np.random.default_rng(1)
    means, missed, truths = [], 0, []
    for _ in range(400):
        rates = draw.beta(0.3, 0.1, 60)
        truth = float((2 * rates * (1 - rates)).mean())
        counts = draw.integers(2, 6, 60)
        tallies = [
            Tally(resolved_count=int(draw.binomial(m, p)), scored_count=int(m))
            for m, p in zip(counts, rates, strict=True)
        ]
        signal = signal_of(tallies)
        means.append(signal.mean)
        truths.append(truth)
        missed += signal.upper < truth
    assert float(np.mean(means)) == pytest.approx(float(np.mean(truths)), abs=0.005)
    assert missed / 400 < 0.05


@given(st.lists(TALLY, max_size=30))
def test_bounds_are_in_order(tallies: list[Tally]) -> None:
    signal = signal_of(tallies)
    assert 0 <= signal.mean <= signal.upper <= 1 + 1e-12
    assert signal.task_count == sum(tally.scored_count > 1 for tally in tallies)


def test_one_task_goes_when_it_is_surely_too_easy() -> None:
    prior = beta(0.155, 0.231)
    assert not outgrown(prior, Tally(resolved_count=2, scored_count=2))
    assert outgrown(prior, Tally(resolved_count=8, scored_count=8))
    assert not outgrown(prior, Tally(resolved_count=7, scored_count=8))
    assert not outgrown(beta(500, 1), Tally())  # no rollout of its own
