"""One part of the work that candidates go through one at a time and in their order.

What an environment build remembers depends on who built before; with the order fixed, it depends on the candidates
alone and not on timing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Turnstile:
    """Gates for `count` positions, opened from 0 upwards."""

    def __init__(self, count: int) -> None:
        self._gates = [anyio.Event() for _ in range(count)]

    @asynccontextmanager
    async def turn(self, position: int) -> AsyncIterator[None]:
        """Wait until everybody before is through, do the work, let the next one in."""
        await self._wait(position)
        try:
            yield
        finally:
            self._gates[position].set()

    async def leave(self, position: int) -> None:
        """For one that will never come, or is through already: the next must not wait for it."""
        if not self._gates[position].is_set():
            await self._wait(position)
            self._gates[position].set()

    async def _wait(self, position: int) -> None:
        if position > 0:
            await self._gates[position - 1].wait()
