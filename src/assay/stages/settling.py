"""The first use of an imported task: its environment is found out, and which of its published tests hold here.

An import runs nothing, so the task says `inferred` where others have a recipe. Whoever judges with it first climbs the
same ladder as mining does, at the date of the change, runs the tests before and after the reference change twice, and
remembers all of it in the store under the task's content. From then on the task is like any other. The folder itself
stays as it came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import anyio
from pydantic import ValidationError

from assay.core.admission import FAILING
from assay.core.causes import classifier
from assay.core.hashing import json_digest, task_digest
from assay.core.recipes import LATER
from assay.core.requirements import project_name
from assay.core.settling import Lists, Settlement, doubtful, settle_lists, with_settlement
from assay.errors import EnvironmentBuildError, VerifierError
from assay.model.ledger import Cost
from assay.model.loss import Loss
from assay.model.report import TestReport
from assay.model.task import Task
from assay.model.tree import Tree
from assay.ports.environment import Built
from assay.ports.framework import Selection
from assay.ports.store import Store
from assay.stages.running import stack
from assay.stages.toolbox import Toolbox, cost_of

MEMORY = "settled"
SETTLING = 2
"""Goes up when the lists are made otherwise, so that older ones are found out anew."""
INFERRED = "inferred"
RUNS = 2


@dataclass(frozen=True, slots=True)
class Settled:
    """A task that can be judged, its environment, and what of its published lists does not hold."""

    task: Task
    built: Built
    losses: tuple[Loss, ...] = ()
    digest: str = ""
    """Of what was found out; empty for a task that had nothing to find out."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The runs of a task whose lists are not believed yet."""

    built: Built
    gold: Tree
    base_runs: tuple[TestReport, ...]
    gold_runs: tuple[TestReport, ...]
    cost: Cost


def settled(task: Task, store: Store) -> Settlement | None:
    """What was found out about an imported task; None when it was not used yet."""
    try:
        return Settlement.model_validate(store.recall(MEMORY, _key(task)))
    except ValidationError:
        return None


async def settle(task: Task, base: Tree, base_layer: Path, tools: Toolbox) -> Settled:
    """The task with a recipe and with lists that hold. Raises InfrastructureError: VerifierError when no published
    test begins to pass with the reference change, EnvironmentBuildError when no environment can be built.
    """
    source = task.assay.source
    name = source.origin if source.kind == "pypi" else ""
    if task.assay.environment.install != INFERRED:
        built = await tools.environments.rebuild(task.assay.environment, base, base_layer, name=name)
        return Settled(task, built)
    known = await anyio.to_thread.run_sync(settled, task, tools.store)
    if known is not None:
        built = await tools.environments.rebuild(known.environment, base, base_layer, name=_name(task, base))
        return _settled(task, built, known)
    trial = await best_trial(task, base, base_layer, tools, runs=RUNS)
    lists = settle_lists(task, trial.base_runs, trial.gold_runs, classifier(base, trial.gold))
    if not lists.fail_to_pass:
        raise VerifierError(f"{task.slug}: {_why_none(task, trial, lists)}", hint="the row or the environment is wrong")
    found = Settlement(environment=trial.built.environment.recipe, lists=lists)
    await anyio.to_thread.run_sync(tools.store.remember, MEMORY, _key(task), found.model_dump(mode="json"))
    return _settled(task, Built(trial.built.environment, trial.cost, trial.built.rungs), found)


async def best_trial(task: Task, base: Tree, base_layer: Path, tools: Toolbox, *, runs: int) -> Trial:
    """As `try_out`; where the published lists speak against the environment, one with packages from a while later is
    tried as well, and the one stays in which more of the lists holds. A release of that very day may be a broken one.
    """
    first = await try_out(task, base, base_layer, tools, runs=runs)
    cause_of = classifier(base, first.gold)
    if not doubtful(task, first.base_runs, first.gold_runs, cause_of):
        return first
    try:
        built = await _provide(task, base, base_layer, tools, later=LATER)
    except EnvironmentBuildError:
        return first
    second = await try_out(task, base, base_layer, tools, runs=runs, built=built)
    lost = [len(settle_lists(task, t.base_runs, t.gold_runs, cause_of).losses) for t in (first, second)]
    return replace(second if lost[1] < lost[0] else first, cost=first.cost + second.cost)


