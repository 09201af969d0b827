"""Making twins that can be trusted: each was seen to fail with the reference change before it may accuse anybody.

The base is run once for the lines at which it fails, the reference change once as it is; then every kind of twin in
turn, and at last a verdict's own runs, to see that nothing minds a failing neighbour. What does not behave is left out
and listed with the reason. The pool is kept under the content of task and environment, outside every sandbox.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
from pydantic import TypeAdapter, ValidationError

from assay.core.grading import grade_rounds
from assay.core.twins.cases import stem
from assay.core.twins.rounds import admitted, edits_by_file, lay_out, read_rounds, sealed_well, status_in
from assay.errors import StoreError
from assay.model.environment import Environment
from assay.model.report import Status, TestReport
from assay.model.sandbox import Usage
from assay.model.task import Task
from assay.model.tree import FileState, Tree
from assay.model.twin import Pool, Round, Twin, Woven
from assay.ports.framework import Hidden, Selection, TwinMaker
from assay.ports.store import Store
from assay.stages.running import Runner, TestRun, stack

REHEARSALS = 4
"""Verdicts of the reference change that are rehearsed at most, until one goes well; what minds failing neighbours loses
its twins. A task that does not get there cannot be judged: unknown is not no."""
NAMESPACE = "twins"
POOL: TypeAdapter[Pool] = TypeAdapter(Pool)


@dataclass(frozen=True, slots=True)
class Stand:
    """What all runs of a task share."""

    task: Task
    environment: Environment
    base: Tree
    base_layer: Path
    hidden: Hidden
    """What lies in the sandbox of the task's own tests."""
    hidden_layer: Path | None
    runner: Runner

    def read(self, path: str) -> bytes | None:
        """A file of the tests: the task's own, or the base's."""
        state = self.hidden[path] if path in self.hidden else self.base.get(path)
        return state.data if state and state.mode != "120000" else None

    def read_test(self, path: str) -> bytes | None:
        """A file that no candidate can have changed: only such a one can be woven."""
        framework, task = self.runner.framework, self.task.assay
        ours = path in self.hidden or path in task.test_files
        if ours or framework.is_test_file(path, self.base) or framework.is_support_file(path, self.base):
            return self.read(path)
        return None

    async def run(self, pool: Pool, chosen: Round, candidate: Path | None) -> TestRun:
        """One run of a verdict, with its woven files in a layer that goes away with it."""
        alone = bool(chosen.targets) and "::" in chosen.targets[0]
        selection = Selection(
            files=() if alone else chosen.targets or self.task.assay.test_files,
            ids=chosen.targets if alone else (),
            hidden=self.task.hidden_tests,
        )
        layers = stack(self.environment, self.base_layer, candidate, self.hidden_layer)
        limits = self.task.assay.limits
        files = self._woven(pool, chosen)
        if not files:
            return await self.runner.test(self.environment, layers, selection, limits)
        async with self.runner.layers.temporary(files) as top:
            return await self.runner.test(self.environment, (top, *layers), selection, limits)

    def _woven(self, pool: Pool, chosen: Round) -> Mapping[str, FileState]:
        framework, files = self.runner.framework, {}
        for path, edits in edits_by_file(pool, chosen).items():
            data = self.read(path)
            if data is not None and isinstance(framework, TwinMaker):
                state = self.hidden.get(path) or self.base[path]
                files[path] = FileState(framework.weave(data, edits), state.mode)
        return files


