"""One candidate, from its two trees to a task folder whose tests have been seen to fail and to pass.

The order is by cost: what rejects cheaply comes first. Every step appends to the ledger what it cost; every way out
but the last is a `Rejection` with its reason or an `InfrastructureError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import anyio

from assay.core.admission import Admission, Judgement, admit
from assay.core.causes import acceptable, classifier
from assay.core.drafts import INSTRUCTION, material
from assay.core.exclusion import Exclusions, change_key
from assay.core.grading import grade
from assay.core.hashing import json_digest, task_digest
from assay.core.interface import needed_names, unsaid_texts
from assay.core.packaging_noise import strip_noise
from assay.core.paths import classify
from assay.core.prompts import Prompt
from assay.core.prompts import compose as compose_prompt
from assay.core.protection import protection
from assay.core.related_tests import related
from assay.core.requirements import project_name
from assay.core.splitting import Split, changed_line_count, split
from assay.core.task_files import compose as compose_task
from assay.errors import EnvironmentBuildError, InfrastructureError, Rejection, VerifierError
from assay.model.candidate import Candidate, CandidateContent
from assay.model.environment import Environment
from assay.model.event import Log, OnEvent, Stage
from assay.model.ledger import Cost, LedgerEntry
from assay.model.reason import Reason
from assay.model.report import TestReport
from assay.model.sandbox import Limits
from assay.model.task import Provenance, Task
from assay.model.tree import FileState, Tree, changes_between
from assay.ports.environment import Built
from assay.ports.framework import Framework, Selection
from assay.ports.writer import Writer
from assay.stages.evidence import verify_evidence
from assay.stages.running import Runner, stack
from assay.stages.same_changes import SameChanges
from assay.stages.toolbox import Toolbox, cost_of

SuiteName = Literal["whole", "reached", "changed"]
NARROWER_HELPS = frozenset(
    {
        *(Reason.TIMEOUT, Reason.RESOURCES, Reason.GOLD_FAILS),
        *(Reason.BASE_BROKEN, Reason.FLAKY, Reason.TESTS_NOT_COLLECTED),
    }
)
"""Why the whole suite may say nothing where a part of it does. That nothing flips is true of every part, too."""


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """The project's limits for one task."""

    test_limits: Limits = field(default_factory=lambda: Limits(wall_seconds=300))
    test_seconds: float = 60.0
    suite_seconds: float = 120.0
    """What a run of more than the changed tests may take; otherwise a part of the suite has to do."""
    max_changed_files: int = 40
    max_changed_lines: int = 1500
    licences: tuple[str, ...] = ()
    """SPDX identifiers that are allowed; empty for all."""
    framework: str = "pytest"
    exclusions: Exclusions = field(default_factory=Exclusions)
    """Rows of benchmarks that must not become tasks."""


