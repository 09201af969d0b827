"""Judging a candidate patch on a task: from a task folder to a verdict, from scratch.

`prepare` does once what all candidates of a task share (base, environment, hidden tests), `judge` gives one verdict.
A fault of ours is a Failure in the verdict and never a reward; a candidate's own doing is never a Failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.core.grading import grade
from assay.core.hashing import task_digest, tree_digest
from assay.core.protection import protection
from assay.errors import InfrastructureError, TaskDefinitionError
from assay.model.environment import Environment
from assay.model.failure import Failure
from assay.model.ledger import Cost
from assay.model.report import Status, TestReport
from assay.model.task import Task
from assay.model.tree import Tree
from assay.model.verdict import Verdict
from assay.ports.framework import Framework, Selection
from assay.stages.running import Runner, stack
from assay.stages.toolbox import Toolbox, cost_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task ready to judge candidates."""

    task: Task
    digest: str
    base: Tree
    base_layer: Path
    hidden_layer: Path | None
    environment: Environment
    framework: Framework
    is_protected: Callable[[str], bool]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and the report it rests on (None when no run took place)."""

    verdict: Verdict
    report: TestReport | None


async def prepare(task: Task, tools: Toolbox) -> Prepared:
    """Fetch the base, build the environment, lay the hidden tests.

    Raises InfrastructureError, PrerequisiteError, or TaskDefinitionError when the base is not what the task says.
    """
    source = task.assay.source
    base = await tools.source(source.kind).base(source)
    found = tree_digest(base)
    if source.base_tree_sha256 and found != source.base_tree_sha256:
        raise TaskDefinitionError(
            f"{task.slug}: the base fetched from {source.kind}:{source.origin} is not the one the task was made of",
            hint="the origin has changed, or task.toml was edited; mine the task again",
            file="task.toml",
            key="metadata.assay.source.base_tree_sha256",
            found=found,
            expected=source.base_tree_sha256,
        )
    base_layer = await tools.layers.put(base)
    name = source.origin if source.kind == "pypi" else ""
    built = await tools.environments.rebuild(task.assay.environment, base, base_layer, name=name)
    framework = tools.framework(task.assay.framework)
    hidden = task.hidden_tests
    inside = framework.inside(hidden)
    return Prepared(
        task=task,
        digest=task_digest(task),
        base=base,
        base_layer=base_layer,
        hidden_layer=await tools.layers.put(inside) if inside else None,
        environment=built.environment,
        framework=framework,
        is_protected=protection(
            task.assay.protected_paths,
            hidden,
            base,
            is_test=framework.is_test_file,
            is_support=framework.is_support_file,
        ),
        cost=built.cost,
    )


async def judge(prepared: Prepared, agent: str, patch: bytes, runner: Runner, *, all_tests: bool = False) -> Judged:
    """One candidate, one verdict. Infrastructure faults are values too: the verdict holds the failure."""
    try:
        return await _judge(prepared, agent, patch, runner, all_tests=all_tests)
    except InfrastructureError as error:
        return Judged(failed(prepared.task.slug, prepared.digest, agent, patch, error), None)


def failed(slug: str, digest: str, agent: str, patch: bytes, error: InfrastructureError) -> Verdict:
    """The verdict of a candidate that could not be judged."""
    return Verdict(
        task=slug,
        task_digest=digest,
        agent=agent,
        patch_sha256=hashlib.sha256(patch).hexdigest(),
        failure=Failure.of(error),
    )


async def _judge(prepared: Prepared, agent: str, patch: bytes, runner: Runner, *, all_tests: bool) -> Judged:
    task = prepared.task.assay
    applied = await runner.apply(patch, prepared.base_layer, prepared.is_protected)
    patch_sha256 = hashlib.sha256(patch).hexdigest()
    total = len(task.fail_to_pass) + len(task.pass_to_pass)
    if applied.problem:
        verdict = Verdict(
            task=prepared.task.slug,
            task_digest=prepared.digest,
            agent=agent,
            patch_sha256=patch_sha256,
            resolved=False,
            reward=0,
            reason="patch-does-not-apply",
            problems=(applied.problem,),
            total_count=total,
            cpu_seconds=applied.usage.cpu_seconds,
            wall_seconds=applied.usage.wall_seconds,
        )
        return Judged(verdict, None)
    layers = stack(prepared.environment, prepared.base_layer, applied.layer, prepared.hidden_layer)
    run = await runner.test(prepared.environment, layers, Selection(files=task.test_files, hidden=prepared.task.hidden_tests), task.limits)
    judgement = grade(task, run.report)
    cost = cost_of(applied.usage + run.usage)
    verdict = Verdict(
        task=prepared.task.slug,
        task_digest=prepared.digest,
        agent=agent,
        patch_sha256=patch_sha256,
        resolved=judgement.resolved,
        reward=int(judgement.resolved),
        reason=judgement.reason,
        tests=tuple(r for r in judgement.results if all_tests or r.status is not Status.PASSED),
        passed_count=judgement.passed_count,
        total_count=total,
        problems=judgement.problems,
        dropped_paths=applied.dropped,
        wall_seconds=cost.wall_seconds,
        cpu_seconds=cost.cpu_seconds,
    )
    return Judged(verdict, run.report)
