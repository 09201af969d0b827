"""Dollars while they are spent: what may be begun, and what the ledger knows before a trial ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from assay.model.agent import TrialLimits
from assay.model.trial import TrialCost
from assay.stages.trial_money import Meter, MeteredGate, Purse

pytestmark = pytest.mark.anyio


class SpendingGate:
    """A gate whose trial has spent this much."""

    folder = Path()
    limit = ""

    def __init__(self) -> None:
        self.usd: float | None = 0.0

    def cost(self) -> TrialCost:
        return TrialCost(usd=self.usd)


class Way:
    """Opens always the same gate."""

    def __init__(self, gate: SpendingGate) -> None:
        self.gate = gate

    @asynccontextmanager
    async def open(self, limits: TrialLimits) -> AsyncIterator[Any]:
        yield self.gate


async def test_a_meter_tells_each_dollar_once_and_the_rest_at_the_end() -> None:
    told: list[float] = []
    gate, meter = SpendingGate(), Meter(told.append)
    async with MeteredGate(cast("Any", Way(gate)), meter).open(TrialLimits()) as opened:
        assert opened.cost() == TrialCost(usd=0.0)
        for gate.usd in (0.5, 0.5, None, 0.75):
            meter.look()
        gate.usd = 1.0
    meter.look()
    meter.see(1.25)
    meter.see(1.25)
    assert told == [0.5, 0.25, 0.25, 0.25]


async def test_a_cancelled_trial_has_told_what_it_spent() -> None:
    told: list[float] = []
    gate, meter = SpendingGate(), Meter(told.append)
    with anyio.CancelScope() as scope:
        async with MeteredGate(cast("Any", Way(gate)), meter).open(TrialLimits()):
            gate.usd = 2.0
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert told == [2.0]


async def test_without_a_budget_everything_may_begin() -> None:
    purse = Purse(spent_usd=1e9)
    assert [await purse.begin() for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("most", "known", "allowed"),
    [(None, (0.0, 0), 1), (0.25, (0.0, 0), 4), (0.25, (5.0, 10), 2), (9.0, (0.0, 0), 1), (None, (0.0, 10), 50)],
)
async def test_those_in_flight_count_with_what_they_are_expected_to_cost(
    most: float | None, known: tuple[float, int], allowed: int
) -> None:
    purse = Purse(1.0, most, *known)
    begun = []

    async def begin() -> None:
        begun.append(await purse.begin())

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(begin)
        await anyio.wait_all_tasks_blocked()
        assert begun == [True] * allowed
        purse.spent_usd = 1.0
        await purse.end()
        await anyio.wait_all_tasks_blocked()
        assert begun == [True] * allowed + [False] * (50 - allowed)
