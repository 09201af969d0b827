"""`assay export`: tasks and trials in the formats that others read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from assay.cli import converting
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option
from assay.cli.progress import display
from assay.cli.running import run_async
from assay.model.exchange import ExportOptions

if TYPE_CHECKING:
    from assay.cli.interface import App


@click.command(
    "export",
    cls=AssayCommand,
    examples=(
        "assay export harbor tasks/python-slugify-9.2.0 --self-contained --out ../for-harbor",
        "assay export swe-bench tasks/* --out ../rows",
        "assay export dpo trials.jsonl --out ../pairs",
    ),
)
@click.argument("format_name", metavar="FORMAT")
@click.argument("what", metavar="TASK...", nargs=-1, required=True)
@option("--out", required=True, metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Where to write.")
@option("--self-contained", is_flag=True, help="Bring the repository along, so that nothing has to be fetched.")
@option("--layout", type=click.Choice(("parquet", "jsonl")), default="parquet", show_default=True, help="Of rows.")
@project_option
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    format_name: str,
    what: tuple[str, ...],
    out: Path,
    self_contained: bool,
    layout: Literal["parquet", "jsonl"],
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Write each TASK (a folder, or a slug in a project) in FORMAT, and say what could not be carried.

    Tasks: harbor, swe-bench, verifiers, environment. Files of trials (trials.jsonl) or trajectories instead of tasks:
    atif, chat, openai-chat, and the training rows sft, openai-sft, prompt-only, dpo, kto, reward, stepwise. Ends with
    0 when all was written, 1 when something could not be, 4 when only infrastructure kept it.
    """
    if project is not None:
        project = projects.existing(project)
    home = project or projects.nearest(Path(what[0])) or projects.nearest(Path.cwd())
    places = tuple(_place(name, home) for name in what)
    options = ExportOptions(format_name, places, out, layout, self_contained)
    with display(quiet=quiet) as shown:
        tell = converting.teller(shown, as_json)
        done = run_async(lambda: app.export(options, home, tell))
        with shown.above():
            if not as_json:
                converting.show(done, "exported", f" to {out}")
    return converting.grade(done)


def _place(name: str, home: Path | None) -> Path:
    """A file of trials, or a task. Raises InputError when there is neither."""
    place = Path(name)
    if place.is_file() and place.name != "task.toml":
        return place
    return projects.task_folder(name, home)
