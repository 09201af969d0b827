"""A prior from a project's own history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.calibration.fitting import DEFAULT_A, DEFAULT_B, ENOUGH_TASKS, default_prior, fit_prior
from assay.core.calibration.posterior import mean_rate
from assay.core.calibration.programme import deciding, evaluate, one_by_one
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, BetaMixture, Tally, beta

TALLIES = st.lists(
    st.integers(0, 12).flatmap(
        lambda n: st.builds(
            Tally, scored_count=st.just(n), resolved_count=st.integers(0, n), void_count=st.integers(0, 3)
        )
    ),
    max_size=30,
)


def drawn(a: float, b: float, tasks: int, rollouts: int, seed: int = 0) -> list[Tally]:
    draw = np.random.default_rng(seed)
    solved = draw.binomial(rollouts, draw.beta(a, b, tasks))
    return [Tally(resolved_count=int(k), scored_count=rollouts) for k in solved]


def shape(prior: BetaMixture) -> tuple[float, float]:
    (part,) = prior.parts
    return part.a, part.b


@pytest.mark.parametrize(("a", "b"), [(0.155, 0.231), (0.3, 0.5), (0.21, 0.88), (1.5, 1.0), (5.0, 2.0)])
def test_a_known_prior_is_found_again(a: float, b: float) -> None:
    found = shape(fit_prior(drawn(a, b, 2000, 8)))
    assert found == pytest.approx((a, b), rel=0.12)


def test_a_hundred_tasks_lose_little() -> None:
    """What a policy of the fitted prior costs under the true one, at its price: 1 to 3 % (quality.md 9.7)."""
    truth, price, band = beta(0.155, 0.231), 0.0134, Band(low=0.1, high=0.9)
    tables = tables_of(truth, band, 32)
    best = evaluate(deciding(tables, one_by_one(32)).solve(price), tables)
    losses = []
    for seed in range(6):
        fitted = tables_of(fit_prior(drawn(0.155, 0.231, 100, 4, seed)), band, 32)
        real = evaluate(deciding(fitted, one_by_one(32)).solve(price), tables)
        losses.append(real.error + price * real.mean_rollouts)
    assert float(np.mean(losses)) / (best.error + price * best.mean_rollouts) < 1.03


def test_stopping_by_what_was_seen_does_not_bend_the_fit() -> None:
    draw = np.random.default_rng(3)
    tallies = []
    for rate in draw.beta(0.155, 0.231, 2000):
        n = k = 0
        while n < 12 and not (n >= 2 and 0 < k < n) and not (n >= 5 and k == 0):
            k += int(draw.random() < rate)
            n += 1
        tallies.append(Tally(resolved_count=k, scored_count=n))
    assert shape(fit_prior(tallies)) == pytest.approx((0.155, 0.231), rel=0.15)


def test_without_a_verdict_there_is_only_the_default() -> None:
    assert fit_prior([]) == fit_prior([Tally(void_count=7)]) == default_prior()
    assert shape(default_prior()) == (DEFAULT_A, DEFAULT_B)
    assert "default" in default_prior().origin


def test_one_rollout_a_task_moves_the_mean_alone() -> None:
    found = fit_prior(drawn(0.05, 0.4, 500, 1))
    a, b = shape(found)
    assert a + b == pytest.approx(DEFAULT_A + DEFAULT_B)
    assert mean_rate(found) == pytest.approx(0.05 / 0.45, abs=0.03)
    assert "default's spread" in found.origin


def test_few_tasks_keep_the_defaults_spread_and_enough_do_not() -> None:
    few, enough = (fit_prior(drawn(3, 3, count, 8)) for count in (ENOUGH_TASKS - 1, ENOUGH_TASKS))
    assert sum(shape(few)) == pytest.approx(DEFAULT_A + DEFAULT_B)
    assert sum(shape(enough)) > 2 * (DEFAULT_A + DEFAULT_B)


@pytest.mark.parametrize("solved", [0, 6])
@pytest.mark.parametrize("tasks", [1, 4, 5, 300])
def test_all_or_nothing_stays_finite_and_leans_the_right_way(solved: int, tasks: int) -> None:
    found = fit_prior([Tally(resolved_count=solved, scored_count=6)] * tasks)
    usual = mean_rate(default_prior())
    assert min(shape(found)) > 1e-4
    assert max(shape(found)) < 1e3
    assert mean_rate(found) > usual if solved else mean_rate(found) < usual


@settings(deadline=None, max_examples=30)
@given(TALLIES, st.randoms())
def test_order_and_voids_do_not_matter(tallies: list[Tally], shuffler: object) -> None:
    other = [t.model_copy(update={"void_count": 0}) for t in tallies]
    shuffler.shuffle(other)  # type: ignore[attr-defined]
    assert fit_prior(other) == fit_prior(tallies)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_more_successes_never_lower_the_mean(results: list[tuple[int, int]]) -> None:
    """A theorem while the spread is fixed; the fit of both may trade mean for spread."""
    worse, better = (
        fit_prior(Tally(scored_count=1, resolved_count=pick(pair)) for pair in results) for pick in (min, max)
    )
    assert mean_rate(better) >= mean_rate(worse) - 1e-5
