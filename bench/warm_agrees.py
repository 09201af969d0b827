"""A warm run and a cold run of the same thing must agree: proved over the tasks of a project.

    python -m bench.warm_agrees PROJECT [--tasks N] [--variants 5] [NAME...]

Of every task the reference change, the base and some mutants are run warm and cold, and every test's status is
compared, and what could not be collected. Where they differ both are run again: a test that differs from itself is
unsteady and proves nothing. Not part of `make bench`: it takes minutes, and tasks that were mined before.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import anyio

from assay import wiring
from assay.adapters.store.project import STATE
from assay.core.twins.cases import stem
from assay.core.variants.changes import read_gold
from assay.core.variants.choice import chosen
from assay.core.variants.equivalence import distinct
from assay.core.variants.mutants import mutants
from assay.errors import AssayError
from assay.model.audit import AuditSettings
from assay.model.report import TestReport
from assay.model.tree import FileState
from assay.model.warm import WarmJob, WarmRun
from assay.stages.audit.ground import Ground
from assay.stages.audit.warm import Trials, fate_of
from assay.stages.judging import prepare
from assay.stages.toolbox import Toolbox

Files = Mapping[str, FileState | None]
Said = dict[str, str]


def main() -> None:
    """Compare, and print a line a task, every disagreement, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("names", nargs="*", help="names of tasks; all without them")
    parser.add_argument("--tasks", type=int, default=0, help="at most, spread over the alphabet")
    parser.add_argument("--variants", type=int, default=5, help="mutants of each task")
    given = parser.parse_args()
    names = given.names or sorted(path.name for path in (given.project / "tasks").iterdir())
    step = len(names) / given.tasks if 0 < given.tasks < len(names) else 1.0
    picked = [names[int(n * step)] for n in range(int(len(names) / step))]
    counts = anyio.run(_compare_all, given.project, picked, given.variants)
    for name, count in sorted(counts.items()):
        print(f"{count:8} {name}")
    sys.exit(1 if counts["tests that disagree"] or counts["fates that disagree"] else 0)


async def _compare_all(project: Path, names: list[str], variants: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with wiring.toolbox(project / STATE, project / "tasks", "bubblewrap", unsafe=False) as tools:
        for name in names:
            try:
                line = await _compare(project / "tasks" / name, tools, variants, counts)
            except AssayError as error:
                counts["tasks that could not be prepared"] += 1
                line = f"not prepared: {error.message}"
            print(f"{name:32} {line}", flush=True)
    return counts


async def _compare(path: Path, tools: Toolbox, variants: int, counts: Counter[str]) -> str:
    task = tools.tasks.read(path)
    prepared = await prepare(task, tools)
    applied = await prepared.stand.runner.apply(task.gold_patch, prepared.stand.base_layer, prepared.is_protected)
    ground = Ground(prepared, applied, tools, AuditSettings(), lambda event: None)
    trials = Trials(ground)
    known = await trials.known()
    environment = task.assay.environment
    about = f"Python {environment.python}, {next((x for x in environment.lock if x.startswith('pytest==')), '?')}"
    if known.cannot:
        fate, by, why = fate_of(WarmRun("reference", known.report, 0.0), ground.counted)
        if fate != "accepted":  # an old task, or a machine too busy for its limits
            counts["tasks whose reference change is not accepted cold either"] += 1
            return f"{about}: the reference change is not accepted cold either: {by} {why}"
        counts["tasks that cannot be warmed"] += 1
        return f"{about}: cannot be warmed: {known.cannot}"
    counts["tasks"] += 1
    made = distinct(mutants(read_gold(ground.base, ground.changed)), ground.gold)
    picked = chosen(made, variants, known.covered if known.lines else None, task.slug)
    worlds: dict[str, Files] = {
        "reference": {},
        "base": {path: ground.base.get(path) for path in ground.changed},
        **{variant.key: variant.files for variant in picked},
    }
    warm = await trials.run([_job(ground, key, files) for key, files in worlds.items()])
    bad, unsteady, tests = 0, 0, 0
    reports = {key: await _report(ground, files) for key, files in worlds.items()}
    for key, files in worlds.items():
        cold = _said_by(ground, reports[key])
        counts["runs compared"] += 1
        tests += len(cold)
        differ = _differences(_said(ground, warm[key]), cold)
        if differ:
            again = (await trials.run([_job(ground, key, files)]))[key]
            one, two, cold_again = _said(ground, warm[key]), _said(ground, again), await _cold(ground, files)
            steady = _steady(one, two, cold, cold_again)
            unsteady += len(differ.keys() - steady)
            bad += len(differ.keys() & steady)
            for name in sorted(differ):
                said = [found.get(name, "absent") for found in (one, two, cold, cold_again)]
                print(f"    {key}: {name}: warm {said[0]}, then {said[1]}; cold {said[2]}, then {said[3]}")
    fates = {trial.variant.key: trial.fate for trial in await trials.try_all(picked)}
    wrong = [key for key in fates if fates[key] != fate_of(WarmRun(key, reports[key], 0.0), ground.counted)[0]]
    for key in wrong:
        print(f"    {key}: {fates[key]} when tried warm with its tests in another order, not so when run cold")
    counts["tests compared"] += tests
    counts["tests that disagree"] += bad
    counts["tests that differ from themselves"] += unsteady
    counts["fates compared"] += len(fates)
    counts["fates that disagree"] += len(wrong)
    return f"{about}: {len(worlds)} runs, {tests} tests, {bad} disagree, {unsteady} unsteady; fates {len(fates)}"


def _job(ground: Ground, key: str, files: Files) -> WarmJob:
    limits = ground.task.assay.limits
    return WarmJob(
        key,
        files=files,
        test_files=ground.task.assay.test_files,
        wall_seconds=limits.wall_seconds,
        memory_mib=limits.memory_mib,
    )


async def _report(ground: Ground, files: Files) -> TestReport:
    async with ground.tools.layers.temporary({**ground.changed, **files}) as layer:
        return (await ground.run(layer)).report


async def _cold(ground: Ground, files: Files) -> Said:
    return _said_by(ground, await _report(ground, files))


def _said(ground: Ground, run: WarmRun) -> Said:
    return {"(the run)": f"fault {run.fault}"} if run.fault else _said_by(ground, run.report)


def _said_by(ground: Ground, report: TestReport) -> Said:
    """What a run says of every test and file. A cold run whose framework does not start names all files."""
    volatile = set(ground.prepared.pool.volatile)
    found = {
        name: f"{outcome.status.value} {outcome.error_type}".strip()
        for name, outcome in report.outcomes.items()
        if stem(name) not in volatile
    }
    if any(problem.kind.value == "not-started" for problem in report.problems):
        return {**found, "(the run)": "not started"}
    return {**found, **dict.fromkeys(report.uncollected, "uncollected"), "(the run)": report.stopped or "ended"}


def _differences(warm: Said, cold: Said) -> dict[str, tuple[str, str]]:
    names = warm.keys() | cold.keys()
    pairs = {name: (warm.get(name, "absent"), cold.get(name, "absent")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _steady(warm: Said, warm_again: Said, cold: Said, cold_again: Said) -> set[str]:
    """Tests that said the same thing twice, warm and cold."""
    names = warm.keys() | cold.keys()
    return {n for n in names if warm.get(n) == warm_again.get(n) and cold.get(n) == cold_again.get(n)}


if __name__ == "__main__":
    main()
