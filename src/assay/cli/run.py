"""`assay run`: let an agent try tasks, many times if wanted, and count what it solves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import consent, errors, trial_lines
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import display
from assay.cli.running import run_async
from assay.core.run_counts import RunCounts, counts_of, is_wrong
from assay.errors import InputError
from assay.model.agent import AgentChoice, TrialLimits
from assay.model.options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assay.cli.interface import App
    from assay.model.trial_run import TrialsRun

WHO = "Who tries"
LIMITS = "Limits of one trial (reaching one ends the attempt; what is there is judged)"
RUN = "The run"
POSITIVE = click.FloatRange(min=0, min_open=True)
DEFAULTS = TrialLimits()


def agent_options(function: Callable[..., int]) -> Callable[..., int]:
    """Who tries, and how far; the same for all commands that let agents try."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    count = click.IntRange(min=1)
    for decorate in reversed(
        (
            option(
                "--agent",
                group=WHO,
                metavar="NAME",
                help="oracle (the reference change), nop (no change), patch, command, mini, or one of [agents] in "
                "assay.toml.",
            ),
            option("--model", group=WHO, metavar="NAME", default="", help="Its model, as the endpoint calls it."),
            option(
                "--model-url",
                group=WHO,
                metavar="URL",
                default="",
                help="Where the model answers, as OpenAI's API does; without it, ASSAY_MODEL_URL.",
            ),
            option(
                "--command",
                "line",
                group=WHO,
                metavar="LINE",
                default="",
                help="For --agent command: the line of shell that starts it (docs/agents.md).",
            ),
            option(
                "--predictions", group=WHO, metavar="FILE", type=file, help="For --agent patch: changes by instance_id."
            ),
            option(
                "--wall",
                group=LIMITS,
                metavar="SECONDS",
                type=POSITIVE,
                default=DEFAULTS.wall_seconds,
                show_default=True,
                help="Of the agent's work.",
            ),
            option(
                "--steps",
                group=LIMITS,
                metavar="N",
                type=count,
                default=DEFAULTS.step_count,
                show_default=True,
                help="Calls of the model.",
            ),
            option("--tokens", group=LIMITS, metavar="N", type=count, help="Read and written."),
            option("--usd", group=LIMITS, metavar="USD", type=POSITIVE, help="By the prices in assay.toml."),
        )
    ):
        function = decorate(function)
    return function


@click.command(
    "run",
    cls=AssayCommand,
    examples=(
        "assay run tasks/python-slugify-9.2.0 --agent oracle",
        "assay run --agent mini --model gpt-5-mini -k 4 --budget 5",
    ),
)
@click.argument("tasks", metavar="[TASK]...", nargs=-1)
@agent_options
@option(
    "-k",
    "--attempts",
    group=RUN,
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trials of each task.",
)
@option("--budget", group=RUN, metavar="USD", type=POSITIVE, help="Begin no trial when so much is spent.")
@option("--concurrent", group=RUN, metavar="N", type=click.IntRange(min=1), help="Trials in flight.")
@option("--jobs", group=RUN, metavar="N", type=click.IntRange(min=1), help="Tasks that are prepared at a time.")
@option(
    "--out",
    group=RUN,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the trials there, for `assay export`.",
)
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
    attempts: int,
    budget: float | None,
    concurrent: int | None,
    jobs: int | None,
    out: Path | None,
    sandbox: str,
    unsafe: bool,
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Let an agent try each TASK (a folder, or a slug in a project; without any, all of the project's).

    Trials that were scored before are recalled, not paid for again: type the same line to go on, a larger -k for more.
    Ends with 0 when every trial has a verdict, 4 when one has none, 1 when a task or an option is wrong.
    """
    consent.require(sandbox, unsafe)
    limits = TrialLimits(wall_seconds=wall, step_count=steps, tokens=tokens, usd=usd)
    choice = choice_of(agent, line, AgentChoice("", model, model_url, line, predictions, limits))
    if out is not None and not out.resolve().parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write {out.name} to", hint="make it, or check --out")
    home = projects.existing(project) if project is not None else None
    home = home or projects.nearest(Path(tasks[0]) if tasks else Path.cwd()) or projects.nearest(Path.cwd())
    wanted = tasks_of(tasks, home)
    options = RunOptions(wanted, choice, attempts, concurrent, jobs, budget, out, sandbox, unsafe)
    with display(quiet=quiet) as shown:
        run = run_async(lambda: app.run(options, home, trial_lines.teller(shown, as_json=as_json)))
        with shown.above():
            trial_lines.emit_run(run) if as_json else trial_lines.show_run(run)
    return grade(run)


def choice_of(agent: str | None, line: str, choice: AgentChoice) -> AgentChoice:
    """The choice with its agent's name: --command and --predictions say which it is. Raises click.UsageError."""
    from dataclasses import replace

    name = agent or ("command" if line else "patch" if choice.predictions is not None else "")
    if not name:
        raise click.UsageError("say who is to try: --agent NAME (such as oracle, nop, mini, command)")
    return replace(choice, agent=name)


def tasks_of(names: Sequence[str], home: Path | None) -> tuple[Path, ...]:
    """The tasks that were named, or all of the project's. Raises InputError."""
    if names:
        return tuple(dict.fromkeys(projects.task_folder(name, home) for name in names))
    found = sorted(place.parent for place in (home / "tasks").glob("*/task.toml")) if home else []
    if not found:
        raise InputError("there are no tasks to try", hint="name their folders, or `assay mine` some first")
    return tuple(found)


def grade(run: TrialsRun) -> int:
    """The exit code: 1 for what the user can put right, 4 when a trial has no verdict for another reason."""
    counts: RunCounts = counts_of(run.ends)
    if is_wrong(run.ends):
        return errors.NO
    return errors.OK if counts.scored == counts.asked else errors.INCOMPLETE