@dataclass(slots=True)
class Proof:
    """The work on one candidate. `entries` and `task` can be read whatever way `run` ended."""

    candidate: Candidate
    tools: Toolbox
    settings: ProofSettings
    emit: OnEvent
    turn: AbstractAsyncContextManager[None]
    """The candidate's turn to build its environment."""
    same: SameChanges
    entries: list[LedgerEntry] = field(default_factory=list)
    task: Task | None = None
    change: str | None = None
    """What the change has in common with equal ones (see `assay.core.exclusion.change_key`), once it is split."""

    async def run(self) -> Path:
        """Prove the candidate and write its task; the folder. Raises Rejection or InfrastructureError."""
        framework = self.tools.framework(self.settings.framework)
        content = await self._fetch()
        base, gold = content.base, strip_noise(content.base, content.gold)
        parts = self._split(base, gold, framework)
        async with self.step("split"):
            patch = await self.tools.patches.diff(parts.gold)
            self.change = change_key(patch, content.source)
            self._refuse("change", self.settings.exclusions.by_content(self.change))
            base_layer = await self.tools.layers.put(base)
            inside = framework.inside(parts.hidden)
            hidden_layer = await self.tools.layers.put(inside) if inside else None
        built = await self._environment(content, base_layer)
        is_protected = protection(
            framework.protected_patterns(),
            parts.hidden,
            base,
            is_test=framework.is_test_file,
            is_support=framework.is_support_file,
        )
        runner = self.tools.runner(framework)
        applied = await runner.apply(patch, base_layer, is_protected)
        if applied.problem or applied.layer is None:
            raise VerifierError(f"{self.candidate.title}: the reference change does not apply: {applied.problem}")
        trial = _Trial(self, runner, built.environment, base_layer, hidden_layer, applied.layer)
        judgement = Judgement(cause_of=classifier(base, gold), acceptable=acceptable)
        proved = await self._admit(trial, self._suites(parts, gold, framework), judgement)
        async with self.step("write"):
            self.task = await self._compose(content, parts, patch, built.environment, proved)
            self._cross_check(self.task, proved)
            path = await anyio.to_thread.run_sync(self.tools.tasks.write, self.task, self.tools.tasks_folder)
            digest, clock = task_digest(self.task), self.tools.clock
            evidence = verify_evidence(
                self.task,
                digest,
                built.environment,
                proved.admission,
                proved.base_runs,
                proved.gold_runs,
                clock,
                suite=proved.suite.described(),
            )
            await anyio.to_thread.run_sync(self.tools.tasks.write_evidence, path, evidence)
        return path

    @asynccontextmanager
    async def step(self, stage: str) -> AsyncIterator[list[Cost]]:
        """A step in the ledger, whatever way it ends; costs of sandboxed work are put into the list."""
        self.emit(Stage(subject=self.candidate.title, stage=stage))
        started_at, before = self.tools.clock.now(), self.tools.clock.monotonic()
        costs: list[Cost] = []
        outcome = "interrupted"
        try:
            yield costs
            outcome = "ok"
        except Rejection as rejection:
            outcome = rejection.reason
            raise
        except Exception as error:
            outcome = f"failure:{getattr(error, 'boundary', 'assay')}"
            raise
        finally:
            spent = sum(costs, Cost())
            wall = Cost(wall_seconds=max(0.0, self.tools.clock.monotonic() - before - spent.wall_seconds))
            cost = spent + wall
            self.entries.append(self.tools.entry(stage, self.candidate.key, started_at, cost, outcome))

    async def _fetch(self) -> CandidateContent:
        async with self.step("fetch"):
            self._refuse("commit", self.settings.exclusions.by_commit(self.candidate.source))
            content = await self.candidate.load()
            licence = content.source.licence
            if self.settings.licences and licence not in self.settings.licences:
                raise Rejection(Reason.LICENCE, f"licence {licence or 'unknown'} is not on the allow list")
            return content

    @staticmethod
    def _refuse(what: str, row: str) -> None:
        if row:
            raise Rejection(Reason.BENCHMARK, f"the same {what} is in an excluded benchmark: {row}")

    def _split(self, base: Tree, gold: Tree, framework: Framework) -> Split:
        if not any(framework.is_test_file(path, gold) for path in gold):
            raise Rejection(Reason.NO_TESTS, "the source carries no tests")
        patterns = protection(
            framework.protected_patterns(), (), {}, is_test=lambda *_: False, is_support=lambda *_: False
        )
        parts = split(
            changes_between(base, gold),
            base,
            gold,
            is_test=framework.is_test_file,
            is_support=framework.is_support_file,
            is_source=lambda path: classify(path) == "source" and not patterns(path),
        )
        if not parts.gold:
            raise Rejection(Reason.NO_SOURCE_CHANGE, "nothing but tests, documentation and packaging changed")
        if not parts.tests:
            raise Rejection(Reason.NO_TEST_CHANGE, "no test changed")
        lines = changed_line_count(parts.gold)
        if len(parts.gold) > self.settings.max_changed_files or lines > self.settings.max_changed_lines:
            raise Rejection(
                Reason.CHANGE_TOO_LARGE,
                f"{len(parts.gold)} files and {lines} lines of source changed; the project's limits are "
                f"{self.settings.max_changed_files} and {self.settings.max_changed_lines}",
            )
        return parts

    def _suites(self, parts: Split, gold: Tree, framework: Framework) -> Iterator[_Suite]:
        """All tests of the project first, because a wrong change breaks others; then those that the change can reach,
        if the whole takes too long; then only those that changed.
        """
        every = tuple(sorted(path for path in gold if framework.is_test_file(path, gold)))
        limits = self.settings.test_limits
        soon = limits.model_copy(update={"wall_seconds": min(self.settings.suite_seconds, limits.wall_seconds)})

        def suite(name: SuiteName, files: tuple[str, ...]) -> _Suite:
            selection = Selection(files=files, test_seconds=self.settings.test_seconds)
            return _Suite(name, selection, limits if name == "changed" else soon, len(every))

        yield suite("whole", every)
        reached = related(gold, [change.path for change in (*parts.gold, *parts.tests)], every)
        if reached and reached != every:
            yield suite("reached", reached)
        if parts.collected and parts.collected not in (every, reached):
            yield suite("changed", parts.collected)

    async def _environment(self, content: CandidateContent, base_layer: Path) -> Built:
        source = content.source
        async with self.turn:
            task = await self.same.take(self.change, self.candidate.key)
            async with self.step("environment") as costs:
                if task:
                    raise Rejection(Reason.DUPLICATE, f"the same change is the task {task} already")
                try:
                    built = await self.tools.environments.provide(
                        content.base,
                        base_layer,
                        repository=f"{source.kind}:{source.origin}",
                        date=source.gold_date,
                        name=source.origin if source.kind == "pypi" else project_name(content.base),
                        version=content.version,
                    )
                except InfrastructureError as error:
                    spent = error.context.get("cost")
                    if spent is not None:
                        costs.append(Cost.model_validate(spent))
                    if not isinstance(error, EnvironmentBuildError):
                        raise
                    # Every rung was climbed and none held: that says something about the candidate.
                    detail = f"{error.step}: {error.message}\n{error.tail}".strip()
                    raise Rejection(Reason.ENVIRONMENT, detail) from error
                costs.append(built.cost)
        for rung in built.rungs:
            if rung.error:
                self.emit(Log(subject=self.candidate.title, text=f"{rung.step}: {rung.error}\n{rung.tail}"))
        return built

    async def _admit(self, trial: _Trial, suites: Iterator[_Suite], judgement: Judgement) -> _Proved:
        """The first suite under which the change proves itself; the last one's reason when none does."""
        for suite in suites:
            proved = await self._admit_one(trial, suite, judgement)
            if proved.admission.reason is None:
                return proved
            if proved.admission.reason not in NARROWER_HELPS:
                break
        reason = proved.admission.reason or Reason.NO_FAIL_TO_PASS
        raise Rejection(reason, proved.admission.detail)

    async def _admit_one(self, trial: _Trial, suite: _Suite, judgement: Judgement) -> _Proved:
        """Two runs of each side; the second pair only when the first gives something to confirm."""
        proved = _Proved(suite, Admission(), [], [])
        for _ in range(2):
            async with anyio.create_task_group() as group:
                group.start_soon(trial.run_into, proved.base_runs, "base", suite, None)
                group.start_soon(trial.run_into, proved.gold_runs, "gold", suite, trial.gold_layer)
            proved.admission = admit(proved.base_runs, proved.gold_runs, judgement)
            if proved.admission.reason:
                break
        return proved

    async def _draft(self, writer: Writer, content: CandidateContent, told: str) -> tuple[str, str]:
        """What the model makes of the same words, and its name; it is asked once for the same words."""
        store = self.tools.store
        asked = material(content.notes, told)
        key = json_digest([writer.name, INSTRUCTION, asked])
        known = await anyio.to_thread.run_sync(store.recall, "draft", key)
        if known is None:
            async with self.step("draft"):
                drafted = await writer.draft(INSTRUCTION, asked)
            known = {"text": drafted.text, "input": drafted.input_tokens, "output": drafted.output_tokens}
            await anyio.to_thread.run_sync(store.remember, "draft", key, known)
        return str(known.get("text", "")), writer.name

    async def _compose(
        self,
        content: CandidateContent,
        parts: Split,
        patch: bytes,
        environment: Environment,
        proved: _Proved,
    ) -> Task:
        items = needed_names(content.base, _with(content.base, parts), parts.hidden)
        write = partial(
            compose_prompt,
            content.notes,
            items,
            project=project_name(content.base) or content.source.origin,
            revision=content.source.base_revision,
            changes=parts.gold,
            fail_to_pass=proved.admission.fail_to_pass,
            tests_text="\n".join(s.data.decode("utf-8", "replace") for s in parts.hidden.values() if s),
        )
        _demand_usable(prompt := write())
        if self.tools.writer is not None:
            draft = await self._draft(self.tools.writer, content, prompt.text)
            _demand_usable(prompt := write(draft=draft))
        if unsaid := unsaid_texts(content.base, _with(content.base, parts), parts.hidden, prompt.text):
            raise Rejection(
                Reason.HIDDEN_TEXT, f"the tests expect this text, which nobody could guess: {unsaid[0][:200]}"
            )
        framework = self.tools.framework(self.settings.framework)
        return compose_task(
            slug=self.candidate.slug,
            source=content.source,
            recipe=environment.recipe,
            framework=framework.name,
            test_files=proved.suite.selection.files,
            hidden=parts.hidden,
            gold_patch=patch,
            admission=proved.admission,
            protected=tuple(framework.protected_patterns()),
            limits=self.settings.test_limits,
            provenance=Provenance(instruction=prompt.provenance, tests="maintainers", gold="maintainers"),
            instruction=prompt.text,
        )

    def _cross_check(self, task: Task, proved: _Proved) -> None:
        """The task as written must say of its own runs what they said: a mismatch is a bug of ours."""
        if not all(grade(task.assay, run).resolved for run in proved.gold_runs):
            raise Rejection(Reason.GOLD_FAILS, "the reference change does not satisfy the whole verifier")
        if any(grade(task.assay, run).resolved for run in proved.base_runs):
            raise VerifierError(f"{task.slug}: the verifier accepts the base")


