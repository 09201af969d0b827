"""Prepared tasks, shared by all trials of them: each prepared once, and let go when it is long done with.

A prepared task holds its whole base in memory, so those that nobody uses are few.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import anyio

from assay.core.failure_policy import policy
from assay.errors import InfrastructureError, InputError
from assay.model.failure import Failure
from assay.stages.judging import Prepared
from assay.stages.trial_craft import Craft, Named

IDLE = 4
"""Tasks that are kept though nobody uses them just now."""


@dataclass(slots=True)
class _Place:
    """A task's, while somebody wants it."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    prepared: Prepared | None = None
    users: int = 0


class Shelf:
    """Prepared tasks by folder; at most `jobs` are being prepared at a time."""

    def __init__(self, craft: Craft, jobs: int) -> None:
        self._craft = craft
        self._limiter = anyio.CapacityLimiter(jobs)
        self._places: dict[Path, _Place] = {}

    @asynccontextmanager
    async def taken(self, path: Path, named: Named) -> AsyncIterator[Prepared]:
        """The task, ready to be tried. Raises what preparing it raises, after as many tries as the failure allows, and
        InputError when it is not the one that was named any more.
        """
        place = self._places.pop(path, None) or _Place()
        self._places[path] = place  # the latest stands last
        place.users += 1
        try:
            async with place.lock:
                if place.prepared is None:
                    async with self._limiter:
                        place.prepared = await self._prepare(path)
            if place.prepared.digest != named.digest:
                raise InputError(f"{named.slug} was changed while it was tried", hint="run the same line again")
            yield place.prepared
        finally:
            place.users -= 1
            self._let_go()

    async def _prepare(self, path: Path) -> Prepared:
        for tries in count(1):
            try:
                return await self._craft.prepare(path)
            except InfrastructureError as error:
                if tries > policy(Failure.of(error)).retry_count:
                    raise
        raise AssertionError("the last try returns or raises")

    def _let_go(self) -> None:
        idle = [path for path, place in self._places.items() if not place.users]
        for path in idle[: max(0, len(idle) - IDLE)]:
            del self._places[path]
