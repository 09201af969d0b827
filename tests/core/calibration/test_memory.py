"""Priors from what others did."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.calibration.fitting import default_prior, fit_prior
from assay.core.calibration.memory import remember
from assay.core.calibration.posterior import mean_rate, quantile, share_below, updated
from assay.model.calibration import Band, BetaMixture, GridPrior, Prior, Record, Solver, Tally

TARGET = Solver(agent="mini", model="new")
OLD = Solver(agent="mini", model="old")
BAND = Band()


def other(number: int) -> Solver:
    return Solver(agent="mini", model=f"other {number}")


def record(solver: Solver, task: int, resolved: int, scored: int) -> Record:
    return Record(task=f"task {task}", solver=solver, tally=Tally(resolved_count=resolved, scored_count=scored))


def played(
    solvers: dict[Solver, tuple[float, float, float]], tasks: int, rollouts: int, seed: int = 0
) -> tuple[list[Record], dict[Solver, list[float]]]:
    """Records of solvers given by level, slope and deviation of their own, and their true rates."""
    draw = np.random.default_rng(seed)
    ease = draw.normal(size=tasks)
    records, rates = [], {}
    for solver, (level, slope, deviation) in solvers.items():
        p = 1 / (1 + np.exp(-(level + slope * ease + deviation * draw.normal(size=tasks))))
        rates[solver] = p.tolist()
        records += [record(solver, i, int(draw.binomial(rollouts, rate)), rollouts) for i, rate in enumerate(p)]
    return records, rates


def names(count: int) -> list[str]:
    return [f"task {i}" for i in range(count)]


def loss(priors: list[Prior], rates: list[float]) -> float:
    """Expected log-loss of one fresh rollout."""
    means = [mean_rate(prior) for prior in priors]
    return -sum(r * math.log(p) + (1 - r) * math.log(1 - p) for p, r in zip(means, rates, strict=True)) / len(rates)


def in_band(prior: Prior) -> float:
    return share_below(prior, BAND.high) - share_below(prior, BAND.low)


def test_nobody_else_leaves_the_projects_own_prior() -> None:
    own = [record(TARGET, i, i % 3, 2) for i in range(30)]
    assert remember([], TARGET, names(3)).prior("task 1") == default_prior()
    known = remember(own, TARGET, names(30))
    assert known.prior("task 1") == known.population == fit_prior([one.tally for one in own])
    assert not known.by_task


def test_what_others_solve_is_likelier_to_be_solved() -> None:
    records = [record(other(s), i, 5 if i < 10 else 0, 5) for s in range(3) for i in range(20)]
    known = remember(records, TARGET, names(20))
    easy, hard = mean_rate(known.prior("task 3")), mean_rate(known.prior("task 15"))
    assert easy > 0.8
    assert hard < 0.2


def test_a_task_that_nobody_tried_has_the_populations_prior() -> None:
    records, _ = played({other(0): (0, 3.5, 1.9)}, 30, 5)
    known = remember([*records, record(TARGET, 3, 1, 1)], TARGET, [*names(30), "new"])
    assert known.prior("new") is known.population
    assert isinstance(known.population, BetaMixture)
    assert isinstance(known.prior("task 0"), GridPrior)
    assert "new" not in known.by_task


def test_a_new_target_gets_its_population_from_the_others() -> None:
    records, _ = played({other(0): (-4, 2, 1)}, 60, 5)
    known = remember(records, TARGET, ["new"])
    assert known.population == fit_prior([one.tally for one in records])


def test_never_tried_is_not_failed() -> None:
    records, _ = played({other(s): (0, 3.5, 1.9) for s in range(3)}, 40, 5)
    untried = [record(other(9), i, 0, 0) for i in range(40)]
    void = [Record(task="task 1", solver=other(8), tally=Tally(void_count=5))]
    with_them = remember([*records, *untried, *void], TARGET, names(40))
    assert with_them == remember(records, TARGET, names(40))


def test_memory_tells_more_than_a_population_does() -> None:
    solvers = {TARGET: (0.0, 3.5, 1.9)} | {other(s): (s - 2.0, 3.5, 1.9) for s in range(5)}
    records, rates = played(solvers, 150, 5)
    others = [one for one in records if one.solver != TARGET]
    own = [one for one in records if one.solver == TARGET]
    plain = fit_prior([one.tally for one in own])
    known = remember(others, TARGET, names(150))
    assert loss([known.prior(task) for task in names(150)], rates[TARGET]) < loss([plain] * 150, rates[TARGET]) - 0.1


def test_who_agrees_with_nobody_is_hardly_listened_to() -> None:
    solvers = {TARGET: (0.0, 3.5, 1.5), other(0): (0.0, 3.5, 1.5), other(1): (0.0, 3.5, 1.5), other(2): (0.0, 0.0, 4.0)}
    records, _ = played(solvers, 200, 5)
    known = remember(records, TARGET, names(200))
    assert known.correlations[other(0)] > 0.6
    assert abs(known.correlations[other(2)]) < 0.3
    asked = [record(other(s), 900 + t, k, 5) for t, (s, k) in enumerate([(0, 0), (0, 5), (2, 0), (2, 5)])]
    known = remember([*records, *asked], TARGET, [one.task for one in asked])
    by_good = mean_rate(known.prior("task 901")) - mean_rate(known.prior("task 900"))
    by_odd = mean_rate(known.prior("task 903")) - mean_rate(known.prior("task 902"))
    assert by_good > 0.5
    assert abs(by_odd) < 0.15


def test_a_stronger_target_is_believed_to_solve_more() -> None:
    solvers = {TARGET: (2.0, 3.5, 1.9)} | {other(s): (-3.0, 3.5, 1.9) for s in range(3)}
    records, _ = played(solvers, 80, 2)
    others = [one for one in records if one.solver != TARGET]
    own = [one for one in records if one.solver == TARGET and int(one.task.split()[1]) < 40]
    before, after = remember(others, TARGET, names(80)), remember([*others, *own], TARGET, names(80))
    unseen = names(80)[40:]
    gain = [mean_rate(after.prior(task)) - mean_rate(before.prior(task)) for task in unseen]
    assert float(np.mean(gain)) > 0.15


def test_a_tasks_own_rollouts_are_not_counted_twice() -> None:
    """Its tally comes in as the posterior; through the fit it moves only what holds for all tasks."""
    records, _ = played({TARGET: (0, 3.5, 1.9), other(0): (0, 3.5, 1.9), other(1): (0, 3.5, 1.9)}, 200, 4)
    without = [one for one in records if (one.solver, one.task) != (TARGET, "task 7")]
    with_all, left_out = (remember(some, TARGET, names(200)).prior("task 7") for some in (records, without))
    assert mean_rate(with_all) == pytest.approx(mean_rate(left_out), abs=0.02)


def checkpoints(rho: float, tasks: int, own: int, seed: int = 0) -> list[Record]:
    """quality.md 13: logits with deviation 4, the old checkpoint's 8 rollouts a task, correlated rho."""
    draw = np.random.default_rng(seed)
    z = draw.normal(size=tasks)
    before = -0.3 + 4 * (rho * z + math.sqrt(1 - rho**2) * draw.normal(size=tasks))
    was = draw.binomial(8, 1 / (1 + np.exp(-before)))
    now = draw.binomial(own, 1 / (1 + np.exp(-4 * z)))
    return [record(OLD, i, int(k), 8) for i, k in enumerate(was)] + [
        record(TARGET, i, int(k), own) for i, k in enumerate(now)
    ]


