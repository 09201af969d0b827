"""`assay calibrate`: as few trials as will say which tasks are too easy, too hard or just right for a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import consent, errors, trial_lines
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import display
from assay.cli.run import POSITIVE, agent_options, choice_of, tasks_of
from assay.cli.running import run_async
from assay.cli.wishes import BELIEF, HISTORY, WISH, belief_options, wish_options
from assay.model.agent import AgentChoice, TrialLimits
from assay.model.options import RunOptions

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.model.calibration_run import CalibrationRun

RUN = "The run"
SHARE = click.FloatRange(min=0, max=1)


@click.command(
    "calibrate",
    cls=AssayCommand,
    examples=(
        "assay calibrate --agent mini --model gpt-5-mini --band 0.1:0.9",
        "assay calibrate --agent mini --model gpt-5-mini --accept 20 --precision 0.95 --budget-usd 40",
        "assay calibrate --agent mini --model gpt-5-mini --monitor",
    ),
)
@click.argument("tasks", metavar="[TASK]...", nargs=-1)
@agent_options
@belief_options
@option("--no-memory", group=BELIEF, is_flag=True, help="Do not let results of other models sharpen the prior.")
@option("--checkpoint", group=BELIEF, metavar="MODEL", default="", help="The model that this one was trained from.")
@wish_options
@option(
    "--budget",
    group=WISH,
    metavar="N",
    type=click.IntRange(min=1),
    help="New rollouts in all, spent where they are worth most.",
)
@option("--budget-usd", group=RUN, metavar="USD", type=POSITIVE, help="Begin no trial when so much is spent.")
@option(
    "--recheck",
    group=RUN,
    metavar="SHARE",
    type=SHARE,
    default=0.0,
    help="Try this share of the placed tasks again, with 32 fresh rollouts each, and say how often they disagree.",
)
@option(
    "--monitor",
    group=RUN,
    is_flag=True,
    help="Instead: two rollouts a task, which tell whether the set still teaches the model.",
)
@option("--concurrent", group=RUN, metavar="N", type=click.IntRange(min=1), help="Trials in flight.")
@option("--jobs", group=RUN, metavar="N", type=click.IntRange(min=1), help="Tasks that are prepared at a time.")
@sandbox_options
@project_option
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    tasks: tuple[str, ...],
    agent: str | None,
    model: str,
    model_url: str,
    line: str,
    predictions: Path | None,
    wall: float,
    steps: int,
    tokens: int | None,
    usd: float | None,
    band: str,
    grey: float,
    prior: str,
    no_memory: bool,
    checkpoint: str,
    match: int | None,
    target_error: float | None,
    budget: int | None,
    accept: int | None,
    precision: float,
    cap: int | None,
    waves: tuple[int, ...] | None,
    budget_usd: float | None,
    recheck: float,
    monitor: bool,
    concurrent: int | None,
    jobs: int | None,
    sandbox: str,
    unsafe: bool,
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Measure how often a model solves each TASK (a folder, or a slug in a project; without any, all of the project's),
    as far as it takes to place it in, above or below the band. `assay plan` says before what that will cost.

    Trials that were made before count; the same line goes on. What is found stands in evidence/difficulty.json.
    Ends with 0 when every task is placed, 4 when one is not, 1 when a task or an option is wrong (--monitor: also when
    the set has nothing left to teach).
    """
    from assay.core.calibration.notation import parse_band, parse_prior
    from assay.model.calibration_run import CalibrateOptions
    from assay.model.plan import PlanOptions

    consent.require(sandbox, unsafe)
    if sum(wish is not None for wish in (match, target_error, budget, accept)) > 1:
        raise click.UsageError("--match, --target-error, --budget and --accept exclude each other")
    limits = TrialLimits(wall_seconds=wall, step_count=steps, tokens=tokens, usd=usd)
    choice = choice_of(agent, line, AgentChoice("", model, model_url, line, predictions, limits))
    home = projects.existing(project) if project is not None else None
    home = home or projects.nearest(Path(tasks[0]) if tasks else Path.cwd()) or projects.nearest(Path.cwd())
    trials = RunOptions(tasks_of(tasks, home), choice, 1, concurrent, jobs, budget_usd, None, sandbox, unsafe)
    if monitor:
        return _monitored(app, trials, home, quiet=quiet, as_json=as_json)
    wish = PlanOptions(
        prior=None if prior == HISTORY else parse_prior(prior),
        band=parse_band(band, grey),
        match=match,
        target_error=target_error,
        accept=accept,
        precision=precision,
        cap=cap,
        waves=waves or (),
    )
    options = CalibrateOptions(trials, wish, budget, checkpoint, not no_memory, recheck)
    with display(quiet=quiet) as shown:
        run = run_async(lambda: app.calibrate(options, home, trial_lines.teller(shown, as_json=as_json)))
        with shown.above():
            _emit(run) if as_json else _show(run)
    return _grade(run, accept)


def _monitored(app: App, options: RunOptions, home: Path | None, *, quiet: bool, as_json: bool) -> int:
    """Ask whether the set still teaches; the exit code: 1 when it does not, 4 when tasks lack rollouts."""
    from dataclasses import asdict

    from assay.cli import output
    from assay.cli.curve_screen import monitor_lines

    with display(quiet=quiet) as shown:
        found = run_async(lambda: app.monitor(options, home, trial_lines.teller(shown, as_json=as_json)))
        with shown.above():
            if as_json:
                output.emit("monitor", **asdict(found))
            else:
                output.text_line()
                for line in monitor_lines(found):
                    output.text_line(line)
    if found.unknown:
        return errors.INCOMPLETE
    return errors.NO if found.is_saturated else errors.OK


def _show(run: CalibrationRun) -> None:
    from assay.cli import output
    from assay.cli.curve_screen import run_lines

    output.text_line()
    for line in run_lines(run):
        output.text_line(line)


def _emit(run: CalibrationRun) -> None:
    from assay.cli import output

    for one in run.tasks:
        found = one.difficulty.model_dump(mode="json") if one.difficulty else None
        output.emit(
            "difficulty",
            task=one.task,
            path=one.path,
            new_rollouts=one.new_rollouts,
            problem=one.problem,
            difficulty=found,
        )
    output.emit(
        "calibration",
        entrant=run.entrant,
        entrant_digest=run.entrant_digest,
        prior=run.prior,
        price=run.price,
        expected_error=run.expected_error,
        new_rollouts=run.new_rollouts,
        new_void=run.new_void,
        usd=run.usd,
        stopped=run.stopped,
        recheck=run.recheck,
    )


def _grade(run: CalibrationRun, accept: int | None) -> int:
    """The exit code: 4 when a task was not placed; a harvest is done when it has its tasks."""
    placings = [one.difficulty.placing if one.difficulty else "undecided" for one in run.tasks]
    if accept is not None and sum(placing == "in" for placing in placings) >= accept:
        return errors.OK
    if any(one.problem and one.difficulty is None for one in run.tasks):
        return errors.NO if not run.stopped and not run.new_void else errors.INCOMPLETE
    return errors.OK if "undecided" not in placings else errors.INCOMPLETE
