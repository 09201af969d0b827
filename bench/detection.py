"""Planted defects, as docs/audit.md shows them: does the check that must name a defect name it?

    python -m bench.detection PROJECT --tasks 40 --each 10 --out found.jsonl
    python -m bench.detection PROJECT --defect order --defect clock --out found.jsonl
    python -m bench.detection PROJECT --untouched --tasks 40 --out untouched.jsonl
    python -m bench.detection PROJECT --table --out found.jsonl

PROJECT is a mined project, which is only read. Each defect is planted by script into copies of its verified tasks, in
the state folder beside --out. A copy counts when it verifies as any task does: the reference change resolves it,
doing nothing does not. Then only the checks are made that must name the defect, and what they find is compared with
what they find in the untouched task. Not part of `make bench`: a planting takes up to a minute and a half. A second
run with the same --out goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from assay import app
from assay.adapters.store.project import STATE, init_project
from assay.core.admission import outcome_of
from assay.core.bounds import lower_bound
from assay.core.hashing import json_digest
from assay.model.audit import AuditRun, AuditSettings, CheckId, CheckResult, Finding
from assay.model.environment import Recipe
from assay.model.report import Status
from assay.model.sandbox import SandboxSpec
from assay.model.task import GOLD_PATCH, Task
from assay.model.tree import FileState, Tree, changes_between
from assay.ports.environment import Built, Environments
from assay.ports.framework import Selection
from assay.ports.sandbox import Sandbox, Session
from assay.stages.audit.audit import AuditWish, audit_task
from assay.stages.running import stack
from assay.stages.toolbox import Toolbox
from assay.stages.verify import verify_task
from bench import planting_task, planting_tests
from bench.project import quiet
from bench.soil import Plant, Planting, Soil, relisted

MANY_TESTS = 250
"""Tasks with more tests come after all others."""
RUNS = 5
TRIES = 3
"""Ways of planting that are tried on one task."""
STATIC: tuple[CheckId, ...] = ("hidden-names", "leaks", "requirements")
QUIET_CHECKS: tuple[CheckId, ...] = ("stability", "amplified", "ablation", "mutants", "alternatives", *STATIC)


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind of defect, and the checks of which one at least must name it."""

    plant: Plant
    checks: tuple[CheckId, ...]


DEFECTS: dict[str, Defect] = {
    "assertion": Defect(planting_tests.lost_assertion, ("ablation", "mutants")),
    "comparison": Defect(planting_tests.wide_comparison, ("ablation", "mutants")),
    "order": Defect(planting_tests.order_dependence, ("amplified",)),
    "clock": Defect(planting_tests.clock_dependence, ("amplified",)),
    "network": Defect(planting_tests.network_dependence, ("stability",)),
    "chance": Defect(planting_tests.chance, ("stability",)),
    "hidden-name": Defect(planting_task.hidden_name, ("hidden-names",)),
    "told-fix": Defect(planting_task.told_fix, ("leaks",)),
    "release": Defect(planting_task.fixed_release, ("leaks",)),
    "hunk": Defect(planting_task.unneeded_hunk, ("ablation",)),
    "narrow": Defect(planting_tests.narrow_message, ("hidden-names", "alternatives")),
}


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
    """Task folders; packages in turn, so that the first ones are of many packages, those of many tests last."""
    by_package: dict[str, list[Path]] = {}
    for folder in sorted(tasks.iterdir()):
        by_package.setdefault(folder.name.rpartition("-")[0], []).append(folder)
    ranked = [
        ((folder / "tests" / "expected.json").read_text().count("::") > MANY_TESTS, number, folder)
        for found in by_package.values()
        for number, folder in enumerate(found)
    ]
    return [folder for *_, folder in sorted(ranked)]


