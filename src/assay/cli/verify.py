"""`assay verify`: prove tasks again, or judge a candidate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import consent, errors, grading, verdicts
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import Display, display
from assay.cli.running import run_async
from assay.errors import InputError
from assay.model.options import VerifyOptions
from assay.model.prediction import GradeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.cli.interface import App
    from assay.model.verdict import Verdict

RUN = "A whole run"
WHAT = "Whom to judge (without these: the task itself)"


@click.command(
    "verify",
    cls=AssayCommand,
    examples=(
        "assay verify tasks/python-slugify-9.2.0",
        "assay verify tasks/python-slugify-9.2.0 --patch my.patch",
        "assay verify --predictions preds.jsonl --report logs/demo",
    ),
)
@click.argument("tasks", metavar="TASK...", nargs=-1)
@option("--agent", group=WHAT, metavar="NAME", help="An agent: oracle (the reference change) or nop (no change).")
@option(
    "--patch",
    group=WHAT,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A change in git's patch format.",
)
@option(
    "--replay",
    group=WHAT,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A verdict as --json printed it: reach it again.",
)
@option(
    "--predictions",
    group=RUN,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Changes by many (instance_id, model_name_or_path, model_patch) on the tasks, or on all of the project's.",
)
@option(
    "--report",
    group=RUN,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.json and run.json there, in SWE-bench's shapes.",
)
@option(
    "--jobs", group=RUN, type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Tasks at a time."
)
@option("--fresh", group=RUN, is_flag=True, help="Judge again what was judged before.")
@option("--runs", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Runs that must agree.")
@sandbox_options
@project_option
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    tasks: tuple[str, ...],
    agent: str | None,
    patch: Path | None,
    replay: Path | None,
    predictions: Path | None,
    report: Path | None,
    jobs: int,
    fresh: bool,
    runs: int,
    sandbox: str,
    unsafe: bool,
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Prove each TASK (a folder, or a slug in a project) again from scratch.

    The reference change must resolve it, no change at all must not. With --agent or --patch: judge that candidate.
    Ends with 0 when all tasks hold (the candidate resolves them), 1 when one does not, 4 when one has no verdict.
    """
    consent.require(sandbox, unsafe)
    if sum(choice is not None for choice in (agent, patch, replay, predictions)) > 1:
        raise click.UsageError("--agent, --patch, --replay and --predictions exclude each other")
    if not tasks and predictions is None:
        raise click.UsageError("give at least one task")
    if project is not None:
        project = projects.existing(project)
    worst = 0
    with display(quiet=quiet) as shown:
        if predictions is not None:
            home = project or projects.nearest(Path(tasks[0]) if tasks else Path.cwd()) or projects.nearest(Path.cwd())
            wanted = grading.tasks_of(tasks, home)
            run = GradeOptions(predictions, wanted, jobs, fresh, sandbox, unsafe)
            return grading.run(app, run, home, shown, report=report, as_json=as_json)
        for name in tasks:
            home = project or projects.nearest(Path(name)) or projects.nearest(Path.cwd())
            try:
                folder = projects.task_folder(name, home)
                record = verdicts.recorded(replay, folder.name) if replay else None
                options = VerifyOptions(folder, agent, patch, runs, record, sandbox, unsafe)
                found = judge(app, options, home, shown, as_json=as_json)
            except InputError as error:  # one broken task does not keep the others from a verdict
                with shown.above():
                    errors.report_item(error, as_json=as_json)
                worst = max(worst, 1)
            else:
                task_itself = agent is None and patch is None
                worst = max(worst, grade(found, judged_is_task=task_itself, record=record))
    return worst


def judge(app: App, options: VerifyOptions, home: Path | None, shown: Display, *, as_json: bool) -> Sequence[Verdict]:
    """The verdicts on one task, printed."""
    found = run_async(lambda: app.verify(options, home, shown.on_event))
    with shown.above():
        for verdict in found:
            verdicts.emit(verdict) if as_json else verdicts.show(verdict)
    return found


def grade(found: Sequence[Verdict], *, judged_is_task: bool, record: Verdict | None = None) -> int:
    """The exit code: 4 without a verdict, 1 when an answer is not the hoped one, or not the recorded one."""
    if any(v.failure is not None for v in found):
        return errors.INCOMPLETE
    if record is not None:
        same = all((v.resolved, v.reason) == (record.resolved, record.reason) for v in found)
        return errors.OK if same else errors.NO
    hoped = [v.resolved is not (judged_is_task and v.agent == "nop") for v in found]
    return errors.OK if all(hoped) and found else errors.NO
