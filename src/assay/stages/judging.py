"""Judging a candidate patch on a task: from a task folder to a verdict, from scratch.

`prepare` does once what all candidates of a task share (base, environment, hidden tests, twins), `judge` gives one
verdict. A fault of ours is a Failure in the verdict and never a reward; a candidate's own doing is never a Failure.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import anyio

from assay import __version__
from assay.core.failure_policy import policy
from assay.core.grading import Grade, grade_rounds, is_hopeless, second_hearing
from assay.core.hashing import json_digest, task_digest, tree_digest
from assay.core.patches import changed_paths
from assay.core.plain_changes import reach
from assay.core.protection import Shadows, consulted, protection, search_roots
from assay.core.twins.rounds import GUESS_LIMIT, hear_again, lay_out
from assay.errors import InfrastructureError, TaskDefinitionError, UnguardedError
from assay.model.failure import Failure
from assay.model.ledger import Cost
from assay.model.loss import Loss
from assay.model.report import Status, TestReport
from assay.model.sandbox import Usage
from assay.model.task import PUZZLE, WORKSPACE, Task
from assay.model.tree import Tree
from assay.model.twin import Pool, Round
from assay.model.verdict import Dropped, Verdict
from assay.ports.framework import TwinMaker
from assay.stages import twins
from assay.stages.running import Applied, Runner, TestRun
from assay.stages.settling import settle
from assay.stages.toolbox import Toolbox, cost_of
from assay.stages.twins import Mint, Stand

NO_TWINS = Pool()
WEAVING = 7
"""Goes up when twins are made otherwise, so that older ones are not used any more."""
MAX_PATCH_BYTES = 32 * 1024 * 1024
"""No honest change of a task is near it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task ready to judge candidates."""

    stand: Stand
    digest: str
    is_protected: Callable[[str], str]
    cost: Cost
    pool: Pool = NO_TWINS
    pool_sha256: str = ""
    settled_sha256: str = ""
    """Of what was found out about an imported task; empty for others."""
    losses: tuple[Loss, ...] = ()
    """What of an imported task's lists does not hold here."""

    @property
    def task(self) -> Task:
        """The task itself."""
        return self.stand.task

    @property
    def verifier_sha256(self) -> str:
        """Of everything that judges besides the task."""
        parts = {
            "assay": __version__,
            "weaving": WEAVING,
            "framework": self.stand.runner.framework.name,
            "environment": self.stand.environment.digest,
            "twins": self.pool_sha256,
        }
        return json_digest(parts | ({"lists": self.settled_sha256} if self.settled_sha256 else {}))


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and the reports it rests on (none when no run took place)."""

    verdict: Verdict
    reports: tuple[TestReport, ...] = ()
    rounds: tuple[Round, ...] = ()


async def prepare(task: Task, tools: Toolbox, *, fresh_twins: bool = False) -> Prepared:
    """Fetch the base, build the environment, lay the hidden tests, make the twins (or take those made before).

    Raises InfrastructureError, PrerequisiteError, or TaskDefinitionError when the base is not what the task says.
    """
    if task.is_scripted:
        raise TaskDefinitionError(
            f"{task.slug}: its own script gives the reward, and there are no tests that could be looked at one by one",
            hint="`assay verify` judges it; attacks and most checks need a list of tests",
        )
    digest = task_digest(task)
    base = await base_of(task, tools)
    base_layer = await tools.layers.put(base)
    found = await settle(task, base, base_layer, tools)
    task, built = found.task, found.built
    framework = tools.framework(task.assay.framework)
    inside = framework.inside(task.hidden_tests)
    stand = Stand(
        task=task,
        environment=built.environment,
        base=base,
        base_layer=base_layer,
        hidden=inside,
        hidden_layer=await tools.layers.put(inside) if inside else None,
        runner=tools.runner(framework),
    )
    prepared = Prepared(
        stand=stand,
        digest=digest,
        is_protected=_guard(stand),
        cost=built.cost,
        settled_sha256=found.digest,
        losses=found.losses,
    )
    return await _with_twins(prepared, tools, fresh=fresh_twins)


def _guard(stand: Stand) -> Callable[[str], str]:
    """Why a candidate may not change a path; empty when it may. What the reference change needs, it always may."""
    task, framework = stand.task, stand.runner.framework
    needed = set(changed_paths(task.gold_patch))
    named = [f"/{path}" for path in framework.loaded_files(stand.base) if path not in needed]
    tests = {path: state for path, state in stand.hidden.items() if state is not None}
    read = consulted(tests, stand.base) - needed
    protected = protection(
        (*framework.protected_patterns(), *task.assay.protected_paths, *named),
        task.hidden_tests,
        stand.base,
        is_test=framework.is_test_file,
        is_support=framework.is_support_file,
    )
    if not isinstance(framework, TwinMaker):
        return protected  # nothing is imported into the judge's process, so nothing can be shadowed
    roots = search_roots(task.assay.environment.python_path, task.assay.test_files, stand.base)
    shadows = Shadows(stand.base, roots, stand.environment.modules)

    def why(path: str) -> str:
        if path in read:
            return "named by the tests, which may read it"
        return protected(path) or ("" if path in needed else shadows(path))

    return why


async def base_of(task: Task, tools: Toolbox) -> Tree:
    """A task's base from its source. Raises ProviderError, and TaskDefinitionError when it is not the one."""
    source = task.assay.source
    base = await anyio.to_thread.run_sync(tools.tasks.base, task)
    if base is None:
        fetched = await tools.source(source.kind).base(source)
        base = {**fetched, **task.workspace}
    if source.kind == PUZZLE and not base:
        raise TaskDefinitionError(
            f"{task.slug}: {WORKSPACE}: found nothing, expected the files that a candidate starts from",
            hint="put them there; docs/puzzles.md shows a whole puzzle",
            file=WORKSPACE,
            key="",
            found="nothing",
            expected="at least one file",
        )
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
    return base


