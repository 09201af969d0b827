"""No change becomes a task twice: which one is whose, in this run and in the project.

Of equal candidates of a run, the first in listing order is tried; the others wait until it is decided and are
duplicates if it has become a task, else the next one is tried. They ask in their turn to build (`Turnstile`), when
everybody before them has asked, so who comes first does not depend on timing. What earlier waves and runs verified is
in the store's memory, and counts as long as it is decided so and its folder is there.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from assay.core.exclusion import change_key
from assay.errors import AssayError
from assay.model.task import GOLD_PATCH
from assay.ports.store import Store
from assay.stages.toolbox import Toolbox

MEMORY = "change"
"""The namespace of the store's memory: change key to the candidate that became a task, and its slug."""
COMPLETE = "all verified tasks are in"
"""A key of the same namespace that is no change's."""


def catch_up(tools: Toolbox) -> None:
    """Once for a project: put into the memory what was verified before there was one."""
    store = tools.store
    if store.recall(MEMORY, COMPLETE):
        return
    same = SameChanges(store, tools.tasks_folder)
    for decision in store.decisions():
        if decision.state == "verified" and decision.slug:
            try:
                task = tools.tasks.read(tools.tasks_folder / decision.slug)
            except AssayError:
                continue  # removed or broken by hand: it is no task of the project any more
            patch = task.files.get(GOLD_PATCH)
            change = change_key(patch.data, task.assay.source) if patch else None
            same.remember(change, decision.candidate_key, decision.slug)
    store.remember(MEMORY, COMPLETE, {"since": tools.run_id})


class SameChanges:
    """The changes of one wave that are being tried, before the background of the project's tasks."""

    def __init__(self, store: Store, tasks_folder: Path) -> None:
        self._store = store
        self._tasks_folder = tasks_folder
        self._tried: dict[str, tuple[str, anyio.Event]] = {}

    async def take(self, change: str | None, candidate_key: str) -> str:
        """The slug of the task that is this change already; empty when the change is the candidate's to try.

        To be called in the candidate's turn. Whoever takes a change gives it back with `give_back`.
        """
        if change is None:
            return ""
        while change in self._tried:
            await self._tried[change][1].wait()
        slug = await anyio.to_thread.run_sync(self._task_of, change, candidate_key)
        if not slug:
            self._tried[change] = (candidate_key, anyio.Event())
        return slug

    def give_back(self, candidate_key: str) -> None:
        """The candidate is decided: who waits for its change may look."""
        for change, (holder, decided) in list(self._tried.items()):
            if holder == candidate_key:
                del self._tried[change]
                decided.set()

    def remember(self, change: str | None, candidate_key: str, slug: str) -> None:
        """Keep which task a change is, unless another task is it. Before the decision: alone, it counts for nothing."""
        if change is not None and not self._task_of(change, candidate_key):
            self._store.remember(MEMORY, change, {"candidate": candidate_key, "slug": slug})

    def _task_of(self, change: str, candidate_key: str) -> str:
        known = self._store.recall(MEMORY, change) or {}
        slug, other = str(known.get("slug", "")), str(known.get("candidate", ""))
        if not slug or other == candidate_key:
            return ""
        decision = self._store.decision(other)
        stands = decision is not None and decision.state == "verified" and decision.slug == slug
        return slug if stands and (self._tasks_folder / slug).is_dir() else ""
