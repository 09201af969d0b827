"""Where plantings are made, verified and audited."""

from __future__ import annotations

import json
import random
import socket
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from assay import wiring
from assay.adapters.store.project import STATE
from assay.core.admission import outcome_of
from assay.core.hashing import json_digest, task_digest
from assay.model.audit import AuditRun, AuditSettings, CheckId
from assay.model.environment import Recipe
from assay.model.ledger import Cost
from assay.model.report import Status
from assay.model.sandbox import SandboxSpec
from assay.model.task import GOLD_PATCH, Task
from assay.model.tree import FileState, Tree, changes_between
from assay.ports.environment import Built, Environments
from assay.ports.framework import Selection
from assay.ports.sandbox import Sandbox, Session
from assay.stages.audit.audit import Audit, AuditWish, audit_task
from assay.stages.audit.ground import Ground
from assay.stages.audit.memo import Memo
from assay.stages.audit.variants import Variants
from assay.stages.audit.warm import Trials
from assay.stages.judging import Prepared, _guard
from assay.stages.running import stack
from assay.stages.toolbox import Toolbox
from assay.stages.twins import Stand
from assay.stages.verify import verify_task
from bench.defects import DEFECTS, told
from bench.project import quiet
from bench.soil import Planting, Soil, relisted
from bench.witness import witnesses