def by_old_tally(records: list[Record], tasks: int) -> list[Prior]:
    asked = [record(OLD, tasks + k, k, 8) for k in range(9)]
    known = remember([*records, *asked], TARGET, [one.task for one in asked], OLD)
    return [known.prior(one.task) for one in asked]


def test_before_any_shared_task_a_checkpoint_is_believed_to_be_much_the_same() -> None:
    known = remember(checkpoints(0.95, 60, 0), TARGET, names(60), OLD)
    assert known.correlations[OLD] == pytest.approx(0.9, abs=0.08)
    apart = remember(checkpoints(0.95, 60, 0), TARGET, names(60))
    assert apart.correlations[OLD] < known.correlations[OLD]


@pytest.mark.parametrize("own", [1, 2, 4])
def test_a_checkpoint_that_tells_nothing_is_found_out(own: int) -> None:
    """Whatever the old tally was, the belief is the population's: 42 % of tasks in the band."""
    priors = by_old_tally(checkpoints(0.0, 300, own), 300)
    assert all(0.3 < in_band(prior) < 0.55 for prior in priors)
    assert max(map(mean_rate, priors)) - min(map(mean_rate, priors)) < 0.25


def test_a_good_checkpoint_is_trusted_as_far_as_it_deserves() -> None:
    known = remember(checkpoints(0.95, 400, 2), TARGET, names(400), OLD)
    assert known.correlations[OLD] == pytest.approx(0.95, abs=0.05)
    truth = [0.21, 0.60, 0.79, 0.87, 0.87, 0.82, 0.70, 0.48, 0.15]  # by integration, bench/memory_checkpoint.py
    found = [in_band(prior) for prior in by_old_tally(checkpoints(0.95, 400, 2), 400)]
    assert found == pytest.approx(truth, abs=0.12)


