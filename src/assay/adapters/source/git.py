"""Candidates from a git repository: a commit and its first parent.

`git:PATH_OR_URL`; revisions are one revision (just that commit) or a range `a..b`; without them the first-parent
history of HEAD, newest first. A local clone is only read. A URL is mirrored into the cache (https, ssh and file
transports alone, no submodules, objects checked), and refreshed when it is listed again.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import anyio
from pathspec import GitIgnoreSpec

from assay.adapters import process
from assay.adapters.source.git_reader import GitReader, TreeLimits, open_repository, read_pair
from assay.core import git_settings, history
from assay.core.changelog import change_notes
from assay.core.hashing import tree_digest
from assay.core.history import Change
from assay.core.licences import licence_of_files
from assay.errors import DiskFullError, InfrastructureError, InputError, ProviderError
from assay.model.candidate import Candidate, CandidateContent, Note, SourceInfo
from assay.model.tree import FileState, Tree
from assay.ports.source import Query

PROTOCOLS = ("https", "ssh", "file")
CLONE_SECONDS = 1800.0
MAX_BRANCH_MESSAGES = 20
MAX_MESSAGE_CHARACTERS = 20_000
"""No honest message is longer; what reads them takes more than linear time."""
_SCP = re.compile(r"^(?P<user>[\w.-]+@)?(?P<host>[\w.-]+\.[\w-]+):(?!/)(?P<path>[^:]+)$")


class GitSource:
    """Git repositories. `environment` is added to git's own (proxies, SSH_AUTH_SOCK, GIT_SSL_CAINFO)."""

    kind = "git"

    def __init__(
        self,
        cache_dir: Path,
        *,
        git: str = "git",
        environment: Mapping[str, str] | None = None,
        limits: TreeLimits | None = None,
    ) -> None:
        self._cache_dir = cache_dir
        self._git = git
        self._environment = dict(environment or {})
        self._limits = limits or TreeLimits()

    async def candidates(self, query: Query) -> AsyncIterator[Candidate]:
        """See `assay.ports.source.Source.candidates`."""
        reader, origin = await self._open(query.origin)
        revisions, only = await _revisions(reader, query)
        dates = [f"--max-age={int(query.since.timestamp())}"] if query.since else []
        dates += [f"--min-age={int(query.until.timestamp())}"] if query.until else []
        commits = reader.log(revisions, *dates, *(["--no-walk"] if only else []))
        # A commit that was named gets its reason, whatever it changes.
        changes = history.each(commits) if only else history.changes(commits, _any_of(query.paths))
        found = _wanted(changes, query.match)
        listed = False
        async for change in _best_first(found) if query.best_first else found:
            listed = True
            yield self._candidate(reader, origin, change)
        if not listed and await reader.is_shallow():
            raise InputError(
                f"{query.origin} is a shallow clone: the commits before its first one are missing",
                hint=f"git -C {query.origin} fetch --unshallow",
            )

    async def base(self, source: SourceInfo) -> Tree:
        """See `assay.ports.source.Source.base`."""
        reader = await self._holding(source)
        pair = await read_pair(reader, source.base_revision, source.gold_revision, self._limits)
        digest = tree_digest(pair.base)
        if source.base_tree_sha256 and digest != source.base_tree_sha256:
            raise InputError(
                f"the files of {source.origin} at {source.base_revision} are not those that the task names",
                hint="the task's source table was changed",
                expected=source.base_tree_sha256,
                found=digest,
            )
        return pair.base

    async def _open(self, origin: str) -> tuple[GitReader, str]:
        """The repository, and the name under which others can find it."""
        url = _url(origin)
        if url:
            return GitReader(self._git, await self._mirror(url, refresh=True)), _public(url)
        reader = await open_repository(self._git, _folder(origin))
        remote = await reader.remote_url()
        public = _url(remote, strict=False) if remote else None
        if public and not public.startswith("file:"):
            await anyio.to_thread.run_sync(self.remember, _public(public), reader.git_dir)
            return reader, _public(public)
        return reader, str(_folder(origin))

    async def _holding(self, source: SourceInfo) -> GitReader:
        """A repository that has both commits: the clone it was mined from, else the mirror, refreshed if need be."""
        for revision in (source.base_revision, source.gold_revision):
            if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision):
                raise InputError(f"{revision!r} is not a commit's full name")
        url = _url(source.origin)
        if not url:
            readers = [await open_repository(self._git, _folder(source.origin))]
        else:
            known = await anyio.to_thread.run_sync(self._remembered, source.origin)
            readers = [GitReader(self._git, known)] if known else []
        for reader in readers:
            if await _has(reader, source):
                return reader
        for refresh in (False, True) if url else ():
            reader = GitReader(self._git, await self._mirror(url or "", refresh=refresh))
            if await _has(reader, source):
                return reader
        raise ProviderError(f"{source.origin} does not have the commit {source.base_revision} (any more)")

    def _candidate(self, reader: GitReader, origin: str, change: Change) -> Candidate:
        name, gold = _name(origin), change.gold
        subject = change.commits[0].message.partition("\n")[0][:80]
        source = SourceInfo(
            kind=self.kind, origin=origin, base_revision=change.base, gold_revision=gold.sha, gold_date=gold.date
        )
        return Candidate(
            key=f"git:{origin}:{change.base}..{gold.sha}",
            title=f"{name} {gold.sha[:8]} {subject}".rstrip(),
            slug=f"{name}-{gold.sha[:8]}",
            source=source,
            load=partial(self._load, reader, source, change),
        )

    async def _load(self, reader: GitReader, source: SourceInfo, change: Change) -> CandidateContent:
        pair = await read_pair(reader, source.base_revision, source.gold_revision, self._limits)
        base_date = [c.date async for c in reader.log([source.base_revision], "--no-walk")]
        return await anyio.to_thread.run_sync(
            _content,
            source.model_copy(update={"base_date": base_date[0] if base_date else None}),
            await _messages(reader, change),
            await reader.version(change.base),
            pair.base,
            pair.gold,
            pair.omitted,
        )

    async def _mirror(self, url: str, *, refresh: bool) -> Path:
        """The bare mirror of a URL in the cache: cloned whole or not at all, then only fetched into."""
        mirror = self._cache_dir / "mirrors" / f"{_name(url)}-{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
        await anyio.to_thread.run_sync(partial(mirror.parent.mkdir, parents=True, exist_ok=True))
        if await anyio.to_thread.run_sync(mirror.is_dir):
            if refresh:
                await self._remote(url, f"--git-dir={mirror}", "fetch", "--quiet", "--prune", "--no-auto-gc", "origin")
            return mirror
        making = mirror.parent / f".new-{secrets.token_hex(8)}"
        try:
            clone = ("clone", "--quiet", "--mirror", "--no-recurse-submodules", "--no-hardlinks", "--template=")
            await self._remote(url, *clone, "--", url, str(making))
            await anyio.to_thread.run_sync(_rename_once, making, mirror)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(shutil.rmtree, making, True)
        return mirror

    async def _remote(self, url: str, *arguments: str) -> None:
        try:
            await process.output_of(
                [self._git, *git_settings.options(*PROTOCOLS), *arguments],
                env={**git_settings.ENVIRONMENT, **self._environment},
                cwd=self._cache_dir,
                wall_seconds=CLONE_SECONDS,
            )
        except DiskFullError:
            raise
        except InfrastructureError as error:
            tail = str(error.context.get("tail", "")) or error.message
            raise ProviderError(
                f"cannot fetch {_public(url)}: {tail.strip().splitlines()[-1] if tail.strip() else 'no reason given'}",
                hint="check the URL and the network; a private repository is best cloned first and given as a folder",
                detail=tail,
            ) from error

    def _memory(self, origin: str) -> Path:
        return self._cache_dir / "clones" / hashlib.sha256(origin.encode()).hexdigest()

    def remember(self, origin: str, git_dir: Path) -> None:
        """Keep which local clone a public origin was mined from; digests decide whether it is still the right one."""
        note = self._memory(origin)
        note.parent.mkdir(parents=True, exist_ok=True)
        fresh = note.with_suffix(f".{secrets.token_hex(8)}")
        fresh.write_text(str(git_dir), encoding="utf-8", errors="surrogateescape")
        fresh.replace(note)

    def _remembered(self, origin: str) -> Path | None:
        try:
            git_dir = Path(self._memory(origin).read_text(encoding="utf-8", errors="surrogateescape"))
        except FileNotFoundError:
            return None
        return git_dir if git_dir.is_dir() else None


