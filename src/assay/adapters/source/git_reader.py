"""A repository's history and trees, read without writing to it and without obeying it.

Only plumbing is called (`log --raw`, `ls-tree`, `cat-file --batch`), under the settings of `core.git_settings`: no
checkout, no hooks, no filters, no transport, so that a repository can only be large or strange, never in charge.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import cast

import anyio

from assay.adapters import process
from assay.core import git_settings
from assay.core.history import Commit
from assay.core.trees import is_lfs_pointer, link_stays_inside
from assay.errors import DiskFullError, InfrastructureError, InputError, ProviderError, Rejection
from assay.model.reason import Reason
from assay.model.tree import FileState, Mode, is_safe_path

FIRST_PAGE, LAST_PAGE, PAGE_GROWTH = 100, 12_800, 4
"""Commits that one process of git lists: few at first, because few may be wanted."""
MAX_LIST_BYTES = 256 << 20
_REVISION = re.compile(r"^(?!-)[^\s\0:]+$")
VERSION = re.compile(r"\d+(?:\.\d+)+(?:(?:a|b|rc|\.post|\.dev)\d+)?")
_FULL_NAME = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")
_COMMITTED = re.compile(rb"^committer .* (\d+) [+-]\d{4}$", re.MULTILINE)
_FILE_MODES = ("100644", "100755", "120000")


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """Bounds of one tree."""

    total_bytes: int = 256 << 20
    file_count: int = 50_000


@dataclass(frozen=True, slots=True)
class Blob:
    """One entry of a tree, not yet read."""

    mode: str
    sha: str
    size_bytes: int


class GitReader:
    """Reads one repository: `git_dir` is what `open_repository` found."""

    def __init__(self, git: str, git_dir: Path) -> None:
        self.git_dir = git_dir
        self._git = git

    async def resolve(self, revision: str) -> str | None:
        """The commit that a revision names, or None."""
        if not _REVISION.match(revision):
            return None
        result = await self._run("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
        return result.stdout.decode().strip() if result.exit_status == 0 else None

    async def remote_url(self) -> str | None:
        """What the clone calls `origin`, as it stands in its configuration."""
        result = await self._run("config", "--local", "--no-includes", "--get", "remote.origin.url")
        return result.stdout.decode("utf-8", "replace").strip() or None if result.exit_status == 0 else None

    async def version(self, commit: str) -> str:
        """The newest version that is tagged in a commit's past, as packages write it; empty when there is none."""
        result = await self._run("describe", "--tags", "--abbrev=0", "--match=*[0-9].[0-9]*", commit)
        tag = result.stdout.decode("utf-8", "replace").strip() if result.exit_status == 0 else ""
        found = VERSION.search(tag)
        return found.group() if found else ""

    async def is_shallow(self) -> bool:
        """Whether the history is cut off somewhere."""
        return (await self._output("rev-parse", "--is-shallow-repository")).strip() == b"true"

    async def log(self, revisions: Sequence[str], *options: str) -> AsyncIterator[Commit]:
        """The first-parent history, newest first: a few processes of git for all of it, each goes on where the one
        before ended.
        """
        mark = secrets.token_hex(16)  # no message or file name can imitate it
        tips, size = list(revisions), FIRST_PAGE
        while True:
            out = await self._output(
                *("log", "-z", "--raw", "--no-renames", "--no-abbrev", "--first-parent", "--diff-merges=first-parent"),
                *(f"--format={mark}%H%x02%P%x02%ct%x02%ae%x02%B%x02", "--encoding=UTF-8", "--no-show-signature"),
                *("--no-color", f"--max-count={size}", *options, *tips, "--"),
            )
            page = [_commit(record) for record in out.split(mark.encode()) if record.strip(b"\0\n")]
            for commit in page:
                yield commit
            if len(page) < size or page[-1].parent is None:
                return
            tips, size = [page[-1].parent, *revisions[1:]], min(size * PAGE_GROWTH, LAST_PAGE)

    async def entries(self, commit: str) -> dict[str, Blob]:
        """All entries of a commit's tree, gitlinks included."""
        return _listing(await self._output("ls-tree", "-r", "-z", "-l", "--full-tree", commit))

    async def blobs(self, shas: Sequence[str], total_bytes: int) -> dict[str, bytes]:
        """The contents of blobs, in one process. Raises ProviderError when the clone lacks one."""
        stdin = "".join(f"{sha}\n" for sha in shas).encode()
        out = memoryview(
            await self._output("cat-file", "--batch", stdin=stdin, output_bytes=total_bytes + 200 * len(shas) + 4096)
        )
        found: dict[str, bytes] = {}
        start = 0
        for sha in shas:
            end = bytes(out[start : start + 200]).find(b"\n") + start
            words = bytes(out[start:end]).split()
            if len(words) != 3 or words[1] != b"blob":
                raise ProviderError(
                    f"{self.git_dir} lacks the object {sha}",
                    hint="it is a partial or damaged clone: fetch all of it, for example with git fetch --refetch",
                )
            size = int(words[2])
            found[sha] = bytes(out[end + 1 : end + 1 + size])
            start = end + 1 + size + 1
        return found

    async def dates(self, commits: Sequence[str]) -> dict[str, datetime]:
        """The dates of those of the commits that are there, in one process; what is no full name is not there."""
        asked = [sha for sha in dict.fromkeys(commits) if _FULL_NAME.match(sha)]
        stdin = "".join(f"{sha}\n" for sha in asked).encode()
        out = await self._output("cat-file", "--batch", stdin=stdin)
        found: dict[str, datetime] = {}
        start = 0
        for sha in asked:
            end = out.index(b"\n", start)
            words = out[start:end].split()
            start = end + 1
            if len(words) == 3:
                size = int(words[2])
                date = _COMMITTED.search(out, start, start + size) if words[1] == b"commit" else None
                if date:
                    found[sha] = _date(date[1])
                start += size + 1
        return found

    async def some(self, commit: str, paths: Sequence[str], limit_bytes: int) -> dict[str, FileState]:
        """Those of these files that a commit has. Raises ProviderError, InputError for more than `limit_bytes`."""
        names = [path for path in dict.fromkeys(paths) if is_safe_path(path)]
        if not names:
            return {}
        out = await self._output("--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", commit, "--", *names)
        blobs = {path: blob for path, blob in _listing(out).items() if blob.mode in _FILE_MODES}
        size = sum(blob.size_bytes for blob in blobs.values())
        if size > limit_bytes:
            raise InputError(f"the files of the patch have {size} bytes at {commit}, more than {limit_bytes}")
        data = await self.blobs(sorted({blob.sha for blob in blobs.values()}), size)
        return {path: FileState(data[blob.sha], cast("Mode", blob.mode)) for path, blob in blobs.items()}

    async def _output(self, *arguments: str, stdin: bytes = b"", output_bytes: int = MAX_LIST_BYTES) -> bytes:
        result = await self._run(*arguments, stdin=stdin, output_bytes=output_bytes)
        if result.exit_status == 0 and result.stopped is None:
            return result.stdout
        tail = result.stderr.decode("utf-8", "replace").strip()[-1000:]
        raise ProviderError(
            f"git {arguments[0]} failed in {self.git_dir}: {result.stopped or tail or 'no reason given'}"
        )

    async def _run(self, *arguments: str, stdin: bytes = b"", output_bytes: int = MAX_LIST_BYTES) -> process.Finished:
        return await process.run(
            process.Program(
                (self._git, *git_settings.options(), f"--git-dir={self.git_dir}", *arguments),
                env=git_settings.ENVIRONMENT,
                cwd=self.git_dir,
                stdin=stdin,
                wall_seconds=300,
                output_bytes=output_bytes,
            )
        )


