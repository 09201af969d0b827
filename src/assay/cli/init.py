"""`assay init`: make a folder a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import output
from assay.cli.options import AssayCommand, json_option

if TYPE_CHECKING:
    from assay.cli.interface import App


@click.command("init", cls=AssayCommand, examples=("assay init my-tasks",))
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@json_option
@click.pass_obj
def command(app: App, folder: Path, as_json: bool) -> int:
    """Make FOLDER (this one, if none is named) a project: an assay.toml, and a place for tasks.

    What is there already stays as it is.
    """
    settings = app.init_project(folder)
    if as_json:
        output.emit("project", path=folder.resolve(), settings=settings)
    else:
        output.text_line(f"project: {output.short_path(folder)}")
        output.text_line(f"settings: {output.short_path(settings)}")
        output.text_line("next: assay mine pypi:NAME --limit 3")
    return 0
