"""A mined task of our own to measure on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio

from assay import app
from assay.model.event import Event
from assay.model.options import MineOptions


def mined(folder: Path, name: str, base: dict[str, str], gold: dict[str, str]) -> tuple[Path, Path]:
    """A project beside a repository with one change; the project and the task's folder."""
    repository, project = folder / name, folder / f"{name}-project"
    for files, message in ((base, "First"), (gold, "Change the answer\n\nThe answer must be another one.")):
        commit(repository, files, message)
    app.init_project(project)
    summary = anyio.run(app.mine, MineOptions(f"git:{repository}", limit=1), project, quiet)
    if summary.verified != 1:
        raise RuntimeError(f"the benchmark's own task was not verified: {summary.decisions}")
    return project, project / "tasks" / (summary.decisions[0].slug or "")


def commit(repository: Path, files: dict[str, str], message: str) -> None:
    """Write files and commit them."""
    for path, text in {"pyproject.toml": f'[project]\nname = "{repository.name}"\nversion = "1"\n', **files}.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
    git = ["git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True)


def quiet(event: Event) -> None:
    """Hear nothing."""
    del event