RUNS = 5
CHECK_SECONDS = 600.0
TRIES = 3
"""Ways of planting that are tried on one task."""
STATIC: tuple[CheckId, ...] = ("hidden-names", "leaks", "requirements")
QUIET_CHECKS: tuple[CheckId, ...] = ("stability", "amplified", "ablation", "mutants", "alternatives", *STATIC)


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
    quick: bool = False
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
            audit = await self.audit(folder, self.tools, left)
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

    async def audit(self, folder: Path, tools: Toolbox, checks: tuple[CheckId, ...]) -> AuditRun:
        """An audit of these checks alone. Its time is not short, so that a busy machine finds the same."""
        settings = AuditSettings(runs=RUNS, check_seconds=CHECK_SECONDS)
        if not self.quick:
            return await audit_task(folder, tools, quiet, AuditWish(settings, only=checks))
        task = await anyio.to_thread.run_sync(tools.tasks.read, folder)
        stand = await stand_of(task, tools)
        prepared = Prepared(stand, task_digest(task), _guard(stand), Cost())
        applied = await stand.runner.apply(task.gold_patch, stand.base_layer, prepared.is_protected)
        ground = Ground(prepared, applied, tools, settings, quiet)
        trials, memo = Trials(ground), Memo(tools.store)
        audit, began = Audit(ground, trials, memo, Variants(ground, trials, memo), folder), time.monotonic()
        results = [await audit.make(check) for check in checks]
        seconds = time.monotonic() - began
        return AuditRun(task=task.slug, task_digest=prepared.digest, checks=tuple(results), wall_seconds=seconds)

    async def all_of(self, name: str, folders: Sequence[Path], count: int) -> None:
        """One defect, in one task after another until there are enough that verified."""
        # Defects that are held against the same audit of the untouched tasks begin with the same ones.
        start = sorted(defect.checks for defect in DEFECTS.values()).index(DEFECTS[name].checks) * 7 % len(folders)
        for folder in (*folders[start:], *folders[:start]):
            done = [row for row in self.log.rows if row["kind"] == "planting" and row["defect"] == name]
            if sum(row["verified"] for row in done) >= count:
                return
            if any(row["task"] == folder.name for row in done):
                continue
            async with self.slots:
                began = time.monotonic()
                try:
                    rows = await self.one(name, folder)
                except Exception as error:  # noqa: BLE001  a broken planting is told, and the others go on
                    why = {"why": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()[-1500:]}
                    rows = [{"defect": name, "verified": False, "found": False, **why}]
                seconds = round(time.monotonic() - began, 1)
                for row in rows:
                    self.log.add({"kind": "planting", "task": folder.name, **row, "seconds": seconds})

    async def one(self, name: str, folder: Path) -> list[dict[str, Any]]:
        """One defect in one task, with those that are planted beside it: what came of it."""
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
        for number, planting in enumerate(defect.plant(soil) if defect.plant else ()):
            if number > TRIES:
                break
            copy, why = await self.laid(name, ready, planting)
            why = why if copy is None else await self.unverified(copy, planting)
            if why or copy is None:
                continue
            witness = await self.witness(soil, copy) if planting.weaker else ""
            if witness is None:
                why = f"no defect, nothing wrong gets past: {planting.note}"
                continue
            audit = await self.audit(copy, self._tools(planting), defect.checks)
            before = await self.before(folder, defect.checks) if not planting.marks else None
            marked = {name: (planting.note, planting.marks), **planting.also}
            return [
                {"defect": what, "verified": True, "note": note, "witness": witness, **told(audit, before, marks)}
                for what, (note, marks) in marked.items()
            ]
        return [{"defect": name, "verified": False, "found": False, "why": why}]

    async def witness(self, soil: Soil, copy: Path) -> str | None:
        """A wrong change that the untouched tests reject and the copy's accept; None when none is known."""
        made = witnesses(soil)
        weak = await stand_of(await anyio.to_thread.run_sync(self.tools.tasks.read, copy), self.tools)
        strong = await stand_of(soil.task, self.tools)
        changed = {
            path: soil.gold.get(path) for path in {*soil.base, *soil.gold} if soil.base.get(path) != soil.gold.get(path)
        }
        for witness in made:
            layer = await self.tools.layers.put({**changed, witness.path: witness.state})
            if await _accepts(weak, layer) and not await _accepts(strong, layer):
                return witness.what
        return None

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
                audit = await self.audit(folder, self.tools, checks)
                self.untouched[folder.name, checks] = audit
            return self.untouched[folder.name, checks]

    async def laid(self, name: str, ready: Ready, planting: Planting) -> tuple[Path | None, str]:
        """The copy's folder, its lists as its tests behave; or why there can be none."""
        task, gold = planting.task, {**ready.gold, **planting.gold}
        if planting.gold:
            patch = await self.tools.patches.diff(changes_between(ready.base, gold))
            task = replace(task, files={**task.files, GOLD_PATCH: FileState(patch)})
        if planting.settle:
            settled = await self.settled(task)
            if isinstance(settled, str):
                return None, settled
            task = settled
        folder = self.project / "planted" / name
        folder.mkdir(parents=True, exist_ok=True)
        return await anyio.to_thread.run_sync(self.tools.tasks.write, task, folder), ""

    async def settled(self, task: Task) -> Task | str:
        """The task with the lists that its changed tests deserve; or why it is none any more."""
        ends = await self.ends(task, self.tools)
        broken = [test_id for test_id, (_, gold_passes) in ends.items() if not gold_passes]
        if broken:
            return f"fails with the reference change: {broken[0]}"
        failing = [test_id for test_id, (base_passes, _) in ends.items() if not base_passes]
        if not failing:
            return "no test fails on the base any more"
        return relisted(task, failing, [test_id for test_id in ends if test_id not in failing])

    async def ends(self, task: Task, tools: Toolbox) -> dict[str, tuple[bool, bool]]:
        """Of every counted test whether it passes on the base, and with the reference change."""
        stand = await stand_of(task, tools)
        applied = await stand.runner.apply(task.gold_patch, stand.base_layer, _guard(stand))
        selection = Selection(files=task.assay.test_files, hidden=task.hidden_tests)
        reports = []
        for candidate in (None, applied.layer):
            layers = stack(stand.environment, stand.base_layer, candidate, stand.hidden_layer)
            run = await stand.runner.test(stand.environment, layers, selection, task.assay.limits)
            reports.append(run.report)
        base, gold = reports
        return {
            test_id: (
                outcome_of(base, test_id).status is Status.PASSED,
                outcome_of(gold, test_id).status is Status.PASSED,
            )
            for test_id in (*task.assay.fail_to_pass, *task.assay.pass_to_pass)
        }

    async def disputed(self, copy: Path, tools: Toolbox) -> str:
        """A test that does not end as the copy's lists say; empty when there is none."""
        task = await anyio.to_thread.run_sync(tools.tasks.read, copy)
        ends = await self.ends(task, tools)
        wrong = [i for i, (base, gold) in ends.items() if not gold or base is (i in task.assay.fail_to_pass)]
        return f"does not end as listed: {wrong[0]}" if wrong else ""

    async def unverified(self, copy: Path, planting: Planting) -> str:
        """Why the copy is no verified task; empty when it is one."""
        tools = self._tools(planting)
        if not planting.online:
            return await (self.disputed(copy, tools) if self.quick else _complaint(copy, tools))
        elsewhere = self.project / "elsewhere"  # another machine: what it remembers is not known here
        elsewhere.mkdir(exist_ok=True)
        for name in ("cache", "environments", "layers"):
            if not (elsewhere / name).exists():
                (elsewhere / name).symlink_to((self.project / STATE / name).resolve())
        async with wiring.toolbox(elsewhere, copy.parent, "bubblewrap", unsafe=False) as other:
            online = replace(other, sandbox=Online(other.sandbox), slots=tools.slots)
            return await (self.disputed(copy, online) if self.quick else _complaint(copy, online))

    def _tools(self, planting: Planting) -> Toolbox:
        if not planting.environment:
            return self.tools
        return replace(self.tools, environments=Furnished(self.tools, self.tools.environments, planting.environment))


async def stand_of(task: Task, tools: Toolbox) -> Stand:
    """Where a task's tests run, made without twins."""
    source = task.assay.source
    base = await tools.source(source.kind).base(source)
    base_layer = await tools.layers.put(base)
    name = source.origin if source.kind == "pypi" else ""
    built = await tools.environments.rebuild(task.assay.environment, base, base_layer, name=name)
    framework = tools.framework(task.assay.framework)
    inside = framework.inside(task.hidden_tests)
    hidden_layer = await tools.layers.put(inside) if inside else None
    return Stand(task, built.environment, base, base_layer, inside, hidden_layer, tools.runner(framework))


async def _accepts(stand: Stand, layer: Path) -> bool:
    """Whether every counted test of a task passes over a layer, in one cold run."""
    task = stand.task
    selection = Selection(files=task.assay.test_files, hidden=task.hidden_tests)
    layers = stack(stand.environment, stand.base_layer, layer, stand.hidden_layer)
    run = await stand.runner.test(stand.environment, layers, selection, task.assay.limits)
    counted = (*task.assay.fail_to_pass, *task.assay.pass_to_pass)
    return all(outcome_of(run.report, test_id).status is Status.PASSED for test_id in counted)


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