def _folder(origin: str) -> Path:
    return Path(origin).absolute()


def _rename_once(making: Path, mirror: Path) -> None:
    """Rename into place; another process that was faster has cloned the same."""
    try:
        making.rename(mirror)
    except OSError:
        if not mirror.is_dir():
            raise


async def _has(reader: GitReader, source: SourceInfo) -> bool:
    return all([await reader.resolve(revision) for revision in (source.base_revision, source.gold_revision)])


async def _revisions(reader: GitReader, query: Query) -> tuple[list[str], bool]:
    """What to walk, resolved; and whether it is one commit alone."""
    text = query.revisions or "HEAD"
    old, dots, new = text.partition("..")
    if new.startswith("."):
        raise InputError(
            f"{text!r} is not a range that can be mined", hint="give `a..b`, with two dots, or one revision"
        )
    names = [new or "HEAD", *([old or "HEAD"] if dots else [])] if dots else [text]
    resolved = [await reader.resolve(name) for name in names]
    for name, sha in zip(names, resolved, strict=True):
        if sha is None and name == "HEAD":
            raise InputError(f"{query.origin} has no commits", hint="is it the right repository and branch?")
        if sha is None:
            raise InputError(f"{query.origin} has no revision {name!r}", hint="git log --oneline shows what there is")
    shas = [sha for sha in resolved if sha]
    return [shas[0], *(f"^{sha}" for sha in shas[1:])], bool(query.revisions) and not dots


