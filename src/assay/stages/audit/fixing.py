"""Repairs of a task, each verified before it is shown, none of them ever applied.

A proposal is a patch of the task's folder. The task that it makes is prepared and judged like any other: the reference
change must be accepted and doing nothing rejected, twice each; where that is cheap, the check that complained is made
again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from pydantic import TypeAdapter

from assay.core.audit.repairs import (
    Repair,
    counted,
    guarded,
    named,
    plan,
    shortened,
    sort_outside,
    together,
    unneeded,
    wanted_outside,
)
from assay.core.hashing import task_digest
from assay.core.variants.ablation import without
from assay.core.variants.changes import read_gold
from assay.errors import InfrastructureError, TaskDefinitionError
from assay.model.audit import CheckId, CheckResult, Proposal
from assay.model.base import Frozen
from assay.model.event import Note
from assay.model.ledger import Cost
from assay.model.report import Status, TestReport
from assay.model.task import Task
from assay.model.tree import FileState, changes_between
from assay.model.variant import Trial
from assay.stages.audit.ground import Ground, Tally, lay
from assay.stages.audit.memo import Memo
from assay.stages.judging import Judged, judge_on_record
from assay.stages.toolbox import cost_of
from assay.stages.verify import conclude

RUNS = 2
"""Verdicts on the reference change, and on doing nothing, that a proposal needs."""
MOST_TRIES = 16
"""Runs to find out which hunks can go together."""
MOST_SURVIVORS = 5
"""Wrong changes that are tried again on a task with more tests."""

Remake = Callable[[Ground], Awaitable[CheckResult]]


class Proof(Frozen):
    """How the verification of a repair ended."""

    said: str = ""
    problem: str = ""
    """Why it is no proposal; empty when it is one."""
    lost: bool = False
    """Whether a fault of ours kept it from an end."""


PROOF: TypeAdapter[Proof] = TypeAdapter(Proof)


async def propose(
    ground: Ground,
    checks: Sequence[CheckResult],
    path: Path,
    memo: Memo,
    *,
    remake: Mapping[CheckId, Remake] | None = None,
    survivors: Sequence[Trial] = (),
) -> tuple[Proposal, ...]:
    """What could be done about the findings of `checks`, as verified patches of the folder at `path`. What does not
    verify is told as a note. `remake` are checks that are cheap to make again, `survivors` wrong changes that the
    task accepts.
    """
    fixing = Fixing(ground, checks, path, memo, remake or {}, survivors)
    started_at, began = ground.tools.clock.now(), anyio.current_time()
    ground.tally = Tally()
    ground.say("fix")
    proposals = await fixing.proposals()
    cost = Cost(
        cpu_seconds=cost_of(ground.tally.usage).cpu_seconds, wall_seconds=round(anyio.current_time() - began, 3)
    )
    ground.tools.store.charge([ground.tools.entry("audit", ground.task.slug, started_at, cost, "ok", "fix")])
    return proposals


@dataclass(slots=True)
class Fixing:
    """The repairs of one task."""

    ground: Ground
    checks: Sequence[CheckResult]
    path: Path
    memo: Memo
    remake: Mapping[CheckId, Remake]
    survivors: Sequence[Trial]
    notes: list[str] = field(default_factory=list)

    async def proposals(self) -> tuple[Proposal, ...]:
        """Those that verify; with several, all of them at once, too."""
        made = plan(self.ground.task, self.checks)
        for text in made.refused:
            self._note(text)
        repairs = [*made.repairs, *await self._shortened(), *await self._guarded()]
        found: list[tuple[Repair, Proposal]] = []
        for repair in repairs:
            proposal = await self._proposal(repair)
            if proposal is not None:
                found.append((repair, proposal))
        if len(found) > 1:
            whole = await self._proposal(together([repair for repair, _ in found]))
            return (*(proposal for _, proposal in found), *((whole,) if whole else ()))
        return tuple(proposal for _, proposal in found)

    async def _proposal(self, repair: Repair) -> Proposal | None:
        changed = repair.change(self.ground.task)
        if not changed.assay.fail_to_pass:
            self._note(f"not proposed: {repair.title}: no fail_to_pass test would be left")
            return None
        try:
            patch, caveat = await self._patch(changed)
        except (TaskDefinitionError, UnicodeDecodeError) as error:
            self._note(f"not proposed: {repair.title}: no patch says it: {error}")
            return None
        self.ground.say(f"verify: {repair.title}")
        settings = self.ground.settings.model_dump(mode="json")
        key = ["repair", task_digest(changed), RUNS, repair.check, [t.variant.key for t in self.survivors], settings]
        proof, _ = await self.memo.get(
            key, PROOF, lambda: self._verified(repair, changed), keep=lambda made: not made.lost
        )
        if proof.problem:
            self._note(f"not proposed: {repair.title}: {proof.problem}")
            return None
        return Proposal(title=repair.title, why=repair.why, patch=patch, verified=proof.said + caveat)

    async def _patch(self, changed: Task) -> tuple[str, str]:
        """The patch of the task's folder, and what has to be said of it."""
        tools = self.ground.tools
        changes = await anyio.to_thread.run_sync(tools.tasks.changes, self.path, changed)
        remarks = [change.path for change in changes if change.path.endswith(".toml") and _has_comments(change.old)]
        caveat = f"; {remarks[0]} is written anew, without its comments" if remarks else ""
        return (await tools.patches.diff(changes)).decode(), caveat

    async def _verified(self, repair: Repair, changed: Task) -> Proof:
        try:
            ground = await lay(changed, self.ground.tools, self.ground.settings, self.ground.emit)
            proof = await self._judged(ground)
            return proof if proof.problem else await self._made_again(repair, ground, proof)
        except TaskDefinitionError as error:
            return Proof(problem=error.message)
        except InfrastructureError as error:
            return Proof(problem=f"it could not be verified: {error.boundary}: {error.message}", lost=True)

    async def _judged(self, ground: Ground) -> Proof:
        """The reference change and doing nothing, before the judge."""
        if problem := ground.applied.problem or ground.prepared.pool.broken:
            return Proof(problem=f"the reference change does not resolve it: {problem}")
        judged: dict[str, list[Judged]] = {"oracle": [], "nop": []}
        patches = {"oracle": ground.task.gold_patch, "nop": b""}
        for _ in range(RUNS):
            for agent, patch in patches.items():
                judged[agent].append(
                    await judge_on_record(ground.prepared, agent, patch, ground.tools, stage="audit", all_tests=True)
                )
        verification = conclude(ground.task, judged)
        if failure := next((v.failure for v in verification.verdicts if v.failure), None):
            return Proof(problem=f"it could not be verified: {failure.boundary}: {failure.message}", lost=True)
        if verification.complaints:
            return Proof(problem="; ".join(verification.complaints))
        return Proof(
            said=f"the reference change was accepted in {RUNS} of {RUNS} verdicts, doing nothing in 0 of {RUNS}"
        )

    async def _made_again(self, repair: Repair, ground: Ground, proof: Proof) -> Proof:
        """The check that complained, on the repaired task."""
        if repair.check == "collateral" and self.survivors:
            return await self._noticed(ground, proof)
        if not repair.answers or repair.check not in self.remake:
            return proof
        result = await self.remake[repair.check](ground)
        if result.status == "unknown":
            return Proof(problem=f"{repair.check}, made again, has no answer: {'; '.join(result.unknown)}", lost=True)
        answered = {(finding.kind, finding.subject) for finding in repair.answers}
        left = [finding for finding in result.findings if (finding.kind, finding.subject) in answered]
        if left:
            return Proof(problem=f"{repair.check} still says: {left[0].what}")
        return Proof(said=f"{proof.said}; {repair.check}, made again, does not complain of it any more")

    async def _noticed(self, ground: Ground, proof: Proof) -> Proof:
        """Whether the tests of the repaired task notice what the task's own accepted."""
        tried = self.survivors[:MOST_SURVIVORS]
        noticed = 0
        for trial in tried:
            run = await ground.run(await ground.layer_of(dict(trial.variant.files)))
            noticed += not _passes(ground, run.report)
        if not noticed:
            return Proof(problem=f"it notices none of {counted(len(tried), 'wrong change')} either")
        return Proof(said=f"{proof.said}; {noticed} of {counted(len(tried), 'wrong change')} tried again noticed")

    async def _shortened(self) -> list[Repair]:
        """As many hunks taken out at once as the tests allow."""
        ground, answers = self.ground, unneeded(self.checks)
        if not answers or ground.applied.dropped:
            return []
        try:
            keys, files = await self._largest(list(answers))
            if not keys:
                self._note("no hunk of the reference change can be taken out: together with others they are needed")
                return []
            patch = await self._rebuilt(files)
        except InfrastructureError as error:
            self._note(f"no hunk was taken out of the reference change: {error.boundary}: {error.message}")
            return []
        return [shortened([answers[key] for key in keys], patch)] if patch else []

    async def _largest(self, keys: list[str]) -> tuple[list[str], dict[str, FileState | None]]:
        """All of them, or else halves of them, one after the other, as far as the tests still pass."""
        gold = read_gold(self.ground.base, self.ground.changed)
        kept: list[str] = []
        best: dict[str, FileState | None] = {}
        waiting = [keys]
        for _ in range(MOST_TRIES):
            if not waiting:
                break
            group = waiting.pop(0)
            files = without(gold, [*kept, *group])
            if files is not None and await self._goes_without(files):
                kept += group
                best = files
            elif len(group) > 1:
                middle = len(group) // 2
                waiting[:0] = [group[:middle], group[middle:]]
        return kept, best

    async def _goes_without(self, files: dict[str, FileState | None]) -> bool:
        run = await self.ground.run(await self.ground.layer_of(files))
        return _passes(self.ground, run.report)

    async def _rebuilt(self, files: dict[str, FileState | None]) -> bytes:
        """The patch that leaves these files; empty, with a note, when applied it does not."""
        ground = self.ground
        left = {**ground.changed, **files}
        gold = {path: state for path, state in {**ground.base, **left}.items() if state is not None}
        changes = changes_between(ground.base, gold)
        patch = await ground.tools.patches.diff(changes)
        stand = ground.prepared.stand
        applied = await stand.runner.apply(patch, stand.base_layer, ground.prepared.is_protected)
        if applied.problem or {change.path: change.new for change in applied.kept} != {c.path: c.new for c in changes}:
            self._note(f"no hunk was taken out of the reference change: {applied.problem or 'the rest differs'}")
            return b""
        return patch

    async def _guarded(self) -> list[Repair]:
        """Tests outside made the task's own, with all their neighbours accounted for."""
        wanted = wanted_outside(self.checks)
        files = tuple(dict.fromkeys(test_id.partition("::")[0] for test_id in wanted))
        if not files:
            return []
        base, gold = list[TestReport](), list[TestReport]()
        try:
            for _ in range(RUNS):
                base.append((await self.ground.run(None, files=files)).report)
                gold.append((await self.ground.run(self.ground.applied.layer, files=files)).report)
        except InfrastructureError as error:
            self._note(f"no test was added to pass_to_pass: {error.boundary}: {error.message}")
            return []
        outside = sort_outside(files, base, gold)
        lost = [test_id for test_id in wanted if test_id not in outside.passing]
        if lost:
            self._note(f"not for pass_to_pass: {named(lost)}: not passed in every run on both sides")
        kept = [test_id for test_id in wanted if test_id in outside.passing]
        return [guarded(outside, kept)] if kept else []

    def _note(self, text: str) -> None:
        self.ground.emit(Note(text=f"{self.ground.task.slug}: {text}"))


def _passes(ground: Ground, report: TestReport) -> bool:
    return all(report.status(test_id) is Status.PASSED for test_id in ground.counted)


def _has_comments(state: FileState | None) -> bool:
    """Whether a file of tables has lines for people only, which are lost when it is written anew."""
    return state is not None and any(line.lstrip().startswith(b"#") for line in state.data.splitlines())
