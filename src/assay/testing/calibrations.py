"""A front end's view of calibrations: real task folders, and an agent whose name says at which rate it solves them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from assay.adapters.format.harbor import HarborFormat
from assay.core.calibration.curve import DifficultyReport
from assay.core.hashing import task_digest
from assay.model.agent import Entrant
from assay.model.calibration_run import CalibrateOptions, CalibrationRun, Monitored
from assay.model.event import OnEvent
from assay.model.options import DifficultyOptions, RunOptions
from assay.model.trial import Trial
from assay.model.trial_record import TrialRecord
from assay.stages.calibrate import calibrate
from assay.stages.difficulty import difficulty_report
from assay.stages.monitoring import monitor
from assay.stages.toolbox import Toolbox
from assay.stages.trial_records import trial_of
from assay.stages.trials import TrialRunner, TrialSettings
from assay.testing.store import MemoryStore
from assay.testing.trials import ScriptedCraft, bare_toolbox


class Calibrations:
    """The use cases of an `App` that measure. A task's name ends with its rate in per cent: `middle-50`."""

    trials = MemoryStore()

    async def calibrate(self, options: CalibrateOptions, project_dir: Path | None, on_event: OnEvent) -> CalibrationRun:
        """Trials by script, everything else as it is."""
        del project_dir
        runner, tools = self._runner(options.run, on_event)
        return await calibrate(options, runner, tools, on_event)

    async def monitor(self, options: RunOptions, project_dir: Path | None, on_event: OnEvent) -> Monitored:
        """The same."""
        del project_dir
        runner, tools = self._runner(options, on_event)
        return await monitor(options.tasks, runner, tools, on_event)

    def _runner(self, options: RunOptions, on_event: OnEvent) -> tuple[TrialRunner, Toolbox]:
        tasks = HarborFormat()
        digests = {path.name: task_digest(tasks.read(path)) for path in options.tasks}
        entrant = Entrant(agent=options.choice.agent, model=options.choice.model)
        craft = ScriptedCraft(_solved, entrant, 0.01, digest=digests.__getitem__)
        tools = replace(bare_toolbox(self.trials), tasks=tasks)
        return TrialRunner(craft, tools, TrialSettings(4, 1, options.budget_usd), on_event), tools

    def difficulty(self, options: DifficultyOptions, project_dir: Path) -> DifficultyReport:
        """Of the tasks that are named, or all below `tasks`."""

        def read(record: TrialRecord) -> Trial:
            return trial_of(record, self.trials, whole=False)

        paths = options.tasks or tuple(sorted(place.parent for place in (project_dir / "tasks").glob("*/task.toml")))
        return difficulty_report(project_dir.name, paths, HarborFormat(), self.trials, read, model=options.model)


def _solved(task: str, number: int) -> bool:
    return random.Random(f"{task}#{number}").random() < int(task.rpartition("-")[2]) / 100
