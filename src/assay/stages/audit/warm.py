"""Many runs of nearly the same program: in children of warm interpreters, or cold where that cannot be.

The scout runs the task's tests once over the reference change and tells which modules to load before any child is
made, which lines each test runs, and how long it takes. One warm interpreter a core works off its share of the jobs.
A job that took its interpreter along is tried once more alone; then its fate is unknown. Where nothing can be warmed
(another framework, a repository that the framework itself needs), the same jobs are run cold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from assay.core.syntax import is_test_path
from assay.core.twins.cases import stem
from assay.errors import InfrastructureError
from assay.model.report import Status, TestReport
from assay.model.tree import FileState
from assay.model.variant import Fate, Trial, Variant
from assay.model.warm import Harvest, WarmJob, WarmRun
from assay.stages.audit.ground import Ground
from assay.stages.running import TestRun, stack

BATCH = 200
"""Jobs of one warm interpreter at most: enough that its start hardly counts."""
WIDE = 2
"""Interpreters at work at a time; the runner's slots may allow fewer."""
MIN_SECONDS, PATIENCE = 5.0, 4.0
"""A variant that takes so many times as long as the reference change does not end: it is noticed."""
CHUNK_SECONDS = 20.0
"""Between two looks at the clock, if every variant took as long as the reference change."""
SCOUT = "scout"


@dataclass(slots=True)
class Known:
    """What one run of the reference change told."""

    seconds: float
    report: TestReport
    modules: tuple[str, ...] = ()
    lines: Mapping[str, Mapping[str, frozenset[int]]] = field(default_factory=dict)
    cannot: str = ""
    """Why nothing can be run warm."""

    @property
    def covered(self) -> dict[str, set[int]]:
        """Path to the lines that any test runs, at import as well."""
        found: dict[str, set[int]] = {}
        for files in self.lines.values():
            for path, lines in files.items():
                found.setdefault(path, set()).update(lines)
        return found

    def tests_of(self, path: str, lines: frozenset[int]) -> list[str]:
        """The tests that run one of these lines, the quickest first."""
        tests = [t for t, files in self.lines.items() if t and lines & files.get(path, frozenset())]
        return sorted(tests, key=self._seconds)

    def _seconds(self, test_id: str) -> float:
        outcome = self.report.outcomes.get(test_id)
        return outcome.seconds if outcome else 0.0