@dataclass
class Log:
    """What was found, a JSON line each, kept across runs."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path.exists():
            self.rows = [json.loads(line) for line in self.path.read_text().splitlines()]

    def add(self, row: dict[str, Any]) -> None:
        """Write it down."""
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def has(self, kind: str, **wanted: object) -> bool:
        """Whether there is such a row."""
        return any(row["kind"] == kind and all(row.get(k) == v for k, v in wanted.items()) for row in self.rows)


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
        async with app._toolbox(project / STATE, project / "tasks", "bubblewrap", unsafe=False) as tools:
            field_ = Field(tools, project, log, port, anyio.CapacityLimiter(given.jobs))
            if given.untouched:
                checks = tuple(check for check in QUIET_CHECKS if not given.check or check in given.check)
                await field_.all_untouched(folders, checks)
            else:
                async with anyio.create_task_group() as group:
                    for name in given.defect or DEFECTS:
                        group.start_soon(field_.all_of, name, folders, given.each)


@contextmanager
def service() -> Iterator[int]:
    """A port on this machine that takes connections; a sandbox without network has none."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1000)
        yield listening.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Ready:
    """A task as it is, with its two trees."""

    task: Task
    base: Tree
    changed: Mapping[str, FileState | None]

    @property
    def gold(self) -> Tree:
        return {path: state for path, state in {**self.base, **self.changed}.items() if state is not None}


