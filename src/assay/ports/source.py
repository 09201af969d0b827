"""Where candidates come from. Archives and repositories are hostile input.

- A source fetches and lists; it runs nothing of what it fetches.
- What is wrong with one candidate is a `Rejection` from its `load`; what is wrong with the index, the remote or the
  network is a `ProviderError`; an unknown name is an `InputError`.
- The same origin gives the same candidates in the same order, as long as the origin has not changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from assay.model.candidate import Candidate, SourceInfo
from assay.model.tree import Tree


@dataclass(frozen=True, slots=True)
class Query:
    """Which candidates are wanted. Newest first."""

    origin: str
    """What follows the kind in `kind:origin`."""
    since: datetime | None = None
    until: datetime | None = None
    revisions: str | None = None
    """A source's own notation: a version range such as `>=2,<4`, a revision range such as `v1..v2`."""
    paths: tuple[str, ...] = ()
    """Only changes that touch one of these (gitwildmatch patterns); sources without files to name ignore them."""
    match: str = ""
    """Only changes whose message matches this regular expression, in any case of letters."""
    best_first: bool = False
    """The most promising first, instead of the newest."""


class Source(Protocol):
    """A kind of origin."""

    kind: str

    def candidates(self, query: Query) -> AsyncIterator[Candidate]:
        """Lazily, newest first. Raises InputError or ProviderError."""
        ...

    async def base(self, source: SourceInfo) -> Tree:
        """The base of a task, fetched again (or from the cache) and checked against its digests.

        Raises ProviderError when it cannot be fetched, InputError when it is not what the task names.
        """
        ...