@dataclass(slots=True)
class Mint:
    """The work on the twins of one task."""

    stand: Stand
    gold: Path | None
    """The layer of the reference change."""
    draw: random.Random
    usage: Usage = field(default_factory=Usage)
    _missing: dict[str, str] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    """Functions of which some run of the reference change lacked an id."""

    async def make(self) -> Pool:
        """All twins that behaved. Raises SandboxError and its kin; a broken reference change is in the pool."""
        task, framework = self.stand.task.assay, self.stand.runner.framework
        plain = Round({})
        base, gold = await self._runs([(Pool(), plain, None), (Pool(), plain, self.gold)])
        self._note_gone(Pool(), plain, gold.report)
        known = Pool(volatile=tuple(sorted(self._gone)))
        judged = grade_rounds(task, known, (plain,), (gold.report,))
        if not judged.resolved:
            return Pool(broken=f"{judged.reason}: {_first(judged.problems, gold.report, task.fail_to_pass)}")
        if not isinstance(framework, TwinMaker):
            return Pool()
        traces = {i: o.frames for i, o in base.report.outcomes.items() if o.frames}
        counted = [*task.fail_to_pass, *task.pass_to_pass]
        woven, missing = framework.design(self.stand.read_test, counted, traces, self.draw)
        self._missing = missing
        at_stake = set(task.fail_to_pass)
        sealable = [w if at_stake & set(w.ids) else replace(w, seal=None) for w in woven]
        tried = await self._try({w.key: w for w in sealable}, gold.report)
        pool = Pool(woven=tuple(tried.values()), run_seconds=gold.usage.wall_seconds)
        return self._described(await self._rehearse(pool))

    async def _runs(self, wanted: Sequence[tuple[Pool, Round, Path | None]]) -> list[TestRun]:
        runs: dict[int, TestRun] = {}

        async def one(number: int, pool: Pool, chosen: Round, candidate: Path | None) -> None:
            runs[number] = await self.stand.run(pool, chosen, candidate)

        async with anyio.create_task_group() as group:
            for number, (pool, chosen, candidate) in enumerate(wanted):
                group.start_soon(one, number, pool, chosen, candidate)
        for run in runs.values():
            self.usage += run.usage
        return [runs[number] for number in range(len(wanted))]

    async def _try(self, woven: dict[str, Woven], plain: TestReport) -> dict[str, Woven]:
        """Run every twin and every seal once with the reference change, as many at a time as there are functions."""
        pool = Pool(woven=tuple(woven.values()))
        slots = range(max((len(w.twins) for w in woven.values()), default=0))
        rounds = [Round({w.key: n for w in woven.values() if n < len(w.twins)}, sealed=False) for n in slots]
        runs = await self._runs([(pool, chosen, self.gold) for chosen in (*rounds, Round({}))])
        for chosen, run in zip((*rounds, Round({})), runs, strict=True):
            self._note_gone(pool, chosen, run.report)
        tried = admitted(woven, [(n, run.report) for n, run in enumerate(runs[:-1])])
        return sealed_well(tried, plain, runs[-1].report)

    async def _rehearse(self, pool: Pool) -> Pool:
        """Runs as a verdict has them: the reference change must get through them."""
        task = self.stand.task.assay
        for _ in range(REHEARSALS):
            rounds = lay_out(pool, task.fail_to_pass, self.draw)
            runs = await self._runs([(pool, chosen, self.gold) for chosen in rounds])
            reports = [run.report for run in runs]
            for chosen, report in zip(rounds, reports, strict=True):
                self._note_gone(pool, chosen, report)
            pool = replace(pool, volatile=tuple(sorted(self._gone)))
            changed = self._without_offenders(pool, rounds, reports)
            judged = grade_rounds(task, pool, rounds, reports)
            if changed is pool and judged.resolved:
                return pool
            pool = changed
        if judged.resolved:  # something was left out once more, and even so nothing went wrong
            return pool
        why = _first(judged.problems, reports[0], task.fail_to_pass)
        return replace(pool, broken=f"its tests come out otherwise from run to run ({judged.reason}: {why})")

    def _note_gone(self, pool: Pool, chosen: Round, report: TestReport) -> None:
        """Remember listed ids that a run lacks although others of the same function are there, and nothing was changed
        in it.
        """
        task, stems = self.stand.task.assay, {stem(i) for i in report.outcomes}
        owners = {i: w for w in pool.woven for i in w.ids}
        for test_id in (*task.fail_to_pass, *task.pass_to_pass):
            owner = owners.get(test_id)
            itself = chosen.runs(test_id) and (owner is None or owner.key not in chosen.choices)
            sealed = owner is not None and owner.seal is not None and chosen.sealed  # parameters may be named otherwise
            if itself and not sealed and test_id not in report.outcomes and stem(test_id) in stems:
                self._gone.add(stem(test_id))

    def _without_offenders(self, pool: Pool, rounds: Sequence[Round], reports: Sequence[TestReport]) -> Pool:
        task = self.stand.task.assay
        counted = [*task.fail_to_pass, *task.pass_to_pass]
        found = read_rounds(pool, rounds, reports, counted, {*task.quarantined, *task.uncounted}, set(pool.volatile))
        fragile = {i for i, status in found.statuses.items() if status is not Status.PASSED} - set(pool.plain)
        misbehaved = {stem(i) for i in (*found.unclear, *found.strangers)}
        # A green twin here is no accusation but a twin that is good for nothing: nobody is on trial.
        for chosen, report in zip(rounds, reports, strict=True):
            twins = [(w, w.twins[chosen.choices[w.key]]) for w in pool.woven if w.key in chosen.choices]
            misbehaved |= {stem(i) for _, t in twins for i in t.failing if status_in(report, i) is Status.PASSED}
        if not fragile and not misbehaved:
            return pool
        woven = []
        for one in pool.woven:
            stems = {stem(i) for i in one.ids}
            if stems & ({stem(i) for i in fragile} | misbehaved):
                why = "does not stand a failing neighbour" if set(one.ids) & fragile else "behaves otherwise each time"
                self._missing |= dict.fromkeys(one.ids, why)
                woven.append(replace(one, twins=(), seal=None))
            else:
                woven.append(one)
        plain = dict.fromkeys([*pool.plain, *(i for i in counted if i in fragile)])
        return replace(pool, woven=tuple(woven), plain=tuple(plain))

    def _described(self, pool: Pool) -> Pool:
        without, unchanged = dict(self._missing), dict[str, str]()
        without |= dict.fromkeys(
            pool.volatile, "its ids come and go with the reference change: missing ones do not count"
        )
        for woven in pool.woven:
            if not woven.twins:
                without |= {i: without.get(i, "no wrong expectation made it fail") for i in woven.ids}
            elif all(t.kind == "forced" for t in woven.twins):
                unchanged |= dict.fromkeys(woven.ids, "no expectation in it could be changed so that it fails")
        return replace(pool, without=without, without_changed=unchanged)


