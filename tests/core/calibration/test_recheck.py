"""Decisions that are tried again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.core.bounds import upper_bound
from assay.core.calibration.posterior import losses, updated
from assay.core.calibration.recheck import Decided, chosen, recheck
from assay.model.calibration import Band, Prior, Tally, beta

PRIOR = beta(0.155, 0.231)
BAND = Band()


def decisions(
    count: int, rounds: int, seed: int, believed: Prior = PRIOR, *, void: float = 0.0, band: Band = BAND
) -> tuple[list[Decided], int]:
    """Tasks of the default population, decided after some rollouts by a belief, tried again 32 times; wrong ones."""
    draw = np.random.default_rng(seed)
    found, wrong = [], 0
    known: dict[Tally, tuple[float, float]] = {}
    for place, rate in enumerate(draw.beta(0.155, 0.231, count)):
        tally = Tally(resolved_count=int(draw.binomial(rounds, rate)), scored_count=rounds)
        if tally not in known:
            known[tally] = losses(updated(believed, tally), band)
        if_in, if_out = known[tally]
        scored = int(draw.binomial(32, 1 - void))
        fresh = Tally(resolved_count=int(draw.binomial(scored, rate)), scored_count=scored, void_count=32 - scored)
        found.append(Decided(f"task {place}", if_in <= if_out, believed, tally, fresh))
        wrong += (if_in <= if_out) != (band.low <= rate <= band.high)
    return found, wrong


def test_the_share_is_random_and_the_same_for_the_same_seed() -> None:
    tasks = [f"task {i}" for i in range(200)]
    first = chosen(tasks, seed=1)
    assert len(first) == 10
    assert first == chosen(reversed(tasks), seed=1) != chosen(tasks, seed=2)
    assert len(chosen(tasks[:3], seed=1)) == 1
    assert chosen([], seed=1) == ()
    assert chosen(tasks, seed=1, share=1) == tuple(sorted(tasks))


def test_every_task_has_the_same_chance() -> None:
    counts = dict.fromkeys((f"task {i}" for i in range(20)), 0)
    for seed in range(2000):
        for task in chosen(counts, seed):
            counts[task] += 1
    assert all(60 < count < 145 for count in counts.values())


@pytest.mark.parametrize("void", [0.0, 0.3])
@pytest.mark.parametrize("band", [BAND, Band(low=0.2, high=0.8), Band(grey=0.05)])
def test_exact_beliefs_disagree_as_often_as_predicted(void: float, band: Band) -> None:
    decided, wrong = decisions(600, 6, seed=2, void=void, band=band)
    found = recheck(decided, PRIOR, band)
    spread = math.sqrt(found.predicted * (1 - found.predicted) / 600)
    assert len(found.disagreeing) / 600 == pytest.approx(found.predicted, abs=3.5 * spread)
    if not band.grey:
        assert wrong / 600 == pytest.approx(found.predicted_error, abs=0.045)
    assert found.upper == upper_bound(len(found.disagreeing), 600)
    assert found.upper > found.predicted - 3.5 * spread
    assert found.chance > 0.001


def test_without_the_audits_own_errors_the_bound_is_one_of_the_error() -> None:
    decided, _ = decisions(600, 6, seed=4)
    found = recheck(decided, PRIOR, BAND)
    assert found.predicted_error < found.error_upper < found.predicted_error + 0.08


def test_beliefs_that_promise_too_much_are_found_out() -> None:
    decided, wrong = decisions(200, 1, seed=3, believed=beta(30, 30))  # everything is in the band, it says
    found = recheck(decided, PRIOR, BAND)
    assert found.predicted_error < 0.01
    assert len(found.disagreeing) > 100
    assert found.chance < 1e-6
    assert found.error_upper > wrong / 200 - 0.05


def test_tasks_whose_fresh_rollouts_are_all_void_are_not_counted() -> None:
    one = Decided("task", True, PRIOR, Tally(resolved_count=1, scored_count=2), Tally(void_count=32))
    found = recheck([one], PRIOR, BAND)
    assert (found.task_count, found.upper, found.chance) == (0, 1.0, 1.0)
    assert recheck([], PRIOR, BAND) == found


def test_a_disagreement_is_named() -> None:
    tally = Tally(resolved_count=2, scored_count=4)
    agreeing = Decided("fine", True, PRIOR, tally, Tally(resolved_count=16, scored_count=32))
    other = Decided("odd", True, PRIOR, tally, Tally(resolved_count=32, scored_count=32))
    found = recheck([agreeing, other], PRIOR, BAND)
    assert found.disagreeing == ("odd",)
