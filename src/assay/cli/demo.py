"""`assay demo`: the whole way, on a real package, with nothing to decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import errors, output
from assay.cli.mine import print_summary, run_mine
from assay.cli.options import AssayCommand, json_option, option, quiet_option
from assay.cli.progress import display
from assay.cli.verify import grade, judge
from assay.errors import AssayError, InfrastructureError
from assay.model.options import MineOptions, VerifyOptions

if TYPE_CHECKING:
    from assay.cli.interface import App

DEMO_SOURCE = "pypi:python-slugify"
"""A small package of pure Python whose source archives carry tests."""

DEMO_REVISIONS = ">=8.0.4,<=9.2.0"
"""Fixed, so that the demo shows the same tasks next year."""

DEMO_LIMIT = 3


@click.command("demo", cls=AssayCommand, examples=("assay demo",))
@option(
    "--project",
    metavar="DIR",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to work in; made if it is not there.",
)
@quiet_option
@json_option
@click.pass_obj
def command(app: App, project: Path, quiet: bool, as_json: bool) -> int:
    """See it work: what the maintainers of a real package changed between two releases becomes a task.

    Takes about three minutes and the network, the first time. Run it again and it goes on where it was.
    """
    if not as_json:
        _say(f"Mining {DEMO_SOURCE}, releases {DEMO_REVISIONS}, until {DEMO_LIMIT} tasks are verified.")
    options = MineOptions(DEMO_SOURCE, limit=DEMO_LIMIT, revisions=DEMO_REVISIONS)
    with display(quiet=quiet) as shown:
        summary = run_mine(app, options, project, shown, as_json=as_json)
    slugs = [d.slug for d in summary.decisions if d.state == "verified" and d.slug]
    if not as_json:
        print_summary(summary)
    if not slugs:
        if summary.failed:
            raise InfrastructureError("no task could be made", hint="see `assay doctor`, then type `assay demo` again")
        raise AssayError("no task could be made", hint=f"see why: assay status --project {project}")
    if not as_json:
        _say()
        _say("Judging the first task from scratch: the reference change must resolve it, no change must not.")
    with display(quiet=quiet) as shown:
        verdicts = judge(app, VerifyOptions(project / "tasks" / slugs[0]), project, shown, as_json=as_json)
    code = grade(verdicts, judged_is_task=True)
    if not as_json and code == errors.OK:
        _farewell(project, slugs)
    return code


def _farewell(project: Path, slugs: list[str]) -> None:
    first = output.short_path(project / "tasks" / slugs[0])
    _say()
    _say(f"{output.count(len(slugs), 'task')} to look at. Each is a folder that Harbor runs as it is:")
    rows = [
        (f"  {first}/instruction.md", "what an agent is told"),
        (f"  {first}/solution/gold.patch", "what the maintainers did"),
        (f"  {first}/tests/", "the tests that judge, hidden from the agent"),
        (f"  {first}/evidence/", "the proof"),
        (f"  assay show {first}", "all of it on one page"),
        (f"  assay status --project {output.short_path(project)}", "the funnel, and what each task cost"),
    ]
    for line in output.columns(rows):
        _say(line)


def _say(text: str = "") -> None:
    output.text_line(text)
