"""What earlier audits found, kept by content: an unchanged task costs nothing, a changed prompt only what reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from assay.core.hashing import json_digest
from assay.errors import StoreError
from assay.ports.store import Store

NAMESPACE = "audit"
EDITION = 2
"""Goes up when checks mean something else, so that older results are not used any more."""

Value = TypeVar("Value")


class Memo:
    """Results in the project's store. `fresh` ignores what is there; what is found anew is kept all the same."""

    def __init__(self, store: Store, *, fresh: bool = False) -> None:
        self._store = store
        self._fresh = fresh

    async def get(
        self,
        key: object,
        kind: TypeAdapter[Value],
        make: Callable[[], Awaitable[Value]],
        *,
        keep: Callable[[Value], bool] = lambda value: True,
    ) -> tuple[Value, bool]:
        """The value that belongs to this JSON-able key, and whether it was remembered. `keep` says what is worth it:
        nothing is that a fault of the machine had a part in.
        """
        name = json_digest([EDITION, key])
        known = None if self._fresh else self._store.recall(NAMESPACE, name)
        if known is not None:
            try:
                return kind.validate_json(self._store.get_blob(str(known["blob"]))), True
            except (StoreError, ValidationError, KeyError):
                pass  # written by another version, or lost: made again
        value = await make()
        if keep(value):
            self._store.remember(NAMESPACE, name, {"blob": self._store.put_blob(kind.dump_json(value))})
        return value, False