def _first(problems: Sequence[str], report: TestReport, fail_to_pass: Sequence[str]) -> str:
    if problems:
        return problems[0]
    failing = next((i for i in fail_to_pass if status_in(report, i) is not Status.PASSED), "")
    return f"{failing} {status_in(report, failing)}" if failing else "a test that should pass fails"


def keep(store: Store, key: str, pool: Pool) -> str:
    """Remember a pool; the digest of its blob."""
    digest = store.put_blob(POOL.dump_json(pool))
    store.remember(NAMESPACE, key, {"pool": digest})
    return digest


def recall(store: Store, key: str) -> tuple[Pool, str] | None:
    """The pool that was made last, if it is still there and readable."""
    known = store.recall(NAMESPACE, key)
    if known is None:
        return None
    try:
        digest = str(known["pool"])
        return load(store, digest), digest
    except (StoreError, KeyError):
        return None


def load(store: Store, digest: str) -> Pool:
    """A pool by the digest of its blob. Raises StoreError."""
    try:
        return POOL.validate_json(store.get_blob(digest))
    except (ValidationError, json.JSONDecodeError) as error:
        raise StoreError(f"the twins {digest[:12]} were written by another version of assay") from error


__all__ = ["Mint", "Stand", "Twin", "keep", "load", "recall"]
