"""`assay import`: tasks of other formats become folders of the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import converting
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option
from assay.cli.progress import display
from assay.cli.running import run_async
from assay.model.exchange import ImportOptions

if TYPE_CHECKING:
    from assay.cli.interface import App

WHICH = "What to take (without these: everything)"


@click.command(
    "import",
    cls=AssayCommand,
    examples=(
        "assay import swe-bench rows.jsonl --repositories ../clones --limit 20",
        "assay import harbor ../their-tasks/hello-world",
        "assay import trajectories ../runs/mini-swe-agent",
    ),
)
@click.argument("format_name", metavar="FORMAT")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(
    "--repositories",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A clone, or a folder of clones (owner/name, owner__name), for rows that only name a commit.",
)
@option("--only", group=WHICH, metavar="NAME", multiple=True, help="Only the task of this name; may be given often.")
@option("--limit", group=WHICH, type=click.IntRange(min=1), metavar="N", help="No more tasks than this.")
@project_option
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    format_name: str,
    paths: tuple[Path, ...],
    repositories: Path | None,
    only: tuple[str, ...],
    limit: int | None,
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Read tasks of FORMAT at each PATH into the project, and say what could not be carried.

    Tasks: harbor (Terminal-Bench's folders too), swe-bench. Trajectories of ATIF and mini-swe-agent (format
    trajectories) become files of trials. Nothing of what is read is run. An item that is broken is told and passed
    over; what is in the project already and says the same stays as it is, so that the same line can be run again.
    Ends with 0 when every item came in, 1 when one could not be read, 4 when only infrastructure kept one out.
    """
    home = projects.existing_or_new(project, app)
    options = ImportOptions(format_name, paths, repositories, only, limit)
    with display(quiet=quiet) as shown:
        tell = converting.teller(shown, as_json)
        done = run_async(lambda: app.import_tasks(options, home, tell))
        with shown.above():
            if not as_json:
                converting.show(done, "imported", f" into {home.name}")
    return converting.grade(done)
