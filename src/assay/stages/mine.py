"""Mining: from a source's candidates to task folders, each candidate decided once and for one reason.

Candidates are taken newest first in waves. A wave is never larger than the number of tasks still wanted, so the set
of tasks does not depend on which candidate finished first; environments are built in the candidates' order, so what
is remembered for a repository does not depend on it either. Every decision is durable before the next wave starts:
kill the program at any moment, run the same line again, and it ends with the same tasks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from assay.core.exclusion import change_key
from assay.core.failure_policy import policy
from assay.core.hashing import task_digest
from assay.errors import AssayError, InfrastructureError, Rejection
from assay.model.candidate import Candidate
from assay.model.event import Count, Decided, Note, OnEvent, Stage
from assay.model.failure import Failure
from assay.model.ledger import Cost, Decision
from assay.model.reason import Reason
from assay.model.summary import MineSummary
from assay.model.task import Task
from assay.ports.source import Query
from assay.stages.prove import Proof, ProofSettings
from assay.stages.same_changes import SameChanges, catch_up
from assay.stages.toolbox import Toolbox
from assay.stages.turnstile import Turnstile

FAILURES_IN_A_ROW = 3
"""After so many candidates lost to the same boundary, one after the other, the fault is not a candidate's."""

CLAIM_POLL_SECONDS = 0.5
WAVE_FACTOR = 16
"""Candidates a wave and job when all are wanted: at its end a core may wait for the others."""

PASSING = {Reason.BENCHMARK.value, Reason.DUPLICATE.value}
"""Reasons that depend on more than the candidate, on what is excluded today and which tasks there are: never reused."""


@dataclass(frozen=True, slots=True)
class MineSettings:
    """What the user and the project decide."""

    limit: int | None = None
    """Tasks wanted; None for all that there are."""
    max_candidates: int | None = None
    jobs: int = 2
    """Candidates in work at a time."""
    budget_cpu_seconds: float | None = None
    """No candidate is begun after this much was spent by this call."""
    proof: ProofSettings = field(default_factory=ProofSettings)


async def mine(kind: str, query: Query, tools: Toolbox, settings: MineSettings, emit: OnEvent) -> MineSummary:
    """Mine until enough tasks are verified or there are no more candidates.

    Raises what makes going on senseless: InputError, PrerequisiteError, DiskFullError, StoreError, ProviderError
    from listing. Everything else is a decision.
    """
    decisions: list[Decision] = []
    await anyio.to_thread.run_sync(catch_up, tools)
    stream = tools.source(kind).candidates(query)
    purse = _Purse(settings.budget_cpu_seconds)
    total = settings.max_candidates
    if settings.limit is None:  # all are wanted, so all can be counted
        wanted = await _take(stream, total)
        stream, total = _each(wanted), len(wanted)
    while (size := _wave_size(settings, decisions)) > 0:
        wave = await _take(stream, size)
        if not wave:
            break
        decided = await _decide_all(wave, tools, settings, emit, purse)
        decisions += decided
        emit(_count(decisions, total))
        if len(decided) < len(wave):
            emit(Note(text=f"stopping: the budget of {purse.cpu_seconds:.0f} s of CPU is spent; the same line goes on"))
            break
        if _hopeless(decisions):
            emit(Note(text=f"stopping: {FAILURES_IN_A_ROW} candidates in a row failed at: {decisions[-1].reason}"))
            break
    tools.store.flush()
    return _summary(decisions)


def _summary(decisions: list[Decision]) -> MineSummary:
    reasons = [d.reason for d in decisions if d.state == "rejected"]
    return MineSummary(
        candidates=len(decisions),
        verified=sum(d.state == "verified" for d in decisions),
        rejected={reason: reasons.count(reason) for reason in sorted({r for r in reasons if r})},
        failed=sum(d.state == "failed" for d in decisions),
        cost=sum((d.cost for d in decisions), Cost()),
        decisions=tuple(decisions),
    )


