"""Many trials: tasks times attempts, side by side, each made once, whatever happens in between.

A try is durable when its agent has ended (`worked`) and again when it has been judged (`scored`, `void`). So a run that
is killed goes on where it was: what is scored is never run again, what has only worked is only judged, and what was in
flight is begun anew, under the same seed. A trial is claimed before anything is spent on it, so that two processes
share their work and never do the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from assay.core.trial_keys import entrant_digest
from assay.errors import InputError
from assay.model.event import Note, OnEvent
from assay.model.trial_record import TrialRecord
from assay.model.trial_run import TrialCount, TrialEnd, Wish
from assay.stages.judging import first_of
from assay.stages.toolbox import Toolbox
from assay.stages.trial_alarm import Alarm
from assay.stages.trial_craft import Craft, Named
from assay.stages.trial_job import Job, Workshop
from assay.stages.trial_money import Purse
from assay.stages.trial_shelf import Shelf

CLAIM_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """How many at a time, and for how much."""

    concurrent: int = 4
    """Trials in flight: an agent mostly waits for its model."""
    jobs: int = 2
    """Tasks that are prepared at a time; runs of tests are bounded by the toolbox."""
    budget_usd: float | None = None
    """Of all trials of the runner together."""


class TrialRunner:
    """Makes trials of one entrant, for as long as somebody asks.

    `run` may be called many times and side by side (waves of a calibration): limits, budget, prepared tasks and what is
    known to be broken are shared by all calls. Attempts are numbered from 1 by whoever asks.
    """

    def __init__(self, craft: Craft, tools: Toolbox, settings: TrialSettings, emit: OnEvent) -> None:
        self.entrant = craft.entrant
        self.entrant_digest = entrant_digest(craft.entrant)
        self.purse = Purse(settings.budget_usd, craft.entrant.limits.usd)
        self.count = TrialCount(0, 0)
        self._craft, self._tools, self._settings, self._emit = craft, tools, settings, emit
        self._alarm = Alarm()
        shelf = Shelf(craft, max(1, settings.jobs))
        self._workshop = Workshop(craft, tools, shelf, self.purse, self._alarm, emit)
        self._limiter = anyio.CapacityLimiter(max(1, settings.concurrent))
        self._names: dict[Path, Named] = {}
        self._has_learned = self._has_told = False

    @property
    def stopped(self) -> str:
        """Why nothing more is begun, in this call or in any other; empty while all is well."""
        return self._alarm.stopped

    async def run(self, wishes: Sequence[Wish]) -> list[TrialEnd]:
        """Make these trials, or recall those that were scored before; each is told as it ends. In the order asked.

        What keeps a task or a trial from a score stands in its end. Raises what ends them all: StoreError,
        PrerequisiteError.
        """
        call = _Call(list(dict.fromkeys(wishes)))
        self._tell(total=len(call.wishes))
        await self._learn()
        try:
            await self._look_up(call)
            while call.jobs and not self.stopped:
                async with anyio.create_task_group() as group:
                    for _ in range(min(len(call.jobs), self._settings.concurrent)):
                        group.start_soon(self._work, call)
                # What another process has claimed is its to end; what it gives back without a score is done here.
                call.jobs.extend(call.elsewhere)
                call.elsewhere.clear()
                if call.jobs and not self.stopped:
                    await anyio.sleep(CLAIM_POLL_SECONDS)
        except BaseExceptionGroup as several:
            raise first_of(several) from several
        for job in call.jobs:
            self._end(call, job.wish, replace(job.end(), held_back=self.stopped))
        return [call.ends[wish] for wish in call.wishes]

    async def _look_up(self, call: _Call) -> None:
        """Tell what is scored already, after one look at the store; the rest is left to do."""
        named: dict[Wish, Named] = {}
        for wish in call.wishes:
            try:
                named[wish] = self._names.get(wish.path) or await self._craft.read(wish.path)
            except InputError as error:
                self._end(call, wish, TrialEnd(wish.path.name, wish.attempt, problem=error))
            else:
                self._names[wish.path] = named[wish]
        digests = {one.digest for one in named.values()}
        kept: dict[tuple[str, int], list[TrialRecord]] = {}
        for record in await anyio.to_thread.run_sync(self._tools.store.trials, self.entrant_digest, digests):
            kept.setdefault((record.task_digest, record.attempt), []).append(record)
        for wish, one in named.items():
            job = Job(wish, one, self.entrant_digest)
            for record in kept.get((one.digest, wish.attempt), ()):
                job.see(record)
            if job.scored is None:
                call.jobs.append(job)
            else:
                self._end(call, wish, replace(job.end(), recalled=True))

    async def _learn(self) -> None:
        """What a trial of this entrant has cost in earlier runs."""
        if not self._has_learned and self._settings.budget_usd is not None:
            for one in await anyio.to_thread.run_sync(self._tools.store.tallies, self.entrant_digest):
                self.purse.known_usd += one.usd
                self.purse.known_count += one.priced_count
        self._has_learned = True

    async def _work(self, call: _Call) -> None:
        """Take one job after the other, until there are none or no more may be begun."""
        while call.jobs:
            async with self._limiter:
                if not await self._may_begin():
                    return
                try:
                    if not call.jobs:
                        return
                    job = call.jobs.popleft()
                    end = await self._workshop.claimed(job)
                finally:
                    await self.purse.end()
            if end is None:
                call.elsewhere.append(job)
            else:
                self._end(call, job.wish, end)

    async def _may_begin(self) -> bool:
        if self.stopped:
            return False
        if not await self.purse.begin():
            self._alarm.stop(f"the budget of ${self._settings.budget_usd:g} is spent")
            return False
        if self.stopped:  # while this one waited for its money
            await self.purse.end()
            return False
        return True

    def _end(self, call: _Call, wish: Wish, end: TrialEnd) -> None:
        call.ends[wish] = end
        is_scored = end.resolved is not None
        self._tell(
            done=1,
            resolved=int(end.resolved is True),
            unresolved=int(end.resolved is False),
            void=int(not is_scored),
            recalled=int(end.recalled),
            end=end,
        )
        if self.stopped and not self._has_told:
            self._has_told = True
            self._emit(Note(text=f"stopping: {self.stopped}; the same line goes on"))

    def _tell(self, *, end: TrialEnd | None = None, **more: int) -> None:
        counts = {name: getattr(self.count, name) + number for name, number in more.items()}
        self.count = replace(self.count, usd=self.purse.spent_usd, **counts)
        if end is not None:
            self._emit(end)
        self._emit(self.count)


@dataclass(slots=True)
class _Call:
    """One call of `run`."""

    wishes: list[Wish]
    jobs: deque[Job] = field(default_factory=deque)
    """What nobody has in work."""
    elsewhere: list[Job] = field(default_factory=list)
    """What another process, or another call, has in work."""
    ends: dict[Wish, TrialEnd] = field(default_factory=dict)