class Trials:
    """Tries variants of one task's reference change on the task's own tests."""

    def __init__(self, ground: Ground, *, warm: bool = True) -> None:
        self._ground = ground
        self._warm = warm
        self._known: Known | None = None
        self._compiled: Path | None = None
        """A layer with the compiled files of tests and repository."""

    async def known(self) -> Known:
        """What the scout saw; it goes once."""
        if self._known is None:
            self._known = await self._scout()
        return self._known

    async def _scout(self) -> Known:
        ground = self._ground
        watched = tuple(path for path, state in ground.changed.items() if path.endswith(".py") and state)
        limits = ground.task.assay.limits
        job = WarmJob(
            SCOUT,
            test_files=ground.task.assay.test_files,
            tell_modules=True,
            wall_seconds=limits.wall_seconds,
            memory_mib=limits.memory_mib,
        )
        if not self._warm:
            return await self._known_cold("asked for cold runs")
        compiling = WarmJob("compile", test_files=job.test_files, collect_only=True, wall_seconds=limits.wall_seconds)
        first = await self._harvest([compiling, job], (), keep_compiled=True)
        seen = {run.key: run for run in first.runs}
        if complaint := self._complaint(first, seen):
            return await self._known_cold(f"in a warm interpreter {complaint}")
        modules = seen[SCOUT].modules
        watching = replace(job, key="lines", watching="lines", watched=watched, tell_modules=False)
        second = await self._harvest([replace(job, tell_modules=False), watching], modules)
        runs = {run.key: run for run in second.runs}
        if complaint := self._complaint(second, runs):
            return await self._known_cold(f"when modules are loaded beforehand {complaint}")
        lines = runs["lines"].lines if "lines" in runs else {}
        return Known(runs[SCOUT].seconds, runs[SCOUT].report, modules, lines)

    async def _known_cold(self, why: str) -> Known:
        run = await self._ground.run(self._ground.applied.layer)
        return Known(run.usage.wall_seconds, run.report, cannot=why)

    def _complaint(self, harvest: Harvest, runs: Mapping[str, WarmRun]) -> str:
        """Why what the scout saw is not what the tests say of the reference change; empty when it is."""
        if SCOUT not in runs:
            return f"nothing was run: {harvest.cannot}"
        fate, by, why = fate_of(runs[SCOUT], self._ground.counted)
        return "" if fate == "accepted" else f"the tests come out otherwise: {f'{by}: {why}' if by else why}"

    async def _harvest(
        self, jobs: Sequence[WarmJob], modules: Sequence[str], *, keep_compiled: bool = False
    ) -> Harvest:
        ground, stand = self._ground, self._ground.prepared.stand
        layers = stack(stand.environment, stand.base_layer, ground.applied.layer, stand.hidden_layer)
        harvest, usage, compiled = await stand.runner.warm(
            stand.environment,
            (self._compiled, *layers),
            jobs,
            modules,
            ground.task.assay.limits,
            keep_compiled=keep_compiled,
        )
        ground.tally.run_count += len(harvest.runs)
        ground.tally.usage += usage
        if compiled:
            self._compiled = await ground.tools.layers.put(compiled)
        return harvest

    async def run(self, jobs: Sequence[WarmJob]) -> dict[str, WarmRun]:
        """Every job's run, by key. Raises SandboxError and its kin when sandboxes themselves cannot be had."""
        known = await self.known()
        if known.cannot:
            return await self._cold(jobs)
        found: dict[str, WarmRun] = {}
        waiting = list(jobs)
        alone: list[WarmJob] = []
        while waiting:
            batches = _batches(waiting)
            harvests: list[Harvest] = []

            async def one(batch: Sequence[WarmJob], harvests: list[Harvest] = harvests) -> None:
                harvests.append(await self._harvest(batch, known.modules))

            async with anyio.create_task_group() as group:
                for batch in batches:
                    group.start_soon(one, batch)
            for harvest in harvests:
                found |= {run.key: run for run in harvest.runs}
            lost = {harvest.begun for harvest in harvests if harvest.begun}
            alone += [job for job in waiting if job.key in lost and job.key not in found]
            left = [job for job in waiting if job.key not in found and job.key not in lost]
            if len(left) == len(waiting):  # not one of them was even begun
                alone += left
                break
            waiting = left
        for job in alone:
            harvest = await self._harvest([job], known.modules)
            found |= {run.key: run for run in harvest.runs}
            if job.key not in found:
                empty = TestReport(outcomes={}, complete=False)
                found[job.key] = WarmRun(job.key, empty, 0.0, fault=harvest.cannot or "the sandbox ended with it")
        return found

    async def _cold(self, jobs: Sequence[WarmJob]) -> dict[str, WarmRun]:
        found: dict[str, WarmRun] = {}

        async def one(job: WarmJob) -> None:
            try:
                run = await self._one_cold(job)
            except InfrastructureError as error:
                empty = TestReport(outcomes={}, complete=False)
                found[job.key] = WarmRun(job.key, empty, 0.0, fault=error.message)
            else:
                found[job.key] = WarmRun(job.key, run.report, run.usage.wall_seconds)

        async with anyio.create_task_group() as group:
            for job in jobs:
                group.start_soon(one, job)
        return found

    async def _one_cold(self, job: WarmJob) -> TestRun:
        ground = self._ground
        async with ground.tools.layers.temporary({**ground.changed, **job.files}) as layer:
            return await ground.run(layer, files=job.test_files)

    async def try_all(self, variants: Sequence[Variant], *, seconds: float = math.inf) -> list[Trial]:
        """The fate of every variant, in order: `rejected` by the first listed test that does not pass. None of those
        that were not begun within the time.
        """
        known, deadline = await self.known(), anyio.current_time() + seconds
        size = WIDE * max(1, min(BATCH, int(CHUNK_SECONDS / max(known.seconds, 0.01))))
        found: list[Trial] = []
        for first in range(0, len(variants), size):
            if anyio.current_time() > deadline:
                break
            chunk = variants[first : first + size]
            runs = await self.run([self._job(variant, known) for variant in chunk])
            tried = [self._trial(variant, runs[variant.key]) for variant in chunk]
            found += await self._heard(tried) if not known.cannot else tried
        return found

    async def _heard(self, trials: list[Trial]) -> list[Trial]:
        """The same, each that was accepted once more with the tests in their own order: one that ran early may have
        left behind what the others need, and a verdict has the tests as they stand.
        """
        jobs = [
            replace(self._job(trial.variant, await self.known()), tests=(), stop_early=False)
            for trial in trials
            if trial.fate == "accepted"
        ]
        runs = await self.run(jobs)
        return [self._trial(t.variant, runs[t.variant.key]) if t.variant.key in runs else t for t in trials]

    async def cold(self, trial: Trial) -> Trial:
        """The same variant once more, in a sandbox and an interpreter of its own."""
        job = self._job(trial.variant, await self.known())
        return self._trial(trial.variant, (await self._cold([job]))[trial.variant.key])

    def _job(self, variant: Variant, known: Known) -> WarmJob:
        ground, counted = self._ground, set(self._ground.counted)
        first = [t for t in known.tests_of(variant.path, variant.lines) if t in counted]
        tests = tuple(dict.fromkeys([*first, *ground.task.assay.fail_to_pass, *ground.task.assay.pass_to_pass]))
        return WarmJob(
            variant.key,
            files=variant.files,
            test_files=ground.task.assay.test_files,
            tests=tests if not known.cannot else (),
            stop_early=True,
            wall_seconds=max(MIN_SECONDS, PATIENCE * known.seconds),
            memory_mib=ground.task.assay.limits.memory_mib,
        )

    def _trial(self, variant: Variant, run: WarmRun) -> Trial:
        fate, by, message = fate_of(run, self._ground.counted)
        return Trial(variant, fate, by, message, run.seconds)

    async def answers(self, variants: Sequence[Variant]) -> dict[str, bool | None]:
        """Whether the tests are told anything else by a variant than by the reference change: None when that cannot
        be seen. The reference change is asked twice, and tests that hear something else each time do not count.
        """
        known = await self.known()
        if known.cannot or not variants:
            return dict.fromkeys((variant.key for variant in variants), None)
        ground = self._ground
        watched = tuple(p for p in ground.gold if p.endswith(".py") and not is_test_path(p))

        def job(key: str, files: Mapping[str, FileState | None]) -> WarmJob:
            return WarmJob(
                key,
                files=files,
                test_files=ground.task.assay.test_files,
                tests=ground.counted,
                watching="values",
                watched=watched,
                wall_seconds=max(MIN_SECONDS, 3 * PATIENCE * known.seconds),
                memory_mib=ground.task.assay.limits.memory_mib,
            )

        jobs = [job(f"{SCOUT}-{n}", {}) for n in (1, 2)] + [job(v.key, v.files) for v in variants]
        runs = await self.run(jobs)
        one, two = (runs[f"{SCOUT}-{n}"].values for n in (1, 2))
        steady = {test for test, digest in one.items() if two.get(test) == digest}
        return {v.key: _differs(runs[v.key], one, steady) for v in variants}