@dataclass
class Field:
    """Where plantings are made and audited."""

    tools: Toolbox
    project: Path
    log: Log
    port: int
    slots: anyio.CapacityLimiter
    ready: dict[str, Ready] = field(default_factory=dict)
    locks: dict[str, anyio.Lock] = field(default_factory=dict)
    untouched: dict[tuple[str, tuple[CheckId, ...]], AuditRun] = field(default_factory=dict)

    async def all_untouched(self, folders: Sequence[Path], checks: tuple[CheckId, ...]) -> None:
        """A line for each check of each task, and one for each finding."""
        async with anyio.create_task_group() as group:
            for folder in folders:
                group.start_soon(self.one_untouched, folder, checks)

    async def one_untouched(self, folder: Path, checks: tuple[CheckId, ...]) -> None:
        left = tuple(check for check in checks if not self.log.has("check", task=folder.name, check=check))
        if not left:
            return
        async with self.slots:
            audit = await audit_task(folder, self.tools, quiet, self.wish(left))
        if audit.complaint or audit.failure:
            self.log.add({"kind": "no-audit", "task": folder.name, "why": audit.complaint or str(audit.failure)})
        for result in audit.checks:
            row = result.model_dump(mode="json", exclude={"findings", "measures"})
            measures = {m.name: m.value for m in result.measures}
            self.log.add({"kind": "check", "task": folder.name, **row, "measures": measures})
            for finding in result.findings:
                self.log.add(
                    {
                        "kind": "untouched",
                        "task": folder.name,
                        "check": result.check,
                        "finding": finding.model_dump(mode="json"),
                    }
                )

    def wish(self, checks: tuple[CheckId, ...]) -> AuditWish:
        """An audit of these checks alone; what was planted is not there to be attacked."""
        return AuditWish(AuditSettings(runs=RUNS), only=checks)

    async def all_of(self, name: str, folders: Sequence[Path], count: int) -> None:
        """One defect, in one task after another until there are enough that verified."""
        start = sorted(DEFECTS).index(name) * 7 % max(1, len(folders))
        for folder in (*folders[start:], *folders[:start]):
            done = [row for row in self.log.rows if row["kind"] == "planting" and row["defect"] == name]
            if sum(row["verified"] for row in done) >= count:
                return
            if any(row["task"] == folder.name for row in done):
                continue
            async with self.slots:
                began = time.monotonic()
                row: dict[str, Any] = {
                    "kind": "planting",
                    "task": folder.name,
                    "defect": name,
                    "verified": False,
                    "found": False,
                }
                try:
                    row |= await self.one(name, folder)
                except Exception as error:  # noqa: BLE001  a broken planting is told, and the others go on
                    row |= {"why": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()[-1500:]}
                self.log.add({**row, "seconds": round(time.monotonic() - began, 1)})

    async def one(self, name: str, folder: Path) -> dict[str, Any]:
        """One defect in one task: what came of it."""
        defect, ready = DEFECTS[name], await self.prepared(folder)
        soil = Soil(
            task=ready.task,
            base=ready.base,
            gold=ready.gold,
            draw=random.Random(json_digest([name, folder.name])),
            today=datetime.now(UTC).date(),
            port=self.port,
        )
        why = "no place for it"
        for number, planting in enumerate(defect.plant(soil)):
            if number > TRIES:
                break
            copy, why = await self.laid(name, ready, planting)
            if copy is None:
                continue
            tools = self._tools(planting)
            why = await self.unverified(copy, planting)
            if why:
                continue
            audit = await audit_task(copy, tools, quiet, self.wish(defect.checks))
            before = await self.before(folder, defect.checks) if not planting.marks else None
            return {"verified": True, "note": planting.note, **told(audit, before, planting)}
        return {"why": why}

    async def prepared(self, folder: Path) -> Ready:
        """The untouched task, prepared once."""
        async with self.locks.setdefault(folder.name, anyio.Lock()):
            if folder.name not in self.ready:
                tools = self.tools
                task = await anyio.to_thread.run_sync(tools.tasks.read, folder)
                base = await tools.source(task.assay.source.kind).base(task.assay.source)
                runner = tools.runner(tools.framework(task.assay.framework))
                applied = await runner.apply(task.gold_patch, await tools.layers.put(base), lambda path: "")
                self.ready[folder.name] = Ready(task, base, {change.path: change.new for change in applied.kept})
            return self.ready[folder.name]

    async def before(self, folder: Path, checks: tuple[CheckId, ...]) -> AuditRun:
        """What the same checks say of the untouched task."""
        async with self.locks.setdefault(f"{folder.name} {checks}", anyio.Lock()):
            if (folder.name, checks) not in self.untouched:
                audit = await audit_task(folder, self.tools, quiet, self.wish(checks))
                self.untouched[folder.name, checks] = audit
            return self.untouched[folder.name, checks]

    async def laid(self, name: str, ready: Ready, planting: Planting) -> tuple[Path | None, str]:
        """The copy's folder, its lists as its tests behave; or why there can be none."""
        task, gold = planting.task, {**ready.gold, **planting.gold}
        if planting.gold:
            patch = await self.tools.patches.diff(changes_between(ready.base, gold))
            task = replace(task, files={**task.files, GOLD_PATCH: FileState(patch)})
        if planting.settle:
            settled = await self.settled(ready, task)
            if isinstance(settled, str):
                return None, settled
            task = settled
        folder = self.project / "planted" / name
        folder.mkdir(parents=True, exist_ok=True)
        return await anyio.to_thread.run_sync(self.tools.tasks.write, task, folder), ""

    async def settled(self, ready: Ready, task: Task) -> Task | str:
        """The task with the lists that its changed tests deserve; or why it is none any more."""
        tools, source = self.tools, task.assay.source
        framework = tools.framework(task.assay.framework)
        runner = tools.runner(framework)
        hidden = await tools.layers.put(framework.inside(task.hidden_tests))
        gold, base = await tools.layers.put(dict(ready.changed)), await tools.layers.put(ready.base)
        name = source.origin if source.kind == "pypi" else ""
        built = await tools.environments.rebuild(task.assay.environment, ready.base, base, name=name)
        selection = Selection(files=task.assay.test_files, hidden=task.hidden_tests)
        reports = []
        for candidate in (None, gold):
            layers = stack(built.environment, base, candidate, hidden)
            run = await runner.test(built.environment, layers, selection, task.assay.limits)
            reports.append(run.report)
        ends = {
            test_id: tuple(outcome_of(report, test_id).status is Status.PASSED for report in reports)
            for test_id in (*task.assay.fail_to_pass, *task.assay.pass_to_pass)
        }
        broken = [test_id for test_id, (_, gold_passes) in ends.items() if not gold_passes]
        if broken:
            return f"fails with the reference change: {broken[0]}"
        failing = [test_id for test_id, (base_passes, _) in ends.items() if not base_passes]
        if not failing:
            return "no test fails on the base any more"
        return relisted(task, failing, [test_id for test_id in ends if test_id not in failing])

    async def unverified(self, copy: Path, planting: Planting) -> str:
        """Why the copy is no verified task; empty when it is one."""
        tools = self._tools(planting)
        if not planting.online:
            return await _complaint(copy, tools)
        elsewhere = self.project / "elsewhere"  # another machine: what it remembers is not known here
        elsewhere.mkdir(exist_ok=True)
        for name in ("cache", "environments", "layers"):
            if not (elsewhere / name).exists():
                (elsewhere / name).symlink_to((self.project / STATE / name).resolve())
        async with app._toolbox(elsewhere, copy.parent, "bubblewrap", unsafe=False) as other:
            return await _complaint(copy, replace(other, sandbox=Online(other.sandbox), slots=tools.slots))

    def _tools(self, planting: Planting) -> Toolbox:
        if not planting.environment:
            return self.tools
        return replace(self.tools, environments=Furnished(self.tools, self.tools.environments, planting.environment))


