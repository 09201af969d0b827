"""The figures of docs/calibration.md: the mathematics of calibration against the reference, and against fixed designs.

    python -m bench.calibration

Everything is exact except where a standard error is printed beside it; those lines walk the shipped policy tables, and
ask the shipped chooser, over simulated tasks. The reference's digits are those of reference/quality.md, 10 to 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from assay.core.calibration.harvest import best_harvest
from assay.core.calibration.posterior import signal_share
from assay.core.calibration.programme import (
    Policy,
    Schedule,
    deciding,
    evaluate,
    fixed_error,
    free_waves,
    one_by_one,
)
from assay.core.calibration.refining import best_within
from assay.core.calibration.search import Corner, edge_at_error, floor_at
from assay.core.calibration.tables import Tables, tables_of
from assay.model.calibration import Band, BetaMixture, Prior, beta
from bench.calibration_simulation import batch_lines, by_looking, by_table
from bench.calibration_wrong_priors import refitted_lines, wrong_prior_lines
from bench.timing import Row

TB, ISSUE = beta(0.155, 0.231), beta(0.16, 0.23)
WIDE, NARROW = Band(low=0.1, high=0.9), Band(low=0.2, high=0.8)
AIMS = {8: 5.9, 16: 10.1, 32: 14.5}
CAPS = {4: 32, 8: 32, 16: 32, 32: 64}
DESIGNS = tuple(CAPS)
TASKS = 200_000
POPULATIONS = {"Beta(.155, .231)": TB, "Beta(.16, .23)": ISSUE, "Beta(.3, .5)": beta(0.3, 0.5)}
POPULATIONS["Beta(.21, .88)"] = beta(0.21, 0.88)


@cache
def tables(prior: Prior, band: Band, cap: int) -> Tables:
    return tables_of(prior, band, cap)


def doubling(cap: int) -> Schedule:
    return Schedule(tuple(2**i for i in range(1, 9) if 2**i <= cap), skipping=False)


def best(prior: Prior, band: Band, n: int, schedule: Schedule) -> Corner | None:
    found = tables(prior, band, schedule.cap)
    return best_within(deciding(found, schedule), fixed_error(found, n))


def run(folder: Path) -> list[Row]:
    """What the aims are about, with the standard error in the name where it is a simulation."""
    del folder
    rows: list[Row] = []
    for band in (WIDE, NARROW):
        for n, aim in AIMS.items():
            corner = best(ISSUE, band, n, free_waves(CAPS[n]))
            if corner is None:
                raise RuntimeError(f"no policy errs as rarely as fixed {n}")
            mean = by_table(corner.policy, ISSUE, band, TASKS, seed=n).rollouts
            name = f"plan {band}: rollouts at fixed-{n} error"
            rows.append({"name": name, "value": corner.outcome.mean_rollouts, "unit": "each", "aim": f"<= {aim}"})
            name = f"plan {band}: the same, {TASKS} simulated tasks (se {mean.error:.3f})"
            rows.append({"name": name, "value": mean.value, "unit": "each", "aim": f"<= {aim}"})
        harvest = best_harvest(tables(ISSUE, band, 64), free_waves(64), 0.95)
        if harvest is None:
            raise RuntimeError("no harvest is precise enough")
        aim = 26 if band == WIDE else 54
        name = f"plan {band}: rollouts an accepted task in the band, precision .95"
        rows.append({"name": name, "value": harvest.rollouts_per_good, "unit": "each", "aim": f"<= {aim}"})
    return rows


def state_lines() -> Iterator[str]:
    """States of the reference: share in the band, mean, index."""
    shown = {
        (0, 0): ".3055 .4016 .0494 .2003 .0243",
        (1, 0): ".2613 .1118 .0771 .1691 .0335",
        (1, 1): ".3713 .8333 .1148 .2466 .0499",
        (2, 1): ".8445 .4841 .0102 .6497 .0327",
        (4, 0): ".1129 .0353 .0157 .0494 .00774",
        (4, 2): ".9555 .4913 .00168 .8145 .00999",
        (4, 4): ".1717 .9473 .0251 .0785 .0116",
        (8, 1): ".5344 .1377 .0506 .2425 .0224",
        (8, 8): ".0818 .9725 .00678 .0220 .00203",
        (16, 0): ".0149 .0095 .00050 .0014 .000024",
    }
    states = np.array(list(shown))
    index = [deciding(tables(TB, band, 32), one_by_one(32)).indices(states) for band in (WIDE, NARROW)]
    yield "| state | in [.1,.9] | mean | index | in [.2,.8] | index | reference |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for i, (state, theirs) in enumerate(shown.items()):
        wide, narrow = tables(TB, WIDE, 32), tables(TB, NARROW, 32)
        yield (
            f"| {state[0]}, {state[1]} | {wide.in_band[state]:.4f} | {wide.mean[state]:.4f} | {index[0][i]:.4g} "
            f"| {narrow.in_band[state]:.4f} | {index[1][i]:.4g} | {theirs} |"
        )


def fixed_lines() -> Iterator[str]:
    """Errors of fixed designs, and the floors."""
    yield "| population | band | fixed 4 / 8 / 16 / 32 errs | floor, cap 32 (4 / 8 / 16) | floor, cap 64 (16 / 32) |"
    yield "|---|---|---|---|---|"
    for name, prior in POPULATIONS.items():
        for band in (WIDE, NARROW):
            low, high = tables(prior, band, 32), tables(prior, band, 64)
            errors = [fixed_error(high, n) for n in DESIGNS]
            yield (
                f"| {name} | {band} | {' / '.join(f'{e:.4f}' for e in errors)} "
                f"| {' / '.join(f'{floor_at(low, e):.2f}' for e in errors[:3])} "
                f"| {' / '.join(f'{floor_at(high, e):.2f}' for e in errors[2:])} |"
            )


def design_lines() -> Iterator[str]:
    """Mean rollouts at the error of fixed designs, by how tasks are looked at."""
    ways = {"one by one": one_by_one, "waves of free size": free_waves, "waves 2, 4, 8, ...": doubling}
    yield (
        "| population | band | = fixed | floor | "
        + " | ".join(f"{way} (waves)" for way in ways)
        + " | doubling, a coin |"
    )
    yield "|---|---|--:|--:|" + "--:|" * (len(ways) + 1)
    for name, prior in POPULATIONS.items():
        for band in (WIDE, NARROW):
            for n, cap in CAPS.items():
                found = tables(prior, band, cap)
                error = fixed_error(found, n)
                cells = [_cell(best(prior, band, n, make(cap)), n) for make in ways.values()]
                edge = edge_at_error(deciding(found, doubling(cap)), error)
                cells.append("-" if edge is None else f"{edge.rollouts_at(error):.2f}")
                yield f"| {name} | {band} | {n} | {floor_at(found, error):.2f} | {' | '.join(cells)} |"


def _cell(corner: Corner | None, n: int) -> str:
    if corner is None:
        return "-"
    mean = corner.outcome.mean_rollouts
    return f"{mean:.2f} = {mean / n:.0%} ({corner.outcome.mean_waves:.1f})"


def simulated_lines() -> Iterator[str]:
    """The same by walking tables and by asking the chooser, over simulated tasks."""
    yield "| band | = fixed | exact | table walked | errs, exact | errs, walked | chooser asked: rollouts | errs |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for band in (WIDE, NARROW):
        for n in AIMS:
            corner = best(ISSUE, band, n, free_waves(CAPS[n]))
            if corner is None:
                continue
            walked = by_table(corner.policy, ISSUE, band, TASKS, seed=n)
            asked = by_looking(free_waves(CAPS[n]), corner.price, ISSUE, band, TASKS, seed=100 + n)
            yield (
                f"| {band} | {n} | {corner.outcome.mean_rollouts:.3f} | {walked.rollouts} "
                f"| {corner.outcome.error:.4f} | {walked.wrong} | {asked.rollouts} | {asked.wrong} |"
            )


def harvest_lines() -> Iterator[str]:
    """Rollouts an accepted task, and the best fixed design that is as precise."""
    yield "| population | band | way | a good one | an accepted one | precision | accepted | waves | best fixed |"
    yield "|---|---|---|--:|--:|--:|--:|--:|--:|"
    for name, prior in list(POPULATIONS.items())[:2]:
        for band in (WIDE, NARROW):
            for way, schedule in (("one by one", one_by_one(32)), ("free", free_waves(64)), ("doubling", doubling(64))):
                found = tables(prior, band, schedule.cap)
                harvest = best_harvest(found, schedule, 0.95)
                if harvest is None:
                    continue
                yield (
                    f"| {name} | {band} | {way} "
                    f"| {harvest.rollouts_per_good:.1f} | {harvest.rollouts_per_accepted:.1f} "
                    f"| {harvest.outcome.precision:.3f} | {harvest.outcome.accepted_share:.1%} "
                    f"| {harvest.outcome.mean_waves:.1f} | {_best_fixed(found):.1f} |"
                )


def _best_fixed(found: Tables) -> float:
    """Rollouts for each good accepted task where every candidate gets n, for the best n: the surest are accepted."""
    costs = []
    for n in range(2, 33):
        chance, inside = found.step(0, n)[0], found.in_band[n, : n + 1]
        order = np.argsort(-inside)
        good, all_ = np.cumsum((chance * inside)[order]), np.cumsum(chance[order])
        enough = good[good >= 0.95 * all_]
        if len(enough):
            costs.append(n / enough.max())
    return float(min(costs, default=np.inf))


def worth_lines() -> Iterator[str]:
    """What a set gives a trainer: groups of 8 in which some solve and some fail."""
    yield "| set | rollouts a task | band | precision | groups of 8 with signal |"
    yield "|---|--:|---|--:|--:|"
    yield f"| all | 0 | - | - | {signal_share(TB, 8):.3f} |"
    for band in (WIDE, NARROW):
        for n in (8, 16):
            corner = best(TB, band, n, free_waves(32))
            if corner is not None:
                share = _signal(corner.policy, tables(TB, band, 32))
                yield (
                    f"| error of fixed {n} | {corner.outcome.mean_rollouts:.1f} | {band} "
                    f"| {corner.outcome.precision:.2f} | {share:.3f} |"
                )


def _signal(policy: Policy, found: Tables) -> float:
    """The mean over what is accepted."""
    prior = found.prior
    if not isinstance(prior, BetaMixture):
        raise TypeError("worked out for Beta distributions only")
    (part,) = prior.parts
    weight = total = 0.0
    lone = {state: evaluate(_only(policy, state), found).accepted_share for state in policy.states}
    for (n, k), share in lone.items():
        weight += share
        total += share * signal_share(beta(part.a + k, part.b + n - k), 8)
    return total / weight


def _only(policy: Policy, state: tuple[int, int]) -> Policy:
    """The policy that accepts in one state alone: its accepted share is how often it stops there with IN."""
    accept = np.zeros_like(policy.accept)
    accept[state] = policy.accept[state]
    return Policy(policy.wave, accept)


SECTIONS = (
    ("States (reference, 10)", state_lines),
    ("Fixed designs and floors (reference, 10)", fixed_lines),
    ("Mean rollouts at the error of fixed n (reference, 11)", design_lines),
    (f"Simulated, {TASKS} tasks of Beta(.16, .23), standard errors behind the figures", simulated_lines),
    ("A budget for 200 tasks (reference, 12)", batch_lines),
    ("Harvests at precision .95 (reference, 14)", harvest_lines),
    ("Worth for a trainer (reference, 14)", worth_lines),
    ("A wrong prior, kept to the end", wrong_prior_lines),
    ("A wrong prior, fitted again after the first wave", refitted_lines),
)


def main() -> None:
    """Print the tables as Markdown."""
    for title, lines in SECTIONS:
        print(f"## {title}\n")
        for line in lines():
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