async def _with_twins(prepared: Prepared, tools: Toolbox, *, fresh: bool) -> Prepared:
    stand = prepared.stand
    settled = [prepared.settled_sha256] if prepared.settled_sha256 else []
    key = json_digest([prepared.digest, stand.environment.digest, stand.runner.framework.name, WEAVING, *settled])
    known = None if fresh else twins.recall(tools.store, key)
    if known is not None and not known[0].broken:
        return replace(prepared, pool=known[0], pool_sha256=known[1])
    applied = await stand.runner.apply(stand.task.gold_patch, stand.base_layer, prepared.is_protected)
    if applied.problem:
        pool = Pool(broken=f"the reference change does not apply: {applied.problem}")
    else:
        mint = Mint(stand, applied.layer, random.Random(secrets.randbits(128)))
        pool = await mint.make()
        prepared = replace(prepared, cost=prepared.cost + cost_of(mint.usage))
    return replace(prepared, pool=pool, pool_sha256=twins.keep(tools.store, key, pool))


async def judge(
    prepared: Prepared,
    agent: str,
    patch: bytes,
    runner: Runner,
    *,
    all_tests: bool = False,
    seed: str = "",
    hasty: bool = False,
) -> Judged:
    """One candidate, one verdict. Infrastructure faults are values too: the verdict holds the failure, after as many
    tries as `assay.core.failure_policy` allows.

    `seed` lays out the runs as an earlier verdict had them; without it they are drawn anew. `hasty` is for changes
    that are known to be no solutions: the first run may decide against them.
    """
    case = _Case(prepared, agent, patch, seed or secrets.token_hex(16), runner, hasty=hasty)
    for tries in count(1):
        try:
            return await case.judge(all_tests=all_tests)
        except InfrastructureError as error:
            failure = Failure.of(error)
            if tries > policy(failure).retry_count:
                return Judged(case.verdict(failure=failure))
    raise AssertionError("the last try returns")


async def judge_on_record(
    prepared: Prepared,
    agent: str,
    patch: bytes,
    tools: Toolbox,
    *,
    stage: str,
    all_tests: bool = False,
    seed: str = "",
    hasty: bool = False,
) -> Judged:
    """`judge`, with its cost in the ledger, and the patch kept so that the verdict can be reached again."""
    slug, started_at = prepared.task.slug, tools.clock.now()
    runner = prepared.stand.runner
    judged = await judge(prepared, agent, patch, runner, all_tests=all_tests, seed=seed, hasty=hasty)
    verdict = judged.verdict
    tools.store.put_blob(patch)
    cost = Cost(cpu_seconds=verdict.cpu_seconds, wall_seconds=verdict.wall_seconds)
    outcome = f"failure:{verdict.failure.boundary}" if verdict.failure else verdict.reason or "ok"
    tools.store.charge([tools.entry(stage, slug, started_at, cost, outcome, agent)])
    return judged


