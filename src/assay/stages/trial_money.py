"""Dollars of trials while they are spent: what may still be begun, and a ledger that knows of them before they end.

An endpoint is paid call by call. So the gate of each trial is read every few seconds, and what is new goes into the
ledger: a run that is killed leaves a ledger that lacks a few seconds, not a night.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import anyio

from assay.model.agent import TrialLimits
from assay.ports.model import Gate, ModelGate

READ_SECONDS = 5.0
"""Between two looks at a gate."""


@dataclass(slots=True)
class Purse:
    """What a run may spend, has spent, and is about to spend.

    A trial is begun while what was spent and what is to be expected of those in flight stay below the budget. As long
    as nobody knows what a trial costs, it may cost all that there is: one at a time.
    """

    budget_usd: float | None = None
    most_usd: float | None = None
    """Of one trial, by its limits."""
    known_usd: float = 0.0
    """Of earlier trials of the same entrant."""
    known_count: int = 0
    spent_usd: float = 0.0
    in_flight: int = 0
    unpriced_count: int = 0
    """Ended trials of this run whose dollars nobody knows."""
    _changed: anyio.Condition = field(default_factory=anyio.Condition)

    @property
    def expected_usd(self) -> float:
        """Of one more trial: the mean of those before; without any, all that it may cost."""
        if self.known_count:
            return self.known_usd / self.known_count
        return self.most_usd if self.most_usd is not None else self.budget_usd or 0.0

    async def begin(self) -> bool:
        """Wait until one more trial may begin; False when the money is spent."""
        async with self._changed:
            while self.budget_usd is not None:
                if self.spent_usd >= self.budget_usd:
                    return False
                if not self.in_flight or self.spent_usd + self.in_flight * self.expected_usd < self.budget_usd:
                    break
                await self._changed.wait()
            self.in_flight += 1
            return True

    async def end(self) -> None:
        """A trial that was begun is over."""
        async with self._changed:
            self.in_flight -= 1
            self._changed.notify_all()

    def learn(self, usd: float | None) -> None:
        """What a try has cost in all; its dollars were spent one by one before."""
        if usd is None:
            self.unpriced_count += 1
        else:
            self.known_usd += usd
            self.known_count += 1


@dataclass(slots=True)
class Meter:
    """The dollars of one try: told on as they are seen, each once."""

    tell: Callable[[float], None]
    """Takes what is new."""
    told_usd: float = 0.0
    gate: Gate | None = None
    """Through which they go, as long as it is open."""

    def see(self, total_usd: float | None) -> None:
        """Take notice of the sum so far; None when nobody knows it."""
        new = (total_usd or 0.0) - self.told_usd
        if new > 0:
            self.told_usd += new
            self.tell(new)

    def look(self) -> None:
        """Look at the gate, if it is open."""
        if self.gate is not None:
            self.see(self.gate.cost().usd)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await anyio.sleep(READ_SECONDS)
            self.look()


@dataclass(frozen=True, slots=True)
class MeteredGate:
    """The way to a model, looked at by a meter while a trial goes through."""

    inner: ModelGate
    meter: Meter

    def open(self, limits: TrialLimits) -> AbstractAsyncContextManager[Gate]:
        """See `assay.ports.model`."""
        return self._opened(limits)

    @asynccontextmanager
    async def _opened(self, limits: TrialLimits) -> AsyncIterator[Gate]:
        async with self.inner.open(limits) as gate:
            self.meter.gate = gate
            try:
                yield gate
            finally:
                self.meter.look()
                self.meter.gate = None
