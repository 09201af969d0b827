"""The use cases that a front end calls (`assay.cli.interface.App`), over the adapters that `assay.wiring` chooses."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio

from assay.adapters.clock import SystemClock
from assay.adapters.exchange.predictions import names_of, read_predictions
from assay.adapters.exclusions import read_rows
from assay.adapters.format.harbor import HarborFormat
from assay.adapters.registry import Registry
from assay.adapters.store.database import open_store
from assay.adapters.store.project import STATE, TRIALS, init_project, read_settings
from assay.core.exclusion import Exclusions
from assay.core.funnel import lines_of, origins_of
from assay.core.hashing import task_digest
from assay.core.staleness import is_stale
from assay.errors import AssayError, InputError
from assay.model.attack import AttackRun
from assay.model.audit import AuditRun, AuditSettings
from assay.model.event import Note, OnEvent
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.ledger import Decision
from assay.model.options import AttackOptions, AuditOptions, MineOptions, VerifyOptions
from assay.model.prediction import Graded, GradeOptions
from assay.model.project import ProjectSettings
from assay.model.sandbox import Limits
from assay.model.summary import (
    CandidateView,
    EvidenceLine,
    MineSummary,
    StatusReport,
    TaskLine,
    TaskView,
)
from assay.model.verdict import Verdict
from assay.ports.agent import Agent
from assay.ports.exchange import Exporter, Importer
from assay.ports.sandbox import Finding
from assay.ports.source import Query
from assay.ports.store import Store
from assay.stages import importing
from assay.stages.exporting import export_tasks
from assay.stages.mine import MineSettings
from assay.stages.mine import mine as mine_stage
from assay.stages.predictions import grade_predictions
from assay.stages.prove import ProofSettings
from assay.stages.toolbox import Toolbox
from assay.stages.verify import replay, verify_candidate, verify_task
from assay.wiring import ENGINES, Sources, interpreters, load_settings, sandbox_named, toolbox

EVIDENCE_STAGES = ("verify", "audit", "difficulty", "review")
ROW_SECONDS = 600.0
"""What a run of a published row's tests may take at least: they are whole files, of slow suites too."""
CANDIDATES_PER_TASK = 8
MIN_CANDIDATES = 20
"""Without --max-candidates, so many candidates are looked at for each task wanted, and never fewer than this."""

__all__ = [
    "attack",
    "audit",
    "diagnose",
    "export",
    "grade",
    "import_tasks",
    "init_project",
    "mine",
    "show",
    "status",
    "verify",
]


def _jobs(asked: int | None, settings: ProjectSettings) -> int:
    return asked or settings.jobs or len(os.sched_getaffinity(0))


async def mine(options: MineOptions, project_dir: Path, on_event: OnEvent) -> MineSummary:
    """See `assay.cli.interface.App`."""
    settings = read_settings(project_dir)
    kind, colon, origin = options.source.partition(":")
    if not colon or not origin:
        raise InputError(
            f"{options.source!r} does not name a source",
            hint="write pypi:NAME or git:PATH_OR_URL, such as pypi:python-slugify",
        )
    max_candidates = options.max_candidates
    if max_candidates is None and options.limit is not None:
        max_candidates = max(MIN_CANDIDATES, CANDIDATES_PER_TASK * options.limit)
    proof = ProofSettings(
        test_limits=Limits(wall_seconds=settings.run_seconds, memory_mib=settings.memory_mib),
        test_seconds=settings.test_seconds,
        suite_seconds=settings.suite_seconds,
        max_changed_files=settings.max_changed_files,
        max_changed_lines=settings.max_changed_lines,
        licences=settings.licences,
        exclusions=await anyio.to_thread.run_sync(Exclusions, read_rows(options.exclude)),
    )
    budget = None if options.budget_cpu_hours is None else 3600 * options.budget_cpu_hours
    mining = MineSettings(options.limit, max_candidates, _jobs(options.jobs, settings), budget, proof)
    if options.exclude:
        on_event(Note(text=f"{proof.exclusions.count} rows of benchmarks are excluded"))
    query = Query(
        origin, options.since, options.until, options.revisions, options.paths, options.match, options.best_first
    )
    state = project_dir / STATE
    unsafe = options.i_know_it_is_unsafe
    model = (options.model, options.model_url)
    async with toolbox(state, project_dir / settings.tasks, options.sandbox, unsafe=unsafe, model=model) as tools:
        return await mine_stage(kind, query, tools, mining, on_event)


