"""One trial that is wanted, from claim to record: tries by the failure policy, each in the store and in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import count

import anyio

from assay.core.failure_policy import policy
from assay.core.trial_keys import trial_id
from assay.errors import AssayError, PrerequisiteError, StoreError, TaskDefinitionError
from assay.model.event import OnEvent, Stage
from assay.model.ledger import Cost
from assay.model.trial import Trial, TrialCost
from assay.model.trial_record import TrialRecord
from assay.model.trial_run import TrialEnd, Wish
from assay.stages.judging import Prepared
from assay.stages.toolbox import Toolbox
from assay.stages.trial_alarm import Alarm
from assay.stages.trial_craft import Craft, Named
from assay.stages.trial_money import Meter, Purse
from assay.stages.trial_records import Records, trial_of
from assay.stages.trial_shelf import Shelf

STAGE = "trial"


@dataclass(slots=True)
class Job:
    """A wish whose task has been read, and what is on record of it."""

    wish: Wish
    named: Named
    entrant_digest: str
    id: str = ""
    scored: TrialRecord | None = None
    worked: TrialRecord | None = None
    """The agent's part, which nobody has judged yet."""
    void: TrialRecord | None = None
    """The last try without a score."""

    def __post_init__(self) -> None:
        self.id = trial_id(self.named.digest, self.entrant_digest, self.wish.attempt)

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.named.slug}#{self.wish.attempt}"

    def see(self, record: TrialRecord) -> None:
        """Take notice of what is on record."""
        setattr(self, record.state, record)

    def end(self) -> TrialEnd:
        """As the record has it."""
        return TrialEnd(self.named.slug, self.wish.attempt, self.scored or self.void)


@dataclass(slots=True)
class Workshop:
    """Where jobs are done; what all jobs of a runner share."""

    craft: Craft
    tools: Toolbox
    shelf: Shelf
    purse: Purse
    alarm: Alarm
    emit: OnEvent
    busy: set[str] = field(default_factory=set)
    """Trials that this process has in flight: its own claims do not keep it out."""

    @property
    def records(self) -> Records:
        """Where tries are kept."""
        return Records(self.tools.store, self.craft.entrant, self.tools.run_id)

    async def claimed(self, job: Job) -> TrialEnd | None:
        """Do a job, unless somebody else is doing it: None then. Raises StoreError, PrerequisiteError."""
        store, key = self.tools.store, f"{STAGE}:{job.id}"
        if job.id in self.busy or not await anyio.to_thread.run_sync(store.claim, key, self.tools.run_id):
            return None
        self.busy.add(job.id)
        try:
            # Another process may have ended it between the first look at the store and the claim.
            for record in await anyio.to_thread.run_sync(partial(store.trials, id_prefix=job.id)):
                job.see(record)
            if job.scored is not None:
                return TrialEnd(job.named.slug, job.wish.attempt, job.scored, recalled=True)
            return await self._done(job)
        finally:
            self.busy.discard(job.id)
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(store.release, key, self.tools.run_id)

    async def _done(self, job: Job) -> TrialEnd:
        named = job.named
        if (broken := self.alarm.broken(named.digest)) is not None:
            return TrialEnd(named.slug, job.wish.attempt, problem=broken)
        prepared: Prepared | None = None
        try:
            async with self.shelf.taken(job.wish.path, named) as prepared:
                return await self._tried(job, prepared)
        except StoreError:
            raise
        except AssayError as error:
            if prepared is None or isinstance(error, TaskDefinitionError):
                self.alarm.unusable(error, named.digest)
            elif isinstance(error, PrerequisiteError):
                raise
            else:
                self.alarm.refused(error)
            return TrialEnd(named.slug, job.wish.attempt, problem=error)

    async def _tried(self, job: Job, prepared: Prepared) -> TrialEnd:
        """Try until there is a score, or no further try is allowed."""
        for tries in count(1):
            worked = job.worked
            trial = await (self._judged(job, prepared, worked) if worked else self._attempted(job, prepared))
            if trial.failure is None:
                self.alarm.all_well()
                return job.end()
            # What the agent has left is judged as often as that may help, by the judge itself.
            if job.worked is not None or tries > policy(trial.failure).retry_count:
                self.alarm.failed(trial.failure, job.named.slug, job.named.digest)
                return job.end()
        raise AssertionError("the last try returns")

    async def _attempted(self, job: Job, prepared: Prepared) -> Trial:
        tools, slug, started_at = self.tools, job.named.slug, self.tools.clock.now()

        def tell(usd: float) -> None:
            self.purse.spent_usd += usd
            tools.store.charge([tools.entry(STAGE, slug, started_at, Cost(usd=usd), "spent", job.id)])

        async def on_worked(trial: Trial) -> None:
            meter.see((trial.cost or TrialCost()).usd)
            with anyio.CancelScope(shield=True):  # it is paid for
                await self._keep(job, trial)
            self.emit(Stage(subject=job.label, stage="judge"))

        meter = Meter(tell)
        self.emit(Stage(subject=job.label, stage="agent"))
        trial = await self.craft.attempt(prepared, job.wish.attempt, meter, on_worked)
        cost = trial.cost or TrialCost()
        meter.see(cost.usd)
        self.purse.learn(cost.usd)
        record = await self._keep(job, trial)
        outcome = f"failure:{record.boundary}" if record.boundary else record.reason or "ok"
        spent = Cost(wall_seconds=cost.wall_seconds or 0.0)
        await anyio.to_thread.run_sync(
            tools.store.charge, [tools.entry(STAGE, slug, started_at, spent, outcome, job.id)]
        )
        return trial

    async def _judged(self, job: Job, prepared: Prepared, record: TrialRecord) -> Trial:
        """Judge what the agent of an earlier run has left."""
        self.emit(Stage(subject=job.label, stage="judge"))
        worked = await anyio.to_thread.run_sync(trial_of, record, self.tools.store)
        trial = await self.craft.judge(prepared, worked)
        await self._keep(job, trial)
        return trial

    async def _keep(self, job: Job, trial: Trial) -> TrialRecord:
        keep = partial(self.records.keep, trial, self.tools.clock.now(), is_paid=job.worked is not None)
        record = await anyio.to_thread.run_sync(keep)
        job.see(record)
        return record
