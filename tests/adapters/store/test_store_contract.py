"""What every store promises, asked of the database and of the fake in memory that stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.store.database import DatabaseStore, open_store
from assay.adapters.store.processes import ProcessIdentity
from assay.errors import StoreError
from assay.model.calibration import Tally
from assay.model.ledger import Cost, Decision, LedgerEntry, State
from assay.model.trial_record import TrialRecord, TrialState
from assay.ports.store import Store
from assay.testing.store import MemoryStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Death = Callable[[], str]
"""Begin a run whose process is dead by the time this returns; the run's id."""


def database(folder: Path, identity: ProcessIdentity | None = None) -> DatabaseStore:
    return open_store(folder / "assay.db", folder / "blobs", identity=identity)


@pytest.fixture(params=["database", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Death]]:
    if request.param == "memory":
        memory = MemoryStore()

        def killed() -> str:
            run = memory.begin_run(["mine"], NOW)
            memory.kill(run)
            return run

        yield memory, killed
        return
    store = database(tmp_path)

    def lost() -> str:
        # This process's number with another start: how a later process of that number sees an earlier one.
        now = ProcessIdentity.current()
        with closing(database(tmp_path, replace(now, start_ticks=now.start_ticks + 1))) as other:
            return other.begin_run(["mine"], NOW)

    yield store, lost
    store.close()


@pytest.fixture
def store(kept: tuple[Store, Death]) -> Store:
    return kept[0]


def decided(key: str, state: State = "verified", reason: str | None = None) -> Decision:
    cost = Cost(cpu_seconds=1.0, wall_seconds=2.0, written_bytes=3, usd=0.5)
    return Decision(candidate_key=key, title=key, state=state, reason=reason, cost=cost, decided_at=NOW)


def test_a_run_lives_until_it_ends(store: Store) -> None:
    first, second = store.begin_run(["mine", "pypi:x"], NOW), store.begin_run(["mine"], NOW + timedelta(seconds=1))
    assert store.live_runs() == [first, second]
    store.end_run(first, NOW, 0)
    assert store.live_runs() == [second]


def test_a_claim_excludes_others_until_it_is_released(store: Store) -> None:
    first, second = store.begin_run(["mine"], NOW), store.begin_run(["mine"], NOW)
    assert store.claim("k", first)
    assert store.claim("k", first)
    store.release("k", second)  # not the holder
    assert not store.claim("k", second)
    store.release("k", first)
    store.release("k", first)
    assert store.claim("k", second)


def test_the_end_of_a_run_gives_its_claims_back(store: Store) -> None:
    first, second = store.begin_run(["mine"], NOW), store.begin_run(["mine"], NOW)
    assert store.claim("k", first)
    store.end_run(first, NOW, 0)
    assert store.claim("k", second)


@pytest.mark.parametrize("reaped", [False, True])
def test_a_dead_runs_claim_is_taken_over_once(kept: tuple[Store, Death], reaped: bool) -> None:
    store, lost = kept
    dead = lost()
    assert store.claim("k", dead)
    if reaped:
        assert store.live_runs() == []
    mine = store.begin_run(["mine"], NOW)
    assert store.claim("k", mine)
    assert not store.claim("k", store.begin_run(["mine"], NOW))


def test_a_later_decision_replaces_an_earlier_one_in_its_place(store: Store) -> None:
    assert store.decision("a") is None
    for decision in (decided("a", "failed", "sandbox"), decided("b"), decided("a", "rejected", "flaky")):
        store.decide(decision)
    assert store.decisions() == [decided("a", "rejected", "flaky"), decided("b")]
    assert store.decision("a") == decided("a", "rejected", "flaky")


def test_the_funnel_adds_up_to_the_decisions(store: Store) -> None:
    assert store.funnel() == []
    for decision in (
        decided("a", "rejected", "flaky"),
        decided("b"),
        decided("c", "rejected", "flaky"),
        decided("d", "rejected", "no-tests"),
        decided("e", "failed", "sandbox"),
    ):
        store.decide(decision)
    funnel = store.funnel()
    assert [(row.state, row.reason, row.count) for row in funnel] == [
        ("rejected", "flaky", 2),
        ("failed", "sandbox", 1),
        ("rejected", "no-tests", 1),
        ("verified", None, 1),
    ]
    assert sum((row.cost for row in funnel), Cost()) == sum((d.cost for d in store.decisions()), Cost())


