"""The use cases that a front end calls (`assay.cli.interface.App`), over the adapters that `assay.wiring` chooses."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

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
from assay.model.calibration import Prior
from assay.model.calibration_run import CalibrateOptions, CalibrationRun, Monitored
from assay.model.event import Note, OnEvent
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.ledger import Decision
from assay.model.options import AttackOptions, AuditOptions, DifficultyOptions, MineOptions, RunOptions, VerifyOptions
from assay.model.plan import Plan, PlanOptions
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
    TrialView,
)
from assay.model.trial_record import TrialTally
from assay.model.trial_run import TrialsRun, Wish
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
from assay.stages.trial_craft import Trying
from assay.stages.trial_records import entrant_of, found_trial, trial_of
from assay.stages.trials import TrialRunner, TrialSettings
from assay.stages.verify import replay, verify_candidate, verify_task
from assay.wiring import (
    ENGINES,
    Sources,
    allow_open_files,
    entering,
    interpreters,
    load_settings,
    sandbox_named,
    toolbox,
)

DATABASE = "assay.db"
if TYPE_CHECKING:
    from assay.core.calibration.curve import DifficultyReport  # its module is heavy

EVIDENCE_STAGES = ("verify", "audit", "difficulty", "review")
ROW_SECONDS = 600.0
"""What a run of a published row's tests may take at least: they are whole files, of slow suites too."""
CANDIDATES_PER_TASK = 8
WAITING = 8
"""Trials in flight of an agent that has a model, unless somebody says otherwise: it mostly waits for it."""
MIN_CANDIDATES = 20
"""Without --max-candidates, so many candidates are looked at for each task wanted, and never fewer than this."""

