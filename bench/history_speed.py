"""Candidates of a long history against the floor: the same `git log`, thrown away."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import anyio

from assay.adapters.source.git import GitSource
from assay.ports.source import Query
from bench.timing import Row

COMMITS = 20_000

LOG = ("log", "-z", "--raw", "--no-renames", "--no-abbrev", "--first-parent", "--format=%H%P%ct%ae%B")


def run(folder: Path) -> list[Row]:
    """How many times as long listing takes, and commits a second."""
    repository = folder / "history"
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), "fast-import", "--quiet"], input=history(), check=True)
    floor, listing = [], []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(["git", "-C", str(repository), *LOG, "main"], check=True, stdout=subprocess.DEVNULL)
        floor.append(time.perf_counter() - started)
        started = time.perf_counter()
        count = anyio.run(listed, repository, folder / "cache")
        listing.append(time.perf_counter() - started)
    if count != COMMITS - 1:
        raise RuntimeError(f"{count} candidates of {COMMITS} commits")
    return [
        {
            "name": "history: listing over git log",
            "value": min(listing) / min(floor),
            "unit": "times",
            "aim": "-",
        },
        {"name": "history: commits a second", "value": COMMITS / min(listing), "unit": "commits", "aim": "> 2000"},
    ]


async def listed(repository: Path, cache: Path) -> int:
    """How many candidates there are."""
    return len([candidate async for candidate in GitSource(cache).candidates(Query(str(repository)))])


def history() -> bytes:
    """A history in which every commit changes source and test, for `git fast-import`."""
    parts = []
    for number in range(COMMITS):
        text, message = f"x = {number}\n", f"Fix number {number}\n\nIt was wrong."
        parts.append(f"commit refs/heads/main\ncommitter B <b@localhost> {1_600_000_000 + number} +0000\n")
        parts.append(f"data {len(message)}\n{message}\n")
        for path in (f"pkg/m{number % 50}.py", f"tests/test_m{number % 50}.py"):
            parts.append(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n")
    return "".join(parts).encode()
