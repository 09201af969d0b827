"""What memory is worth on real trials: other systems' results as the prior of a target, replayed in random order.

    python -m bench.memory [FOLDER] [--orders N] [--json]

FOLDER holds terminal-bench-trials.csv and mini-swe-agent-verified.csv (default: ../shared/data beside the project).
Every prior comes from `assay.core.calibration.memory.remember`, the shipped code; what is held out is in no fit. Not
part of `make bench`: it takes some minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from assay.core.calibration.fitting import fit_prior
from assay.core.calibration.memory import remember
from assay.core.calibration.posterior import mean_rate, updated
from assay.model.calibration import Record, Solver, Tally

DATA = Path(__file__).parents[2] / "shared" / "data"
ORDERS = 30
SHOWN = (10, 50, 250)
"""Results of a left-out model that are shown before the rest is predicted."""
Trials = Mapping[str, Mapping[str, Sequence[int | None]]]
"""By system and task: 1, 0, or None where there was no verdict."""


def main() -> None:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--json", action="store_true")
    wish = parser.parse_args()
    rows = replay(read(wish.folder / "terminal-bench-trials.csv", "system", "task"), wish.orders)
    rows += left_out(
        read(wish.folder / "mini-swe-agent-verified.csv", "model", "instance_id"), max(1, wish.orders // 10)
    )
    for row in rows:
        line = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        print(json.dumps(line) if wish.json else "  ".join(f"{k} {v}" for k, v in line.items()))


def read(path: Path, system: str, task: str) -> dict[str, dict[str, list[int | None]]]:
    """A table of trials, one a line."""
    found: dict[str, dict[str, list[int | None]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            result = int(row["resolved"]) if row["resolved"] else None
            found.setdefault(row[system], {}).setdefault(row[task], []).append(result)
    return found


def tally(results: Iterable[int | None]) -> Tally:
    """Trials without a verdict are void, and in no rate."""
    known = list(results)
    scored = [result for result in known if result is not None]
    return Tally(resolved_count=sum(scored), scored_count=len(scored), void_count=len(known) - len(scored))


def solver(system: str) -> Solver:
    """The table's systems are an agent with a model in one name."""
    return Solver(agent="", model=system)


def records(trials: Trials, systems: Iterable[str]) -> list[Record]:
    """Everything these systems ever did."""
    return [
        Record(task=task, solver=solver(system), tally=tally(results))
        for system in systems
        for task, results in trials[system].items()
    ]


# ---- Terminal-Bench: 7 systems x 80 tasks x 5 attempts


@dataclass(frozen=True)
class Moment:
    """What is known after some rollouts a task of the target, and what is held out."""

    own: dict[str, Tally]
    memory: list[Record]
    target: Solver


def by_memory(at: Moment) -> dict[str, float]:
    """The shipped way."""
    own = [Record(task=task, solver=at.target, tally=one) for task, one in at.own.items()]
    known = remember([*at.memory, *own], at.target, at.own)
    return {task: mean_rate(updated(known.prior(task), one)) for task, one in at.own.items()}


def by_beta(at: Moment) -> dict[str, float]:
    """A Beta distribution fitted to the target's own tallies, as shipped; nothing of others."""
    prior = fit_prior(at.own.values())
    means = {one: mean_rate(updated(prior, one)) for one in set(at.own.values())}
    return {task: means[one] for task, one in at.own.items()}


def by_laplace(at: Moment) -> dict[str, float]:
    """(k + 1) / (m + 2); orders tasks as the raw rate does."""
    return {task: (one.resolved_count + 1) / (one.scored_count + 2) for task, one in at.own.items()}