@dataclass(slots=True)
class _Purse:
    """What this call may spend, and has spent."""

    cpu_seconds: float | None
    spent: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing more may be begun."""
        return self.cpu_seconds is not None and self.spent >= self.cpu_seconds


async def _each(candidates: list[Candidate]) -> AsyncIterator[Candidate]:
    for candidate in candidates:
        yield candidate


async def _take(stream: AsyncIterator[Candidate], size: int | None) -> list[Candidate]:
    taken: list[Candidate] = []
    while size is None or len(taken) < size:
        try:
            taken.append(await anext(stream))
        except StopAsyncIteration:
            break
    return taken


def _wave_size(settings: MineSettings, decisions: list[Decision]) -> int:
    verified = sum(d.state == "verified" for d in decisions)
    size = settings.limit - verified if settings.limit is not None else WAVE_FACTOR * settings.jobs
    if settings.max_candidates is not None:
        size = min(size, settings.max_candidates - len(decisions))
    return size


def _count(decisions: list[Decision], total: int | None) -> Count:
    states = [d.state for d in decisions]
    return Count(
        done=len(states),
        total=total,
        verified=states.count("verified"),
        rejected=states.count("rejected"),
        failed=states.count("failed"),
    )


def _hopeless(decisions: list[Decision]) -> bool:
    last = decisions[-FAILURES_IN_A_ROW:]
    return (
        len(last) == FAILURES_IN_A_ROW and len({(d.state, d.reason) for d in last}) == 1 and last[0].state == "failed"
    )


async def _decide_all(
    wave: list[Candidate], tools: Toolbox, settings: MineSettings, emit: OnEvent, purse: _Purse
) -> list[Decision]:
    """Decide a wave's candidates side by side; the decisions in the candidates' order, without those for which the
    budget did not last.
    """
    turnstile, same = Turnstile(len(wave)), SameChanges(tools.store, tools.tasks_folder)
    limiter = anyio.CapacityLimiter(settings.jobs)
    results: dict[int, Decision] = {}

    async def decide(position: int, candidate: Candidate) -> None:
        async with limiter:
            if purse.is_empty:
                await turnstile.leave(position)
                return
            decider = _Decider(candidate, tools, settings, emit, turnstile.turn(position), same)
            decision, path = await decider.recorded_or_new()
            purse.spent += decider.cpu_seconds
            same.give_back(candidate.key)
            await turnstile.leave(position)
        results[position] = decision
        emit(Decided(decision=decision, path=path))

    try:
        async with anyio.create_task_group() as group:
            for position, candidate in enumerate(wave):
                group.start_soon(decide, position, candidate)
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    return [results[position] for position in sorted(results)]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that a person is told: what ended the first candidate ended the others by cancelling them."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass(slots=True)
class _Decider:
    """One candidate on its way to a decision."""

    candidate: Candidate
    tools: Toolbox
    settings: MineSettings
    emit: OnEvent
    turn: AbstractAsyncContextManager[None]
    same: SameChanges
    cpu_seconds: float = 0.0
    """What deciding cost now; nothing when it was decided before."""

    async def recorded_or_new(self) -> tuple[Decision, Path | None]:
        """What was decided before, if it still holds; else a new decision, under a claim."""
        store, candidate = self.tools.store, self.candidate
        while True:
            recorded = await anyio.to_thread.run_sync(self._recorded)
            if recorded:
                return recorded
            if await anyio.to_thread.run_sync(store.claim, candidate.key, self.tools.run_id):
                break
            self.emit(Stage(subject=candidate.title, stage="waiting for another run"))
            await anyio.sleep(CLAIM_POLL_SECONDS)
        try:
            # It may have been decided between the look and the claim.
            return self._recorded() or self._withdrawn() or await self._new()
        finally:
            store.release(candidate.key, self.tools.run_id)

    def _recorded(self) -> tuple[Decision, Path | None] | None:
        """An earlier decision, if it still holds: a failure never does, a task only while its folder is unchanged."""
        decision = self.tools.store.decision(self.candidate.key)
        if decision is None or decision.state == "failed" or decision.reason in PASSING:
            return None
        if decision.state == "rejected":
            return decision, None
        task = self._task_of(decision)
        if task is None or self._excluded(task):
            return None
        return decision, self.tools.tasks_folder / task.slug

    def _task_of(self, decision: Decision) -> Task | None:
        """The task that was decided, as it was then."""
        try:
            task = self.tools.tasks.read(self.tools.tasks_folder / (decision.slug or ""))
            return task if task_digest(task) == decision.task_digest else None
        except AssayError:
            return None

    def _excluded(self, task: Task) -> str:
        """The row of a benchmark that the task is."""
        exclusions, source = self.settings.proof.exclusions, self.candidate.source
        return exclusions.by_commit(source) or exclusions.by_content(change_key(task.gold_patch, source))

    def _withdrawn(self) -> tuple[Decision, Path | None] | None:
        """A task of an earlier run that is excluded since: it counts no more, but people's files are not deleted."""
        decision = self.tools.store.decision(self.candidate.key)
        task = self._task_of(decision) if decision and decision.state == "verified" else None
        row = self._excluded(task) if task else ""
        if decision is None or task is None or not row:
            return None
        folder = self.tools.tasks_folder / task.slug
        detail = (
            f"in an excluded benchmark: {row}; its folder {folder} is left as it is: remove it if it is not to be used"
        )
        update = {"state": "rejected", "reason": Reason.BENCHMARK.value, "detail": detail, "slug": None}
        changed = {**update, "task_digest": None, "decided_at": self.tools.clock.now()}
        withdrawn = decision.model_copy(update=changed)
        self.tools.store.decide(withdrawn)
        self.emit(Note(text=f"{task.slug} was a task and is {detail}"))
        return withdrawn, None

    async def _new(self) -> tuple[Decision, Path | None]:
        proof = Proof(self.candidate, self.tools, self.settings.proof, self.emit, self.turn, self.same)
        path: Path | None = None
        try:
            path = await proof.run()
            decision = self._decision(proof)
        except Rejection as rejection:
            decision = self._decision(proof, reason=rejection.reason, detail=rejection.message)
        except InfrastructureError as error:
            failure = Failure.of(error)
            if policy(failure).voids == "run":
                raise
            text = "\n".join(filter(None, (failure.message, failure.hint, failure.detail)))
            decision = self._decision(proof, failure=failure.boundary, detail=text)
        self.cpu_seconds = decision.cost.cpu_seconds
        await anyio.to_thread.run_sync(self._record, decision, proof)
        return decision, path

    def _record(self, decision: Decision, proof: Proof) -> None:
        self.tools.store.charge(proof.entries)
        if decision.slug:
            self.same.remember(proof.change, decision.candidate_key, decision.slug)
        self.tools.store.decide(decision)

    def _decision(self, proof: Proof, *, reason: str = "", failure: str = "", detail: str = "") -> Decision:
        task = proof.task
        verified = task is not None and not reason and not failure
        return Decision(
            candidate_key=self.candidate.key,
            title=self.candidate.title,
            state="verified" if verified else "failed" if failure else "rejected",
            reason=failure or (Reason(reason).value if reason else None),
            detail=detail,
            slug=task.slug if verified and task else None,
            task_digest=task_digest(task) if verified and task else None,
            cost=sum((entry.cost for entry in proof.entries), Cost()),
            decided_at=self.tools.clock.now(),
        )
