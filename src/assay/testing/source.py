"""A source in memory: releases given as trees."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise

from assay.core.changelog import change_notes
from assay.core.hashing import tree_digest
from assay.errors import InputError, Rejection
from assay.model.candidate import Candidate, CandidateContent, Note, SourceInfo
from assay.model.reason import Reason
from assay.model.tree import Tree
from assay.ports.source import Query


@dataclass(frozen=True, slots=True)
class FakeRelease:
    """One state of a project. `tree` is None for one whose source cannot be had."""

    revision: str
    tree: Tree | None
    date: datetime | None = None
    notes: tuple[Note, ...] = ()


class FakeSource:
    """Projects by name, their releases oldest first; revisions are one revision or a regular expression of some."""

    def __init__(
        self, projects: dict[str, Sequence[FakeRelease]], *, kind: str = "fake", licence: str | None = "MIT"
    ) -> None:
        self.kind = kind
        self._projects = projects
        self._licence = licence

    async def candidates(self, query: Query) -> AsyncIterator[Candidate]:
        """See `assay.ports.source.Source.candidates`."""
        for old, new in reversed(list(pairwise(self._releases(query.origin)))):
            if query.revisions and not re.fullmatch(query.revisions, new.revision):
                continue
            if query.since and (new.date is None or new.date < query.since):
                continue
            if query.until and (new.date is None or new.date > query.until):
                continue
            yield self._candidate(query.origin, old, new)

    async def base(self, source: SourceInfo) -> Tree:
        """See `assay.ports.source.Source.base`."""
        found = [r for r in self._releases(source.origin) if r.revision == source.base_revision]
        tree = found[0].tree if found else None
        if tree is None or (source.base_tree_sha256 and tree_digest(tree) != source.base_tree_sha256):
            raise InputError(f"{source.origin} {source.base_revision} is not what the task names")
        return tree

    def _releases(self, origin: str) -> Sequence[FakeRelease]:
        if origin not in self._projects:
            raise InputError(f"there is no {origin!r}", hint=f"there are: {', '.join(self._projects)}")
        return self._projects[origin]

    def _candidate(self, origin: str, old: FakeRelease, new: FakeRelease) -> Candidate:
        source = SourceInfo(
            kind=self.kind,
            origin=origin,
            base_revision=old.revision,
            gold_revision=new.revision,
            base_tree_sha256=tree_digest(old.tree) if old.tree is not None else "",
            base_date=old.date,
            gold_date=new.date,
            licence=self._licence,
        )
        return Candidate(
            key=f"{self.kind}:{origin}:{old.revision}..{new.revision}",
            title=f"{origin} {old.revision} -> {new.revision}",
            slug=f"{origin}-{new.revision}".casefold(),
            source=source,
            load=partial(_load, source, old, new),
        )


async def _load(source: SourceInfo, old: FakeRelease, new: FakeRelease) -> CandidateContent:
    if old.tree is None or new.tree is None:
        raise Rejection(Reason.NO_SDIST, f"{source.origin} {source.gold_revision} has no source")
    return CandidateContent(source, old.tree, new.tree, new.notes + change_notes(old.tree, new.tree, new.revision))
