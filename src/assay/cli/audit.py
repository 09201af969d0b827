"""`assay audit`: what is wrong with the verifier of a task, how sure that is, and what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from assay.cli import consent, errors, html_file, output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import display
from assay.cli.running import run_async
from assay.errors import InfrastructureError, InputError
from assay.model.audit import CHECK_IDS, AuditRun
from assay.model.event import Checked, Event
from assay.model.failure import Failure
from assay.model.options import AuditOptions

if TYPE_CHECKING:
    from assay.cli.audit_screen import Line
    from assay.cli.interface import App
    from assay.cli.progress import Display
    from assay.model.audit import CheckId
    from assay.model.event import OnEvent

WHICH = "What to check (without these: everything)"
BANK = "The task's bank of solutions"
SHOWN = "What is shown"
CODES = {"pass": errors.OK, "fail": errors.NO, "unknown": errors.INCOMPLETE}

PATCH = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Ask:
    """One command line."""

    options: AuditOptions
    """For every task; whose, is filled in."""
    project: Path | None
    page: Path | None
    quiet: bool
    everything: bool
    as_json: bool

    @property
    def checks(self) -> tuple[CheckId, ...]:
        """What was asked for, in the order of the table."""
        return tuple(check for check in CHECK_IDS if not self.options.only or check in self.options.only)


@click.command(
    "audit",
    cls=AssayCommand,
    examples=(
        "assay audit tasks/python-slugify-9.2.0",
        "assay audit tasks/python-slugify-9.2.0 --only leaks --only mutants --all",
        "assay audit --list",
    ),
)
@click.argument("tasks", metavar="TASK...", nargs=-1)
@option("--only", group=WHICH, metavar="CHECK", multiple=True, help="Only this check; may be given several times.")
@option("--list", "listing", group=WHICH, is_flag=True, help="Print all checks: what each asks, and what to do.")
@option("--runs", group=WHICH, type=click.IntRange(min=1), metavar="N", help="Runs for stability (settings: 10).")
@option("--fresh", group=WHICH, is_flag=True, help="Make every check again, even of content that has not changed.")
@option("--right", group=BANK, metavar="FILE", type=PATCH, multiple=True, help="Add a patch that is right.")
@option("--wrong", group=BANK, metavar="FILE", type=PATCH, multiple=True, help="Add a patch that is wrong.")
@option("--fix", group=SHOWN, is_flag=True, help="Propose repairs, each verified. Nothing is ever applied.")
@option("--all", "everything", group=SHOWN, is_flag=True, help="Every finding, with all of its evidence.")
@option(
    "--html",
    "page",
    group=SHOWN,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write one HTML page about all tasks of this line, too.",
)
@option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Runs at a time.")
@sandbox_options
@project_option
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    tasks: tuple[str, ...],
    only: tuple[str, ...],
    listing: bool,
    runs: int | None,
    fresh: bool,
    right: tuple[Path, ...],
    wrong: tuple[Path, ...],
    fix: bool,
    everything: bool,
    page: Path | None,
    jobs: int,
    sandbox: str,
    unsafe: bool,
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Try the verifier of each TASK (a folder, or a slug in a project), and say what is wrong with it.

    Checks are gates, warnings or notes. Ends with 0 when no gate fails, 1 when one does, 4 when none does but one has
    no answer. What an earlier audit found about the same content is remembered.
    """
    if listing:
        _list(as_json=as_json)
        return errors.OK
    checks = _known(only)
    if not tasks:
        raise click.UsageError("give at least one task")
    if (right or wrong) and len(tasks) > 1:
        raise click.UsageError("--right and --wrong belong to one task: give exactly one")
    consent.require(sandbox, unsafe)
    ask = Ask(
        AuditOptions(
            task=Path(),
            only=checks,
            runs=runs,
            right=right,
            wrong=wrong,
            fix=fix,
            fresh=fresh,
            jobs=jobs,
            sandbox=sandbox,
            i_know_it_is_unsafe=unsafe,
        ),
        projects.existing(project) if project is not None else None,
        html_file.usable(page, "audit.html") if page is not None else None,
        quiet,
        everything,
        as_json,
    )
    return _audit_all(app, tasks, ask)


def _known(names: Iterable[str]) -> tuple[CheckId, ...]:
    """The checks that are meant. Raises click.UsageError."""
    for name in names:
        if name not in CHECK_IDS:
            import difflib

            near = difflib.get_close_matches(name, CHECK_IDS, n=1)
            advice = f"did you mean {near[0]}?" if near else f"the checks are: {', '.join(CHECK_IDS)}"
            raise click.UsageError(f"there is no check {name!r}; {advice}")
    return cast("tuple[CheckId, ...]", tuple(dict.fromkeys(names)))


