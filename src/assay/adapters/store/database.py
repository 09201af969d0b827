"""The database: SQLite in WAL mode, or PostgreSQL by URL, through SQLAlchemy Core.

One writer a process (a lock), every write in its own immediate transaction, so that several processes may share
the file. Alembic is imported only when the schema is not at its head, because that import costs more than all the
rest. Moments, costs and facts become rows in `rows.py` and nowhere else.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from assay.adapters.files import file_error
from assay.adapters.store import rows, trials
from assay.adapters.store.blobs import Blobs
from assay.adapters.store.processes import ProcessIdentity
from assay.adapters.store.schema import claims, decisions, ledger, memory, runs
from assay.errors import DiskFullError, SchemaTooNewError, StoreError, StoreLockedError
from assay.model.ledger import Decision, LedgerEntry
from assay.model.trial_record import TrialRecord, TrialTally
from assay.ports.store import FunnelRow

HEAD = "0002"
"""The newest migration; a test holds it to Alembic's own idea."""

BUSY_SECONDS = 30.0
MIGRATIONS = Path(__file__).parent / "migrations"


def open_store(place: Path | str, blobs: Path, *, identity: ProcessIdentity | None = None) -> DatabaseStore:
    """Open a store, made or migrated as needed. `place` is a file or a database URL.

    Raises SchemaTooNewError, StoreLockedError, DiskFullError or StoreError.
    """
    url = place if isinstance(place, str) and "://" in place else f"sqlite:///{place}"
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise file_error("make", folder, error) from error
    engine = _engine(url)
    with _errors(url):
        _migrate(engine, url)
    return DatabaseStore(engine, Blobs(blobs), identity or ProcessIdentity.current(), url)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url)
    # No pool: a connection that nobody holds keeps nothing open and nothing locked.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions are begun by the next listener
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(engine: Engine, url: str) -> None:
    """Bring the schema to the head, in one transaction, so that two processes may try at once."""
    with engine.begin() as connection:
        found = None
        if inspect(connection).has_table("alembic_version"):
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if found == HEAD:
            return
        if found is not None and str(found) > HEAD:
            raise SchemaTooNewError(
                f"{url} was written by a newer assay (schema {found}, this one knows {HEAD})",
                hint="upgrade assay, or work in another project folder",
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Database errors as ours."""
    try:
        yield
    except DBAPIError as error:
        text = str(error.orig)
        if "full" in text:
            raise DiskFullError(f"no space is left to write {url}", hint="free some space and run it again") from error
        if "locked" in text or "busy" in text:
            raise StoreLockedError(
                f"{url} has been locked for {BUSY_SECONDS:.0f} s", hint="see which other assay works on this project"
            ) from error
        raise StoreError(f"{url}: {text}", hint="if the file is damaged, move it away and run again") from error


class DatabaseStore:
    """See `assay.ports.store`."""

    def __init__(self, engine: Engine, blobs: Blobs, identity: ProcessIdentity, url: str) -> None:
        self._engine = engine
        self._blobs = blobs
        self._identity = identity
        self._url = url
        self._lock = threading.RLock()
        self._batch: list[LedgerEntry] = []

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock, _errors(self._url), self._engine.begin() as connection:
            yield connection

    def begin_run(self, command: Sequence[str], started_at: datetime) -> str:
        """Record a run by this process; its id."""
        run_id = f"{started_at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
        row = {
            "id": run_id,
            "command": rows.plain_text(json.dumps(list(command))),
            "state": "running",
            "host": self._identity.host,
            "boot_id": self._identity.boot_id,
            "pid": self._identity.pid,
            "process_start_ticks": self._identity.start_ticks,
            "started_at": rows.moment_text(started_at),
        }
        with self._transaction() as connection:
            connection.execute(insert(runs).values(**row))
        return run_id

    def end_run(self, run_id: str, ended_at: datetime, exit_code: int) -> None:
        """Close a run and give back what it still claims."""
        self.flush()
        with self._transaction() as connection:
            connection.execute(delete(claims).where(claims.c.run_id == run_id))
            values = {"state": "ended", "ended_at": rows.moment_text(ended_at), "exit_code": exit_code}
            connection.execute(update(runs).where(runs.c.id == run_id).values(**values))

    def live_runs(self) -> list[str]:
        """Runs whose process lives; the others are closed as lost."""
        with self._transaction() as connection:
            found = connection.execute(select(runs).where(runs.c.state == "running").order_by(runs.c.id)).mappings()
            alive = {row["id"]: self._alive(row) for row in found.all()}
            for run_id in (run_id for run_id, lives in alive.items() if not lives):
                connection.execute(delete(claims).where(claims.c.run_id == run_id))
                connection.execute(update(runs).where(runs.c.id == run_id).values(state="lost"))
        return [run_id for run_id, lives in alive.items() if lives]

    def _alive(self, row: rows.Row) -> bool:
        owner = ProcessIdentity(row["host"], row["boot_id"], row["pid"], row["process_start_ticks"])
        return row["state"] == "running" and owner.is_alive(self._identity)

    def claim(self, key: str, run_id: str) -> bool:
        """Take a piece of work; a dead run's claim is taken over."""
        with self._transaction() as connection:
            held = connection.execute(select(claims.c.run_id).where(claims.c.key == key)).scalar()
            if held is None:
                connection.execute(insert(claims).values(key=key, run_id=run_id))
                return True
            if held == run_id:
                return True
            owner = connection.execute(select(runs).where(runs.c.id == held)).mappings().one()
            if self._alive(owner):
                return False
            connection.execute(update(claims).where(claims.c.key == key).values(run_id=run_id))
            return True

    def release(self, key: str, run_id: str) -> None:
        """Give a claim back."""
        with self._transaction() as connection:
            connection.execute(delete(claims).where(claims.c.key == key, claims.c.run_id == run_id))

    def decision(self, candidate_key: str) -> Decision | None:
        """What became of a candidate."""
        query = select(decisions).where(decisions.c.candidate_key == rows.plain_text(candidate_key))
        with self._transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return rows.decision_of(row) if row else None

    def decide(self, decision: Decision) -> None:
        """Record a decision; a later one replaces an earlier one in its place."""
        row = rows.decision_row(decision)
        with self._transaction() as connection:
            same = decisions.c.candidate_key == row["candidate_key"]
            if connection.execute(update(decisions).where(same).values(**row)).rowcount == 0:
                connection.execute(insert(decisions).values(**row))

    def decisions(self) -> list[Decision]:
        """All, in the order in which they were first made."""
        with self._transaction() as connection:
            found = connection.execute(select(decisions).order_by(decisions.c.sequence)).mappings().all()
        return [rows.decision_of(row) for row in found]

    def charge(self, entries: Iterable[LedgerEntry]) -> None:
        """Append to the ledger, in a batch."""
        with self._lock:
            self._batch += entries
        self.flush()

    def flush(self) -> None:
        """Make batched entries durable."""
        with self._lock:
            if self._batch:
                with self._transaction() as connection:
                    connection.execute(insert(ledger), [rows.ledger_row(entry) for entry in self._batch])
                self._batch.clear()

    def ledger(self, subject: str | None = None) -> list[LedgerEntry]:
        """Entries, oldest first."""
        self.flush()
        query = select(ledger).order_by(ledger.c.sequence)
        if subject is not None:
            query = query.where(ledger.c.subject == rows.plain_text(subject))
        with self._transaction() as connection:
            return [rows.ledger_entry_of(row) for row in connection.execute(query).mappings()]

    def funnel(self) -> list[FunnelRow]:
        """Counts and costs by state and reason, most frequent first."""
        sums = [
            func.sum(decisions.c[name]).label(name) for name in ("cpu_seconds", "wall_seconds", "written_bytes", "usd")
        ]
        count = func.count().label("count")
        query = (
            select(decisions.c.state, decisions.c.reason, count, *sums)
            .group_by(decisions.c.state, decisions.c.reason)
            .order_by(count.desc(), decisions.c.state, decisions.c.reason)
        )
        with self._transaction() as connection:
            return [rows.funnel_row_of(row) for row in connection.execute(query).mappings()]

    def remember(self, namespace: str, key: str, value: dict[str, Any]) -> None:
        """Keep a small fact."""
        with self._transaction() as connection:
            same = (memory.c.namespace == namespace) & (memory.c.key == key)
            text = rows.fact_text(value)
            if connection.execute(update(memory).where(same).values(value=text)).rowcount == 0:
                connection.execute(insert(memory).values(namespace=namespace, key=key, value=text))

    def recall(self, namespace: str, key: str) -> dict[str, Any] | None:
        """A fact kept earlier."""
        query = select(memory.c.value).where(memory.c.namespace == namespace, memory.c.key == key)
        with self._transaction() as connection:
            text = connection.execute(query).scalar()
        return None if text is None else rows.fact_of(text)

    def put_blob(self, data: bytes) -> str:
        """Keep bytes; their SHA-256 in hex."""
        return self._blobs.put(data)

    def get_blob(self, digest: str) -> bytes:
        """Bytes kept earlier, checked."""
        return self._blobs.get(digest)

    def keep_trial(self, record: TrialRecord) -> None:
        """Record a try."""
        with self._transaction() as connection:
            trials.keep(connection, record)

    def trials(
        self, entrant_digest: str | None = None, task_digests: Collection[str] | None = None, id_prefix: str = ""
    ) -> list[TrialRecord]:
        """Tries, oldest first."""
        with self._transaction() as connection:
            return trials.find(connection, entrant_digest, task_digests, id_prefix)

    def tallies(self, entrant_digest: str | None = None) -> list[TrialTally]:
        """Counts by task and entrant."""
        with self._transaction() as connection:
            return trials.tallies(connection, entrant_digest)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._engine.dispose()
