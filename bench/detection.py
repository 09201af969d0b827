"""Planted defects, as docs/audit.md shows them: does the check that must name a defect name it?

    python -m bench.detection PROJECT --tasks 40 --each 10 --out found.jsonl
    python -m bench.detection PROJECT --defect order --defect clock --out found.jsonl
    python -m bench.detection PROJECT --untouched --tasks 40 --out untouched.jsonl
    python -m bench.detection PROJECT --table --out found.jsonl

PROJECT is a mined project, which is only read. Each defect is planted by script into copies of its verified tasks, in
the state folder beside --out. A copy counts when it verifies as any task does: the reference change resolves it,
doing nothing does not (with --quick: when one run of each side ends as the task's lists say; no twins are made, since
nobody is judged). Then only the checks are made that must name the defect, and what they find is compared with
what they find in the untouched task. Not part of `make bench`: a planting takes up to a minute and a half. A second
run with the same --out goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from assay import wiring
from assay.adapters.store.project import STATE, init_project
from assay.core.bounds import lower_bound
from bench.defects import DEFECTS
from bench.field import QUIET_CHECKS, Field, Log, service

SLOWER = (0.4, 0.8)
"""Seconds of tests."""
TESTS_A_SECOND = 350


def main() -> None:
    """Plant, audit, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--defect", action="append", choices=sorted(DEFECTS), default=[])
    parser.add_argument("--tasks", type=int, default=60, help="at most so many different tasks")
    parser.add_argument("--each", type=int, default=10, help="verified plantings of each defect")
    parser.add_argument("--task", action="append", default=[], help="only this task")
    parser.add_argument("--out", type=Path, default=Path("detection.jsonl"))
    parser.add_argument("--untouched", action="store_true", help="audit the tasks as they are, a line a finding")
    parser.add_argument("--check", action="append", default=[], help="with --untouched: only this check")
    parser.add_argument("--quick", action="store_true", help="verify without twins")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only print what was found before")
    given = parser.parse_args()
    log = Log(given.out)
    if not given.table:
        folders = quick_first(given.project / "tasks")[: given.tasks]
        folders = [folder for folder in folders if not given.task or folder.name in given.task]
        anyio.run(run, given, folders, log)
    print(table(log.rows))


def quick_first(tasks: Path) -> list[Path]:
    """Task folders: those whose tests take no time, then those that take little, then all others; in each group
    packages in turn, so that the first ones are of many packages.
    """
    ranked = []
    of_package: Counter[tuple[int, str]] = Counter()
    for folder in sorted(tasks.iterdir()):
        group = sum(seconds(folder) >= limit for limit in SLOWER)
        package = folder.name.rpartition("-")[0]
        of_package[group, package] += 1
        ranked.append((group, of_package[group, package], folder))
    return [folder for *_, folder in sorted(ranked)]


def seconds(folder: Path) -> float:
    """How long a task's tests took when it was proved; where nobody wrote it down, a guess from how many they are."""
    evidence, lists = folder / "evidence" / "verify.json", folder / "tests" / "expected.json"
    told = re.findall(r'"test_seconds": ([\d.]+)', evidence.read_text()) if evidence.exists() else []
    return max(map(float, told), default=lists.read_text().count("::") / TESTS_A_SECOND)


async def run(given: argparse.Namespace, folders: Sequence[Path], log: Log) -> None:
    """All plantings, or the audits of the untouched tasks."""
    project = given.out.with_suffix(".project").absolute()
    if not (project / "assay.toml").exists():
        project.mkdir(parents=True, exist_ok=True)
        init_project(project)
        shared = given.project.absolute() / STATE
        (project / STATE).mkdir(exist_ok=True)
        for name in ("cache", "environments", "layers"):  # named by content: what is there need not be made again
            if (shared / name).is_dir() and not (project / STATE / name).exists():
                (project / STATE / name).symlink_to((shared / name).resolve())
    with service() as port:
        async with wiring.toolbox(project / STATE, project / "tasks", "bubblewrap", unsafe=False) as tools:
            field_ = Field(tools, project, log, port, anyio.CapacityLimiter(given.jobs), quick=given.quick)
            if given.untouched:
                checks = tuple(check for check in QUIET_CHECKS if not given.check or check in given.check)
                await field_.all_untouched(folders, checks)
            else:
                async with anyio.create_task_group() as group:
                    for name, defect in DEFECTS.items():
                        if defect.plant and (not given.defect or name in given.defect):
                            group.start_soon(field_.all_of, name, folders, given.each)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line for each defect, and one for all."""
    plantings = [row for row in rows if row["kind"] == "planting"]
    lines = [
        "| defect | must be named by | tasks tried | verified | found | share | at least (95 %) | check fails |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, defect in DEFECTS.items():
        own = [row for row in plantings if row["defect"] == name]
        lines.append(line(name, " or ".join(defect.checks), own))
    lines.append(line("all", f"{len({r['task'] for r in plantings if r['verified']})} tasks", plantings))
    return "\n".join(lines)


def line(name: str, checks: str, rows: Sequence[dict[str, Any]]) -> str:
    """One line of the table."""
    verified = [row for row in rows if row["verified"]]
    found = sum(row["found"] for row in verified)
    share = f"{found / len(verified):.0%}" if verified else "–"
    least = f"{lower_bound(found, len(verified)):.0%}" if verified else "–"
    fails = sum("fail" in row["status"].values() for row in verified)
    return f"| {name} | {checks} | {len(rows)} | {len(verified)} | {found} | {share} | {least} | {fails} |"


if __name__ == "__main__":
    main()