def _differs(run: WarmRun, gold: Mapping[str, str], steady: set[str]) -> bool | None:
    if run.fault or not run.report.complete:
        return None
    return any(run.values.get(test) != gold[test] for test in steady)


def fate_of(run: WarmRun, counted: Sequence[str]) -> tuple[Fate, str, str]:
    """What the listed tests say: the fate, who said it first, and in which words."""
    report, listed = run.report, set(counted)
    if run.fault:
        return "unknown", "", run.fault
    bad = {i: o for i, o in report.outcomes.items() if i in listed and o.status is not Status.PASSED}
    for name, outcome in bad.items():
        return "rejected", name, f"{outcome.error_type}: {outcome.message}".strip(": ")[:300]
    if report.stopped or not report.complete:
        why = "; ".join(str(problem) for problem in report.problems[:2])
        return "rejected", "", f"the {report.stopped} limit" if report.stopped else why
    # An id that lacks while others of the same function are there is named after something that varies.
    stems = {stem(test_id) for test_id in report.outcomes}
    absent = next((test_id for test_id in counted if stem(test_id) not in stems), "")
    reasons = [f"{o.error_type}: {o.message}"[:300] for o in report.uncollected.values()] or ["it did not run"]
    return ("rejected", absent, reasons[0]) if absent else ("accepted", "", "")


def _batches(jobs: Sequence[WarmJob]) -> list[list[WarmJob]]:
    """Shares of nearly equal size, dealt in turn, so that neighbours (often alike in cost) are spread."""
    count = max(min(WIDE, len(jobs)), -(-len(jobs) // BATCH))
    return [list(jobs[n::count]) for n in range(count)]