def _audit_all(app: App, tasks: tuple[str, ...], ask: Ask) -> int:
    from assay.cli import audit_screen

    worst, runs = errors.OK, list[AuditRun]()
    for name in tasks:
        if runs and not ask.as_json:
            output.text_line()
        run, code = _audit(app, name, ask)
        runs.append(run)
        worst = errors.worse(worst, code)
        if ask.page is not None:  # anew after each task, so that an interrupt loses none
            from assay.cli.audit_page import render

            html_file.write(ask.page, render(runs, ask.checks))
    if len(runs) > 1:
        if ask.as_json:
            _emit_pool(runs, ask)
        else:
            output.text_line()
            _print(audit_screen.pooled_lines(runs, ask.checks))
    if ask.page is not None and not ask.as_json:
        output.text_line(f"page: {output.short_path(ask.page)}")
    return worst


def _audit(app: App, name: str, ask: Ask) -> tuple[AuditRun, int]:
    """Audit one task and show what came out; a task that cannot be audited does not keep the others from it."""
    home = ask.project or projects.nearest(Path(name)) or projects.nearest(Path.cwd())
    with display(quiet=ask.quiet) as shown:
        try:
            options = dataclasses.replace(ask.options, task=projects.task_folder(name, home))
            run = run_async(lambda: app.audit(options, home, _teller(shown, as_json=ask.as_json)))
        except (InputError, InfrastructureError) as error:
            with shown.above():
                code = errors.report_item(error, as_json=ask.as_json)
            return AuditRun(task=Path(name).name, task_digest="", failure=Failure.of(error)), code
        with shown.above():
            _emit(run, ask) if ask.as_json else _show(run, ask)
    return run, grade(run, ask.checks)


def grade(run: AuditRun, asked: Iterable[CheckId] = CHECK_IDS) -> int:
    """The exit code of one task. A failed gate weighs more than an unknown one."""
    from assay.core.audit.conclusion import answer

    return CODES[answer(run, asked)]


def _teller(shown: Display, *, as_json: bool) -> OnEvent:
    """Say each answer as soon as it is there, so that an interrupt loses none."""

    def tell(event: Event) -> None:
        shown.on_event(event)
        if as_json and isinstance(event, Checked):
            with shown.above():
                output.emit("check", task=event.task, **event.result.model_dump(mode="json"))

    return tell


def _show(run: AuditRun, ask: Ask) -> None:
    from assay.cli.audit_screen import SCREEN_LINES, Room, screen

    lines = None if ask.everything else output.height(SCREEN_LINES)
    _print(screen(run, ask.checks, Room(output.width(), lines)))


def _print(lines: Iterable[Line]) -> None:
    for line in lines:
        output.tinted_line(line.text, line.tint, line.upto)


def _emit(run: AuditRun, ask: Ask) -> None:
    from assay.cli.audit_words import run_count
    from assay.core.audit.conclusion import answer, open_gates, sentence

    for proposal in run.proposals:
        output.emit("proposal", task=run.task, **proposal.model_dump(mode="json"))
    output.emit(
        "audit",
        task=run.task,
        task_digest=run.task_digest,
        status=answer(run, ask.checks),
        failed_gates=[result.check for result in run.failed_gates],
        unknown_gates=open_gates(run, ask.checks),
        run_count=run_count(run),
        wall_seconds=run.wall_seconds,
        conclusion=sentence(run, ask.checks),
        complaint=run.complaint,
        failure=run.failure,
    )


def _emit_pool(runs: list[AuditRun], ask: Ask) -> None:
    from assay.core.audit.pooled import pool

    for row in pool(runs, ask.checks):
        facts: dict[str, Any] = dataclasses.asdict(row)
        low, high = row.interval
        output.emit("audit-pool", **facts, share=row.share, low=low, high=high)


def _list(*, as_json: bool) -> None:
    from assay.core.audit.table import TABLE

    width = output.width() - 4
    for definition in TABLE:
        if as_json:
            output.emit(
                "check-description",
                check=definition.check,
                question=definition.question,
                severity=definition.severity,
                advice=definition.advice,
            )
            continue
        output.text_line(f"{definition.check} ({definition.severity})")
        for line in output.wrapped(definition.question, width):
            output.text_line(f"    {line}")
        for number, line in enumerate(output.wrapped(definition.advice, width - 2)):
            output.text_line(f"    {' ' if number else '→'} {line}")
