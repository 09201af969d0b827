"""Proving a task folder again from scratch, or judging one candidate on it.

Without a candidate, the reference change must resolve in every run and doing nothing in none; on the base every
fail-to-pass test must fail and every pass-to-pass test must pass. The proof becomes evidence/verify.json, bound to
the content that was judged. Nothing of an earlier proof is believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from assay.core.hashing import task_digest
from assay.errors import InfrastructureError, InputError, StoreError, VerifierError
from assay.model.event import Log, Note, OnEvent, Stage
from assay.model.loss import Loss
from assay.model.report import Status
from assay.model.task import Task
from assay.model.verdict import Verdict
from assay.ports.agent import Agent
from assay.stages.evidence import proof_evidence
from assay.stages.judging import Judged, Prepared, failed, judge_on_record, prepare
from assay.stages.scripted import Try, judge_script
from assay.stages.scripted import prove as prove_script
from assay.stages.toolbox import Toolbox
from assay.stages.twins import load as load_pool

LOSSES_TOLD = 50


@dataclass(frozen=True, slots=True)
class Verification:
    """What came out: one verdict for each agent, and what speaks against the task (empty when it is proved)."""

    verdicts: tuple[Verdict, ...]
    complaints: tuple[str, ...] = ()


async def verify_candidate(path: Path, agent: Agent, tools: Toolbox, emit: OnEvent) -> Verification:
    """Judge what one agent does with the task at `path`. Raises TaskDefinitionError, PrerequisiteError."""
    task = await anyio.to_thread.run_sync(tools.tasks.read, path)
    if task.is_scripted:
        patch = b"" if agent.name in ("oracle", "nop") else await agent.attempt(task)
        emit(Stage(subject=task.slug, stage=f"verify {agent.name}"))
        return Verification((await judge_script(task, Try(agent.name, patch), tools),))
    patch = await agent.attempt(task)
    try:
        prepared = await prepare_on_record(task, tools, emit)
    except InfrastructureError as error:
        return Verification((failed(task.slug, task_digest(task), agent.name, patch, error),))
    emit(Stage(subject=task.slug, stage=f"verify {agent.name}"))
    return Verification((await judge_prepared(prepared, agent.name, patch, tools, hint=f"type: assay verify {path}"),))


async def judge_prepared(
    prepared: Prepared,
    name: str,
    patch: bytes,
    tools: Toolbox,
    *,
    hint: str = "type: assay verify with this task alone",
) -> Verdict:
    """The verdict on one change; none where the reference change itself does not resolve the task."""
    if prepared.pool.broken:
        slug = prepared.task.slug
        broken = VerifierError(
            f"{slug}: the reference change does not resolve the task, so nothing can be judged by it: "
            f"{prepared.pool.broken}",
            hint=hint,
        )
        return failed(slug, prepared.digest, name, patch, broken)
    return (await judge_on_record(prepared, name, patch, tools, stage="verify", all_tests=True)).verdict


async def replay(path: Path, record: Verdict, tools: Toolbox, emit: OnEvent) -> Verification:
    """Reach a verdict again from its record. Raises InputError when task, patch or twins are not there any more."""
    task = await anyio.to_thread.run_sync(tools.tasks.read, path)
    if task.is_scripted:
        raise InputError(
            f"{task.slug}: a verdict of a task's own script is not reached again: no lay-out is drawn for it",
            hint=f"judge once more: assay verify {path} --agent {record.agent}",
        )
    if task_digest(task) != record.task_digest:
        raise InputError(
            f"{task.slug} is not the task that was judged: its content has changed",
            hint=f"the record is of content {record.task_digest[:12]}, the folder holds {task_digest(task)[:12]}",
        )
    try:
        patch = tools.store.get_blob(record.patch_sha256)
        pool = load_pool(tools.store, record.pool_sha256)
    except StoreError as error:
        raise InputError(
            f"{task.slug}: the patch or the twins of this record are not in the project: {error.message}",
            hint="replay in the project that reached the verdict",
        ) from error
    try:
        prepared = replace(await prepare_on_record(task, tools, emit), pool=pool, pool_sha256=record.pool_sha256)
    except InfrastructureError as error:
        return Verification((failed(task.slug, task_digest(task), record.agent, patch, error),))
    emit(Stage(subject=task.slug, stage=f"replay {record.agent}"))
    judged = await judge_on_record(
        prepared, record.agent, patch, tools, stage="verify", all_tests=True, seed=record.seed
    )
    return Verification((judged.verdict,), _differences(record, judged.verdict))


def _differences(record: Verdict, verdict: Verdict) -> tuple[str, ...]:
    """What is not as it was recorded."""
    found = []
    for name in ("resolved", "reason", "verifier_sha256", "tamper", "dropped_paths"):
        before, now = getattr(record, name), getattr(verdict, name)
        if before != now:
            found.append(f"{name} was {before!r} and is {now!r}")
    return tuple(found)


async def verify_task(path: Path, runs: int, tools: Toolbox, emit: OnEvent) -> Verification:
    """Prove the task at `path` with `runs` runs of each side. Raises TaskDefinitionError, PrerequisiteError."""
    task = await anyio.to_thread.run_sync(tools.tasks.read, path)
    if task.is_scripted:
        verdicts, against = await prove_script(path, task, runs, tools, emit)
        return Verification(tuple(verdicts), tuple(against))
    oracle, nop = tools.agent("oracle"), tools.agent("nop")
    patches = {agent.name: await agent.attempt(task) for agent in (oracle, nop)}
    try:
        prepared = await prepare_on_record(task, tools, emit, fresh_twins=True)
    except InfrastructureError as error:
        digest = task_digest(task)
        return Verification(tuple(failed(task.slug, digest, name, patches[name], error) for name in patches))
    judged: dict[str, list[Judged]] = {name: [] for name in patches}
    for _ in range(runs):
        async with anyio.create_task_group() as group:
            for name, patch in patches.items():
                group.start_soon(_judge_into, judged[name], prepared, name, patch, tools, emit)
    verification = conclude(task, judged)
    if not any(verdict.failure for verdict in verification.verdicts):
        await _write_evidence(path, prepared, judged, verification, tools)
        for complaint in verification.complaints:
            emit(Note(text=f"{task.slug}: {complaint}"))
    return verification


async def prepare_on_record(task: Task, tools: Toolbox, emit: OnEvent, *, fresh_twins: bool = False) -> Prepared:
    """`prepare`, with its cost in the ledger; what of an imported task's lists does not hold is told."""
    emit(Stage(subject=task.slug, stage="environment"))
    started_at = tools.clock.now()
    prepared = await prepare(task, tools, fresh_twins=fresh_twins)
    for loss in prepared.losses[:LOSSES_TOLD]:
        emit(Log(subject=task.slug, text=f"{loss.field}: {loss.reason}"))
    if prepared.losses:
        emit(Note(text=f"{task.slug}: {_told(prepared.losses)}"))
    tools.store.charge([tools.entry("environment", task.slug, started_at, prepared.cost)])
    return prepared


