"""The project folder: `assay.toml` and `.assay/`."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from pydantic import ValidationError

from assay.adapters.files import file_error
from assay.errors import InputError, ProjectError
from assay.model.project import ProjectSettings

MARK = "assay.toml"
STATE = ".assay"
TEXT = """\
# Settings of this assay project. Every key may be left out; these are the defaults.
# tasks = "tasks"             # folder of the tasks
# jobs = 0                    # candidates in work at a time; 0: one a core
# licences = []               # SPDX identifiers that are allowed; empty: all
# max_changed_files = 40      # larger changes are rejected
# max_changed_lines = 1500
# run_seconds = 300           # one run of a candidate's tests
# suite_seconds = 120         # one run of all tests of the project; else of those that the change reaches
# test_seconds = 60           # a single test
# memory_mib = 4096           # one run
"""


def init_project(folder: Path) -> Path:
    """Make a folder a project, keeping what is there; the path of its `assay.toml`. Raises StoreError."""
    mark = folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not mark.exists():
            mark.write_text(TEXT)
        state = folder / STATE
        state.mkdir(exist_ok=True)
        # The state is the machine's, not the repository's that the project may lie in.
        (state / ".gitignore").write_text("*\n")
    except FileExistsError as error:
        raise InputError(f"{folder} is not a folder", hint="name a folder, or one that does not exist yet") from error
    except OSError as error:
        raise file_error("make a project of", folder, error) from error
    return mark


def read_settings(folder: Path) -> ProjectSettings:
    """The settings of a project. Raises ProjectError naming key, found and expected."""
    mark = folder / MARK
    try:
        data = tomllib.loads(mark.read_text())
    except FileNotFoundError as error:
        raise ProjectError(f"{folder} is not a project: it has no {MARK}", hint="type: assay init") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProjectError(f"{mark} cannot be read: {error}", hint="correct it by hand") from error
    try:
        return ProjectSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, ProjectSettings.model_fields, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"the keys are: {', '.join(ProjectSettings.model_fields)}"
            raise ProjectError(f"{mark}: there is no setting {key!r}", hint=known) from error
        raise ProjectError(f"{mark}, {key}: found {first['input']!r}, expected: {first['msg']}") from error
