"""From a plan to the rule that a calibration keeps, and plans at the edges of what can be asked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.calibration.planning import plan, rule_of
from assay.core.calibration.programme import deciding, evaluate
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, GridPrior, beta
from assay.model.plan import PlanOptions

TB = beta(0.155, 0.231)


@pytest.mark.parametrize(
    "options", [PlanOptions(match=8), PlanOptions(match=16), PlanOptions(target_error=0.1, cap=32)]
)
def test_a_rule_errs_no_more_than_its_plan(options: PlanOptions) -> None:
    found = plan(options, TB)
    rule = rule_of(found, options)
    tables = tables_of(TB, rule.band, rule.schedule.cap)
    outcome = evaluate(deciding(tables, rule.schedule).solve(rule.price), tables)
    wanted = found.fixed.error if found.fixed else options.target_error
    assert wanted is not None
    assert outcome.error <= wanted
    assert found.mean_rollouts <= outcome.mean_rollouts <= 1.05 * found.mean_rollouts
    assert rule.penalty is None


def test_a_harvests_rule_has_its_penalty() -> None:
    options = PlanOptions(accept=10, cap=16)
    found = plan(options, TB)
    assert found.harvest is not None
    assert rule_of(found, options).penalty == found.harvest.penalty
    assert found.tasks == math.ceil(10 * found.harvest.candidates_per_accepted)


def test_what_each_rollout_costs_adds_up() -> None:
    one = plan(PlanOptions(usd_per_rollout=0.5), TB)
    many = plan(PlanOptions(usd_per_rollout=0.5, tasks=40), TB)
    assert one.usd == pytest.approx(0.5 * one.mean_rollouts)
    assert many.usd == pytest.approx(20 * one.mean_rollouts)
    assert many.rollouts == pytest.approx(40 * one.mean_rollouts)


@settings(deadline=None, max_examples=15)
@given(
    st.one_of(
        st.tuples(st.floats(-5, 5), st.floats(-5, 5)).map(lambda t: beta(10.0 ** t[0], 10.0 ** t[1])),
        st.just(GridPrior(rates=(0.0, 1.0), weights=(0.5, 0.5))),
        st.just(GridPrior(rates=(0.5,), weights=(1.0,))),
    ),
    st.sampled_from([Band(), Band(low=0, high=1), Band(low=0, high=0.5), Band(low=0.49, high=0.51)]),
    st.sampled_from([1, 3, 8]),
)
def test_every_prior_and_band_can_be_planned_for(prior: GridPrior, band: Band, match: int) -> None:
    found = plan(PlanOptions(band=band, match=match, cap=8), prior)
    assert found.fixed is not None
    assert found.error <= found.fixed.error + 1e-9
    assert found.floor_rollouts <= found.mean_rollouts + 1e-9
    assert found.policy[0].action == "continue"
    states = {(line.n, line.k) for line in found.policy}
    for line in found.policy:
        assert (line.next == 0) == (line.action != "continue")
        assert {(line.n + line.next, line.k + more) for more in range(line.next + 1)} <= states
