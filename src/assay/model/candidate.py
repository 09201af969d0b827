"""A candidate: a change in some source that may become a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from assay.model.base import Frozen
from assay.model.tree import Tree


class SourceInfo(Frozen):
    """Where a change comes from; enough to fetch its base again on another machine, and to check it."""

    kind: str
    """The source adapter's name: `pypi`, `git`, `puzzle`."""
    origin: str
    """What follows the kind: a project name, a URL. A local path only when nothing better is known."""
    base_revision: str
    gold_revision: str
    base_url: str | None = None
    """The archive of the base, for sources that have one."""
    base_sha256: str | None = None
    """Of the archive, or None."""
    base_tree_sha256: str = ""
    """Digest of the base as files (see `assay.core.hashing.tree_digest`): what every later fetch must equal."""
    base_date: datetime | None = None
    gold_date: datetime | None = None
    licence: str | None = None
    """SPDX expression if one could be told, else the text that the source gives."""


@dataclass(frozen=True, slots=True)
class Note:
    """A piece of what maintainers wrote about the change."""

    kind: str
    """`changelog`, `commit`, `documentation`, `summary`; `omitted` for what the source itself left out of the trees."""
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change, cheap to list and loaded only when somebody looks at it.

    `load` fetches (base, gold, notes) and may raise Rejection (the candidate's fault) or ProviderError.
    """

    key: str
    """Stable over runs: source kind, origin and both revisions."""
    title: str
    """For people: `python-slugify 8.0.0 -> 8.0.1`."""
    slug: str
    """The folder's name should it become a task: `[a-z0-9][a-z0-9._-]*`."""
    source: SourceInfo
    load: Callable[[], Awaitable[CandidateContent]]


@dataclass(frozen=True, slots=True)
class CandidateContent:
    """The two trees and the words."""

    source: SourceInfo
    """As listed, with digests and licence filled in."""
    base: Tree
    gold: Tree
    notes: tuple[Note, ...] = ()
    version: str = ""
    """Of the base, where the source knows it and the tree may not: projects that ask git for theirs need it."""
