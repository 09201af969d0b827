"""Which project a command line means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.errors import InputError, ProjectError

if TYPE_CHECKING:
    from assay.cli.interface import App

MARK = "assay.toml"


def nearest(start: Path) -> Path | None:
    """The project at or above a place."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / MARK).is_file()), None)


def existing(given: Path | None) -> Path:
    """The project that is meant. Raises ProjectError when there is none."""
    if given is not None:
        if (given / MARK).is_file():
            return given.resolve()
        raise ProjectError(f"{given} is not a project: it has no {MARK}", hint=f"make it one: assay init {given}")
    found = nearest(Path.cwd())
    if found is None:
        raise ProjectError(
            f"there is no project here: no {MARK} in {Path.cwd()} or above",
            hint="type `assay init`, or name the project with --project DIR",
        )
    return found


def existing_or_new(given: Path | None, app: App) -> Path:
    """The project that is meant; one is made where there is none, and that is said."""
    found = nearest(Path.cwd()) if given is None else (given if (given / MARK).is_file() else None)
    if found is not None:
        return found.resolve()
    folder = (given or Path.cwd()).resolve()
    app.init_project(folder)
    click.echo(f"made {folder} a project ({MARK})", err=True)
    return folder


def task_folder(given: str, project: Path | None) -> Path:
    """A task by its folder, or by its slug within the project. Raises InputError when there is neither."""
    folder = Path(given)
    if folder.is_dir():
        return folder
    if (folder.name, folder.is_file()) == ("task.toml", True):
        return folder.parent
    if project is not None and "/" not in given and (project / "tasks" / given).is_dir():
        return project / "tasks" / given
    raise InputError(
        f"there is no task {given!r}",
        hint="give a task's folder, or its slug inside a project; `assay status` lists them",
        task=given,
    )
