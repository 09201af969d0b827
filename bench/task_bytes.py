"""Bytes on disk for each further task of the same package, environments counted once. Needs the package index."""

from __future__ import annotations

import os
from pathlib import Path

import anyio

from assay import app
from assay.model.event import Event
from assay.model.options import MineOptions
from bench.timing import Row

MIB = 1024 * 1024


def run(folder: Path) -> list[Row]:
    project = folder / "bytes"
    app.init_project(project)
    sizes = []
    for limit in (1, 3):
        options = MineOptions("pypi:python-slugify", limit=limit)
        summary = anyio.run(app.mine, options, project, _quiet)
        sizes.append((summary.verified, _bytes(project, without=("environments",)), _bytes(project)))
    further = sizes[1][0] - sizes[0][0]
    if further < 1:
        raise RuntimeError("no further task could be mined")
    apart = (sizes[1][1] - sizes[0][1]) / further / MIB
    together = (sizes[1][2] - sizes[0][2]) / further / MIB
    return [
        {"name": "bytes of a further task, environments apart", "value": apart, "unit": "MiB", "aim": "< 1"},
        {"name": "bytes of a further task, all counted", "value": together, "unit": "MiB", "aim": "-"},
    ]


def _quiet(event: Event) -> None:
    del event


def _bytes(folder: Path, without: tuple[str, ...] = ()) -> int:
    seen: set[int] = set()
    total = 0
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in without]
        for name in (*folders, *names):
            found = (Path(above) / name).lstat()
            if found.st_ino not in seen:
                seen.add(found.st_ino)
                total += found.st_blocks * 512
    return total