async def open_repository(git: str, path: Path) -> GitReader:
    """The repository at (or around) a folder. Raises InputError when there is none."""
    if not await anyio.to_thread.run_sync(path.is_dir):
        raise InputError(f"{path} is not a folder", hint="give a clone's folder or an https://, ssh:// or file:// URL")
    try:
        out = await process.output_of(
            [git, *git_settings.options(), "-C", str(path), "rev-parse", "--absolute-git-dir"],
            env=git_settings.ENVIRONMENT,
            cwd=path,
            wall_seconds=60,
        )
    except DiskFullError:
        raise
    except InfrastructureError as error:
        raise InputError(
            f"{path} is not a git repository", hint="give a clone's folder or an https://, ssh:// or file:// URL"
        ) from error
    return GitReader(git, Path(os.fsdecode(out.rstrip(b"\n"))))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trees of one repository, and what was left out of both."""

    base: dict[str, FileState]
    gold: dict[str, FileState]
    omitted: tuple[str, ...]


async def read_pair(reader: GitReader, base: str, gold: str | None, limits: TreeLimits) -> Pair:
    """The trees of one or two commits, every blob read once.

    What cannot be a file of a task (submodules, links that lead out, LFS pointers) is left out of both trees when the
    commits agree on it; when the change touches it, the candidate is rejected (unsafe-source).
    """
    old = await reader.entries(base)
    new = await reader.entries(gold) if gold else old
    for entries in (old, new):
        _check_size(entries, limits)
    omitted = _omitted_entries(old, new)
    blobs = {b.sha: b.size_bytes for es in (old, new) for path, b in es.items() if path not in omitted}
    data = await reader.blobs(sorted(blobs), sum(blobs.values()))
    trees = [
        {path: FileState(data[b.sha], cast("Mode", b.mode)) for path, b in entries.items() if path not in omitted}
        for entries in (old, new)
    ]
    for path in sorted(trees[0].keys() | trees[1].keys()):
        what = next((text for tree in trees if path in tree and (text := _unusable(path, tree[path]))), None)
        if what:
            if trees[0].get(path) != trees[1].get(path):
                raise Rejection(Reason.UNSAFE_SOURCE, f"the change touches {path!r}: {what}")
            omitted[path] = what
    for tree in trees:
        for path in omitted.keys() & tree.keys():
            del tree[path]
    return Pair(trees[0], trees[1], tuple(f"{path}: {omitted[path]}" for path in sorted(omitted)))


def _listing(out: bytes) -> dict[str, Blob]:
    """What `ls-tree -z -l` printed."""
    entries = {}
    for line in out.split(b"\0"):
        if line:
            head, _, name = line.partition(b"\t")
            mode, _, sha, size = head.decode().split()
            # A submodule has no size, and neither has what the clone lacks (`BAD`): reading that says so.
            entries[os.fsdecode(name)] = Blob(mode, sha, int(size) if size.isdigit() else 0)
    return entries


def _omitted_entries(old: dict[str, Blob], new: dict[str, Blob]) -> dict[str, str]:
    """Submodules: left out also when the change moves them, since their code is not part of the repository."""
    omitted = {}
    for entries in (old, new):
        for path, blob in entries.items():
            if not is_safe_path(path):
                raise Rejection(Reason.UNSAFE_SOURCE, f"the path {path!r} cannot be part of a tree")
            if blob.mode == "160000":
                omitted[path] = "a submodule"
            elif blob.mode not in _FILE_MODES:
                raise Rejection(Reason.UNSAFE_SOURCE, f"{path!r} has the unknown mode {blob.mode}")
    return omitted


def _unusable(path: str, state: FileState) -> str | None:
    if state.mode == "120000":
        return None if link_stays_inside(path, state.data) else "a link that leads out of the repository"
    return "a Git LFS pointer" if is_lfs_pointer(state) else None


def _check_size(entries: dict[str, Blob], limits: TreeLimits) -> None:
    total = sum(blob.size_bytes for blob in entries.values())
    if len(entries) > limits.file_count or total > limits.total_bytes:
        raise Rejection(Reason.UNSAFE_SOURCE, f"the tree has {len(entries)} files and {total} bytes")


def _commit(record: bytes) -> Commit:
    """One record: fields between control characters, then raw changes between NULs."""
    sha, parents, seconds, author, message, *rest = record.split(b"\2")
    raw = b"\2".join(rest).split(b"\0")
    paths = [os.fsdecode(name) for head, name in pairwise(raw) if head.lstrip(b"\n").startswith(b":")]
    return Commit(
        sha=sha.decode(),
        parents=tuple(parents.decode().split()),
        date=_date(seconds),
        author=author.decode("utf-8", "replace"),
        message=message.decode("utf-8", "replace").strip(),
        paths=tuple(paths),
    )


def _date(seconds: bytes) -> datetime:
    """A commit's date; the epoch for what no calendar has."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