def _told(losses: Sequence[Loss]) -> str:
    """How many of the published tests do not hold here, and the first."""
    tests = "one published test does" if len(losses) == 1 else f"{len(losses)} published tests do"
    return f"{tests} not hold here and count otherwise or for nothing; the first: {losses[0].reason}"


async def _judge_into(
    results: list[Judged], prepared: Prepared, name: str, patch: bytes, tools: Toolbox, emit: OnEvent
) -> None:
    emit(Stage(subject=prepared.task.slug, stage=f"verify {name}"))
    results.append(await judge_on_record(prepared, name, patch, tools, stage="verify", all_tests=True))


def conclude(task: Task, judged: Mapping[str, Sequence[Judged]]) -> Verification:
    """One verdict an agent: a failure before all, then the run that speaks against the task. `judged` holds verdicts
    on `oracle` and on `nop`, with all tests.
    """
    verdicts, complaints = [], []
    for name, results in judged.items():
        wanted = name == "oracle"
        verdicts.append(
            next((j.verdict for j in results if j.verdict.failure), None)
            or next((j.verdict for j in results if j.verdict.resolved is not wanted), results[0].verdict)
        )
        if len({j.verdict.resolved for j in results if not j.verdict.failure}) > 1:
            complaints.append(f"runs of {name} disagree")
    by_name = dict(zip(judged, verdicts, strict=True))
    if by_name["oracle"].resolved is False:
        complaints.append(f"the reference change does not resolve the task: {by_name['oracle'].reason}")
    if by_name["nop"].resolved is True:
        complaints.append("doing nothing resolves the task")
    complaints += _base_complaints([j.verdict for j in judged["nop"] if not j.verdict.failure])
    short = tuple(_without_passed(verdict) for verdict in verdicts)
    return Verification(short, tuple(complaints))


def _without_passed(verdict: Verdict) -> Verdict:
    """Of a task's own proof only the tests that did not pass are worth a line each."""
    return verdict.model_copy(update={"tests": tuple(t for t in verdict.tests if t.status is not Status.PASSED)})


def _base_complaints(verdicts: Sequence[Verdict]) -> list[str]:
    """What the runs without the change show against the task's lists."""
    complaints = []
    for verdict in verdicts:
        passing = [t.id for t in verdict.tests if t.expected == "fail_to_pass" and t.status is Status.PASSED]
        failing = [
            t.id
            for t in verdict.tests
            if t.expected == "pass_to_pass" and t.status not in (Status.PASSED, Status.MISSING)
        ]
        if passing:
            complaints.append(f"passes without the change, though listed as fail-to-pass: {passing[0]}")
        if failing:
            complaints.append(f"fails without the change, though listed as pass-to-pass: {failing[0]}")
    return list(dict.fromkeys(complaints))


async def _write_evidence(
    path: Path, prepared: Prepared, judged: dict[str, list[Judged]], verification: Verification, tools: Toolbox
) -> None:
    if not all(judged.values()):
        return
    evidence = proof_evidence(
        prepared.task,
        prepared.digest,
        prepared.stand.environment,
        prepared.pool,
        {name: [j.verdict for j in results] for name, results in judged.items()},
        verification.complaints,
        tools.clock,
        prepared.losses,
    )
    await anyio.to_thread.run_sync(tools.tasks.write_evidence, path, evidence)
