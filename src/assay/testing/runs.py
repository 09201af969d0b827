"""A front end's view of runs of trials, with trials that end as a script says."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from assay.errors import AssayError, InputError, ProviderError
from assay.model.agent import Entrant
from assay.model.event import OnEvent
from assay.model.options import RunOptions
from assay.model.summary import TrialView
from assay.model.trial_run import TrialsRun, Wish
from assay.stages.trial_records import entrant_of, found_trial, trial_of
from assay.stages.trials import TrialRunner, TrialSettings
from assay.testing.store import MemoryStore
from assay.testing.trials import ScriptedCraft, bare_toolbox


class Runs:
    """The use case `run` of an `App`; what it has made, `trial` shows."""

    usd: float | None = 0.25

    @cached_property
    def store(self) -> MemoryStore:
        """Where its trials are kept."""
        return MemoryStore()

    async def run(self, options: RunOptions, project_dir: Path | None, on_event: OnEvent) -> TrialsRun:
        """Raises InputError for the agent `none`."""
        if options.choice.agent == "none":
            raise InputError("there is no agent 'none'", hint="the known ones are: oracle")
        entrant = Entrant(agent=options.choice.agent, model=options.choice.model, limits=options.choice.limits)
        craft = ScriptedCraft(_ending, entrant, self.usd, prepare_script=_unusable)
        settings = TrialSettings(options.concurrent or 1, 1, options.budget_usd)
        runner = TrialRunner(craft, bare_toolbox(self.store), settings, on_event)
        ends = await runner.run([Wish(path, n) for path in options.tasks for n in range(1, options.attempts + 1)])
        usd, unpriced = runner.purse.spent_usd, runner.purse.unpriced_count
        return TrialsRun(entrant, runner.entrant_digest, tuple(ends), runner.stopped, usd, unpriced)

    def trial(self, what: str) -> TrialView:
        """A trial that was made. Raises InputError."""
        tries = found_trial(self.store, what)
        if not tries:
            raise InputError(f"there is no trial {what!r}", hint="see `assay run`")
        return TrialView(
            tries[-1], trial_of(tries[-1], self.store), entrant_of(tries[-1], self.store), tuple(tries[:-1])
        )


def _ending(task: str, number: int) -> bool | AssayError:
    known: dict[str, bool | AssayError] = {
        "solved": True, "failed": False, "void": ProviderError("the endpoint \x1b[31mis down")
    }  # fmt: skip
    return known.get(task, number % 2 == 1)


def _unusable(task: str) -> AssayError | None:
    return InputError("task.toml: found nothing, expected a table") if task == "broken" else None
