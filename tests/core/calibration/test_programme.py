"""The programme against the figures of reference/quality.md, 10 and 11, and against counting everything."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.calibration.programme import (
    Policy,
    Schedule,
    deciding,
    evaluate,
    fixed_error,
    fixed_policy,
    free_waves,
    one_by_one,
)
from assay.core.calibration.refining import best_for_budget, best_within
from assay.core.calibration.search import edge_at_budget, edge_at_error, floor_at
from assay.core.calibration.tables import Tables, tables_of
from assay.model.calibration import Band, BetaMixture, BetaPart, GridPrior, Prior, beta

TB = beta(0.155, 0.231)
MIXTURE = BetaMixture(
    parts=(BetaPart(weight=0.5, a=0.155, b=0.231), BetaPart(weight=0.3, a=0.3, b=0.5), BetaPart(weight=0.2, a=2, b=2))
)
WIDE, NARROW = Band(low=0.1, high=0.9), Band(low=0.2, high=0.8)
DOUBLING = Schedule((2, 4, 8, 16, 32), skipping=False)


@cache
def tables(prior: Prior, band: Band, cap: int = 32) -> Tables:
    return tables_of(prior, band, cap)


def as_shown(value: float, shown: str, slack: float = 0.5) -> bool:
    """Whether a value rounds to what is printed, or misses it by at most so many of its last digit."""
    return abs(value - float(shown)) <= slack * 10.0 ** -len(shown.partition(".")[2]) * (1 + 1e-9)


STATES = [
    ((0, 0), ".3055", ".4016", ".0494", ".2003", ".0243"),
    ((1, 0), ".2613", ".1118", ".0771", ".1691", ".0335"),
    ((1, 1), ".3713", ".8333", ".1148", ".2466", ".0499"),
    ((2, 1), ".8445", ".4841", ".0102", ".6497", ".0327"),
    ((4, 0), ".1129", ".0353", ".0157", ".0494", ".00774"),
    ((4, 2), ".9555", ".4913", ".00168", ".8145", ".00999"),
    ((4, 4), ".1717", ".9473", ".0251", ".0785", ".0116"),
    ((8, 1), ".5344", ".1377", ".0506", ".2425", ".0224"),
    ((8, 8), ".0818", ".9725", ".00678", ".0220", ".00203"),
    ((16, 0), ".0149", ".0095", ".00050", ".0014", ".000024"),
]


@pytest.mark.parametrize(("state", "wide", "mean", "wide_index", "narrow", "narrow_index"), STATES)
def test_states_of_the_reference(
    state: tuple[int, int], wide: str, mean: str, wide_index: str, narrow: str, narrow_index: str
) -> None:
    for band, share, index in ((WIDE, wide, wide_index), (NARROW, narrow, narrow_index)):
        found = tables(TB, band)
        assert as_shown(found.in_band[state], share)
        assert as_shown(found.mean[state], mean)
        programme = deciding(found, one_by_one(32))
        # The reference swept a grid of prices, which rounds indices by up to one of the last digit.
        assert as_shown(float(programme.indices(np.array([state]))[0]), index, slack=1.0)


@pytest.mark.parametrize(
    ("prior", "band", "price", "value", "rollouts", "error"),
    [
        (TB, WIDE, 0.0134, ".18484", "5.316", ".1136"),
        (TB, WIDE, 0.0056, ".12962", "9.358", ".0772"),
        (TB, NARROW, 0.0125, ".15343", "5.104", ".0896"),
        (TB, NARROW, 0.0064, ".11561", "7.659", ".0666"),
        (MIXTURE, WIDE, 0.0134, ".19628", "6.055", ".11515"),
    ],
)
def test_prices_of_the_reference(prior: Prior, band: Band, price: float, value: str, rollouts: str, error: str) -> None:
    found = tables(prior, band)
    outcome = evaluate(deciding(found, one_by_one(32)).solve(price), found)
    assert as_shown(outcome.error + price * outcome.mean_rollouts, value)
    assert as_shown(outcome.mean_rollouts, rollouts)
    assert as_shown(outcome.error, error)


def test_a_mixture_of_the_reference() -> None:
    found = tables(MIXTURE, WIDE)
    for state, share, mean in (
        ((0, 0), ".4875", ".4133"),
        ((1, 0), ".4259", ".1785"),
        ((2, 1), ".9072", ".4843"),
        ((8, 0), ".0901", ".0284"),
    ):
        assert as_shown(found.in_band[state], share)
        assert as_shown(found.mean[state], mean)
    assert as_shown(fixed_error(found, 8), ".12283")


FIXED = [
    (TB, WIDE, ".1425 .1149 .0787 .0567", (3.66, 5.22, 9.10), (8.99, 14.08)),
    (TB, NARROW, ".1350 .0927 .0673 .0476", (2.69, 4.86, 7.56), (7.51, 11.78)),
    (beta(0.3, 0.5), WIDE, ".2074 .1520 .1091 .0805", (3.41, 5.32, 9.33), (9.28, 14.25)),
    (beta(0.3, 0.5), NARROW, ".1969 .1420 .1055 .0742", (3.13, 5.38, 8.53), (8.49, 13.97)),
    (beta(0.21, 0.88), WIDE, ".1558 .1279 .0894 .0639", (3.21, 4.79, 8.49), (8.42, 13.89)),
    (beta(0.21, 0.88), NARROW, ".1578 .1111 .0794 .0573", (2.40, 4.49, 7.63), (7.58, 12.07)),
]


@pytest.mark.parametrize(("prior", "band", "errors", "floors", "high_floors"), FIXED)
def test_fixed_designs_and_floors_of_the_reference(
    prior: Prior, band: Band, errors: str, floors: tuple[float, ...], high_floors: tuple[float, ...]
) -> None:
    low, high = tables(prior, band), tables(prior, band, 64)
    for n, shown in zip((4, 8, 16, 32), errors.split(), strict=True):
        assert as_shown(fixed_error(low, n), shown)
        assert evaluate(fixed_policy(low, n), low).error == pytest.approx(fixed_error(low, n), abs=1e-12)
    for n, floor in zip((4, 8, 16), floors, strict=True):
        assert floor_at(low, fixed_error(low, n)) == pytest.approx(floor, abs=0.01)
    for n, floor in zip((16, 32), high_floors, strict=True):
        assert floor_at(high, fixed_error(high, n)) == pytest.approx(floor, abs=0.01)


def test_the_shallow_end_of_the_floor_has_the_point_without_rollouts() -> None:
    found = tables(beta(0.5, 0.5), WIDE)
    assert floor_at(found, fixed_error(found, 4)) == pytest.approx(3.29, abs=0.01)
    assert floor_at(found, 0.5) == 0.0
    assert floor_at(found, 0.001) == math.inf


def test_doubling_waves_cost_what_the_reference_says() -> None:
    found = tables(TB, WIDE)
    programme = deciding(found, DOUBLING)
    for n, rollouts in ((8, 5.80), (16, 10.03)):
        error = fixed_error(found, n)
        edge = edge_at_error(programme, error)
        assert edge is not None
        assert edge.rollouts_at(error) == pytest.approx(rollouts, abs=0.01)


@pytest.mark.parametrize("prior", [TB, beta(0.16, 0.23)])
@pytest.mark.parametrize(("n", "cap", "wide"), [(8, 32, 5.9), (16, 32, 10.1), (32, 64, 14.5)])
def test_free_waves_meet_the_aims_without_a_coin(prior: Prior, n: int, cap: int, wide: float) -> None:
    for band, most in ((WIDE, wide), (NARROW, wide)):
        found = tables(prior, band, cap)
        error = fixed_error(found, n)
        best = best_within(deciding(found, free_waves(cap)), error)
        assert best is not None
        assert floor_at(found, best.outcome.error) <= best.outcome.mean_rollouts <= most
        assert best.outcome.error <= error
        assert best.outcome.mean_waves < 3.5


def test_a_budget_is_kept_and_nearly_spent() -> None:
    found = tables(TB, WIDE)
    programme = deciding(found, free_waves(32))
    for rollouts in (3.0, 6.5, 20.0):
        best = best_for_budget(programme, rollouts)
        assert best is not None
        assert 0.9 * rollouts <= best.outcome.mean_rollouts <= rollouts
        assert best.outcome.mean_rollouts >= floor_at(found, best.outcome.error) - 1e-9
    assert best_for_budget(programme, 0.5) is None
    plenty = edge_at_budget(programme, 1000)
    assert plenty is not None
    assert plenty.careful.outcome.mean_rollouts <= 32
    assert best_within(programme, 0.001) is None


PRIORS = st.one_of(
    st.builds(beta, st.floats(0.05, 20), st.floats(0.05, 20)),
    st.tuples(st.floats(0.05, 5), st.floats(0.05, 5), st.floats(0.1, 0.9)).map(
        lambda t: BetaMixture(parts=(BetaPart(weight=t[2], a=t[0], b=t[1]), BetaPart(weight=1 - t[2], a=t[1], b=2.0)))
    ),
    st.lists(st.floats(0.01, 1), min_size=2, max_size=6).map(
        lambda ws: GridPrior(
            rates=tuple(i / (len(ws) - 1) for i in range(len(ws))), weights=tuple(w / math.fsum(ws) for w in ws)
        )
    ),
)
BANDS = st.tuples(st.floats(0, 0.45), st.floats(0.55, 1), st.sampled_from([0.0, 0.03])).map(
    lambda t: Band(low=t[0], high=t[1], grey=t[2])
)


@settings(deadline=None, max_examples=40)
@given(PRIORS, BANDS, st.floats(1e-5, 0.2))
def test_the_value_is_error_plus_price_times_rollouts(prior: Prior, band: Band, price: float) -> None:
    found = tables_of(prior, band, 8)
    programme = deciding(found, one_by_one(8), starting=False)
    outcome = evaluate(programme.solve(price), found)
    assert programme._recursion(price)[1][0, 0] == pytest.approx(
        outcome.error + price * outcome.mean_rollouts, abs=1e-9
    )
    for n in range(8):
        assert found.step(n, 8).sum(axis=1) == pytest.approx(np.ones(n + 1))
        assert found.step(n, n + 1)[np.arange(n + 1), np.arange(n + 1) + 1] == pytest.approx(found.mean[n, : n + 1])


def by_sequences(policy: Policy, found: Tables) -> tuple[float, float]:
    """Mean rollouts and error, by going through all sequences of results one after the other."""
    rollouts = error = 0.0
    for results in itertools.product((0, 1), repeat=policy.cap):
        n = 0
        while size := int(policy.wave[n, sum(results[:n])]):
            n += size
        k = sum(results[:n])
        chance = math.exp(found.log_evidence[policy.cap, sum(results)])
        rollouts += chance * n
        error += chance * float((found.loss_in if policy.accept[n, k] else found.loss_out)[n, k])
    return rollouts, error


@settings(deadline=None, max_examples=25)
@given(PRIORS, BANDS, st.floats(1e-4, 0.1), st.sampled_from([one_by_one(7), free_waves(7), Schedule((2, 3, 7))]))
def test_evaluating_is_counting_all_sequences(prior: Prior, band: Band, price: float, schedule: Schedule) -> None:
    found = tables_of(prior, band, 7)
    policy = deciding(found, schedule).solve(price)
    outcome = evaluate(policy, found)
    assert (outcome.mean_rollouts, outcome.error) == pytest.approx(by_sequences(policy, found), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(PRIORS, BANDS, st.data())
def test_no_policy_is_below_the_floor(prior: Prior, band: Band, data: st.DataObject) -> None:
    found = tables_of(prior, band, 6)
    wave = np.zeros((7, 7), np.int_)
    for n in range(6):
        for k in range(n + 1):
            wave[n, k] = data.draw(st.integers(0, 6 - n))
    outcome = evaluate(Policy(wave, found.loss_in <= found.loss_out), found)
    assert outcome.mean_rollouts >= floor_at(found, outcome.error) - 1e-7


@settings(deadline=None, max_examples=25)
@given(PRIORS, BANDS)
def test_dearer_rollouts_are_fewer_and_errors_more(prior: Prior, band: Band) -> None:
    found = tables_of(prior, band, 10)
    programme = deciding(found, one_by_one(10))
    outcomes = [evaluate(programme.solve(price), found) for price in np.geomspace(1e-4, 0.3, 12)]
    for before, after in itertools.pairwise(outcomes):
        assert after.mean_rollouts <= before.mean_rollouts + 1e-9
        assert after.error >= before.error - 1e-9


@settings(deadline=None, max_examples=25)
@given(PRIORS, BANDS, st.sampled_from([one_by_one(9), free_waves(9), Schedule((2, 4, 9))]))
def test_a_state_goes_on_up_to_its_index_and_not_beyond(prior: Prior, band: Band, schedule: Schedule) -> None:
    found = tables_of(prior, band, 9)
    programme = deciding(found, schedule, starting=False)
    states = np.array([(n, k) for n in (0, *schedule.ends[:-1]) for k in range(n + 1)])
    for (n, k), index in zip(states, programme.indices(states), strict=True):
        if index > 1e-9:
            assert programme.solve(index * (1 - 1e-6)).wave[n, k] > 0
        assert programme.solve(max(index, 1e-9) * (1 + 1e-6)).wave[n, k] == 0
    assert programme.indices(np.array([(9, 3)]))[0] == -math.inf


def test_a_wave_that_lost_trials_goes_on_to_the_next_end() -> None:
    programme = deciding(tables(TB, WIDE), DOUBLING)
    assert programme.indices(np.array([(3, 1)]))[0] > 0
    assert programme.best_wave(3, 1, 0.01) == 1
    assert programme.best_wave(32, 1, 0.01) == 0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="ever more"):
        Schedule((4, 2))
    with pytest.raises(ValueError, match="cap"):
        tables_of(TB, WIDE, 0)
    with pytest.raises(ValueError, match="cannot judge"):
        evaluate(fixed_policy(tables(TB, WIDE), 32), tables_of(TB, WIDE, 8))