async def verify(options: VerifyOptions, project_dir: Path | None, on_event: OnEvent) -> list[Verdict]:
    """See `assay.cli.interface.App`."""
    state = project_dir / STATE if project_dir else load_settings().cache
    folder = options.task.parent
    async with toolbox(state, folder, options.sandbox, unsafe=options.i_know_it_is_unsafe) as tools:
        if options.replay is not None:
            verification = await replay(options.task, options.replay, tools, on_event)
        elif options.patch is not None:
            patch = await _read_patch(options.patch)
            agent: Agent = Registry().load("agent", "patch")(patch)
            verification = await verify_candidate(options.task, agent, tools, on_event)
        elif options.agent is not None:
            verification = await verify_candidate(options.task, tools.agent(options.agent), tools, on_event)
        else:
            verification = await verify_task(options.task, options.runs, tools, on_event)
    if verification.complaints:
        what = "is not proved" if options.replay is None else "did not end as recorded"
        on_event(Note(text=f"{options.task.name} {what}: {verification.complaints[0]}"))
    return list(verification.verdicts)


async def grade(options: GradeOptions, project_dir: Path | None, on_event: OnEvent) -> list[Graded]:
    """See `assay.cli.interface.App`."""
    predictions, problems = await anyio.to_thread.run_sync(read_predictions, options.predictions)
    for problem in problems:
        on_event(problem)
    names = {name: path for path in options.tasks for name in names_of(path)}
    state = project_dir / STATE if project_dir else load_settings().cache
    unsafe, folder = options.i_know_it_is_unsafe, options.tasks[0].parent if options.tasks else state
    async with toolbox(state, folder, options.sandbox, unsafe=unsafe) as tools:
        graded = await grade_predictions(predictions, names, tools, on_event, jobs=options.jobs, fresh=options.fresh)
    return [*graded, *problems]


async def attack(options: AttackOptions, project_dir: Path | None, on_event: OnEvent) -> AttackRun:
    """See `assay.cli.interface.App`."""
    from assay.stages.attack import attack_task, chosen

    state = project_dir / STATE if project_dir else load_settings().cache
    folder, unsafe = options.task.parent, options.i_know_it_is_unsafe
    chosen(options.only)  # a wrong name shows before anything is opened
    async with toolbox(state, folder, options.sandbox, unsafe=unsafe) as tools:
        return await attack_task(options.task, tools, on_event, names=options.only, jobs=options.jobs)


async def audit(options: AuditOptions, project_dir: Path | None, on_event: OnEvent) -> AuditRun:
    """See `assay.cli.interface.App`."""
    from assay.stages.attack import chosen
    from assay.stages.audit.audit import AuditWish, audit_task

    state = project_dir / STATE if project_dir else load_settings().cache
    folder, unsafe = options.task.parent, options.i_know_it_is_unsafe
    chosen(options.attacks)  # a wrong name shows before anything is opened
    settings = read_settings(project_dir).audit if project_dir else AuditSettings()
    if options.runs is not None:
        settings = settings.model_copy(update={"runs": options.runs})
    wish = AuditWish(settings, options.only, options.attacks, options.fresh, options.fix)
    patches = [
        (await _read_patch(one), right)
        for ones, right in ((options.right, True), (options.wrong, False))
        for one in ones
    ]
    for patch, right in patches:
        HarborFormat().add_to_bank(options.task, patch, right=right)
    async with toolbox(state, folder, options.sandbox, unsafe=unsafe) as tools:
        return await audit_task(options.task, tools, on_event, wish)


async def import_tasks(options: ImportOptions, project_dir: Path, on_event: OnEvent) -> list[Converted]:
    """See `assay.cli.interface.App`."""
    from assay.adapters.exchange.training import TRAJECTORIES, import_trajectories

    settings, registry = read_settings(project_dir), Registry()
    if options.format == TRAJECTORIES:
        return await anyio.to_thread.run_sync(import_trajectories, options, project_dir / TRIALS, on_event)
    importer = _importer(registry, options.format, project_dir / STATE, settings)
    folder = project_dir / settings.tasks
    return await importing.import_tasks(importer, options, HarborFormat(), folder, on_event)


def _importer(registry: Registry, name: str, state: Path, settings: ProjectSettings) -> Importer:
    """The importer of a format; the one that reads rows is told the project's limits and remembers its clones."""
    make = registry.load("importer", name)
    if name != "swe-bench":
        importer: Importer = make()
        return importer
    limits = Limits(wall_seconds=max(settings.run_seconds, ROW_SECONDS), memory_mib=settings.memory_mib)
    protected = registry.load("framework", "pytest")().protected_patterns()
    git = Sources(registry, state / "cache", load_settings())("git")
    made: Importer = make(limits=limits, protected=protected, remember=git.remember)  # type: ignore[attr-defined]
    return made


