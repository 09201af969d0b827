"""`assay status --difficulty`: the curves of a project, as lines, as objects, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli import html_file, output
from assay.cli import project as projects
from assay.model.options import DifficultyOptions

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.core.calibration.curve import Curve, DifficultyReport, Placed


def show(
    app: App, home: Path, names: Sequence[str], model: str, *, page: Path | None, everything: bool, as_json: bool
) -> int:
    """Print the curves; the exit code."""
    folders = tuple(projects.task_folder(name, home) for name in names)
    report = app.difficulty(DifficultyOptions(folders, model), home)
    if page is not None:
        from assay.cli.curve_page import render

        html_file.write(page, render(report))
    if as_json:
        _emit(report, page)
        return 0
    from assay.cli.curve_screen import report_lines

    for line in report_lines(report, everything=everything):
        output.text_line(line)
    if page is not None:
        output.text_line(f"written: {output.short_path(page)}")
    return 0


def _emit(report: DifficultyReport, page: Path | None) -> None:
    for curve in report.curves:
        output.emit("curve", **_facts(curve))
    for review in report.reviews:
        output.emit("review", **asdict(review))
    output.emit("difficulty-summary", project=report.project, tasks=report.task_count, page=page)


def _facts(curve: Curve) -> dict[str, object]:
    names = ("entrant", "band", "counts", "bins", "signal_all", "signal_in", "expected_error", "rollout_count")
    found: dict[str, object] = {name: getattr(curve, name) for name in (*names, "void_count", "usd")}
    return found | {"tasks": [_task(one) for one in curve.tasks], "more": [asdict(one) for one in curve.more]}


def _task(one: Placed) -> dict[str, object]:
    measured = one.difficulty.model_dump(mode="json", exclude={"prior", "entrant"}) if one.difficulty else None
    return {"task": one.task, "placing": one.placing, "stale": one.stale, "difficulty": measured}