def test_the_ledger_keeps_its_order_and_is_asked_by_subject(store: Store) -> None:
    run = store.begin_run(["mine"], NOW)
    entries = [
        LedgerEntry(run_id=run, stage=stage, subject=subject, started_at=NOW, cost=Cost(cpu_seconds=number), note="n")
        for number, (stage, subject) in enumerate([("fetch", "a"), ("fetch", "b"), ("base", "a")])
    ]
    store.charge(entries[:2])
    store.charge([])
    store.charge(iter(entries[2:]))
    store.flush()
    assert store.ledger() == entries
    assert store.ledger("a") == [entries[0], entries[2]]
    assert store.ledger("nobody") == []


def test_facts_are_remembered_by_namespace(store: Store) -> None:
    assert store.recall("recipe", "x") is None
    store.remember("recipe", "x", {"python": "3.11", "list": [1, None]})
    store.remember("other", "x", {})
    store.remember("recipe", "x", {"python": "3.12"})
    assert store.recall("recipe", "x") == {"python": "3.12"}
    assert store.recall("other", "x") == {}


@pytest.mark.parametrize("data", [b"", b"\0\xff" * 1000])
def test_blobs_come_back_whole(store: Store, data: bytes) -> None:
    digest = store.put_blob(data)
    assert store.put_blob(data) == digest
    assert store.get_blob(digest) == data


def test_an_absent_blob_is_a_store_error(store: Store) -> None:
    with pytest.raises(StoreError, match="no blob"):
        store.get_blob("0" * 64)


def tried(
    attempt: int = 1, state: TrialState = "scored", task: str = "a", entrant: str = "e", **more: Any
) -> TrialRecord:
    fields: dict[str, Any] = {
        "id": f"{task}{entrant}{attempt}",
        "task_digest": task * 64,
        "entrant_digest": entrant * 64,
        "attempt": attempt,
        "task": f"slug-{task}",
        "agent": "mini",
        "model": f"model-{entrant}",
        "state": state,
        "started_at": NOW,
        "ended_at": NOW + timedelta(seconds=2),
        "run_id": "r",
        "trial_sha256": "0" * 64,
        "resolved": False if state == "scored" else None,
        "reward": 0.0 if state == "scored" else None,
        "boundary": "provider" if state == "void" else None,
    }
    return TrialRecord(**{**fields, **more})


def test_a_trial_is_worked_then_scored_once_and_what_was_void_stays(store: Store) -> None:
    void, worked, scored = tried(state="void", usd=0.5), tried(state="worked", usd=0.25), tried(usd=0.25, tokens=7)
    store.keep_trial(void)
    store.keep_trial(worked)
    assert store.trials() == [void, worked]
    store.keep_trial(worked)
    store.keep_trial(scored)
    assert store.trials() == [void, scored]
    for late in (scored, worked):
        with pytest.raises(StoreError, match="scored already"):
            store.keep_trial(late)
    store.keep_trial(void)
    assert store.trials() == [void, scored, void]


def test_trials_are_asked_by_entrant_task_and_id(store: Store) -> None:
    first, second, other, mine = tried(1), tried(2), tried(1, task="b"), tried(1, entrant="f", message="\ud800 \0")
    for record in (second, first, other, mine):
        store.keep_trial(record)
    assert store.trials("e" * 64) == [second, first, other]
    assert store.trials("e" * 64, ["a" * 64]) == [second, first]
    assert store.trials(task_digests=["b" * 64]) == [other]
    assert store.trials(task_digests=[f"{n}" for n in range(9999)] + ["b" * 64]) == [other]
    assert store.trials(id_prefix="ae") == [second, first]
    assert store.trials(id_prefix="%") == store.trials(task_digests=[]) == []
    assert [one.id for one in store.trials("f" * 64)] == ["af1"]


def test_trials_are_counted_by_task_and_entrant(store: Store) -> None:
    assert store.tallies() == []
    for record in (
        tried(1, state="void", usd=0.5),
        tried(1, resolved=True, reward=1.0, usd=0.25),
        tried(2),
        tried(3, state="worked"),
        tried(1, entrant="f", state="void"),
    ):
        store.keep_trial(record)
    one, other = store.tallies()
    assert (one.task, one.agent, one.model, one.usd, one.priced_count) == ("slug-a", "mini", "model-e", 0.75, 2)
    assert one.tally == Tally(resolved_count=1, scored_count=2, void_count=1)
    assert (other.entrant_digest, other.tally) == ("f" * 64, Tally(void_count=1))
    assert store.tallies("f" * 64) == [other]
