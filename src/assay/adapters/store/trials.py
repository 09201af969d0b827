"""The table of trials: what is kept of a key, and the two questions that are asked of it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, case, delete, func, insert, select

from assay.adapters.store import rows
from assay.adapters.store.schema import trials
from assay.errors import StoreError
from assay.model.trial_record import TrialRecord, TrialTally

FEW = 500
"""Values that a query is given one by one; databases take a bounded number of them."""
AFTER_HEX = "g"
"""No id has it, and it sorts after all that ids have: a prefix is a range, which an index answers and LIKE does not."""
COLUMNS = [column for column in trials.c if column.name != "sequence"]


def keep(connection: Connection, record: TrialRecord) -> None:
    """See `assay.ports.store`."""
    if record.state != "void":
        same = (
            (trials.c.task_digest == record.task_digest)
            & (trials.c.entrant_digest == record.entrant_digest)
            & (trials.c.attempt == record.attempt)
        )
        if connection.execute(select(trials.c.id).where(same, trials.c.state == "scored")).first():
            raise StoreError(f"trial {record.id} has been scored already", hint="a score is never replaced")
        connection.execute(delete(trials).where(same, trials.c.state == "worked"))
    connection.execute(insert(trials).values(**rows.trial_row(record)))


def find(
    connection: Connection, entrant_digest: str | None, task_digests: Collection[str] | None, id_prefix: str
) -> list[TrialRecord]:
    """See `assay.ports.store`."""
    query = select(*COLUMNS).order_by(trials.c.sequence)
    if entrant_digest is not None:
        query = query.where(trials.c.entrant_digest == entrant_digest)
    if id_prefix:
        query = query.where(trials.c.id >= id_prefix, trials.c.id < id_prefix + AFTER_HEX)
    if task_digests is not None and len(task_digests) <= FEW:
        query = query.where(trials.c.task_digest.in_(task_digests))
        task_digests = None
    found = [rows.trial_of(row) for row in connection.execute(query).mappings()]
    return found if task_digests is None else [one for one in found if one.task_digest in set(task_digests)]


def tallies(connection: Connection, entrant_digest: str | None) -> list[TrialTally]:
    """See `assay.ports.store`."""
    key = (trials.c.task_digest, trials.c.entrant_digest)
    names = [func.min(trials.c[name]).label(name) for name in ("task", "agent", "model")]
    query = (
        select(
            *key,
            *names,
            func.sum(case((trials.c.resolved.is_(True), 1), else_=0)).label("resolved_count"),
            func.sum(case((trials.c.state == "scored", 1), else_=0)).label("scored_count"),
            func.sum(case((trials.c.state == "void", 1), else_=0)).label("void_count"),
            func.coalesce(func.sum(trials.c.usd), 0.0).label("usd"),
            func.count(trials.c.usd).label("priced_count"),
        )
        .group_by(*key)
        .order_by(func.min(trials.c.sequence))
    )
    if entrant_digest is not None:
        query = query.where(trials.c.entrant_digest == entrant_digest)
    return [rows.tally_of(row) for row in connection.execute(query).mappings()]
