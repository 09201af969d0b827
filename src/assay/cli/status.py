"""`assay status`: the funnel and what each verified task cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, project_option

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.model.summary import StatusReport


@click.command("status", cls=AssayCommand, examples=("assay status",))
@project_option
@json_option
@click.pass_obj
def command(app: App, project: Path | None, as_json: bool) -> int:
    """Show how many candidates became tasks, why the rest fell out, and what each verified task cost."""
    report = app.status(projects.existing(project))
    _emit(report) if as_json else _print(report)
    return 0


def _emit(report: StatusReport) -> None:
    for line in report.funnel:
        share = line.count / report.candidates
        output.emit("funnel", state=line.state, reason=line.reason, count=line.count, share=share, cost=line.cost)
    for task in report.tasks:
        output.emit("task", slug=task.slug, path=task.path, stale=task.stale, cost=task.cost)
    by_state = {
        state: sum(line.count for line in report.funnel if line.state == state)
        for state in ("verified", "rejected", "failed")
    }
    output.emit(
        "summary",
        project=report.project,
        candidates=report.candidates,
        **by_state,
        running=list(report.running),
        shared_bytes=report.shared_bytes,
    )


def _print(report: StatusReport) -> None:
    output.text_line(f"project {output.short_path(report.project)}")
    if report.running:
        output.text_line(f"at work now: {output.count(len(report.running), 'run')}")
    if not report.funnel:
        output.text_line("Nothing mined yet. Next: assay mine pypi:NAME --limit 3")
        return
    output.text_line()
    rows = [("candidates", str(report.candidates), "", "CPU", "written")]
    for line in sorted(report.funnel, key=lambda f: (_ORDER[f.state], -f.count, f.reason or "")):
        name = line.state if line.state == "verified" else f"{line.state}: {line.reason}"
        share = f"{100 * line.count / report.candidates:.0f} %"
        cpu = output.seconds(line.cost.cpu_seconds)
        rows.append((f"  {name}", str(line.count), share, cpu, output.size(line.cost.written_bytes)))
    for text in output.columns(rows, right=frozenset({1, 2, 3, 4})):
        output.text_line(text)
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


_ORDER = {"verified": 0, "rejected": 1, "failed": 2}
