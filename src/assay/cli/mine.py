"""`assay mine`: from changes to verified tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import consent, output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import Display, display
from assay.cli.running import run_async
from assay.model.event import Decided, Event
from assay.model.options import MineOptions

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.model.summary import MineSummary

WHICH = "Which changes"
PROMPTS = "Prompts"
DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


def _aware(context: click.Context, parameter: click.Parameter, value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value else None


@click.command(
    "mine",
    cls=AssayCommand,
    examples=("assay mine pypi:python-slugify --limit 3", "assay mine git:../my-clone --revisions v1.0..v2.0 --json"),
)
@click.argument("source", metavar="SOURCE")
@option("--limit", group=WHICH, type=click.IntRange(min=1), metavar="N", help="Stop at N verified tasks.")
@option(
    "--max-candidates", group=WHICH, type=click.IntRange(min=1), metavar="N", help="Look at no more than N changes."
)
@option("--since", group=WHICH, type=DATE, callback=_aware, metavar="DATE", help="Only changes from this day (UTC) on.")
@option("--until", group=WHICH, type=DATE, callback=_aware, metavar="DATE", help="Only changes before this day (UTC).")
@option("--revisions", group=WHICH, metavar="RANGE", help="Versions such as '>=2,<4', or revisions such as v1..v2.")
@option("--paths", group=WHICH, multiple=True, metavar="PATTERN", help="Only changes that touch such a path (git).")
@option("--match", group=WHICH, metavar="REGEX", default="", help="Only changes whose message matches (git).")
@option("--best-first", group=WHICH, is_flag=True, help="The most promising first instead of the newest (git).")
@option(
    "--exclude",
    group=WHICH,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Not what this benchmark has (SWE-bench rows: JSONL or parquet): same commit or same change. Repeatable.",
)
@option("--model", group=PROMPTS, metavar="NAME", default="", help="A model that drafts prompts; assay checks them.")
@option("--model-url", group=PROMPTS, metavar="URL", default="", help="Its OpenAI-compatible endpoint, up to /v1.")
@option("--budget", group=WHICH, type=click.FloatRange(min=0), metavar="HOURS", help="Stop after so much CPU time.")
@sandbox_options
@project_option
@option("--jobs", type=click.IntRange(min=1), metavar="N", help="Changes to work on at the same time.")
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    source: str,
    limit: int | None,
    max_candidates: int | None,
    since: datetime | None,
    until: datetime | None,
    revisions: str | None,
    paths: tuple[str, ...],
    match: str,
    best_first: bool,
    model: str,
    model_url: str,
    budget: float | None,
    exclude: tuple[Path, ...],
    sandbox: str,
    unsafe: bool,
    project: Path | None,
    jobs: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Turn the changes of SOURCE, newest first, into verified tasks.

    SOURCE is pypi:NAME (the releases of a package) or git:PATH_OR_URL (the commits of a repository). Each change
    becomes a task under tasks/, or is rejected with a reason. Stop it at any time: the same line goes on where it
    was. Without a project here, this folder becomes one.
    """
    consent.require(sandbox, unsafe)
    options = MineOptions(
        source,
        limit,
        max_candidates,
        since,
        until,
        revisions,
        paths=paths,
        match=match,
        best_first=best_first,
        exclude=exclude,
        model=model,
        model_url=model_url,
        budget_cpu_hours=budget,
        jobs=jobs,
        sandbox=sandbox,
        i_know_it_is_unsafe=unsafe,
    )
    with display(quiet=quiet) as shown:
        summary = run_mine(app, options, project, shown, as_json=as_json)
    if not as_json:
        print_summary(summary)
    return 4 if summary.failed else 0


def run_mine(app: App, options: MineOptions, given: Path | None, shown: Display, *, as_json: bool) -> MineSummary:
    """Mine, with a line of results for each candidate, and the summary as JSON if that is asked for."""
    folder = projects.existing_or_new(given, app)

    def on_event(event: Event) -> None:
        shown.on_event(event)
        if isinstance(event, Decided):
            with shown.above():
                _emit(event) if as_json else _print(event)

    summary = run_async(lambda: app.mine(options, folder, on_event))
    if as_json:
        output.emit(
            "summary",
            candidates=summary.candidates,
            verified=summary.verified,
            rejected=dict(summary.rejected),
            failed=summary.failed,
            cost=summary.cost,
            project=folder,
        )
    return summary


def print_summary(summary: MineSummary) -> None:
    """The end, for people: what came out, why the rest fell out, what it cost."""
    output.text_line()
    output.text_line(
        f"{output.count(summary.candidates, 'candidate')}: {summary.verified} verified, "
        f"{sum(summary.rejected.values())} rejected" + (f", {summary.failed} failed" if summary.failed else "")
    )
    reasons = sorted(summary.rejected.items(), key=lambda item: (-item[1], item[0]))
    for line in output.columns([(str(number), reason) for reason, number in reasons], right=frozenset({0})):
        output.text_line(f"  {line}")
    cost = summary.cost
    output.text_line(f"cost: {output.seconds(cost.cpu_seconds)} of CPU, {output.size(cost.written_bytes)} written")
    if summary.failed:
        output.text_line("Failed means: no verdict, for no fault of the candidate. The same line tries them again.")


def _print(event: Decided) -> None:
    decision = event.decision
    name = output.short_path(event.path) if event.path else decision.title
    why = ": ".join(part for part in (decision.reason or "", decision.detail) if part)
    output.text_line(f"{decision.state:<8}  {name}" + (f"  ({_first_line(why)})" if why else ""))


def _first_line(text: str, width: int = 110) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _emit(event: Decided) -> None:
    decision = event.decision
    output.emit(
        "task",
        slug=decision.slug,
        path=event.path,
        status=decision.state,
        reason=decision.reason,
        title=decision.title,
        candidate=decision.candidate_key,
        detail=decision.detail,
        digest=decision.task_digest,
        cost=decision.cost,
        decided_at=decision.decided_at,
    )
