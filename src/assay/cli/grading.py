"""`assay verify --predictions`: a line a prediction, then the run in numbers, with everything in the denominator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli import errors, output, verdicts
from assay.cli import project as projects
from assay.cli.running import run_async
from assay.core.exchange.swebench_predictions import Counts, counts_of, report_of, run_report
from assay.errors import InputError
from assay.model.event import Event
from assay.model.prediction import Graded, GradeOptions

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.cli.progress import Display
    from assay.model.verdict import Verdict


def run(
    app: App, options: GradeOptions, home: Path | None, shown: Display, *, report: Path | None, as_json: bool
) -> int:
    """Grade a file of predictions, and say what came of it; the exit code."""
    graded = run_async(lambda: app.grade(options, home, _teller(shown, as_json)))
    names = [path.name for path in options.tasks]
    counts = counts_of(graded, names)
    if report is not None:
        _write(report, graded, names)
    with shown.above():
        if as_json:
            numbers = {name: getattr(counts, name) for name in Counts.__dataclass_fields__}
            output.emit("grading", **numbers, rate=counts.rate, tasks=len(names))
        else:
            output.text_line(sentence(counts))
    return grade(counts)


def tasks_of(names: Sequence[str], home: Path | None) -> tuple[Path, ...]:
    """The tasks that were named, or all of the project's. Raises InputError."""
    if names:
        return tuple(projects.task_folder(name, home) for name in names)
    found = sorted(place.parent for place in (home / "tasks").glob("*/task.toml")) if home else []
    if not found:
        raise InputError("there are no tasks to grade on", hint="name their folders, or `assay import` them first")
    return tuple(found)


def grade(counts: Counts) -> int:
    """The exit code: 1 when a prediction does not resolve its task or has none, 4 when one has no verdict."""
    if counts.without_verdict:
        return errors.INCOMPLETE
    return errors.OK if counts.asked and counts.resolved == counts.asked else errors.NO


def sentence(counts: Counts) -> str:
    """The run in one line; faults stand beside the answers and never among them."""
    answered = counts.resolved + counts.unresolved
    rate = f" ({counts.rate:.1%})" if counts.rate is not None else ""
    parts = [f"{counts.resolved} of {output.count(answered, 'prediction')} with a verdict resolved{rate}"]
    if counts.empty:
        parts.append(f"{counts.empty} changed nothing")
    if counts.without_verdict:
        parts.append(f"{counts.without_verdict} without a verdict, which count for nothing: run the same line again")
    if counts.without_task:
        parts.append(f"{counts.without_task} without a task or unreadable")
    if counts.unpredicted:
        parts.append(f"{output.count(counts.unpredicted, 'task')} without a prediction")
    return "; ".join(parts)


def _teller(shown: Display, as_json: bool) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        if not isinstance(event, Graded):
            shown.on_event(event)
            return
        with shown.above():
            if event.verdict is None:
                errors.report_item(event.problem or InputError(event.instance_id), as_json=as_json)
            elif as_json:
                verdicts.emit(event.verdict)
            else:
                output.text_line(_line(event, event.verdict))

    return tell


def _line(graded: Graded, verdict: Verdict) -> str:
    if verdict.failure is not None:
        answer = f"no verdict ({verdict.failure.boundary}): {verdict.failure.message}"
    else:
        answer = "resolved" if verdict.resolved else f"not resolved ({verdict.reason})"
    spent = "as before" if graded.recalled else output.seconds(verdict.wall_seconds)
    counts = f"{verdict.passed_count}/{verdict.total_count} tests" if verdict.total_count else ""
    return output.one_line("  ".join(filter(None, (graded.instance_id, verdict.agent, answer, counts, spent))))


def _write(folder: Path, graded: Sequence[Graded], names: Sequence[str]) -> None:
    """Both of SWE-bench's reports, in a folder a model: an entry an instance, and the summary of the run."""
    by_model: dict[str, list[Graded]] = {}
    for one in graded:
        by_model.setdefault(one.model, []).append(one)
    try:
        for model, ones in by_model.items():
            place = folder / (re.sub(r"[^\w.+-]+", "__", model).strip(".") or "nobody")
            place.mkdir(parents=True, exist_ok=True)
            for name, report in (("report", report_of(ones)), ("run", run_report(ones, names))):
                (place / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise InputError(f"cannot write the reports to {folder}: {error.strerror}", hint="check --report") from error