def _demand_usable(prompt: Prompt) -> None:
    if prompt.unusable:
        raise Rejection(Reason.LEAK if prompt.leaks else Reason.NO_PROMPT, prompt.unusable)


def _with(base: Tree, parts: Split) -> Tree:
    """The base with the reference change and without its tests."""
    changed = {change.path: change.new for change in parts.gold}
    merged: dict[str, FileState | None] = {**base, **changed}
    return {path: state for path, state in merged.items() if state is not None}


@dataclass(frozen=True, slots=True)
class _Suite:
    """Which of a project's tests judge, and what a run of them may take."""

    name: SuiteName
    selection: Selection
    limits: Limits
    file_count: int
    """Test files of the whole project."""

    def described(self) -> dict[str, object]:
        """For the evidence."""
        return {"selection": self.name, "files": len(self.selection.files), "of_files": self.file_count}


@dataclass(slots=True)
class _Proved:
    """What the runs of a suite showed."""

    suite: _Suite
    admission: Admission
    base_runs: list[TestReport]
    gold_runs: list[TestReport]


@dataclass(frozen=True, slots=True)
class _Trial:
    """The runs of one candidate: everything but the layer under test stays the same."""

    proof: Proof
    runner: Runner
    environment: Environment
    base_layer: Path
    hidden_layer: Path | None
    gold_layer: Path

    async def run_into(self, reports: list[TestReport], stage: str, suite: _Suite, layer: Path | None) -> None:
        """Run once and keep the report."""
        layers = stack(self.environment, self.base_layer, layer, self.hidden_layer)
        async with self.proof.step(stage) as costs:
            run = await self.runner.test(self.environment, layers, suite.selection, suite.limits)
            costs.append(cost_of(run.usage))
        reports.append(run.report)
