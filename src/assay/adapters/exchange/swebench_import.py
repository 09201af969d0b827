"""Rows of the SWE-bench family to tasks, against clones that are already there.

Only the files that a row's patches name are read, straight from git's objects: no checkout, no environment, nothing of
a repository is run. What is wrong with one row is told of that row, and the next one is taken.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

import anyio

from assay.adapters.exchange.clones import Clones, short_name
from assay.adapters.exchange.raw_rows import RawRow, read_raw
from assay.adapters.patch.applying import patched
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.source.git_reader import GitReader
from assay.core.exchange.swebench_ids import file_of
from assay.core.exchange.swebench_rows import Row, read_row
from assay.core.exchange.swebench_tasks import Ground, task_of
from assay.core.patches import changed_paths
from assay.errors import AssayError, InputError
from assay.model.exchange import Reading
from assay.model.loss import Loss
from assay.model.sandbox import Limits
from assay.model.task import Task
from assay.model.tree import FileState, changes_between

MAX_TOUCHED_BYTES = 64 * 1024 * 1024
"""Of the files that one row touches."""
AT_ONCE = 16
"""Rows in work at a time: one process of git tells the dates of all their commits."""
LIMITS = Limits(wall_seconds=600)
"""Of a run of tests; published rows hold whole files of slow suites."""


class SwebenchImporter:
    """Reads rows. `remember` is told which clone has an origin, so that its base is found again without a network."""

    name = "swe-bench"

    def __init__(
        self,
        *,
        limits: Limits = LIMITS,
        protected: Sequence[str] = (),
        remember: Callable[[str, Path], None] = lambda origin, git_dir: None,
    ) -> None:
        self._limits = limits
        self._protected = tuple(protected)
        self._remember = remember
        self._told: set[str] = set()
        self._dates: dict[tuple[Path, str], datetime] = {}

    def read(self, path: Path, repositories: Path | None) -> Iterator[Reading]:
        """See `assay.ports.exchange.Importer`. To be called in a worker thread of anyio: git runs on the event loop."""
        if repositories is None:
            raise InputError(
                f"{path}: its rows only name commits, and no clones were given",
                hint="add --repositories DIR: a clone, or a folder of clones",
            )
        clones = Clones(repositories)
        rows = read_raw(path)
        while batch := list(islice(rows, AT_ONCE)):
            yield from anyio.from_thread.run(self._readings, batch, clones)

    async def _readings(self, batch: Sequence[RawRow], clones: Clones) -> list[Reading]:
        results: dict[int, Reading] = {}
        await self._foresee(batch, clones)

        async def one(number: int, raw: RawRow) -> None:
            results[number] = await self._reading(raw, clones)

        async with anyio.create_task_group() as group:
            for number, raw in enumerate(batch):
                group.start_soon(one, number, raw)
        return [results[number] for number in range(len(batch))]

    async def _foresee(self, batch: Sequence[RawRow], clones: Clones) -> None:
        """The dates of all commits that the batch names. What is wrong with a row shows when the row itself is read."""
        wanted: dict[str, list[str]] = {}
        for raw in batch:
            row = raw.value if isinstance(raw.value, dict) else {}
            repo, commit = row.get("repo"), row.get("base_commit")
            if isinstance(repo, str) and isinstance(commit, str):
                wanted.setdefault(repo, []).append(commit)
        self._dates.clear()
        for repo, commits in wanted.items():
            with suppress(AssayError):
                reader = await clones.find(repo)
                self._dates |= {(reader.git_dir, sha): date for sha, date in (await reader.dates(commits)).items()}

    async def _commit(self, reader: GitReader, revision: str) -> tuple[str, datetime]:
        """The full name of a commit, and its date. Raises InputError when the clone lacks it."""
        if known := self._dates.get((reader.git_dir, revision)):
            return revision, known
        full = await reader.resolve(revision)
        dates = await reader.dates([full]) if full else {}
        if full is None or full not in dates:
            raise InputError(
                f"the clone {reader.git_dir} lacks the commit {revision!r:.80}",
                hint=f"git --git-dir={reader.git_dir} fetch origin {revision:.80}",
            )
        return full, dates[full]

    async def _reading(self, raw: RawRow, clones: Clones) -> Reading:
        name = raw.value.get("instance_id") if isinstance(raw.value, dict) else None
        subject = name if isinstance(name, str) and name.strip() else raw.where
        try:
            if raw.problem:
                raise InputError(f"{raw.where}: {raw.problem}", hint="one JSON object a row, as UTF-8")
            row = await anyio.to_thread.run_sync(read_row, raw.value, raw.where)
            task, losses = await self._task(row, raw.where, clones)
        except AssayError as error:
            return Reading(subject, problem=error)
        return Reading(subject, task, losses)

    async def _task(self, row: Row, where: str, clones: Clones) -> tuple[Task, tuple[Loss, ...]]:
        try:
            reader = await clones.find(row.repo)
            origin = await anyio.to_thread.run_sync(self._origin, row.repo, reader)
            ground = await (self._of_bug if row.makes_bug else self._of_change)(row, reader, origin)
            return await anyio.to_thread.run_sync(task_of, row, ground, self._limits, self._protected)
        except AssayError as error:
            error.message = f"{where} ({row.instance_id:.80}): {error.message}"
            raise

    def _origin(self, repo: str, reader: GitReader) -> str:
        origin = repo if "://" in repo else f"https://github.com/{short_name(repo)}"
        if origin not in self._told:
            self._remember(origin, reader.git_dir)
            self._told.add(origin)
        return origin

    async def _of_change(self, row: Row, reader: GitReader, origin: str) -> Ground:
        """A row whose patch is the reference change."""
        revision, date = await self._commit(reader, row.base_commit)
        gold, test = _bytes(row.patch), _bytes(row.test_patch)
        touched, listed = (*changed_paths(gold), *changed_paths(test)), _listed_files(row)
        files = await reader.some(revision, (*touched, *listed), MAX_TOUCHED_BYTES)
        after = await _applied(files, [("patch", gold), ("test_patch", test)])
        hidden: dict[str, FileState | None] = {}
        for path in changed_paths(test):
            if files.get(path) != after.get(path):
                hidden[path] = after.get(path)
        if not test.strip():
            hidden |= await self._given_tests(row, reader)
        known = frozenset(path for path in listed if (hidden[path] if path in hidden else files.get(path)) is not None)
        return Ground(origin, revision, date, gold, hidden, known_files=known)

    async def _given_tests(self, row: Row, reader: GitReader) -> dict[str, FileState | None]:
        """Hidden tests of rows without a test patch: `git checkout COMMIT -- FILE...`, as SWE-bench Pro says it."""
        lines = [line for line in str(row.raw.get("before_repo_set_cmd") or "").splitlines() if line.strip()]
        try:
            words = shlex.split(lines[-1]) if lines else []
        except ValueError:
            words = []
        if words[:2] != ["git", "checkout"] or len(words) < 5 or words[3] != "--":
            return {}
        revision, _ = await self._commit(reader, words[2])
        return dict(await reader.some(revision, words[4:], MAX_TOUCHED_BYTES))

    async def _of_bug(self, row: Row, reader: GitReader, origin: str) -> Ground:
        """SWE-smith: the patch makes the bug, the reference change takes it back."""
        branch = await reader.resolve(f"refs/heads/{row.instance_id}") or await reader.resolve(
            f"refs/remotes/origin/{row.instance_id}"
        )
        if not row.base_commit and not branch:
            raise InputError(f"the clone lacks the branch {row.instance_id!r}, and the row has no 'base_commit'")
        clean = row.base_commit or await reader.resolve(f"{branch}~1") or ""
        revision, date = await self._commit(reader, clean)
        bug, listed = _bytes(row.patch), _listed_files(row)
        paths = (*changed_paths(bug), *listed)
        sound = await reader.some(revision, paths, MAX_TOUCHED_BYTES)
        broken = await _applied(sound, [("patch", bug)])
        touched = {path for path in changed_paths(bug) if sound.get(path) != broken.get(path)}
        now = {path: broken[path] for path in touched & broken.keys()}
        gold = await GitPatchWriter().diff(changes_between(now, {path: sound[path] for path in touched & sound.keys()}))
        hidden: dict[str, FileState | None] = {path: sound[path] for path in listed if path in sound}
        known = frozenset(hidden)
        if branch:
            _, branch_date = await self._commit(reader, branch)
            return Ground(origin, branch, branch_date, gold, hidden, known_files=known)
        if any(path not in broken for path in touched):
            raise InputError("'patch' removes files, and the clone lacks the row's branch: the base cannot be made")
        over = {path: broken[path] for path in touched}
        return Ground(origin, revision, date, gold, hidden, over, known)


def _bytes(patch: str) -> bytes:
    data = patch.encode()
    return data if not data or data.endswith(b"\n") else data + b"\n"


def _listed_files(row: Row) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(file_of, (*row.fail_to_pass, *row.pass_to_pass)))))


async def _applied(files: dict[str, FileState], patches: Sequence[tuple[str, bytes]]) -> dict[str, FileState]:
    """The files with all patches; the error names the row's key whose patch is at fault."""
    wanted = [(key, data) for key, data in patches if data.strip()]
    try:
        return await patched(files, [data for _, data in wanted])
    except InputError:
        state = files
        for key, data in wanted:
            try:
                state = await patched(state, [data])
            except InputError as error:
                raise InputError(f"{key!r} {error.message}", hint="is it the patch of this base_commit?") from error
        raise
