"""Git repositories and listings for tests of sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

from assay.adapters import process
from assay.core import git_settings
from assay.model.candidate import Candidate
from assay.model.tree import Tree
from assay.ports.source import Query


def git(folder: Path, *arguments: str, date: datetime | None = None) -> str:
    """Run git as somebody, at a date if one is given; what it prints."""
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    when = {"GIT_COMMITTER_DATE": date.isoformat(), "GIT_AUTHOR_DATE": date.isoformat()} if date else {}

    async def run() -> bytes:
        return await process.output_of(
            ["git", *git_settings.options("file"), *arguments],
            env={**git_settings.ENVIRONMENT, **who, **when},
            cwd=folder,
        )

    return anyio.run(run).decode().strip()


def commit(folder: Path, tree: Tree, message: str, date: datetime) -> str:
    """Make the work tree exactly this tree and commit it; the commit's name."""
    for old in folder.rglob("*"):
        if ".git" not in old.relative_to(folder).parts and (old.is_symlink() or old.is_file()):
            old.unlink()
    for path, state in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if state.mode == "120000":
            target.symlink_to(state.data.decode())
        else:
            target.write_bytes(state.data)
            target.chmod(int(state.mode[-3:], 8))
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message, date=date)
    return git(folder, "rev-parse", "HEAD")


def listed(source: Any, origin: str = "demo", **query: Any) -> list[Candidate]:
    """All candidates of a source."""

    async def run() -> list[Candidate]:
        return [c async for c in source.candidates(Query(origin, **query))]

    return anyio.run(run)