__all__ = [
    "attack",
    "audit",
    "calibrate",
    "diagnose",
    "difficulty",
    "export",
    "grade",
    "import_tasks",
    "init_project",
    "mine",
    "monitor",
    "plan",
    "run",
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


async def run(options: RunOptions, project_dir: Path | None, on_event: OnEvent) -> TrialsRun:
    """See `assay.cli.interface.App`."""
    async with trial_runner(options, project_dir, on_event) as (runner, tools):
        ends = await runner.run([Wish(path, n) for path in options.tasks for n in range(1, options.attempts + 1)])
        if options.out is not None:
            from assay.adapters.exchange.trials import write_trials

            kept = [end.record for end in ends if end.record is not None]
            await anyio.to_thread.run_sync(write_trials, options.out, (trial_of(one, tools.store) for one in kept))
    return TrialsRun(
        entrant=runner.entrant,
        entrant_digest=runner.entrant_digest,
        ends=tuple(ends),
        stopped=runner.stopped,
        usd=runner.purse.spent_usd,
        unpriced_count=runner.purse.unpriced_count,
    )


async def calibrate(options: CalibrateOptions, project_dir: Path | None, on_event: OnEvent) -> CalibrationRun:
    """See `assay.cli.interface.App`."""
    from assay.stages.calibrate import calibrate as calibrate_stage  # numbers are heavy

    async with trial_runner(options.run, project_dir, on_event) as (runner, tools):
        return await calibrate_stage(options, runner, tools, on_event)


async def monitor(options: RunOptions, project_dir: Path | None, on_event: OnEvent) -> Monitored:
    """See `assay.cli.interface.App`."""
    from assay.stages.monitoring import monitor as monitor_stage  # numbers are heavy

    async with trial_runner(options, project_dir, on_event) as (runner, tools):
        return await monitor_stage(options.tasks, runner, tools, on_event)


@asynccontextmanager
async def trial_runner(
    options: RunOptions, project_dir: Path | None, on_event: OnEvent
) -> AsyncIterator[tuple[TrialRunner, Toolbox]]:
    """What makes trials as these options have it, and what it works with."""
    allow_open_files()
    settings = read_settings(project_dir) if project_dir else ProjectSettings()
    state = project_dir / STATE if project_dir else load_settings().cache
    entered = await anyio.to_thread.run_sync(entering, options.choice, settings, state)
    jobs = _jobs(options.jobs, settings)
    in_flight = options.concurrent or (max(WAITING, jobs) if options.choice.model else jobs)
    folder = options.tasks[0].parent if options.tasks else state
    async with toolbox(state, folder, options.sandbox, unsafe=options.i_know_it_is_unsafe) as tools:
        craft = Trying(entered.agent, entered.entrant, entered.gate, tools, on_event)
        yield TrialRunner(craft, tools, TrialSettings(in_flight, jobs, options.budget_usd), on_event), tools


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


def plan(options: PlanOptions, project_dir: Path | None) -> Plan:
    """See `assay.cli.interface.App`."""
    from assay.core.calibration import planning  # numpy and scipy take longer to load than most commands to run

    prior, usd = (options.prior, None) if options.prior is not None else _history(project_dir, options.model)
    if options.usd_per_rollout is None and usd is not None:
        options = replace(options, usd_per_rollout=usd)
    return planning.plan(options, prior)


def _history(project_dir: Path | None, model: str) -> tuple[Prior, float | None]:
    """What the project's own trials say of its tasks, and the mean dollars of one; the default before there are any."""
    from assay.core.calibration.fitting import fit_prior
    from assay.core.calibration.history import is_solver

    found: list[TrialTally] = []
    if project_dir is not None and (project_dir / STATE / "assay.db").exists():
        store = open_store(project_dir / STATE / "assay.db", project_dir / STATE / "blobs")
        try:
            found = [one for one in store.tallies() if is_solver(one.agent) and model in ("", one.model)]
        finally:
            store.close()
    if model and not found:
        raise InputError(f"the model {model!r} has no trial in this project", hint="leave out --model, or run it first")
    priced = sum(one.priced_count for one in found)
    return fit_prior(one.tally for one in found), sum(one.usd for one in found) / priced if priced else None


def difficulty(options: DifficultyOptions, project_dir: Path) -> DifficultyReport:
    """See `assay.cli.interface.App`."""
    from assay.stages.difficulty import difficulty_report  # numbers are heavy

    settings, state = read_settings(project_dir), project_dir / STATE
    paths = options.tasks or tuple(sorted(place.parent for place in (project_dir / settings.tasks).glob("*/task.toml")))
    store = open_store(state / "assay.db", state / "blobs")
    try:
        read = partial(trial_of, store=store, whole=False)
        return difficulty_report(project_dir.name, paths, HarborFormat(), store, read, model=options.model)
    finally:
        store.close()


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


def show(project_dir: Path | None, what: str) -> TaskView | CandidateView | TrialView:
    """See `assay.cli.interface.App`."""
    folder = Path(what)
    if not folder.is_dir() and project_dir is not None:
        folder = project_dir / read_settings(project_dir).tasks / what
    state = project_dir / STATE if project_dir else load_settings().cache
    if not (state / DATABASE).is_file():
        if folder.is_dir():
            return _task_view(folder, None)
        raise _nothing(what)
    with closing(open_store(state / DATABASE, state / "blobs")) as store:
        if folder.is_dir():
            return _task_view(folder, store if project_dir else None)
        decision = store.decision(what)
        if decision is not None:
            return CandidateView(decision, tuple(store.ledger(what)), decision.detail)
        tries = found_trial(store, what)
        if not tries:
            raise _nothing(what)
        return TrialView(tries[-1], trial_of(tries[-1], store), entrant_of(tries[-1], store), tuple(tries[:-1]))


def _nothing(what: str) -> InputError:
    return InputError(
        f"there is no task, no candidate and no trial {what!r}",
        hint="give a task's folder or slug, a candidate's key, or a trial as `assay run` prints it; "
        "`assay status` lists tasks",
    )


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