def by_pooled(at: Moment) -> dict[str, float]:
    """quality.md 9.7 to the letter: a regression on the logit of all the others' trials, pooled."""
    tasks = sorted(at.own)
    place = {task: i for i, task in enumerate(tasks)}
    names = sorted({record.solver.model for record in at.memory})
    n, k = np.zeros((len(names), len(tasks))), np.zeros((len(names), len(tasks)))
    for record in at.memory:
        n[names.index(record.solver.model), place[record.task]] = record.tally.scored_count
        k[names.index(record.solver.model), place[record.task]] = record.tally.resolved_count
    own_n = np.array([at.own[task].scored_count for task in tasks], dtype=float)
    own_k = np.array([at.own[task].resolved_count for task in tasks], dtype=float)

    def fit(x: np.ndarray, resolved: np.ndarray, pooled_n: np.ndarray, pooled_k: np.ndarray) -> float:
        mean, size = _line(x, pooled_n, pooled_k)
        a, b = mean * size, (1 - mean) * size
        return float((special.betaln(a + resolved[1], b + resolved[0] - resolved[1]) - special.betaln(a, b)).sum())

    def others(x: np.ndarray) -> float:
        return 0.02 * float(x @ x) - sum(
            fit(x, np.stack([n[i], k[i]]), n.sum(0) - n[i], k.sum(0) - k[i]) for i in range(len(names))
        )

    both, total_n, total_k = np.stack([own_n, own_k]), n.sum(0), k.sum(0)

    def target(x: np.ndarray) -> float:
        return 0.02 * float(x @ x) - fit(x, both, total_n, total_k)

    found = _least(others, np.array([0.0, 1.0, 0.0]))
    if own_n.max() > 1:
        found = _least(target, found)
    elif own_n.max() > 0:
        unit, start = np.array([1.0, 0.0, 0.0]), found
        shift = optimize.minimize_scalar(lambda d: d * d / 2 - fit(start + d * unit, both, total_n, total_k)).x
        found = start + float(shift) * unit
    mean, size = _line(found, total_n, total_k)
    return dict(zip(tasks, ((mean * size + own_k) / (size + own_n)).tolist(), strict=True))


def _least(loss: Callable[[np.ndarray], float], start: np.ndarray) -> np.ndarray:
    return np.asarray(optimize.minimize(loss, start, method="L-BFGS-B").x)


def _line(x: np.ndarray, n: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, float]:
    feature = np.log((k + 0.5) / (n - k + 0.5))
    return np.clip(special.expit(x[0] + x[1] * feature), 1e-6, 1 - 1e-6), math.exp(x[2])


WAYS: dict[str, Callable[[Moment], dict[str, float]]] = {
    "raw": by_laplace,
    "fitted Beta": by_beta,
    "pooled logit (9.7)": by_pooled,
    "memory": by_memory,
}


Found = dict[tuple[str, int, str], dict[str, list[tuple[float, int]]]]
"""By way, rollouts and measure, and then by system: a value and over how many tasks it goes, for each order."""


def replay(trials: Trials, orders: int) -> list[dict[str, Any]]:
    """Each system in turn as the target, the others complete; its trials come in random order.

    Ranks: over tasks of which a verdict or more is held out. Log-loss and calibration: what is held out of tasks with
    five verdicts, so that all numbers of rollouts are judged on the same tasks.
    """
    found: Found = defaultdict(lambda: defaultdict(list))
    pairs: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
    for system in sorted(trials):
        memory = records(trials, sorted(set(trials) - {system}))
        for order in range(orders):
            draw = random.Random(f"{system} {order}")
            verdicts = {t: [r for r in results if r is not None] for t, results in sorted(trials[system].items())}
            for results in verdicts.values():
                draw.shuffle(results)
            for m in range(5):
                own = {task: tally(results[:m]) for task, results in verdicts.items()}
                for way, predict in WAYS.items():
                    means = predict(Moment(own, memory, solver(system)))
                    judged = _judged(means, verdicts, m, pairs[way, m])
                    for measure, value in judged.items():
                        found[way, m, measure][system].append(value)
    return [*_means(found), *_later(found), *_calibration(pairs)]


def _judged(
    means: Mapping[str, float], verdicts: Mapping[str, Sequence[int]], m: int, pairs: list[tuple[float, int]]
) -> dict[str, tuple[float, int]]:
    found = {}
    tasks = [task for task, results in verdicts.items() if len(results) > m]
    if m <= 3 and len(set(means.values())) > 1:
        believed = np.array([means[task] for task in tasks])
        held = np.array([sum(verdicts[task][m:]) / len(verdicts[task][m:]) for task in tasks])
        found["spearman"] = float(stats.spearmanr(believed, held).statistic), len(tasks)
        found["concordance"] = concordance(believed, held), len(tasks)
    later = [(min(max(means[task], 1e-9), 1 - 1e-9), y) for task, r in verdicts.items() if len(r) == 5 for y in r[m:]]
    loss = -sum(math.log(p if result else 1 - p) for p, result in later) / len(later)
    found["log-loss"] = loss, sum(len(results) == 5 for results in verdicts.values())
    pairs += later
    return found


def concordance(believed: np.ndarray, held: np.ndarray) -> float:
    """The share of pairs of tasks with unequal held-out rates that are believed to be in that order; ties count half.

    Rank correlation rewards a belief for having the ties that few rollouts have; this does not.
    """
    unequal = np.sign(held[:, None] - held[None, :])
    agree = np.sign(believed[:, None] - believed[None, :]) * unequal
    count = float((unequal != 0).sum())
    return float(((agree > 0).sum() + 0.5 * ((agree == 0) & (unequal != 0)).sum()) / count)


