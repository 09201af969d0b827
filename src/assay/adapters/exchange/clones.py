"""Finding the repositories that rows name in a folder of clones, whatever way their folders are called."""

from __future__ import annotations

import re
from pathlib import Path

from assay.adapters.source.git_reader import GitReader, open_repository
from assay.errors import InputError

_NAME = re.compile(r"^[\w.-]+(?:/[\w.-]+)*$")


class Clones:
    """Clones below `root`, or one clone that is `root` itself; bare ones and mirrors too. They are only read."""

    def __init__(self, root: Path, git: str = "git") -> None:
        self._root = root.absolute()
        self._git = git
        self._found: dict[str, GitReader] = {}

    async def find(self, repository: str) -> GitReader:
        """The clone of `owner/name` (or of a URL that ends so). Raises InputError when there is none."""
        if repository not in self._found:
            self._found[repository] = await self._open(repository)
        return self._found[repository]

    async def _open(self, repository: str) -> GitReader:
        name = short_name(repository)
        if not _NAME.match(name) or ".." in name.split("/"):
            raise InputError(f"{repository!r:.80} does not name a repository", hint="expected owner/name")
        for place in places(name):
            folder = self._root / place
            if _is_repository(folder):
                return await open_repository(self._git, folder)
        if _is_repository(self._root):
            reader = await open_repository(self._git, self._root)
            remote = short_name(await reader.remote_url() or name)
            if remote == name or remote.startswith("/") or "/" not in remote:
                return reader
        raise InputError(
            f"{self._root} has no clone of {name}",
            hint=f"git clone --bare https://github.com/{name} {self._root / places(name)[0]}.git",
        )


def short_name(repository: str) -> str:
    """`owner/name` of a URL or of itself."""
    text = repository.strip().rstrip("/").removesuffix(".git")
    found = re.search(r"^(?:\w+://[^/]+/|[\w.-]+@[\w.-]+:)(.+)$", text)
    return found[1] if found else text


def places(name: str) -> list[str]:
    """Where the clone of a repository may lie, the surest first."""
    last = name.rpartition("/")[2]
    joined = dict.fromkeys(name.replace("/", between) for between in ("__", "+", "/", "-"))
    return [place + end for place in (*joined, last) for end in ("", ".git", "/repo", "/.git", ".git/repo")]


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())
