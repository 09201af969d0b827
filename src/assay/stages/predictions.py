"""Grading a whole run: many predictions on many tasks, each task prepared once for all who tried it.

A verdict that was reached is remembered under the task's content, the patch and this version, so that a run that was
broken off goes on where it was. A fault is a verdict without an answer and is not remembered.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import anyio
from pydantic import ValidationError

from assay import __version__
from assay.core.exchange.swebench_predictions import EMPTY
from assay.core.hashing import json_digest, task_digest
from assay.errors import AssayError, InfrastructureError, InputError, TaskDefinitionError
from assay.model.event import OnEvent, Stage
from assay.model.prediction import Graded, Prediction
from assay.model.task import Task
from assay.model.verdict import Verdict
from assay.stages.judging import WEAVING, failed
from assay.stages.scripted import Try, judge_script
from assay.stages.toolbox import Toolbox
from assay.stages.verify import judge_prepared, prepare_on_record

MEMORY = "graded"
NOBODY = "prediction"
"""Who made a change that no one claims."""


async def grade_predictions(
    predictions: Sequence[Prediction],
    tasks: Mapping[str, Path],
    tools: Toolbox,
    emit: OnEvent,
    *,
    jobs: int = 2,
    fresh: bool = False,
) -> list[Graded]:
    """Judge every prediction on the task of its name (`tasks`: instance id to folder), `jobs` tasks at a time; in the
    order of the file. `Graded` is told as each is done. Raises PrerequisiteError.
    """
    results: dict[int, Graded] = {}
    by_name: dict[str, list[int]] = defaultdict(list)
    for number, prediction in enumerate(predictions):
        by_name[prediction.instance_id].append(number)
    limiter = anyio.CapacityLimiter(max(1, jobs))

    async def one(name: str, numbers: Sequence[int]) -> None:
        async with limiter:
            run = _Run(name, tasks.get(name), tools, emit, fresh)
            async for number, graded in run.grade([(n, predictions[n]) for n in numbers]):
                results[number] = graded
                emit(graded)

    async with anyio.create_task_group() as group:
        for name, numbers in by_name.items():
            group.start_soon(one, name, numbers)
    return [results[number] for number in sorted(results)]


class _Run:
    """All predictions of one task."""

    def __init__(self, name: str, path: Path | None, tools: Toolbox, emit: OnEvent, fresh: bool) -> None:
        self.name, self.path, self.tools, self.emit, self.fresh = name, path, tools, emit, fresh

    async def grade(self, wanted: Sequence[tuple[int, Prediction]]) -> AsyncIterator[tuple[int, Graded]]:
        """One after the other: they share an environment, and the runs of each use all cores there are."""
        try:
            task = await self._task()
        except AssayError as error:
            for number, prediction in wanted:
                yield number, Graded(self.name, prediction.model, prediction.patch, problem=error)
            return
        digest = task_digest(task)
        open_ones = []
        for number, prediction in wanted:
            known = self._known(task, digest, prediction)
            if known is not None:
                yield number, Graded(self.name, prediction.model, prediction.patch, known, recalled=bool(known.seed))
            else:
                open_ones.append((number, prediction))
        try:
            async for number, verdict, prediction in self._judged(task, digest, open_ones):
                yield number, Graded(self.name, prediction.model, prediction.patch, verdict)
        except TaskDefinitionError as error:  # of this task, and told before any of its predictions was judged
            for number, prediction in open_ones:
                yield number, Graded(self.name, prediction.model, prediction.patch, problem=error)

    async def _task(self) -> Task:
        if self.path is None:
            raise InputError(f"there is no task {self.name!r:.80} here", hint="import its row, or name its folder")
        return await anyio.to_thread.run_sync(self.tools.tasks.read, self.path)

    def _known(self, task: Task, digest: str, prediction: Prediction) -> Verdict | None:
        """A verdict that needs no run: on a change that changes nothing, or one that was reached before."""
        if not prediction.patch:
            return Verdict(
                task=task.slug, task_digest=digest, agent=prediction.model or NOBODY, reason=EMPTY, resolved=False,
                reward=0, patch_sha256=hashlib.sha256(b"").hexdigest(),
            )  # fmt: skip
        if self.fresh:
            return None
        try:
            known = Verdict.model_validate(self.tools.store.recall(MEMORY, _key(digest, prediction)))
        except ValidationError:
            return None
        return known.model_copy(update={"agent": prediction.model or NOBODY})

    async def _judged(
        self, task: Task, digest: str, wanted: Sequence[tuple[int, Prediction]]
    ) -> AsyncIterator[tuple[int, Verdict, Prediction]]:
        if not wanted:
            return
        judge = await self._judge(task, digest)
        for number, prediction in wanted:
            self.emit(Stage(subject=task.slug, stage=f"grade {prediction.model or NOBODY}"))
            verdict = await judge(prediction.model or NOBODY, prediction.patch)
            if verdict.failure is None:
                facts = verdict.model_dump(mode="json")
                await anyio.to_thread.run_sync(self.tools.store.remember, MEMORY, _key(digest, prediction), facts)
            yield number, verdict, prediction

    async def _judge(self, task: Task, digest: str) -> Callable[[str, bytes], Awaitable[Verdict]]:
        """The task's judge, made once; where it cannot be made, one that says so of every change. Raises
        TaskDefinitionError, PrerequisiteError.
        """
        if task.is_scripted:
            return lambda name, patch: judge_script(task, Try(name, patch), self.tools)
        try:
            prepared = await prepare_on_record(task, self.tools, self.emit)
        except InfrastructureError as error:
            fault = error

            async def unable(name: str, patch: bytes) -> Verdict:
                return failed(task.slug, digest, name, patch, fault)

            return unable
        return lambda name, patch: judge_prepared(prepared, name, patch, self.tools)


def _key(digest: str, prediction: Prediction) -> str:
    return json_digest([__version__, WEAVING, digest, hashlib.sha256(prediction.patch).hexdigest()])
