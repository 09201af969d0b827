"""What a calibration would cost: from a wish to a policy, its exact figures, and a table that anyone can check."""

from __future__ import annotations

import math
from typing import NamedTuple

from assay.core.calibration.choice import Rule
from assay.core.calibration.harvest import Harvest, best_harvest
from assay.core.calibration.programme import (
    Outcome,
    Policy,
    Programme,
    Schedule,
    deciding,
    evaluate,
    fixed_error,
    free_waves,
    one_by_one,
)
from assay.core.calibration.refining import best_for_budget, best_within
from assay.core.calibration.search import CHEAPEST, corner_at, floor_at
from assay.core.calibration.tables import Tables, tables_of
from assay.errors import InputError
from assay.model.calibration import Prior
from assay.model.plan import DEFAULT_MATCH, FixedDesign, HarvestCost, Plan, PlanOptions, PolicyLine

CAP = 64
SMALL_CAP = 32
MOST = 128
"""Rollouts of one task beyond which nothing is planned: the tables grow with the cube."""


class Found(NamedTuple):
    """A policy, its price, what it does, and what belongs to the wish alone."""

    policy: Policy
    price: float
    outcome: Outcome
    fixed: FixedDesign | None = None
    harvest: Harvest | None = None


def plan(options: PlanOptions, prior: Prior) -> Plan:
    """Answer a wish under a prior. Raises InputError for a wish that contradicts itself or cannot be met."""
    _check(options)
    schedule = schedule_of(options)
    tables = tables_of(prior, options.band, schedule.cap)
    found = _found(options, tables, schedule)
    outcome = found.outcome
    tasks = options.tasks
    if found.harvest is not None and options.accept is not None:
        tasks = math.ceil(found.harvest.candidates_per_accepted * options.accept)
    rollouts = None if tasks is None else tasks * outcome.mean_rollouts
    each = options.usd_per_rollout
    return Plan(
        prior=prior,
        band=options.band,
        cap=schedule.cap,
        waves=_spelled(options, schedule),
        price=found.price,
        mean_rollouts=outcome.mean_rollouts,
        error=outcome.error,
        floor_rollouts=floor_at(tables, outcome.error),
        most_rollouts=max(n for n, _ in found.policy.states),
        mean_waves=outcome.mean_waves,
        accepted_share=outcome.accepted_share,
        precision=outcome.precision,
        fixed=found.fixed,
        harvest=None if found.harvest is None else _cost(found.harvest),
        tasks=tasks,
        rollouts=rollouts,
        usd=None if each is None else each * (outcome.mean_rollouts if rollouts is None else rollouts),
        policy=lines_of(found.policy),
    )


def rule_of(found: Plan, options: PlanOptions) -> Rule:
    """What a calibration by this plan decides by, task for task, where priors differ between tasks.

    It keeps to the plan's price, at which no more errors are made than the plan says, and a few more rollouts.
    """
    penalty = None if found.harvest is None else found.harvest.penalty
    return Rule(found.band, schedule_of(options), found.price, penalty)


def lines_of(policy: Policy) -> tuple[PolicyLine, ...]:
    """Every state that a policy can reach, from the start to the cap."""
    return tuple(_line(policy, n, k) for n, k in policy.states)


def _line(policy: Policy, n: int, k: int) -> PolicyLine:
    size = int(policy.wave[n, k])
    return PolicyLine(n=n, k=k, action="continue" if size else "in" if policy.accept[n, k] else "out", next=size)


def schedule_of(options: PlanOptions) -> Schedule:
    """The waves that are wanted, up to the cap."""
    cap = options.cap or (max(options.waves) if options.waves else _default_cap(options))
    if options.one_by_one:
        return one_by_one(cap)
    if options.waves:
        ends = sorted({end for end in options.waves if end < cap})
        return Schedule((*ends, cap))
    return free_waves(cap)


def _default_cap(options: PlanOptions) -> int:
    """Twice the design that is to be matched, and a number that is worth it."""
    if options.target_error is not None or options.budget is not None or options.accept is not None:
        return CAP
    return min(max(SMALL_CAP, 2 * (options.match or DEFAULT_MATCH)), MOST)


def _check(options: PlanOptions) -> None:
    if options.accept is not None and options.tasks is not None:
        raise InputError("how many tasks a harvest looks at follows from how many it accepts", hint="leave out --tasks")
    wishes = (options.match, options.target_error, options.budget, options.accept)
    if sum(wish is not None for wish in wishes) > 1:
        raise InputError(
            "a fixed design, an error, a budget and a harvest cannot be asked for at once", hint="give one of them"
        )
    largest = max(options.cap or 1, options.match or 1, *options.waves, 1)
    if largest > MOST:
        raise InputError(f"{largest} rollouts for one task are more than the {MOST} that can be planned")
    smallest = min(1 if options.cap is None else options.cap, 1 if options.match is None else options.match)
    if min(smallest, *options.waves, 1) < 1:
        raise InputError("numbers of rollouts start at 1")
    for name, value in (("an error", options.target_error), ("a precision", options.precision)):
        if value is not None and not 0 < value < 1:
            raise InputError(f"{name} is a share between 0 and 1, not {value:g}")
    if options.budget is not None and not options.budget > 0:
        raise InputError(f"a budget of {options.budget:g} rollouts buys nothing")


def _found(options: PlanOptions, tables: Tables, schedule: Schedule) -> Found:
    if options.accept is not None:
        harvest = best_harvest(tables, schedule, options.precision)
        if harvest is None:
            raise InputError(
                f"with at most {schedule.cap} rollouts a task, none can be accepted at precision {options.precision:g}",
                hint="give a larger --cap or a lower --precision",
            )
        return Found(harvest.policy, harvest.price, harvest.outcome, harvest=harvest)
    programme = deciding(tables, schedule)
    if options.budget is not None:
        corner = best_for_budget(programme, options.budget)
        if corner is None:
            least = evaluate(programme.solve(2.0), tables).mean_rollouts
            raise InputError(
                f"a budget of {options.budget:g} rollouts a task is less than the first wave takes ({least:g})",
                hint="every task gets one wave at least: raise --budget",
            )
        return Found(corner.policy, corner.price, corner.outcome)
    fixed = None
    if options.target_error is None:
        n = options.match or DEFAULT_MATCH
        wide = tables if n <= tables.cap else tables_of(tables.prior, tables.band, n)
        fixed = FixedDesign(rollouts=n, error=fixed_error(wide, n))
    error = fixed.error if fixed else options.target_error or 0.0
    corner = best_within(programme, error)
    if corner is None:
        raise _unreachable(programme, error)
    return Found(corner.policy, corner.price, corner.outcome, fixed)


def _unreachable(programme: Programme, error: float) -> InputError:
    least = corner_at(programme, CHEAPEST).outcome.error
    cap = programme.schedule.cap
    return InputError(
        f"with at most {cap} rollouts a task, {least:.4f} is the least error there is, not {error:.4f}",
        hint="allow more errors, give a larger --cap, or a grey zone at the band's edges (--grey)",
        least_error=least,
    )


def _spelled(options: PlanOptions, schedule: Schedule) -> str:
    if options.one_by_one:
        return "one by one"
    return ",".join(map(str, schedule.ends)) if options.waves else "free"


def _cost(harvest: Harvest) -> HarvestCost:
    return HarvestCost(
        penalty=harvest.penalty,
        rollouts_per_accepted=harvest.rollouts_per_accepted,
        rollouts_per_good=harvest.rollouts_per_good,
        candidates_per_accepted=harvest.candidates_per_accepted,
    )
