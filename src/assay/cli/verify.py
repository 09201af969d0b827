"""`assay verify`: prove tasks again, or judge a candidate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import consent, errors, output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import Display, display
from assay.cli.running import run_async
from assay.errors import InputError
from assay.model.options import VerifyOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.cli.interface import App
    from assay.model.verdict import Verdict

WHAT = "Whom to judge (without these: the task itself)"


@click.command(
    "verify",
    cls=AssayCommand,
    examples=("assay verify tasks/python-slugify-9.2.0", "assay verify tasks/python-slugify-9.2.0 --patch my.patch"),
)
@click.argument("tasks", metavar="TASK...", nargs=-1, required=True)
@option("--agent", group=WHAT, metavar="NAME", help="An agent: oracle (the reference change) or nop (no change).")
@option(
    "--patch",
    group=WHAT,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A change in git's patch format.",
)
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
    if agent is not None and patch is not None:
        raise click.UsageError("--agent and --patch exclude each other")
    if project is not None:
        project = projects.existing(project)
    worst = 0
    with display(quiet=quiet) as shown:
        for name in tasks:
            home = project or projects.nearest(Path(name)) or projects.nearest(Path.cwd())
            try:
                folder = projects.task_folder(name, home)
                options = VerifyOptions(folder, agent, patch, runs, sandbox, unsafe)
                verdicts = judge(app, options, home, shown, as_json=as_json)
            except InputError as error:  # one broken task does not keep the others from a verdict
                with shown.above():
                    errors.report_input(error, as_json=as_json)
                worst = max(worst, 1)
            else:
                worst = max(worst, grade(verdicts, judged_is_task=agent is None and patch is None))
    return worst


def judge(app: App, options: VerifyOptions, home: Path | None, shown: Display, *, as_json: bool) -> Sequence[Verdict]:
    """The verdicts on one task, printed."""
    verdicts = run_async(lambda: app.verify(options, home, shown.on_event))
    with shown.above():
        for verdict in verdicts:
            _emit(verdict) if as_json else _print(verdict)
    return verdicts


def grade(verdicts: Sequence[Verdict], *, judged_is_task: bool) -> int:
    """The exit code: 4 without a verdict, 1 when an answer is not the one that is hoped for."""
    if any(v.failure is not None for v in verdicts):
        return errors.INCOMPLETE
    hoped = [v.resolved is not (judged_is_task and v.agent == "nop") for v in verdicts]
    return errors.OK if all(hoped) and verdicts else errors.NO


def _emit(verdict: Verdict) -> None:
    output.emit("verdict", **verdict.model_dump(mode="json"))


def _print(verdict: Verdict) -> None:
    if verdict.failure is not None:
        answer = f"no verdict ({verdict.failure.boundary}): {verdict.failure.message}"
    elif verdict.resolved:
        answer = "resolved"
    else:
        answer = f"not resolved{f' ({verdict.reason})' if verdict.reason else ''}"
    counts = f"{verdict.passed_count}/{verdict.total_count} tests" if verdict.total_count else ""
    spent = output.seconds(verdict.wall_seconds)
    output.text_line(f"{verdict.task}  {verdict.agent:<6}  {answer}  {counts}  {spent}")
    if verdict.failure is not None and verdict.failure.hint:
        output.text_line(f"    → {verdict.failure.hint}")
    for problem in verdict.problems[:5]:
        output.text_line(f"    ! {problem}")
    for path in verdict.dropped_paths[:5]:
        output.text_line(f"    restored, because protected: {path}")
    if verdict.agent != "nop" and verdict.resolved is False:
        for test in verdict.tests[:10]:
            output.text_line(f"    {test.status:<8}  {test.id}")
        if len(verdict.tests) > 10:
            output.text_line(f"    and {len(verdict.tests) - 10} more; --json has them all")
