"""What mining makes of candidates that come to no task: decided once, failures tried again, and when it stops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from assay.errors import DiskFullError, ProviderError, Rejection
from assay.model.candidate import Candidate, CandidateContent, SourceInfo
from assay.model.event import Count, Decided, Event, Note
from assay.model.summary import MineSummary
from assay.ports.source import Query
from assay.stages.mine import FAILURES_IN_A_ROW, MineSettings, mine
from assay.stages.toolbox import Toolbox
from assay.testing.store import MemoryStore

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NO_TESTS = Rejection("no-tests", "the source carries no tests")
DOWN = ProviderError("index down", hint="later")


class StillClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class BrokenSource:
    """Candidates whose loading ends with the given errors; counts how often each is loaded."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        self.errors = list(errors)
        self.loads: list[int] = []

    async def candidates(self, query: Query) -> AsyncIterator[Candidate]:
        for number in range(len(self.errors)):
            source = SourceInfo(kind="fake", origin=query.origin, base_revision=str(number), gold_revision="x")
            yield Candidate(f"k{number}", f"x {number}", f"x-{number}", source, partial(self._load, number))

    async def _load(self, number: int) -> CandidateContent:
        self.loads.append(number)
        raise self.errors[number]


async def run(source: BrokenSource, store: MemoryStore, events: list[Event], settings: MineSettings) -> MineSummary:
    unused = cast("Any", None)
    tools = Toolbox(
        run_id=store.begin_run(["mine"], NOW),
        sandbox=unused,
        layers=unused,
        environments=unused,
        patches=unused,
        store=store,
        tasks=unused,
        clock=StillClock(),
        source=lambda kind: cast("Any", source),
        framework=lambda name: unused,
        agent=lambda name: unused,
        tasks_folder=Path("tasks"),
    )
    return await mine("fake", Query("x"), tools, settings, events.append)


async def test_every_candidate_is_decided_and_the_sum_adds_up() -> None:
    store, events = MemoryStore(), list[Event]()
    summary = await run(BrokenSource([NO_TESTS, DOWN, NO_TESTS]), store, events, MineSettings())
    assert (summary.candidates, summary.verified, dict(summary.rejected), summary.failed) == (3, 0, {"no-tests": 2}, 1)
    assert [d.candidate_key for d in summary.decisions] == ["k0", "k1", "k2"]
    assert sum(row.count for row in store.funnel()) == 3
    assert sum(isinstance(event, Decided) for event in events) == 3
    assert [(d.state, d.reason) for d in summary.decisions][1] == ("failed", "provider")


async def test_a_rejection_stands_and_a_failure_is_tried_again() -> None:
    store, source = MemoryStore(), BrokenSource([NO_TESTS, DOWN])
    await run(source, store, [], MineSettings())
    assert sorted(source.loads) == [0, 1]
    source.errors[1] = NO_TESTS
    summary = await run(source, store, [], MineSettings())
    assert sorted(source.loads) == [0, 1, 1]
    assert (summary.failed, dict(summary.rejected)) == (0, {"no-tests": 2})
    assert len(store.decisions()) == 2


async def test_no_more_candidates_are_looked_at_than_asked_for() -> None:
    source = BrokenSource([NO_TESTS] * 9)
    summary = await run(source, MemoryStore(), [], MineSettings(max_candidates=2))
    assert summary.candidates == len(source.loads) == 2


async def test_nothing_is_begun_when_the_budget_is_spent_and_the_next_call_goes_on() -> None:
    source, store, events = BrokenSource([NO_TESTS] * 3), MemoryStore(), list[Event]()
    summary = await run(source, store, events, MineSettings(budget_cpu_seconds=0.0))
    assert (summary.candidates, sum(source.loads)) == (0, 0)
    assert any(isinstance(event, Note) and "budget" in event.text for event in events)
    assert (await run(source, store, events, MineSettings(budget_cpu_seconds=1e9))).candidates == 3
    counts = [event for event in events if isinstance(event, Count)]
    assert [(count.done, count.total) for count in counts] == [(0, 3), (3, 3)]


async def test_it_stops_when_one_boundary_fails_again_and_again() -> None:
    source, events = BrokenSource([DOWN] * 20), list[Event]()
    summary = await run(source, MemoryStore(), events, MineSettings(limit=1))
    assert summary.failed == FAILURES_IN_A_ROW
    assert any(isinstance(event, Note) and "provider" in event.text for event in events)


async def test_a_full_disk_ends_it_as_itself_and_gives_the_claims_back() -> None:
    store = MemoryStore()
    with pytest.raises(DiskFullError):
        await run(BrokenSource([DiskFullError("full")]), store, [], MineSettings())
    assert store.decisions() == []
    assert store.claim("k0", store.begin_run(["mine"], NOW))


async def test_what_a_dead_run_had_claimed_is_decided_by_the_next() -> None:
    store = MemoryStore()
    dead = store.begin_run(["mine"], NOW)
    assert store.claim("k0", dead)
    store.kill(dead)
    assert (await run(BrokenSource([NO_TESTS]), store, [], MineSettings())).candidates == 1