def failed(slug: str, digest: str, agent: str, patch: bytes, error: InfrastructureError) -> Verdict:
    """The verdict of a candidate that could not be judged."""
    return Verdict(
        task=slug,
        task_digest=digest,
        agent=agent,
        patch_sha256=hashlib.sha256(patch).hexdigest(),
        failure=Failure.of(error),
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """One candidate before its judge."""

    prepared: Prepared
    agent: str
    patch: bytes
    seed: str
    runner: Runner
    hasty: bool = False

    @property
    def is_in_process(self) -> bool:
        """Whether the tests run in one process with the candidate."""
        return isinstance(self.prepared.stand.runner.framework, TwinMaker)

    async def judge(self, *, all_tests: bool) -> Judged:
        """Apply, run, grade."""
        if len(self.patch) > MAX_PATCH_BYTES:
            text = f"the patch has {len(self.patch)} bytes; no more than {MAX_PATCH_BYTES} are judged"
            return Judged(self.refused("patch-too-large", text))
        prepared = self.prepared
        applied = await self.runner.apply(self.patch, prepared.stand.base_layer, prepared.is_protected)
        if applied.problem:
            return Judged(self.refused("patch-does-not-apply", applied.problem, applied.usage))
        task, usage = prepared.task.assay, applied.usage
        rounds = lay_out(prepared.pool, task.fail_to_pass, random.Random(self.seed))
        first = rounds[:1] if self.hasty else rounds
        runs = await self._runs(first, applied.layer)
        if first != rounds:
            judgement = grade_rounds(task, prepared.pool, first, [run.report for run in runs])
            if is_hopeless(judgement):
                reports = tuple(run.report for run in runs)
                usage = sum((run.usage for run in runs), usage)
                return Judged(self._graded(judgement, applied, usage, all_tests=all_tests), reports, first)
            runs += await self._runs(rounds[1:], applied.layer)
        reports = tuple(run.report for run in runs)
        usage = sum((run.usage for run in runs), usage)
        judgement = grade_rounds(task, prepared.pool, rounds, reports)
        if again := second_hearing(prepared.pool, judgement, reports):
            more = hear_again(prepared.pool, again, random.Random(f"{self.seed}:again"))
            runs = await self._runs(more, applied.layer)
            rounds, reports = (*rounds, *more), (*reports, *(run.report for run in runs))
            usage = sum((run.usage for run in runs), usage)
            judgement = grade_rounds(task, prepared.pool, rounds, reports)
        self._demand_guard(judgement, applied)
        return Judged(self._graded(judgement, applied, usage, all_tests=all_tests), reports, rounds)

    def _demand_guard(self, judgement: Grade, applied: Applied) -> None:
        """Where a guess would win, only a change that cannot but compute is rewarded. Nobody is rejected for it."""
        bound = judgement.twins.guess_bound if judgement.twins else 1.0
        if not judgement.resolved or not self.is_in_process or bound <= GUESS_LIMIT:
            return
        if way_out := reach(applied.kept):
            raise UnguardedError(
                "the tests at stake expect no computed value (an exception, a yes or no, that nothing happens), so "
                f"that only a change that computes can be told from a forgery, and this one does more: {way_out}",
                hint="add a test that expects a computed value, or let the verifier call the candidate from outside "
                "(docs/puzzles.md)",
            )

    async def _runs(self, rounds: tuple[Round, ...], layer: Path | None) -> list[TestRun]:
        runs: dict[int, TestRun] = {}

        async def one(number: int, chosen: Round) -> None:
            runs[number] = await self.prepared.stand.run(self.prepared.pool, chosen, layer)

        try:
            async with anyio.create_task_group() as group:
                for number, chosen in enumerate(rounds):
                    group.start_soon(one, number, chosen)
        except ExceptionGroup as several:
            # One fault is enough: the first one says why there is no verdict.
            raise first_of(several) from several
        return [runs[number] for number in range(len(rounds))]

    def _graded(self, judgement: Grade, applied: Applied, usage: Usage, *, all_tests: bool) -> Verdict:
        return self.verdict(
            resolved=judgement.resolved,
            reward=int(judgement.resolved),
            reason=judgement.reason,
            tests=tuple(r for r in judgement.results if all_tests or r.status is not Status.PASSED),
            passed_count=judgement.passed_count,
            problems=judgement.problems,
            tamper=judgement.tamper,
            twins=judgement.twins,
            dropped_paths=tuple(path for path, _ in applied.dropped),
            dropped=tuple(Dropped(path=path, why=why) for path, why in applied.dropped),
            **_spent(usage),
        )

    def refused(self, reason: str, text: str, usage: Usage | None = None) -> Verdict:
        """The verdict on a patch that never came to its tests."""
        return self.verdict(resolved=False, reward=0, reason=reason, problems=(text,), **_spent(usage or Usage()))

    def verdict(self, **fields: Any) -> Verdict:
        """A verdict on this candidate."""
        prepared = self.prepared
        return Verdict(
            task=prepared.task.slug,
            task_digest=prepared.digest,
            agent=self.agent,
            patch_sha256=hashlib.sha256(self.patch).hexdigest(),
            total_count=len(prepared.task.assay.fail_to_pass) + len(prepared.task.assay.pass_to_pass),
            seed=self.seed,
            pool_sha256=prepared.pool_sha256,
            verifier_sha256=prepared.verifier_sha256,
            oracle="in-process" if self.is_in_process else "out-of-process",
            **fields,
        )


def _spent(usage: Usage) -> dict[str, float]:
    cost = cost_of(usage)
    return {"wall_seconds": cost.wall_seconds, "cpu_seconds": cost.cpu_seconds}


def first_of(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of the errors that ended a group of tasks: it says why, and the others mostly say the same."""
    error = several.exceptions[0]
    return first_of(error) if isinstance(error, BaseExceptionGroup) else error