async def try_out(
    task: Task, base: Tree, base_layer: Path, tools: Toolbox, *, runs: int, built: Built | None = None
) -> Trial:
    """Infer and build the environment, if none is given, and run the task's tests before and after the reference
    change. Raises InfrastructureError; an environment that cannot be built, or a reference change that does not
    apply, is one.
    """
    framework = tools.framework(task.assay.framework)
    built = built or await _provide(task, base, base_layer, tools)
    runner = tools.runner(framework)
    applied = await runner.apply(task.gold_patch, base_layer, lambda path: "")
    if applied.problem:
        raise VerifierError(f"{task.slug}: the reference change does not apply: {applied.problem}")
    inside = framework.inside(task.hidden_tests)
    hidden = await tools.layers.put(inside) if inside else None
    reports: dict[str, list[TestReport]] = {"base": [], "gold": []}
    costs = [built.cost]

    async def run(side: str, layer: Path | None) -> None:
        layers = stack(built.environment, base_layer, layer, hidden)
        selection = Selection(files=task.assay.test_files, hidden=task.hidden_tests)
        done = await runner.test(built.environment, layers, selection, task.assay.limits)
        costs.append(cost_of(done.usage))
        reports[side].append(done.report)

    for _ in range(runs):
        async with anyio.create_task_group() as group:
            group.start_soon(run, "base", None)
            group.start_soon(run, "gold", applied.layer)
    gold = {**base, **{change.path: change.new for change in applied.kept}}
    return Trial(
        built=built,
        gold={path: state for path, state in gold.items() if state is not None},
        base_runs=tuple(reports["base"]),
        gold_runs=tuple(reports["gold"]),
        cost=sum(costs, Cost()),
    )


async def _provide(
    task: Task, base: Tree, base_layer: Path, tools: Toolbox, *, later: timedelta = timedelta()
) -> Built:
    source = task.assay.source
    dates = [date + later for date in (source.base_date, source.gold_date) if date]
    return await tools.environments.provide(
        base,
        base_layer,
        # What worked a while later is remembered by itself.
        repository=f"{source.kind}:{source.origin}{f'+{later.days}' if later else ''}",
        date=max(dates, default=None),
        name=_name(task, base),
        version=next(iter(task.assay.environment.variables.values()), ""),
    )


def _name(task: Task, base: Tree) -> str:
    source = task.assay.source
    return source.origin if source.kind == "pypi" else project_name(base)


def _settled(task: Task, built: Built, found: Settlement) -> Settled:
    digest = json_digest(found.lists.model_dump(mode="json"))
    return Settled(with_settlement(task, found), built, found.lists.losses, digest)


def _key(task: Task) -> str:
    return json_digest([SETTLING, task_digest(task)])


def _why_none(task: Task, trial: Trial, lists: Lists) -> str:
    """Why nothing begins to pass, in the words of what speaks loudest."""
    gold = trial.gold_runs[0]
    if gold.stopped:
        return f"the tests ran into the {gold.stopped} limit with the reference change"
    if not gold.outcomes:
        told = [f"{path}: {o.error_type} {o.message}" for path, o in gold.uncollected.items()]
        return f"no test could be collected with the reference change: {(told or list(map(str, gold.problems)))[:1]}"
    first = next(iter(task.assay.fail_to_pass), "")
    red = next((o for i, o in gold.outcomes.items() if i == first and o.status in FAILING), None)
    if red:
        return f"{first} fails with the reference change: {red.error_type} {red.message}"[:500]
    reason = next((loss.reason for loss in lists.losses if loss.field == "FAIL_TO_PASS"), first)
    return f"no published test begins to pass with the reference change: {reason}"
