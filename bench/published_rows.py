"""How many published rows do here as published: the base fails, and the reference change passes.

    python -m bench.published_rows ROWS.jsonl --repositories FOLDER --out results.jsonl

Every row is judged by its publisher's own rule (an expected failure passes; so does a skipped test that need only go on
passing). A row that disagrees is run again, and every disagreement is put down to something: an environment that could
not be built and the step, a test that needs the network, one whose runs differ, an id that no test can have. A row
whose only fault is such an id is wrong, and counted by itself. What is in the results already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anyio

from assay.adapters.exchange.swebench_import import SwebenchImporter
from assay.core.causes import classifier
from assay.core.exchange.swebench_ids import file_of, listed
from assay.core.exchange.swebench_rule import Disagreement, disagreements
from assay.core.exchange.swebench_tasks import row_of
from assay.errors import AssayError
from assay.model.exchange import Reading
from assay.model.task import Task
from assay.model.tree import Tree
from assay.stages.judging import base_of
from assay.stages.settling import Trial, best_trial, try_out
from assay.stages.toolbox import Toolbox
from assay.wiring import toolbox

COLUMNS = ("FAIL_TO_PASS", "PASS_TO_PASS")
WRONG_ROW = frozenset({"impossible-id"})


async def one_row(task: Task, tools: Toolbox) -> dict[str, Any]:
    try:
        base = await base_of(task, tools)
        layer = await tools.layers.put(base)
        trial = await best_trial(task, base, layer, tools, runs=1)
        found = compare(task, trial, base)
        if any(d.kind not in WRONG_ROW for d in found):
            again = await try_out(task, base, layer, tools, runs=1, built=trial.built)
            runs = ((*trial.base_runs, *again.base_runs), (*trial.gold_runs, *again.gold_runs))
            trial = Trial(trial.built, trial.gold, *runs, trial.cost)
            found = compare(task, trial, base)
    except AssayError as error:
        step = getattr(error, "step", "")
        detail = str(getattr(error, "tail", "") or error.context.get("detail", ""))[-600:]
        why = f"{error.code}{f' ({step})' if step else ''}: {error.message}"
        return {"agrees": False, "why": why, "tail": detail, "rungs": error.context.get("rungs", [])}
    gold = trial.gold_runs[0]
    return {
        "agrees": not found,
        "why": "; ".join(f"{kind} x{count}" for kind, count in Counter(d.kind for d in found).most_common()),
        "disagreements": [asdict(d) for d in found[:40]],
        "kinds": Counter(d.kind for d in found),
        "python": trial.built.environment.recipe.python,
        "packages_until": str(trial.built.environment.recipe.exclude_newer or "")[:10],
        "lock": len(trial.built.environment.recipe.lock),
        "rungs": [f"{r.recipe.python} {r.step} {r.error} {r.tail[-300:]}" for r in trial.built.rungs],
        "stopped": gold.stopped,
        "problems": list(map(str, gold.problems))[:3],
        "uncollected": {p: f"{o.error_type}: {o.message}"[:300] for p, o in gold.uncollected.items()},
        "cpu_seconds": round(trial.cost.cpu_seconds, 1),
    }


def compare(task: Task, trial: Trial, base: Tree) -> list[Disagreement]:
    cause_of = classifier(base, trial.gold)
    row = row_of(task) or {}
    files = {*base, *task.hidden_tests}
    return [
        d if d.kind != "no-such-test" or file_of(d.test_id) in {"", *files} else replace(d, kind="impossible-id")
        for column in COLUMNS
        for d in disagreements(column, listed(row.get(column)), trial.base_runs, trial.gold_runs, cause_of)
    ]


async def run(args: argparse.Namespace) -> None:
    known = {json.loads(line)["instance_id"] for line in lines(args.out)}
    async with toolbox(args.state, args.state / "tasks", "bubblewrap", unsafe=False) as tools:
        git = tools.source("git")
        importer = SwebenchImporter(remember=git.remember)  # type: ignore[attr-defined]
        readings = importer.read(args.rows, args.repositories)
        while (reading := await anyio.to_thread.run_sync(next, readings, None)) is not None:
            if reading.subject in known or (args.only and args.only not in reading.subject):
                continue
            started = time.monotonic()
            result = await attempt(reading, tools)
            result = {"instance_id": reading.subject, "seconds": round(time.monotonic() - started, 1), **result}
            with args.out.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(reading.subject, "agrees" if result["agrees"] else result["why"][:200], flush=True)


async def attempt(reading: Reading, tools: Toolbox) -> dict[str, Any]:
    if reading.task is None:
        return {"agrees": False, "why": f"not imported: {reading.problem}"}
    return await one_row(reading.task, tools)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wrong(result: dict[str, Any]) -> bool:
    """Whether a row disagrees in ids that no test of it can have, and in nothing else."""
    return bool(result.get("kinds")) and set(result["kinds"]) <= WRONG_ROW


def summary(path: Path) -> None:
    rows = [json.loads(line) for line in lines(path)]
    print(f"{'repository':24} {'rows':>5} {'agree':>6} {'wrong row':>10} {'otherwise':>10}")
    by_repository: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_repository.setdefault(row["instance_id"].rpartition("-")[0].replace("__", "/"), []).append(row)
    for name, found in [*sorted(by_repository.items()), ("all", rows)]:
        agree, bad = sum(row["agrees"] for row in found), sum(map(wrong, found))
        print(f"{name:24} {len(found):5} {agree:6} {bad:10} {len(found) - agree - bad:10}")
    for row in rows:
        if not row["agrees"]:
            print(f"  {row['instance_id']}: {'wrong row, ' if wrong(row) else ''}{row['why'][:160]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("published-rows.jsonl"))
    parser.add_argument("--state", type=Path, default=Path(".published-rows"))
    parser.add_argument("--only", default="", help="only rows with this in their name")
    args = parser.parse_args()
    args.state.mkdir(parents=True, exist_ok=True)
    anyio.run(run, args)
    summary(args.out)


if __name__ == "__main__":
    main()
