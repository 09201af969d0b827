"""`assay status`: the funnel by stage and reason, and what each verified task cost; as text, JSON lines or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import html_file, output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.core.funnel import Funnel
    from assay.model.ledger import Cost
    from assay.model.summary import FunnelLine, StatusReport


@click.command(
    "status",
    cls=AssayCommand,
    examples=("assay status", "assay status --html funnel.html", "assay status --difficulty --html difficulty.html"),
)
@option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the funnel as one HTML page, drawn and explained, for people who were not there.",
)
@option("--difficulty", is_flag=True, help="Show how the tasks lie on the curves of those who were calibrated on them.")
@option("--task", "tasks", multiple=True, metavar="TASK", help="With --difficulty: only this one; may be repeated.")
@option("--model", metavar="NAME", default="", help="With --difficulty: only this model's curves.")
@option("--all", "everything", is_flag=True, help="With --difficulty: every task, however many there are.")
@project_option
@json_option
@click.pass_obj
def command(
    app: App,
    page: Path | None,
    difficulty: bool,
    tasks: tuple[str, ...],
    model: str,
    everything: bool,
    project: Path | None,
    as_json: bool,
) -> int:
    """Show how many candidates became tasks, at which stage and why the rest fell out, and what each task cost.

    With --difficulty: which tasks are too easy, too hard, just right or not yet known, for whom, and how surely.
    """
    if not difficulty and (tasks or model or everything):
        raise click.UsageError("--task, --model and --all belong to --difficulty")
    if page is not None:
        page = html_file.usable(page, "difficulty.html" if difficulty else "funnel.html")
    home = projects.existing(project)
    if difficulty:
        from assay.cli import curves

        return curves.show(app, home, tasks, model, page=page, everything=everything, as_json=as_json)
    report = app.status(home)
    if page is not None:
        from assay.cli.page import render

        html_file.write(page, render(report))
    _emit(report, page) if as_json else _print(report, page)
    return 0


def _emit(report: StatusReport, page: Path | None) -> None:
    from assay.core.funnel import STAGES, funnel_of, meaning_of

    funnel = funnel_of(report.funnel)
    for line in report.funnel:
        share = funnel.share(line.count)
        output.emit("funnel", state=line.state, reason=line.reason, count=line.count, share=share, cost=line.cost)
    for step in funnel.steps:
        output.emit(
            "stage",
            stage=step.stage,
            name=STAGES[step.stage].name,
            entered=step.entered,
            fell_out=step.fell_out,
            passed=step.passed,
            share=funnel.share(step.fell_out),
            cost=step.cost,
        )
    for step in funnel.steps:
        for line in step.reasons:
            output.emit("reason", stage=step.stage, reason=line.reason, **_facts(funnel, line, meaning_of(line)))
    for line in funnel.failures:
        output.emit("failure", boundary=line.reason, **_facts(funnel, line, meaning_of(line)))
    for origin in report.origins:
        output.emit(
            "origin",
            origin=origin.origin,
            candidates=origin.candidates,
            verified=origin.verified,
            rejected=origin.rejected,
            failed=origin.failed,
            share=origin.verified / origin.candidates,
            top_reason=origin.top_reason,
            cost=origin.cost,
        )
    for task in report.tasks:
        output.emit("task", slug=task.slug, path=task.path, title=task.title, stale=task.stale, cost=task.cost)
    _emit_summary(report, funnel, page)


def _facts(funnel: Funnel, line: FunnelLine, meaning: str) -> dict[str, object]:
    return {"count": line.count, "share": funnel.share(line.count), "cost": line.cost, "meaning": meaning}


def _emit_summary(report: StatusReport, funnel: Funnel, page: Path | None) -> None:
    from assay.core.funnel import task_costs

    costs = task_costs(funnel, [task.cost for task in report.tasks])
    output.emit(
        "summary",
        project=report.project,
        candidates=funnel.candidates,
        verified=funnel.verified.count,
        rejected=funnel.rejected,
        failed=funnel.failed,
        cost=funnel.cost,
        median_task_cpu_seconds=costs and costs.median_cpu_seconds,
        median_task_written_bytes=costs and costs.median_written_bytes,
        cpu_seconds_a_task=costs and costs.cpu_seconds_all_in,
        written_bytes_a_task=costs and costs.written_bytes_all_in,
        running=list(report.running),
        shared_bytes=report.shared_bytes,
        page=page,
    )


def _print(report: StatusReport, page: Path | None) -> None:
    output.text_line(f"project {output.short_path(report.project)}")
    if report.running:
        output.text_line(f"at work now: {output.count(len(report.running), 'run')}")
    if report.funnel:
        _print_funnel(report)
        _print_tasks(report)
    else:
        output.text_line("Nothing mined yet. Next: assay mine pypi:NAME --limit 3")
    if page is not None:
        output.text_line()
        output.text_line(f"page: {output.short_path(page)}")


def _print_funnel(report: StatusReport) -> None:
    from assay.core.funnel import NO_REASON, STAGES, funnel_of
    from assay.model.ledger import Cost

    funnel = funnel_of(report.funnel)
    rows = [("", "count", "share", "CPU", "written", "left")]

    def add(name: str, count: int, cost: Cost, left: int | None = None) -> None:
        share = f"{100 * funnel.share(count):.0f} %"
        cells = (output.seconds(cost.cpu_seconds), output.size(cost.written_bytes)) if count else ("", "")
        rows.append((name, str(count), share, *cells, "" if left is None else str(left)))

    def add_lines(lines: tuple[FunnelLine, ...]) -> None:
        for line in lines:
            add(f"    {line.reason or NO_REASON}", line.count, line.cost)

    add("candidates", funnel.candidates, funnel.cost, funnel.candidates)
    if funnel.failures:
        failed = sum((line.cost for line in funnel.failures), Cost())
        add("  no verdict, tried again", funnel.failed, failed, funnel.candidates - funnel.failed)
        add_lines(funnel.failures)
    for step in funnel.steps:
        add(f"  {STAGES[step.stage].name}", step.fell_out, step.cost, step.passed)
        add_lines(step.reasons)
    add("verified", funnel.verified.count, funnel.verified.cost)
    output.text_line()
    for text in output.columns(rows, right=frozenset({1, 2, 3, 4, 5})):
        output.text_line(text)


def _print_tasks(report: StatusReport) -> None:
    if report.tasks:
        output.text_line()
        tasks = [("verified tasks", "CPU", "wall", "written", "")]
        for task in report.tasks:
            cost = task.cost
            cells = (
                output.seconds(cost.cpu_seconds),
                output.seconds(cost.wall_seconds),
                output.size(cost.written_bytes),
            )
            tasks.append(
                (f"  {output.short_path(task.path)}", *cells, "changed since it was verified" if task.stale else "")
            )
        for text in output.columns(tasks, right=frozenset({1, 2, 3})):
            output.text_line(text)
    if report.shared_bytes:
        output.text_line()
        output.text_line(f"shared by all: {output.size(report.shared_bytes)} of environments and layers")