def _means(found: Found) -> list[dict[str, Any]]:
    """Means over systems of means over orders; systems differ more than orders do, so the first error is theirs.

    `by_task` weighs systems by the tasks judged: one of them has five verdicts for 7 of its 80 tasks.
    """
    rows = []
    for (way, m, measure), systems in found.items():
        each = [np.array(one) for one in systems.values()]
        values, counts = np.array([one.mean(axis=0) for one in each]).T
        orders = math.sqrt(sum(one[:, 0].var() / len(one) for one in each)) / len(each)
        rows.append(
            {
                "data": "terminal-bench",
                "measure": measure,
                "way": way,
                "rollouts": m,
                "value": float(values.mean()),
                "se_systems": float(values.std(ddof=1) / math.sqrt(len(values))),
                "se_orders": orders,
                "by_task": float(values @ counts / counts.sum()),
            }
        )
    return sorted(rows, key=lambda row: (row["measure"], row["way"], row["rollouts"]))


def _later(found: Found) -> list[dict[str, Any]]:
    """Memory's log-loss less that of a fitted Beta with one rollout more, system by system: at most 0 is the aim."""
    rows = []
    for m in range(4):
        ours, theirs = found["memory", m, "log-loss"], found["fitted Beta", m + 1, "log-loss"]
        gaps = np.array([np.mean(ours[one], axis=0)[0] - np.mean(theirs[one], axis=0)[0] for one in ours])
        counts = np.array([values[0][1] for values in ours.values()])
        rows.append(
            {
                "data": "terminal-bench",
                "measure": "log-loss less fitted Beta's with one rollout more",
                "rollouts": m,
                "value": float(gaps.mean()),
                "se_systems": float(gaps.std(ddof=1) / math.sqrt(len(gaps))),
                "by_task": float(gaps @ counts / counts.sum()),
            }
        )
    return rows


def _calibration(pairs: Mapping[tuple[str, int], list[tuple[float, int]]]) -> list[dict[str, Any]]:
    return [
        {
            "data": "terminal-bench",
            "measure": "calibration error",
            "way": way,
            "rollouts": m,
            "value": calibration_error([p for p, _ in found], [y for _, y in found]),
        }
        for (way, m), found in sorted(pairs.items())
    ]


def calibration_error(believed: Sequence[float], happened: Sequence[int], bins: int = 10) -> float:
    """The mean gap between belief and frequency over ten bins of belief, weighed by their counts."""
    p, y = np.array(believed), np.array(happened)
    which = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs((p[which == one] - y[which == one]).sum()) for one in range(bins)) / len(p))


# ---- SWE-bench Verified: 12 models x 500 tasks, one attempt


def left_out(trials: Trials, orders: int) -> list[dict[str, Any]]:
    """Each model in turn: some of its results are shown, the others predicted from the other models and those."""
    found: dict[tuple[int, str], list[float]] = defaultdict(list)
    pairs: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for model in sorted(trials):
        memory = records(trials, sorted(set(trials) - {model}))
        usual = sum(r.tally.resolved_count for r in memory) / sum(r.tally.scored_count for r in memory)
        results = {task: one[0] for task, one in sorted(trials[model].items()) if one[0] is not None}
        for order in range(orders):
            tasks = sorted(results)
            random.Random(f"{model} {order}").shuffle(tasks)
            for shown in (0, *SHOWN):
                if not shown and order:
                    continue
                own = [Record(task=t, solver=solver(model), tally=tally([results[t]])) for t in tasks[:shown]]
                known = remember([*memory, *own], solver(model), tasks[shown:])
                p = np.array([mean_rate(known.prior(task)) for task in tasks[shown:]])
                y = np.array([results[task] for task in tasks[shown:]])
                base = (sum(results[t] for t in tasks[:shown]) + usual) / (shown + 1)
                found[shown, "AUC"].append(concordance(p, y))
                found[shown, "log-loss"].append(_loss(p, y))
                found[shown, "log-loss of the base rate"].append(_loss(np.full(len(y), base), y))
                pairs[shown] += zip(p.tolist(), y.tolist(), strict=True)
    rows: list[dict[str, Any]] = [
        {"data": "mini-swe-agent", "measure": measure, "shown": shown, "value": float(np.mean(values))}
        for (shown, measure), values in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    for shown, both in pairs.items():
        error = calibration_error([p for p, _ in both], [y for _, y in both])
        rows.append({"data": "mini-swe-agent", "measure": "calibration error", "shown": shown, "value": error})
    return rows


def _loss(p: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.where(y > 0, p, 1 - p)).mean())


if __name__ == "__main__":
    main()