def test_a_checkpoint_that_nobody_has_seen_is_ignored() -> None:
    records, _ = played({other(0): (0, 3.5, 1.9)}, 30, 5)
    assert remember(records, TARGET, names(30), OLD) == remember(records, TARGET, names(30))


def test_a_checkpoint_helps_beside_others_and_leaves_tasks_it_never_tried() -> None:
    records, _ = played({other(0): (0, 3.5, 1.9), OLD: (0, 3.5, 1.9)}, 60, 5)
    records = [one for one in records if one.solver != OLD or one.task != "task 5"]
    known = remember(records, TARGET, names(60), OLD)
    assert set(known.by_task) == set(names(60))
    assert known.correlations[OLD] > known.correlations[other(0)]


@pytest.mark.parametrize("resolved", [0, 5])
@pytest.mark.parametrize("checkpoint", [None, OLD])
@pytest.mark.parametrize("tasks", [1, 40])
def test_all_or_nothing_gives_priors_that_results_can_change(
    resolved: int, checkpoint: Solver | None, tasks: int
) -> None:
    records = [record(solver, i, resolved, 5) for solver in (OLD, other(0)) for i in range(tasks)]
    records += [record(TARGET, i, resolved // 5, 1) for i in range(tasks)]
    prior = remember(records, TARGET, names(tasks), checkpoint).prior("task 0")
    against = Tally(resolved_count=0 if resolved else 8, scored_count=8)
    assert (mean_rate(prior) > 0.5) == bool(resolved)
    assert (mean_rate(updated(prior, against)) < 0.5) == bool(resolved)


def test_solvers_that_share_no_task_do_not_break_the_fit() -> None:
    records = [record(other(s), 100 * s + i, i % 6, 5) for s in range(3) for i in range(20)]
    records += [record(TARGET, 500 + i, 1, 2) for i in range(20)]
    tasks = sorted({one.task for one in records})
    known = remember(records, TARGET, tasks)
    assert set(known.by_task) == {task for task in tasks if int(task.split()[1]) < 500}
    assert all(0 < mean_rate(known.prior(task)) < 1 for task in tasks)


RECORDS = st.lists(
    st.integers(0, 40).flatmap(
        lambda n: st.builds(
            record,
            st.sampled_from([TARGET, OLD, other(0), other(1)]),
            st.integers(0, 6),
            st.integers(0, n),
            st.just(n),
        )
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=15)
@given(RECORDS, st.sampled_from([None, OLD]), st.integers(0, 99))
def test_any_history_gives_priors_whatever_its_order(
    records: list[Record], checkpoint: Solver | None, seed: int
) -> None:
    known = remember(records, TARGET, names(7), checkpoint)
    for task in names(7):
        prior = known.prior(task)
        assert 0 < mean_rate(prior) < 1
        assert 0 <= quantile(prior, 0.05) <= quantile(prior, 0.95) <= 1
    mixed = random.Random(seed).sample(records, len(records))
    again = remember(mixed, TARGET, names(7), checkpoint)
    assert again.by_task == known.by_task
    assert again.population == known.population


def test_records_of_one_pair_add_up() -> None:
    halves = [record(other(0), i, 1, 2) for i in range(10)] * 2
    whole = [record(other(0), i, 2, 4) for i in range(10)]
    assert remember(halves, TARGET, names(10)) == remember(whole, TARGET, names(10))
