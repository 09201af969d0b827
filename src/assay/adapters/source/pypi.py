"""Candidates from a package index: one release and the one before it, as their source archives have them.

`pypi:NAME`; revisions are a version range (`>=2,<4`) over the later release. Releases without a source archive are
candidates too, rejected when looked at, so that the funnel counts them. An index that tells no upload times serves all
the same: dates are then None and environments cannot be dated, which their recipe records; only a query for dates is
refused, because nothing could answer it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import anyio
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from assay.adapters.source.archive import ArchiveLimits, read_archive
from assay.adapters.source.downloads import Connection, Downloads
from assay.adapters.source.index import IndexFile, Project, Release, Step, parse_project, steps
from assay.core.changelog import change_notes
from assay.core.hashing import tree_digest
from assay.core.licences import licence_of_metadata
from assay.errors import InputError, ProviderError, Rejection
from assay.model.candidate import Candidate, CandidateContent, SourceInfo
from assay.model.reason import Reason
from assay.model.tree import Tree
from assay.ports.source import Query

MAX_ARCHIVE_BYTES = 64 << 20
_NAME = re.compile(r"(?i)^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$")
_JSON = "application/json"
_SIMPLE = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.1"


class PypiSource:
    """The projects of one index. `index_url` is what stands before `/pypi/` and `/simple/`."""

    kind = "pypi"

    def __init__(
        self,
        cache_dir: Path,
        *,
        index_url: str = "https://pypi.org",
        connection: Connection | None = None,
        max_archive_bytes: int = MAX_ARCHIVE_BYTES,
        limits: ArchiveLimits | None = None,
    ) -> None:
        self._downloads = Downloads(cache_dir, connection or Connection())
        self._index_url = index_url.rstrip("/").removesuffix("/simple")
        self._max_archive_bytes = max_archive_bytes
        self._limits = limits or ArchiveLimits()

    async def candidates(self, query: Query) -> AsyncIterator[Candidate]:
        """See `assay.ports.source.Source.candidates`."""
        specifier = _specifier(query.revisions)
        project = await self._project(query.origin)
        _check(project, query)
        for step in steps(project, prereleases=bool(specifier.prereleases)):
            date = step.gold.uploaded
            if query.since and (date is None or date < query.since):
                continue
            if query.until and (date is None or date > query.until):
                continue
            if not specifier.contains(step.gold.version, prereleases=True):
                continue
            if step.base is not None or step.gold.sdist is None:
                yield self._candidate(project, step)

    async def base(self, source: SourceInfo) -> Tree:
        """See `assay.ports.source.Source.base`."""
        if not source.base_url:
            raise InputError(f"the task names no archive for {source.origin} {source.base_revision}")
        try:
            data = await self._archive(source.base_url, source.base_sha256)
        except ProviderError:
            # The address may be another index's: the same file is known here by its digest.
            file = await self._known_file(source)
            if file is None or file.url == source.base_url:
                raise
            data = await self._archive(file.url, source.base_sha256)
        name = f"{source.origin} {source.base_revision}"
        tree = await anyio.to_thread.run_sync(read_archive, data, name, self._limits)
        digest = tree_digest(tree)
        if source.base_tree_sha256 and digest != source.base_tree_sha256:
            raise InputError(
                f"the files of {name} are not those that the task names",
                hint="the task's source table was changed, or the task comes from another archive",
                expected=source.base_tree_sha256,
                found=digest,
            )
        return tree

    async def _known_file(self, source: SourceInfo) -> IndexFile | None:
        try:
            project = await self._project(source.origin)
        except (InputError, ProviderError):
            return None
        files = [release.sdist for release in project.releases if release.sdist]
        return next((file for file in files if source.base_sha256 and file.sha256 == source.base_sha256), None)

    async def _project(self, origin: str) -> Project:
        if not _NAME.match(origin):
            raise InputError(f"{origin!r} is not a name that a package can have", hint="for example: pypi:humanize")
        name = canonicalize_name(origin)
        for url, accept in (
            (f"{self._index_url}/pypi/{name}/json", _JSON),
            (f"{self._index_url}/simple/{name}/", _SIMPLE),
        ):
            page = await self._downloads.page(url, accept)
            if page.status == 404:
                continue
            try:
                return await anyio.to_thread.run_sync(parse_project, name, page.body, page.content_type, page.url)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if accept is _SIMPLE:
                    raise ProviderError(f"{url} does not answer as a package index: {error}", url=url) from error
        raise InputError(
            f"{self._index_url} knows no package {name!r}", hint="check the spelling, or set another index", name=name
        )

    def _candidate(self, project: Project, step: Step) -> Candidate:
        base, gold = step.base, step.gold
        base_text = str(base.version) if base else "none"
        file = base.sdist if base else None
        source = SourceInfo(
            kind=self.kind,
            origin=project.name,
            base_revision=base_text,
            gold_revision=str(gold.version),
            base_url=file.url if file else None,
            base_sha256=file.sha256 if file else None,
            base_date=base.uploaded if base else None,
            gold_date=gold.uploaded,
        )
        load: Callable[[], Awaitable[CandidateContent]]
        if base and base.sdist and gold.sdist:
            load = partial(self._load, project, source, base.sdist, gold.sdist)
        else:
            load = partial(_no_sdist, f"{project.name} {gold.version}")
        return Candidate(
            key=f"pypi:{project.name}:{base_text}..{gold.version}",
            title=f"{project.name} {base_text} -> {gold.version}",
            slug=f"{project.name}-{str(gold.version).replace('!', '-').replace('+', '-')}".casefold(),
            source=source,
            load=load,
        )

    async def _load(self, project: Project, source: SourceInfo, base: IndexFile, gold: IndexFile) -> CandidateContent:
        trees, digests = [], []
        for file in (base, gold):
            data = await self._archive(file.url, file.sha256)
            digests.append(file.sha256 or sha256(data).hexdigest())
            trees.append(await anyio.to_thread.run_sync(read_archive, data, file.filename, self._limits))
        return await anyio.to_thread.run_sync(_content, project, source, digests[0], trees[0], trees[1])

    async def _archive(self, url: str, digest: str | None) -> bytes:
        return await self._downloads.archive(url, digest, self._max_archive_bytes)


def _content(project: Project, source: SourceInfo, digest: str, base: Tree, gold: Tree) -> CandidateContent:
    found = {
        "base_sha256": digest,
        "base_tree_sha256": tree_digest(base),
        "licence": licence_of_metadata(gold, project.metadata),
    }
    notes = change_notes(base, gold, source.gold_revision)
    return CandidateContent(source.model_copy(update=found), base, gold, notes)


async def _no_sdist(name: str) -> CandidateContent:
    raise Rejection(Reason.NO_SDIST, f"{name} has no source archive")


def _specifier(text: str | None) -> SpecifierSet:
    try:
        return SpecifierSet(text or "")
    except InvalidSpecifier as error:
        raise InputError(f"{text!r} is not a version range", hint="for example: '>=2,<4' or '==1.5.0'") from error


def _check(project: Project, query: Query) -> None:
    """Raises InputError or ProviderError for what no candidate of the project could satisfy."""
    usable: list[Release] = [release for release in project.releases if release.sdist]
    if not usable:
        raise InputError(
            f"{project.name} has published no source archives", hint=f"mine its repository: git:URL of {project.name}"
        )
    if (query.since or query.until) and not any(release.uploaded for release in project.releases):
        raise ProviderError(
            f"the index does not tell when {project.name}'s releases were uploaded",
            hint="leave --since and --until out, choose releases by version, or set an index with upload times",
        )
