"""Tasks whose own script gives the reward: one container for the try and its judgement, as their harness has it.

The reward is what a file says that the candidate's code could have written: such a verdict has one witness and no
guard, and says so. What runs is still in a sandbox without network, its files are read from outside, and a script
that says nothing gives no verdict rather than a zero.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.core.exchange.harbor_tasks import SOLVE, TEST, image_name, variables, workdir
from assay.core.exchange.rewards import reward_of
from assay.core.hashing import task_digest
from assay.errors import InfrastructureError, InputError, PrerequisiteError, VerifierError
from assay.model.event import Note, OnEvent, Stage
from assay.model.ledger import Cost
from assay.model.report import Status
from assay.model.sandbox import Command, ExecResult, Mount, SandboxSpec, Usage
from assay.model.task import REWARD, Task
from assay.model.tree import FileState
from assay.model.verdict import TestResult, Verdict
from assay.ports.sandbox import ImageBuilder
from assay.stages.evidence import script_evidence
from assay.stages.judging import failed
from assay.stages.toolbox import Toolbox

MAX_REWARD_BYTES = 1 << 16
TAIL_BYTES = 400
CONTEXT = "environment/"
UNFIT = "patch-does-not-apply"
"""Below /logs: says that the candidate's patch does not fit."""
UNGUARDED = "judged by the task's own script beside the candidate's code: nothing guards the reward"


@dataclass(frozen=True, slots=True)
class Try:
    """One try at a task: what is done before its script judges."""

    agent: str
    """`oracle` runs the task's own solution, `nop` nothing, any other name applies the patch."""
    patch: bytes = b""


async def prove(path: Path, task: Task, runs: int, tools: Toolbox, emit: OnEvent) -> tuple[list[Verdict], list[str]]:
    """One verdict each for `oracle` and `nop`, and what speaks against the task. Raises PrerequisiteError."""
    emit(Stage(subject=task.slug, stage="environment"))
    found: dict[str, list[Verdict]] = {"oracle": [], "nop": []}
    for _ in range(runs):
        for name, verdicts in found.items():
            emit(Stage(subject=task.slug, stage=f"verify {name}"))
            verdicts.append(await judge_script(task, Try(name), tools))
    complaints = _complaints(found)
    if not any(verdict.failure for verdicts in found.values() for verdict in verdicts):
        evidence = script_evidence(task, found, complaints, tools.clock)
        await anyio.to_thread.run_sync(tools.tasks.write_evidence, path, evidence)
        for complaint in complaints:
            emit(Note(text=f"{task.slug}: {complaint}"))
    return [_telling(name, verdicts) for name, verdicts in found.items()], complaints


def _telling(agent: str, verdicts: list[Verdict]) -> Verdict:
    """The run that says most: a failure, then one that speaks against the task."""
    wanted = agent == "oracle"
    odd = [v for v in verdicts if v.failure] + [v for v in verdicts if v.resolved is not wanted]
    return (odd or verdicts)[0]


def _complaints(found: Mapping[str, list[Verdict]]) -> list[str]:
    complaints = [
        f"runs of {name} disagree"
        for name, verdicts in found.items()
        if len({verdict.resolved for verdict in verdicts if not verdict.failure}) > 1
    ]
    if any(verdict.resolved is False for verdict in found["oracle"]):
        complaints.append("its own solution does not resolve the task")
    if any(verdict.resolved is True for verdict in found["nop"]):
        complaints.append("doing nothing resolves the task")
    return complaints


async def judge_script(task: Task, what: Try, tools: Toolbox, *, stage: str = "verify") -> Verdict:
    """The verdict of the task's own script on one try. An infrastructure fault is a value. Raises PrerequisiteError
    when the sandbox has no images, and InputError for an oracle without a solution.
    """
    if what.agent == "oracle" and SOLVE not in task.files:
        raise InputError(f"{task.slug}: it has no {SOLVE}, so there is no oracle", hint="judge a patch: --patch FILE")
    started_at, began = tools.clock.now(), anyio.current_time()
    usage = Usage()
    try:
        verdict, usage = await _tried(task, what, tools)
    except InfrastructureError as error:
        verdict = failed(task.slug, task_digest(task), what.agent, what.patch, error)
    wall = round(anyio.current_time() - began, 3)
    verdict = verdict.model_copy(update={"wall_seconds": wall, "cpu_seconds": round(usage.cpu_seconds, 3)})
    outcome = f"failure:{verdict.failure.boundary}" if verdict.failure else verdict.reason or "ok"
    cost = Cost(cpu_seconds=usage.cpu_seconds, wall_seconds=wall)
    tools.store.charge([tools.entry(stage, task.slug, started_at, cost, outcome, what.agent)])
    return verdict