async def export(options: ExportOptions, project_dir: Path | None, on_event: OnEvent) -> list[Converted]:
    """See `assay.cli.interface.App`."""
    from assay.adapters.exchange.training import TRIAL_FORMATS, export_trials

    registry = Registry()
    if options.format in TRIAL_FORMATS:
        folder = project_dir / read_settings(project_dir).tasks if project_dir else None
        return await anyio.to_thread.run_sync(export_trials, options, folder, on_event)
    if options.format not in registry.names("exporter"):
        known = ", ".join((*registry.names("exporter"), *TRIAL_FORMATS))
        raise InputError(f"there is no format {options.format!r} to export to", hint=f"the known ones are: {known}")
    exporter: Exporter = registry.load("exporter", options.format)()
    state = project_dir / STATE if project_dir else load_settings().cache
    async with toolbox(state, options.out, "bubblewrap", unsafe=False) as tools:
        return await export_tasks(exporter, options, tools, on_event)


async def _read_patch(path: Path) -> bytes:
    try:
        return await anyio.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the patch {path}: {error.strerror}", hint="check the path") from error


def status(project_dir: Path) -> StatusReport:
    """See `assay.cli.interface.App`."""
    settings = read_settings(project_dir)
    state = project_dir / STATE
    store = open_store(state / "assay.db", state / "blobs")
    try:
        # Read once: with two looks at a store that somebody mines into, the lines would not add up.
        decisions = store.decisions()
        moments = [d.decided_at for d in decisions]
        return StatusReport(
            project=project_dir,
            funnel=lines_of(decisions),
            tasks=tuple(_task_line(project_dir / settings.tasks, d) for d in decisions if d.state == "verified"),
            running=tuple(store.live_runs()),
            shared_bytes=sum(_disk_bytes(state / name) for name in ("environments", "layers")),
            origins=origins_of(decisions),
            made_at=SystemClock().now(),
            decided_between=(min(moments), max(moments)) if moments else None,
        )
    finally:
        store.close()


def _task_line(tasks_folder: Path, decision: Decision) -> TaskLine:
    slug = decision.slug or ""
    path = tasks_folder / slug
    try:
        stale = task_digest(HarborFormat().read(path)) != decision.task_digest
    except AssayError:
        stale = True
    return TaskLine(slug, path, decision.cost, stale, decision.title)


def _disk_bytes(folder: Path) -> int:
    """Bytes on disk below a folder; files that share their bytes count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for above, folders, names in os.walk(folder):
        for name in (*folders, *names):
            try:
                found = os.lstat(Path(above) / name)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total


def show(project_dir: Path | None, what: str) -> TaskView | CandidateView:
    """See `assay.cli.interface.App`."""
    folder = Path(what)
    if not folder.is_dir() and project_dir is not None:
        folder = project_dir / read_settings(project_dir).tasks / what
    state = project_dir / STATE if project_dir else None
    store = open_store(state / "assay.db", state / "blobs") if state and state.is_dir() else None
    try:
        if folder.is_dir():
            return _task_view(folder, store)
        decision = store.decision(what) if store else None
        if decision is None or store is None:
            raise InputError(
                f"there is no task and no candidate {what!r}",
                hint="give a task's folder or slug, or a candidate's key; `assay status` lists them",
            )
        return CandidateView(decision, tuple(store.ledger(what)), decision.detail)
    finally:
        if store:
            store.close()


def _task_view(folder: Path, store: Store | None) -> TaskView:
    tasks = HarborFormat()
    task = tasks.read(folder)
    digest = task_digest(task)
    found = [tasks.read_evidence(folder, stage) for stage in EVIDENCE_STAGES]
    keys = [d.candidate_key for d in store.decisions() if d.slug == task.slug] if store else []
    return TaskView(
        path=folder,
        task=task,
        digest=digest,
        evidence=tuple(EvidenceLine(e, is_stale(e, digest)) for e in found if e),
        ledger=tuple(entry for key in [*keys, task.slug] for entry in (store.ledger(key) if store else ())),
    )


def workbench(
    project_dir: Path | None, tasks_folder: Path, *, sandbox: str = "bubblewrap", unsafe: bool = False
) -> AbstractAsyncContextManager[Toolbox]:
    """The ports of one run, for callers that stay for more than one use case: `assay.environment`."""
    state = project_dir / STATE if project_dir else load_settings().cache
    return toolbox(state, tasks_folder, sandbox, unsafe=unsafe)


async def diagnose() -> list[Finding]:
    """See `assay.cli.interface.App`."""
    settings, registry = load_settings(), Registry()
    findings: list[Finding] = []
    for name in ("bubblewrap", *ENGINES):
        findings += await sandbox_named(registry, name, settings.cache, settings, unsafe=False).diagnose()
    pythons = await interpreters(settings).find()
    versions = ", ".join(python.version for python in pythons)
    findings.append(Finding("interpreters", bool(pythons), versions or "none found", "type: apt-get install python3"))
    git = next((p for p in settings.path.split(":") if (Path(p) / "git").exists()), "")
    findings.append(Finding("git", bool(git), f"{git}/git" if git else "not found", "type: apt-get install git"))
    return findings