async def _messages(reader: GitReader, change: Change) -> list[str]:
    """What the authors wrote: of a merged branch its own commits too, the oldest first."""
    messages = [commit.message for commit in change.commits]
    if change.kind == "merge":
        inside = [c.message async for c in reader.log([change.gold.parents[1], f"^{change.base}"])]
        messages += inside[:MAX_BRANCH_MESSAGES][::-1]
    return list(dict.fromkeys(message[:MAX_MESSAGE_CHARACTERS] for message in messages if message))


async def _wanted(changes: AsyncIterator[Change], pattern: str) -> AsyncIterator[Change]:
    try:
        wanted = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise InputError(
            f"--match {pattern!r} is not a regular expression: {error}", hint="put a backslash before ( ) [ ] * + ?"
        ) from error
    async for change in changes:
        if any(wanted.search(commit.message) for commit in change.commits):
            yield change


async def _best_first(changes: AsyncIterator[Change]) -> AsyncIterator[Change]:
    """All of them, the most promising first; newer ones first among equals."""
    for change in sorted([change async for change in changes], key=history.score, reverse=True):
        yield change


def _any_of(patterns: Sequence[str]) -> Callable[[str], bool] | None:
    return GitIgnoreSpec.from_lines(patterns).match_file if patterns else None


def _content(
    source: SourceInfo,
    messages: Sequence[str],
    version: str,
    base: dict[str, FileState],
    gold: dict[str, FileState],
    omitted: tuple[str, ...],
) -> CandidateContent:
    found = {"base_tree_sha256": tree_digest(base), "licence": licence_of_files(gold)}
    notes = [Note("commit", message) for message in messages]
    notes += change_notes(base, gold)
    notes += [Note("omitted", text) for text in omitted]
    return CandidateContent(source.model_copy(update=found), base, gold, tuple(notes), version)


def _url(origin: str, *, strict: bool = True) -> str | None:
    """The origin as a URL, None for a folder. Raises InputError for other transports, unless not `strict`."""
    scp = _SCP.match(origin)
    if scp and not Path(origin).exists():
        return f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path']}"
    scheme, mark, _ = origin.partition("://")
    remote_helper = re.match(r"^\w[\w+.-]*::", origin)
    if not mark and not remote_helper:
        if origin.startswith("-") or not origin:
            raise InputError(f"{origin!r} is neither a folder nor a URL")
        return None
    if remote_helper or scheme not in PROTOCOLS:
        if not strict:
            return None
        raise InputError(
            f"{origin} cannot be fetched safely", hint="use an https://, ssh:// or file:// URL, or a folder"
        )
    return origin


def _public(url: str) -> str:
    """The URL without what people put before the host: names of users (other than ssh's) and passwords."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    keep = f"{user.partition(':')[0]}@" if at and parts.scheme == "ssh" else ""
    return urlunsplit((parts.scheme, keep + host, parts.path, "", ""))


def _name(origin: str) -> str:
    last = origin.rstrip("/").removesuffix("/.git").removesuffix(".git").rpartition("/")[2]
    return re.sub(r"[^a-z0-9._-]+", "-", last.casefold()).strip("-._") or "repository"