async def _complaint(copy: Path, tools: Toolbox) -> str:
    verification = await verify_task(copy, 1, tools, quiet)
    failures = [verdict.failure for verdict in verification.verdicts if verdict.failure]
    if failures:
        return f"no verdict: {failures[0].message}"
    return verification.complaints[0] if verification.complaints else ""


@dataclass(frozen=True)
class Online:
    """A sandbox with a network, for the machine on which a task was verified."""

    inner: Sandbox

    def open(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Session]:
        return self.inner.open(replace(spec, network="host"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass(frozen=True)
class Furnished:
    """Environments with more files in them."""

    tools: Toolbox
    inner: Environments
    files: Mapping[str, FileState]

    async def rebuild(self, recipe: Recipe, base: Tree, base_layer: Path, *, name: str = "") -> Built:
        built = await self.inner.rebuild(recipe, base, base_layer, name=name)
        layer = await self.tools.layers.put(dict(self.files))
        environment = replace(
            built.environment,
            env_layers=(layer, *built.environment.env_layers),
            digest=json_digest([built.environment.digest, str(layer)]),
        )
        return replace(built, environment=environment)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def told(audit: AuditRun, before: AuditRun | None, planting: Planting) -> dict[str, Any]:
    """Whether a finding names the defect, and what was said."""
    named = [
        (result, finding)
        for result in audit.checks
        for finding in result.findings
        if (names(finding, planting.marks) if planting.marks else is_new(result, finding, before))
    ]
    complaint = audit.complaint or (str(audit.failure) if audit.failure else "")
    told_so = any(mark in complaint for mark in planting.marks)
    return {
        "found": bool(named) or told_so,
        "by": sorted({result.check for result, _ in named}) or (["complaint"] if told_so else []),
        "complaint": complaint,
        "status": {result.check: result.status for result in audit.checks},
        "summary": {result.check: result.summary for result in audit.checks},
        "unknown": {result.check: result.unknown for result in audit.checks if result.unknown},
        "named": [finding.what for _, finding in named][:5],
        "kinds": dict(Counter(finding.kind for _, finding in named)),
        "findings": sum(len(result.findings) for result in audit.checks),
        "audit_seconds": audit.wall_seconds,
    }


def names(finding: Finding, marks: Sequence[str]) -> bool:
    """Whether a finding has a mark of the defect in it."""
    text = "\n".join((finding.what, finding.subject, finding.path, *finding.evidence))
    return any(mark in text for mark in marks)


def is_new(result: CheckResult, finding: Finding, before: AuditRun | None) -> bool:
    """Whether the untouched task lacks a finding, and stands better by the check's own measure."""
    known = before.of(result.check) if before else None
    if known is None or finding.kind in ("undistinguished", "unneeded"):
        return False
    return (
        finding.subject not in {f.subject for f in known.findings if f.kind not in ("undistinguished", "unneeded")}
    ) and worse(result, known)


def worse(result: CheckResult, known: CheckResult) -> bool:
    """Whether a share of the check has sunk; checks without one cannot."""
    shares = {m.name: m.value for m in known.measures if m.name.endswith(("_share", "_rate"))}
    shares = {name: value for name, value in shares.items() if not name.startswith("wrong")}
    now = {m.name: m.value for m in result.measures}
    return not shares or any(now.get(name, 0.0) < value for name, value in shares.items())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line for each defect, and one for all."""
    plantings = [row for row in rows if row["kind"] == "planting"]
    lines = [
        "| defect | must be named by | tasks tried | verified | found | share | at least (95 %) |",
        "|---|---|--:|--:|--:|--:|--:|",
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
    return f"| {name} | {checks} | {len(rows)} | {len(verified)} | {found} | {share} | {least} |"


if __name__ == "__main__":
    main()
