"""Auditing one task: every check in turn, what it found, what it cost; the evidence is written at the end.

A check that cannot be made because something around it broke is `unknown`, and the others go on. Nothing is believed
that was found for other content.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from pydantic import TypeAdapter

from assay import __version__
from assay.core.audit.bank import with_bank
from assay.core.audit.table import unanswered
from assay.core.hashing import task_digest
from assay.errors import InfrastructureError
from assay.model.audit import CHECK_IDS, AuditRun, AuditSettings, CheckId, CheckResult, Finding, Proposal
from assay.model.bank import Replay
from assay.model.event import Checked, Note, OnEvent, Stage
from assay.model.evidence import Evidence
from assay.model.failure import Failure
from assay.model.ledger import Cost
from assay.stages.audit import amplified, collateral, cost, hackability, hidden_names, leaks, requirements, stability
from assay.stages.audit.bank import replay_bank
from assay.stages.audit.fixing import Remake, propose
from assay.stages.audit.ground import Ground, Tally, lay
from assay.stages.audit.memo import Memo
from assay.stages.audit.scripted import audit_script
from assay.stages.audit.variants import Variants
from assay.stages.audit.warm import Trials
from assay.stages.judging import first_of
from assay.stages.toolbox import Toolbox, cost_of

RESULT: TypeAdapter[CheckResult] = TypeAdapter(CheckResult)
SEARCHED: TypeAdapter[tuple[list[Finding], list[str]]] = TypeAdapter(tuple[list[Finding], list[str]])
CHEAP: dict[CheckId, Remake] = {"hidden-names": hidden_names.check, "cost": cost.check}
"""Checks that are made again on a repaired task."""


@dataclass(frozen=True, slots=True)
class AuditWish:
    """What is asked of an audit."""

    settings: AuditSettings = field(default_factory=AuditSettings)
    only: tuple[CheckId, ...] = ()
    """Empty for all checks."""
    attacks: tuple[str, ...] = ()
    fresh: bool = False
    fix: bool = False
    """Whether to look for repairs, too."""


async def audit_task(path: Path, tools: Toolbox, emit: OnEvent, wish: AuditWish) -> AuditRun:
    """Audit the task at `path`. Raises TaskDefinitionError, PrerequisiteError, and InputError for unknown attacks."""
    task = await anyio.to_thread.run_sync(tools.tasks.read, path)
    if task.is_scripted:
        return await audit_script(task, tools, emit, wish.settings, wish.only)
    emit(Stage(subject=task.slug, stage="environment"))
    began = anyio.current_time()
    try:
        ground = await lay(task, tools, wish.settings, emit, wish.attacks)
    except InfrastructureError as error:
        return AuditRun(task=task.slug, task_digest=task_digest(task), failure=Failure.of(error))
    run = AuditRun(task=task.slug, task_digest=ground.prepared.digest)
    complaint = ground.applied.problem or ground.prepared.pool.broken
    if complaint:
        return run.model_copy(update={"complaint": f"the reference change does not resolve the task: {complaint}"})
    trials, memo = Trials(ground), Memo(tools.store, fresh=wish.fresh)
    audit = Audit(ground, trials, memo, Variants(ground, trials, memo), path)
    checks = [await audit.make(check) for check in CHECK_IDS if check in (wish.only or CHECK_IDS)]
    found = await audit.proposals(checks) if wish.fix else ()
    seconds = round(anyio.current_time() - began, 3)
    run = run.model_copy(update={"checks": tuple(checks), "wall_seconds": seconds, "proposals": found})
    await _write_evidence(path, run, wish, tools)
    return run


@dataclass(slots=True)
class Audit:
    """The checks of one task."""

    ground: Ground
    trials: Trials
    memo: Memo
    variants: Variants
    folder: Path
    replays: tuple[Replay, ...] | None = None

    async def make(self, check: CheckId) -> CheckResult:
        """One check's result, with its cost in the ledger."""
        ground, tools = self.ground, self.ground.tools
        ground.tally = Tally()
        ground.say(check)
        started_at, began = tools.clock.now(), anyio.current_time()
        try:
            result = await self._result(check)
        except (InfrastructureError, ExceptionGroup) as raised:
            result = unanswered(check, _fault(raised))
        spent = cost_of(ground.tally.usage)
        result = result.model_copy(
            update={
                "run_count": ground.tally.run_count,
                "wall_seconds": round(anyio.current_time() - began, 3),
                "cpu_seconds": round(spent.cpu_seconds, 3),
            }
        )
        tools.store.charge(
            [
                tools.entry(
                    "audit",
                    ground.task.slug,
                    started_at,
                    Cost(cpu_seconds=spent.cpu_seconds, wall_seconds=result.wall_seconds),
                    result.status,
                    check,
                )
            ]
        )
        ground.emit(Checked(result, ground.task.slug))
        return result

    async def proposals(self, checks: Sequence[CheckResult]) -> tuple[Proposal, ...]:
        """Verified repairs; a fault around them is told, and takes nothing from what the checks have found."""
        try:
            return await propose(
                self.ground, checks, self.folder, self.memo, remake=CHEAP, survivors=self.variants.accepted
            )
        except (InfrastructureError, ExceptionGroup) as raised:
            self.ground.emit(Note(f"no repair was looked for: {_fault(raised)}"))
            return ()

    async def _result(self, check: CheckId) -> CheckResult:
        ground = self.ground
        reads = (*ground.attacks, ground.prepared.digest)  # some attacks take their examples from the prompt
        made: dict[CheckId, Callable[[], Awaitable[CheckResult]]] = {
            "stability": lambda: self._kept(stability.check, "stability", ("runs", "flips")),
            "amplified": lambda: self._kept(amplified.check, "amplified", ("check_seconds",)),
            "ablation": self.variants.ablation,
            "mutants": self._mutants,
            "alternatives": self._alternatives,
            "hidden-names": lambda: hidden_names.check(ground),
            "requirements": lambda: requirements.check(ground),
            "leaks": self._leaks,
            "hackability": lambda: self._kept(hackability.check, "hackability", ("attack_seconds",), reads),
            "collateral": lambda: collateral.check(ground, self.trials, self.variants.accepted),
            "cost": lambda: self._kept(cost.check, "cost", ("verdict_seconds", "memory_mib", "disk_mib")),
        }
        return await made[check]()

    async def _kept(
        self,
        function: Callable[[Ground], Awaitable[CheckResult]],
        name: str,
        settings: Sequence[str],
        wish: Sequence[str] = (),
    ) -> CheckResult:
        """A result that depends on the code and on these settings, and not on the prompt."""
        thresholds = [getattr(self.ground.settings, one) for one in settings]
        result, remembered = await self.memo.get(
            [name, self.ground.code_digest, thresholds, list(wish)],
            RESULT,
            lambda: function(self.ground),
            keep=lambda value: value.status != "unknown",
        )
        return result.model_copy(update={"remembered": remembered})

    async def _leaks(self) -> CheckResult:
        """The prompt is read each time; the file system is searched once for the same environment and change."""
        ground = self.ground
        told = await anyio.to_thread.run_sync(leaks.prompt_findings, ground)
        (found, unknown), remembered = await self.memo.get(
            ["leaks", ground.code_digest],
            SEARCHED,
            lambda: leaks.search(ground),
            keep=lambda searched: not leaks.is_blind(searched[1]),
        )
        result = leaks.result([*told, *found], unknown)
        return result.model_copy(update={"remembered": remembered})

    async def _mutants(self) -> CheckResult:
        return with_bank(await self.variants.mutants(), await self._replays())

    async def _alternatives(self) -> CheckResult:
        return with_bank(await self.variants.alternatives(), await self._replays())

    async def _replays(self) -> tuple[Replay, ...]:
        """What the verifier says of the bank's solutions today; they are judged once an audit, and never remembered."""
        if self.replays is None:
            self.replays = await replay_bank(self.ground, self.folder)
        return self.replays


def _fault(raised: InfrastructureError | ExceptionGroup[Exception]) -> str:
    """What broke around a check, in words; anything else than a fault of ours is raised on."""
    error = first_of(raised) if isinstance(raised, ExceptionGroup) else raised
    if not isinstance(error, InfrastructureError):
        raise raised
    return f"{error.boundary}: {error.message}"


async def _write_evidence(path: Path, run: AuditRun, wish: AuditWish, tools: Toolbox) -> None:
    """Of all checks; an audit of some of them leaves the evidence of a whole one as it is."""
    if wish.only and set(wish.only) != set(CHECK_IDS):
        return
    evidence = Evidence(
        stage="audit",
        task_digest=run.task_digest,
        assay_version=__version__,
        created_at=tools.clock.now(),
        data={
            "checks": [result.model_dump(mode="json") for result in run.checks],
            "proposals": [proposal.model_dump(mode="json") for proposal in run.proposals],
        },
    )
    await anyio.to_thread.run_sync(tools.tasks.write_evidence, path, evidence)
