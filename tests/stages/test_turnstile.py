"""Candidates build in their order, whoever comes first and whoever fails."""

from __future__ import annotations

import anyio
import pytest

from assay.stages.turnstile import Turnstile

pytestmark = pytest.mark.anyio


async def test_turns_are_taken_in_order_even_when_some_fail_or_leave() -> None:
    gates, order = Turnstile(4), list[int]()

    async def candidate(position: int) -> None:
        if position == 2:
            await gates.leave(position)
            return
        try:
            async with gates.turn(position):
                order.append(position)
                if position == 1:
                    raise ValueError
        except ValueError:
            pass
        await gates.leave(position)  # leaving again is nothing

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for position in (3, 1, 2, 0):
                group.start_soon(candidate, position)
    assert order == [0, 1, 3]