async def _tried(task: Task, what: Try, tools: Toolbox) -> tuple[Verdict, Usage]:
    image = await _image(task, tools)
    seconds = task.assay.limits.wall_seconds
    mounts = [Mount("/tests", (await tools.layers.put(_below(task, "tests/")),)), Mount("/logs", writable=True)]
    if what.agent == "oracle":
        mounts.append(Mount("/solution", (await tools.layers.put(_below(task, "solution/")),)))
        seconds += float((task.config.get("agent") or {}).get("timeout_sec") or seconds)
    elif what.patch:
        mounts.append(Mount("/candidate", (await tools.layers.put({"patch": FileState(what.patch)}),)))
    spec = SandboxSpec(
        mounts=tuple(mounts),
        workdir=workdir(task.config, task.files),
        env=tuple(variables(task.config, "environment").items()),
        limits=task.assay.limits.model_copy(update={"wall_seconds": seconds}),
        image=image,
        image_writable=True,
        label=tools.run_id,
    )
    async with tools.sandbox.open(spec) as session:
        # One command, because what the solution has started must still run when the tests look at it.
        done = await session.exec(Command(("sh", "-c", _script(task, what))))
        unfit, structured, text = [
            await session.read("/logs", name, MAX_REWARD_BYTES)
            for name in (UNFIT, "verifier/reward.json", "verifier/reward.txt")
        ]
    if unfit is not None:
        return _verdict(task, what, "patch-does-not-apply", 0.0, _tail(done)), done.usage
    reward, problem = reward_of(structured, text)
    if problem and done.stopped:
        return _verdict(task, what, f"limit-{done.stopped}", 0.0, problem), done.usage
    if problem:
        said = _tail(done)
        hint = f"the end of what {TEST} printed:\n{said}" if said else f"{TEST} printed nothing"
        raise VerifierError(f"{task.slug}: no verdict: {problem}", hint=hint)
    return _verdict(task, what, "" if reward >= 1 else "reward-below-1", reward, ""), done.usage


def _script(task: Task, what: Try) -> str:
    """All that happens in the container: the try, then the task's script over clean places for its reward."""
    lines = []
    if what.agent == "oracle":
        lines.append(f"{_with(task, 'solution')} bash /{SOLVE}")
    elif what.patch:
        lines.append(f"git apply --whitespace=nowarn --binary /candidate/patch || {{ : >/logs/{UNFIT}; exit 1; }}")
    lines += [
        "rm -rf /logs/verifier/reward.json /logs/verifier/reward.txt",
        "mkdir -p /logs/verifier /logs/agent /logs/artifacts",
        f"exec {_with(task, 'verifier')} bash /{TEST}",
    ]
    return "\n".join(lines)


def _with(task: Task, table: str) -> str:
    """`env` with the variables of a phase."""
    return shlex.join(("env", *(f"{name}={value}" for name, value in variables(task.config, table).items())))


async def _image(task: Task, tools: Toolbox) -> str:
    named = image_name(task.config)
    if named:
        return named
    if not isinstance(tools.sandbox, ImageBuilder):
        raise PrerequisiteError(
            f"{task.slug} brings an image of its own, and the sandbox {tools.sandbox.name!r} has none",
            hint="add --sandbox docker (or podman); `assay doctor` says what this machine lacks for it",
        )
    online = (task.config.get("environment") or {}).get("network_mode", "public") != "no-network"
    return await tools.sandbox.image_of(await tools.layers.put(_below(task, CONTEXT)), online=online)


def _below(task: Task, prefix: str) -> dict[str, FileState]:
    return {path.removeprefix(prefix): state for path, state in task.files.items() if path.startswith(prefix)}


def _verdict(task: Task, what: Try, reason: str, reward: float, problem: str) -> Verdict:
    resolved = not reason
    status = Status.PASSED if resolved else Status.FAILED
    told = problem or f"the script's reward is {reward:g}"
    return Verdict(
        task=task.slug,
        task_digest=task_digest(task),
        agent=what.agent,
        patch_sha256=hashlib.sha256(what.patch).hexdigest(),
        resolved=resolved,
        reward=int(resolved),
        reason=reason,
        tests=(TestResult(id=REWARD, status=status, expected="fail_to_pass", message=told),),
        passed_count=int(resolved),
        total_count=1,
        problems=(UNGUARDED,),
        oracle="script",
    )


def _tail(result: ExecResult) -> str:
    return (result.stdout + result.stderr)[-TAIL_BYTES:].decode("utf-8", "replace").strip()
