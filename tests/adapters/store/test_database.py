"""The store: nothing lost, nothing half-written, a clear word for every bad day."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from assay.adapters.store.database import HEAD, MIGRATIONS, DatabaseStore, open_store
from assay.adapters.store.processes import ProcessIdentity
from assay.adapters.store.project import init_project, read_settings
from assay.adapters.store.schema import metadata
from assay.errors import ProjectError, SchemaTooNewError, StoreError
from assay.model.ledger import Cost, Decision, LedgerEntry, State

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DatabaseStore]:
    opened = open_store(tmp_path / "s.db", tmp_path / "blobs")
    yield opened
    opened.close()


def decision(key: str, state: State = "verified", reason: str | None = None, cpu: float = 1.0) -> Decision:
    return Decision(
        candidate_key=key, title=key, state=state, reason=reason, cost=Cost(cpu_seconds=cpu), decided_at=NOW
    )


def test_the_constant_is_alembics_only_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_decisions_keep_their_first_order_and_their_last_word(store: DatabaseStore) -> None:
    for key in ("b", "a", "c"):
        store.decide(decision(key, "failed", "provider"))
    store.decide(decision("a"))
    assert [(d.candidate_key, d.state) for d in store.decisions()] == [
        ("b", "failed"),
        ("a", "verified"),
        ("c", "failed"),
    ]
    assert store.decision("a") == decision("a")
    assert store.decision("z") is None


def test_the_funnel_adds_up(store: DatabaseStore) -> None:
    for number in range(5):
        store.decide(decision(f"v{number}", cpu=2.0))
    store.decide(decision("r", "rejected", "no-tests"))
    rows = store.funnel()
    assert sum(row.count for row in rows) == len(store.decisions())
    assert (rows[0].state, rows[0].count, rows[0].cost.cpu_seconds) == ("verified", 5, 10.0)


def test_the_ledger_is_in_order_and_by_subject(store: DatabaseStore) -> None:
    entries = [
        LedgerEntry(run_id="r", stage=s, subject=subject, started_at=NOW, cost=Cost(), note="\udcff")
        for s, subject in (("fetch", "a"), ("base", "b"), ("gold", "a"))
    ]
    store.charge(entries)
    assert [entry.stage for entry in store.ledger()] == ["fetch", "base", "gold"]
    assert [entry.stage for entry in store.ledger("a")] == ["fetch", "gold"]


def test_a_dead_runs_claim_is_taken_over_and_a_live_ones_is_not(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "60"])
    me = ProcessIdentity.current()
    stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    other = ProcessIdentity(me.host, me.boot_id, child.pid, int(stat[19]))
    theirs = open_store(tmp_path / "s.db", tmp_path / "b", identity=other)
    ours = open_store(tmp_path / "s.db", tmp_path / "b")
    their_run, our_run = theirs.begin_run(["x"], NOW), ours.begin_run(["y"], NOW)
    assert theirs.claim("k", their_run)
    assert not ours.claim("k", our_run)
    assert set(ours.live_runs()) == {their_run, our_run}
    child.kill()
    child.wait()
    assert ours.claim("k", our_run)
    assert ours.live_runs() == [our_run]
    ours.end_run(our_run, NOW, 0)
    assert ours.live_runs() == []


def test_blobs_are_checked(store: DatabaseStore, tmp_path: Path) -> None:
    digest = store.put_blob(b"x" * 1000)
    assert store.put_blob(b"x" * 1000) == digest
    assert store.get_blob(digest) == b"x" * 1000
    (path,) = (tmp_path / "blobs").rglob("*.z")
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    with pytest.raises(StoreError, match="damaged"):
        store.get_blob(digest)
    with pytest.raises(StoreError, match="no blob"):
        store.get_blob("0" * 64)


def test_facts(store: DatabaseStore) -> None:
    store.remember("env", "k", {"a": ["\udcff", 1]})
    store.remember("env", "k", {"a": 2})
    assert store.recall("env", "k") == {"a": 2}
    assert store.recall("other", "k") is None


def test_a_newer_store_is_refused(store: DatabaseStore, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaTooNewError, match="newer assay"):
        open_store(tmp_path / "s.db", tmp_path / "blobs")


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"not a database at all, by any means" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_store(tmp_path / "s.db", tmp_path / "blobs")


def test_many_writers_lose_nothing(store: DatabaseStore, tmp_path: Path) -> None:
    second = open_store(tmp_path / "s.db", tmp_path / "blobs")

    def write(into: DatabaseStore, name: str) -> None:
        for number in range(20):
            into.decide(decision(f"{name}{number}"))

    threads = [threading.Thread(target=write, args=(s, n)) for s, n in ((store, "a"), (second, "b"), (store, "c"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.decisions()) == 60


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from assay.adapters.store.database import open_store
from assay.model.ledger import Decision
store = open_store(Path(sys.argv[1]), Path(sys.argv[2]))
for number in range(1000):
    now = datetime.now(UTC)
    store.decide(Decision(candidate_key=str(number), title="", state="verified", decided_at=now))
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7])
def test_what_was_told_survives_a_kill(tmp_path: Path, lines: int) -> None:
    argv = [sys.executable, "-c", CHILD, str(tmp_path / "s.db"), str(tmp_path / "b")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(lines):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    kept = open_store(tmp_path / "s.db", tmp_path / "b").decisions()
    assert [d.candidate_key for d in kept][:lines] == [str(number) for number in range(lines)]


def test_a_project_is_made_once_and_read_with_clear_errors(tmp_path: Path) -> None:
    mark = init_project(tmp_path / "p")
    mark.write_text("jobs = 3\n")
    assert init_project(tmp_path / "p").read_text() == "jobs = 3\n"
    assert read_settings(tmp_path / "p").jobs == 3
    for text, said in (("job = 1\n", "'jobs'"), ("jobs = 'x'\n", "jobs"), ("=", "cannot be read")):
        mark.write_text(text)
        with pytest.raises(ProjectError) as error:
            read_settings(tmp_path / "p")
        assert said in f"{error.value.message} {error.value.hint}"


def test_a_store_of_the_first_version_opens_with_all_that_it_holds(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 's.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert not sa.inspect(connection).has_table("trials")
        row = "INSERT INTO memory (namespace, key, value) VALUES ('n', 'k', '{\"a\": 1}')"
        connection.exec_driver_sql(row)
    engine.dispose()
    with closing(open_store(tmp_path / "s.db", tmp_path / "blobs")) as opened:
        assert opened.recall("n", "k") == {"a": 1}
        assert opened.trials() == []


def test_the_migrations_end_where_the_schema_is(store: DatabaseStore, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 's.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_table_itself_keeps_a_key_to_one_score(store: DatabaseStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db")) as raw:
        names = [row[1] for row in raw.execute("PRAGMA table_info(trials)")]
        for state in ("void", "void", "scored"):
            fill(raw, names, state)
        with pytest.raises(sqlite3.IntegrityError):
            fill(raw, names, "worked")


def fill(raw: sqlite3.Connection, names: list[str], state: str) -> None:
    values = ["1" if name == "attempt" else f"'{state}'" if name == "state" else "'x'" for name in names[1:]]
    raw.execute(f"INSERT INTO trials ({', '.join(names[1:])}) VALUES ({', '.join(values)})")
