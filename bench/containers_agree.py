"""Bubblewrap and a container must say the same of every test: proved over the tasks of a project.

    python -m bench.containers_agree PROJECT [--tasks N] [--engine docker] [NAME...]

Of every task the reference change and the base run in both, over the same layers, and every test's status is compared,
and what could not be collected. Where they differ both are run again: a test that differs from itself is unsteady and
proves nothing. Not part of `make bench`: it takes minutes, an engine, and tasks that were mined before.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from assay import wiring
from assay.adapters.sandbox.containers import ContainerSandbox, DockerSandbox, PodmanSandbox
from assay.adapters.store.project import STATE
from assay.errors import AssayError
from assay.model.report import TestReport
from assay.model.task import Task
from assay.ports.framework import Selection
from assay.stages import judging
from assay.stages.running import Runner, TestRun, stack
from assay.stages.toolbox import Toolbox
from assay.stages.twins import Stand

Said = dict[str, str]
ENGINES: dict[str, type[ContainerSandbox]] = {"docker": DockerSandbox, "podman": PodmanSandbox}

UNSTEADY_SHOWN = 3
"""Of each task: names that hold a time or an order of sets come by the dozen."""


@dataclass
class Sums:
    """What was found over all tasks."""

    counts: Counter[str]
    seconds: dict[str, float]


def main() -> None:
    """Compare, and print a line a task, every disagreement, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("names", nargs="*", help="names of tasks; all without them")
    parser.add_argument("--tasks", type=int, default=0, help="at most, spread over the alphabet")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="docker")
    given = parser.parse_args()
    names = given.names or sorted(path.name for path in (given.project / "tasks").iterdir())
    step = len(names) / given.tasks if 0 < given.tasks < len(names) else 1.0
    picked = [names[int(n * step)] for n in range(int(len(names) / step))]
    sums = anyio.run(_compare_all, given.project, picked, given.engine)
    for name, count in sorted(sums.counts.items()):
        print(f"{count:8} {name}")
    for name, seconds in sorted(sums.seconds.items()):
        print(f"{seconds:8.1f} s of {name}")
    sys.exit(1 if sums.counts["tests that disagree"] else 0)


async def _compare_all(project: Path, names: list[str], engine: str) -> Sums:
    sums = Sums(Counter(), {})
    async with wiring.toolbox(project / STATE, project / "tasks", "bubblewrap", unsafe=False) as tools:
        other = ENGINES[engine](
            project / STATE / f"sandboxes-{engine}", variables=wiring.load_settings().engine_environment
        )
        await other.reap()
        for name in names:
            try:
                line = await _compare(project / "tasks" / name, tools, other, sums)
            except AssayError as error:
                sums.counts["tasks that could not be compared"] += 1
                line = f"not compared: {error.message}"
            print(f"{name:32} {line}", flush=True)
    return sums


async def _compare(path: Path, tools: Toolbox, other: ContainerSandbox, sums: Sums) -> str:
    stand = await _stand(tools.tasks.read(path), tools)
    runner = stand.runner
    runners = {"bubblewrap": runner, other.name: replace(runner, sandbox=other)}
    guard = judging._guard(stand)
    applied = {name: await one.apply(stand.task.gold_patch, stand.base_layer, guard) for name, one in runners.items()}
    sums.counts["tasks"] += 1
    if len({tuple(one.kept) for one in applied.values()}) != 1:
        sums.counts["patches that come out otherwise"] += 1
    bad = unsteady = tests = 0
    for world, layer in (("reference", applied["bubblewrap"].layer), ("base", None)):
        said = {name: await _said(stand, one, layer, sums) for name, one in runners.items()}
        one, two = said.values()
        tests += len(one)
        differ = _differences(one, two)
        if not differ:
            continue
        again = [await _said(stand, each, layer, sums) for each in runners.values()]
        for name in sorted(differ):
            four = [found.get(name, "absent") for found in (one, again[0], two, again[1])]
            steady = four[0] == four[1] and four[2] == four[3]
            bad, unsteady = bad + steady, unsteady + (not steady)
            if not steady and unsteady > UNSTEADY_SHOWN:
                continue
            print(f"    {world}: {name}: bubblewrap {four[0]}, then {four[1]}; {other.name} {four[2]}, then {four[3]}")
    sums.counts["tests compared"] += tests
    sums.counts["tests that disagree"] += bad
    sums.counts["tests that differ from themselves"] += unsteady
    return f"Python {stand.task.assay.environment.python}: {tests} tests, {bad} disagree, {unsteady} unsteady"


async def _stand(task: Task, tools: Toolbox) -> Stand:
    """A task laid out to be run; without twins, which verdicts need and this comparison does not."""
    base = await judging.base_of(task, tools)
    base_layer = await tools.layers.put(base)
    name = task.assay.source.origin if task.assay.source.kind == "pypi" else ""
    built = await tools.environments.rebuild(task.assay.environment, base, base_layer, name=name)
    framework = tools.framework(task.assay.framework)
    hidden = framework.inside(task.hidden_tests)
    return Stand(
        task=task,
        environment=built.environment,
        base=base,
        base_layer=base_layer,
        hidden=hidden,
        hidden_layer=await tools.layers.put(hidden) if hidden else None,
        runner=tools.runner(framework),
    )


async def _said(stand: Stand, runner: Runner, layer: Path | None, sums: Sums) -> Said:
    before = anyio.current_time()
    run = await _run(stand, runner, layer)
    spent = anyio.current_time() - before
    sums.seconds[runner.sandbox.name] = sums.seconds.get(runner.sandbox.name, 0.0) + spent
    return _by_name(run.report)


async def _run(stand: Stand, runner: Runner, layer: Path | None) -> TestRun:
    task = stand.task
    selection = Selection(files=task.assay.test_files, ids=(), hidden=task.hidden_tests)
    layers = stack(stand.environment, stand.base_layer, layer, stand.hidden_layer)
    return await runner.test(stand.environment, layers, selection, task.assay.limits)


def _by_name(report: TestReport) -> Said:
    """What a run says of every test, of what it could not collect, and of itself."""
    found = {name: f"{outcome.status.value} {outcome.error_type}".strip() for name, outcome in report.outcomes.items()}
    problems = ", ".join(sorted({problem.kind.value for problem in report.problems}))
    ended = report.stopped or problems or "ended"
    return {**found, **dict.fromkeys(report.uncollected, "uncollected"), "(the run)": ended}


def _differences(one: Said, two: Said) -> set[str]:
    return {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}


if __name__ == "__main__":
    main()
