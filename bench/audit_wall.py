"""A whole audit with the defaults of a task whose tests take a second or less. Needs the package index.

The second audit is of the same task: what is remembered costs nothing.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import anyio

from assay import app
from assay.model.audit import AuditRun
from assay.model.options import AuditOptions
from bench.project import mined, quiet
from bench.timing import Row

SHELF = Path(__file__).parent / "shelf"


def run(folder: Path) -> list[Row]:
    """Wall seconds and runs of a first and of a second audit."""
    project, task = shop(folder)
    rows: list[Row] = []
    for name, aim, aim_runs in (("first", "< 90", "-"), ("second", "-", "0")):
        before = time.perf_counter()
        audited = anyio.run(app.audit, AuditOptions(task), project, quiet)
        taken = time.perf_counter() - before
        if audited.failure or audited.complaint:
            raise RuntimeError(f"the benchmark's own task was not audited: {audited.failure or audited.complaint}")
        runs = sum(check.run_count for check in audited.checks)
        cpu = sum(check.cpu_seconds for check in audited.checks)
        rows += [
            {"name": f"{name} audit of a task with quick tests", "value": taken, "unit": "s", "aim": aim},
            {"name": f"{name} audit, CPU of its runs", "value": cpu, "unit": "s", "aim": "-"},
            {"name": f"{name} audit, runs of tests", "value": runs, "unit": "runs", "aim": aim_runs},
        ]
        _tell(name, audited)
    return rows


def shop(folder: Path) -> tuple[Path, Path]:
    """The small shop: a task that adds orders to it."""
    code, tests = ((SHELF / name).read_text() for name in ("shelf.py", "test_shelf.py"))
    orders = code.index("def order(")
    base = {"shelf.py": code[:orders], "test_shelf.py": "def test_nothing() -> None:\n    pass\n"}
    return mined(folder, "shelf", base, {"shelf.py": code, "test_shelf.py": tests})


def _tell(name: str, audited: AuditRun) -> None:
    for check in audited.checks:
        said = f"{check.status:8} {check.run_count:5} runs {check.wall_seconds:8.1f} s  {check.summary}"
        sys.stderr.write(f"{name} audit: {check.check:14} {said}\n")
