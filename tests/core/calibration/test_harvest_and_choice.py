"""Filling a set, what to do next with a task, and what is believed of one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.calibration.choice import Chooser, Rule, expected_error, next_up
from assay.core.calibration.harvest import best_harvest
from assay.core.calibration.posterior import losses, mean_rate, posterior, quantile, share_below, signal_share, updated
from assay.core.calibration.programme import deciding, evaluate, free_waves, one_by_one
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, BetaMixture, BetaPart, GridPrior, Prior, Tally, beta

TB = beta(0.155, 0.231)
WIDE, NARROW = Band(low=0.1, high=0.9), Band(low=0.2, high=0.8)
GRID = GridPrior(rates=(0.0, 0.1, 0.5, 0.9, 1.0), weights=(0.3, 0.1, 0.2, 0.1, 0.3))
RULE = Rule(WIDE, free_waves(32), 0.0134)


def tally(solved: int, scored: int, void: int = 0) -> Tally:
    return Tally(resolved_count=solved, scored_count=scored, void_count=void)


@pytest.mark.parametrize("prior", [TB, beta(0.16, 0.23)])
@pytest.mark.parametrize(("band", "most"), [(WIDE, 26), (NARROW, 54)])
def test_a_harvest_takes_what_the_aims_allow(prior: Prior, band: Band, most: float) -> None:
    for schedule in (one_by_one(32), free_waves(64)):
        found = best_harvest(tables_of(prior, band, schedule.cap), schedule, 0.95)
        assert found is not None
        assert found.outcome.precision >= 0.95
        assert found.rollouts_per_accepted < found.rollouts_per_good <= most
        assert found.candidates_per_accepted == pytest.approx(1 / found.outcome.accepted_share)


def test_the_harvest_of_the_reference() -> None:
    """Penalty 3.95, price .0313, 3.1 rollouts a candidate, 12.8 % accepted at precision .951: 25.5 a good one."""
    found = best_harvest(tables_of(TB, WIDE, 32), one_by_one(32), 0.95)
    assert found is not None
    assert found.penalty == pytest.approx(3.95, abs=0.05)
    assert found.price == pytest.approx(0.0313, abs=0.0002)
    assert found.outcome.mean_rollouts == pytest.approx(3.1, abs=0.05)
    assert found.outcome.accepted_share == pytest.approx(0.128, abs=0.0005)
    assert found.outcome.precision == pytest.approx(0.951, abs=0.0005)
    assert found.rollouts_per_good == pytest.approx(25.5, abs=0.05)
    gain = found.outcome.good_share - found.penalty * (found.outcome.accepted_share - found.outcome.good_share)
    assert gain == pytest.approx(found.price * found.outcome.mean_rollouts, rel=1e-6)  # the start is worth nothing


def test_no_harvest_where_nobody_can_be_so_sure() -> None:
    assert best_harvest(tables_of(TB, WIDE, 2), one_by_one(2), 0.95) is None
    with pytest.raises(ValueError, match="precision"):
        best_harvest(tables_of(TB, WIDE, 4), one_by_one(4), 1.0)


def test_nothing_is_answered_without_a_rollout() -> None:
    sure = beta(50, 50)
    look = Chooser(RULE).look(sure, Tally())
    assert (look.decision, look.lean) == ("undecided", "in")
    assert look.index <= RULE.price
    assert look.next_rollouts > 0
    assert Chooser(RULE).look(sure, tally(1, 1)).decision == "in"


def test_the_rule_is_the_policy() -> None:
    """Walking by looks is walking by the table of the same price."""
    found = tables_of(TB, WIDE, 32)
    policy = deciding(found, RULE.schedule).solve(RULE.price)
    chooser = Chooser(RULE)
    for n, k in policy.states:
        look = chooser.look(TB, tally(k, n))
        size = int(policy.wave[n, k])
        assert (look.decision == "undecided") == (size > 0)
        assert size in {look.next_rollouts, 0}
        assert look.lean == ("in" if policy.accept[n, k] else "out")
        assert look.error == pytest.approx(found.loss[n, k], abs=1e-9)
        assert look.in_band == pytest.approx(found.in_band[n, k], abs=1e-9)


def test_void_trials_change_nothing_and_odd_counts_are_served() -> None:
    chooser = Chooser(RULE)
    assert chooser.look(TB, tally(1, 3, void=5)) == chooser.look(TB, tally(1, 3))
    over = chooser.look(TB, tally(2, 70))
    assert (over.decision, over.next_rollouts, over.index) == ("out", 0, -math.inf)


def test_the_largest_index_is_next_and_the_error_is_the_mean() -> None:
    chooser = Chooser(RULE)
    looks = [chooser.look(TB, t) for t in (tally(0, 16), tally(1, 1), tally(0, 0), tally(0, 1), tally(2, 4))]
    assert next_up(looks) == [1, 3, 2]
    assert expected_error(looks) == pytest.approx(sum(look.error for look in looks) / 5)
    assert expected_error([]) == 0.0


def test_a_harvest_by_looks_accepts_what_its_policy_accepts() -> None:
    schedule = free_waves(32)
    found_tables = tables_of(TB, WIDE, 32)
    harvest = best_harvest(found_tables, schedule, 0.95)
    assert harvest is not None
    chooser = Chooser(Rule(WIDE, schedule, harvest.price, harvest.penalty))
    for n, k in harvest.policy.states:
        look = chooser.look(TB, tally(k, n))
        if n and not harvest.policy.wave[n, k]:
            assert look.decision == ("in" if harvest.policy.accept[n, k] else "out")
    assert evaluate(harvest.policy, found_tables) == harvest.outcome


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.builds(beta, st.floats(0.05, 5), st.floats(0.05, 5)), st.just(GRID)),
    st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([WIDE, NARROW, Band(low=0.1, high=0.9, grey=0.05), Band(low=0.0, high=0.5)]),
)
def test_a_posterior_says_what_the_tables_say(prior: Prior, counts: tuple[int, int], band: Band) -> None:
    k, n = counts
    found = tables_of(prior, band, 40)
    known = updated(prior, tally(k, n))
    assert losses(known, band) == pytest.approx((found.loss_in[n, k], found.loss_out[n, k]), abs=1e-8)
    assert mean_rate(known) == pytest.approx(found.mean[n, k], abs=1e-6)
    shown = posterior(prior, tally(k, n), band)
    assert shown.too_hard + shown.in_band + shown.too_easy == pytest.approx(1)
    assert shown.in_band == pytest.approx(found.in_band[n, k], abs=1e-8)
    assert 0 <= shown.low <= shown.high <= 1


def test_an_interval_holds_its_share() -> None:
    known = updated(TB, tally(3, 10))
    assert share_below(known, quantile(known, 0.05)) == pytest.approx(0.05)
    assert posterior(beta(1, 1), tally(0, 0), WIDE).model_dump() == pytest.approx(
        {"mean": 0.5, "low": 0.05, "high": 0.95, "level": 0.9, "in_band": 0.8, "too_hard": 0.1, "too_easy": 0.1}
    )


def test_results_that_a_grid_thought_impossible_break_nothing() -> None:
    extremes = GridPrior(rates=(0.0, 1.0), weights=(0.5, 0.5))
    assert 0 <= mean_rate(updated(extremes, tally(1, 2))) <= 1
    assert np.isfinite(tables_of(extremes, WIDE, 8).mean).all()


def test_groups_with_signal() -> None:
    """Uncurated under the reference's prior: .337 of groups of 8 (14)."""
    assert signal_share(TB, 8) == pytest.approx(0.337, abs=0.0005)
    point = GridPrior(rates=(0.1,), weights=(1.0,))
    assert signal_share(point, 8) == pytest.approx(1 - 0.1**8 - 0.9**8)
    both = BetaMixture(parts=(BetaPart(weight=0.5, a=0.155, b=0.231), BetaPart(weight=0.5, a=2, b=2)))
    assert signal_share(both, 8) == pytest.approx((signal_share(TB, 8) + signal_share(beta(2, 2), 8)) / 2)
