"""The project folder: `assay.toml` and `.assay/`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from assay.adapters.files import file_error
from assay.errors import InputError, ProjectError
from assay.model.agent import AgentSettings, ModelSettings
from assay.model.audit import AuditSettings
from assay.model.base import Frozen
from assay.model.project import ProjectSettings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MARK = "assay.toml"
STATE = ".assay"
TRIALS = "trials"
NAMED: dict[str, type[Frozen]] = {"models": ModelSettings, "agents": AgentSettings}
"""Tables of tables, each with a name of the user's own."""
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
#
# [audit]                       # thresholds of `assay audit`; shares from 0 to 1
# runs = 10                     # of the reference change and of the base, for stability
# flips = 0                     # tests that may flip in those runs
# mutant_count = 60             # tried at most; drawn by lot
# mutant_kill_rate = 0.8        # `mutants` fails below it
# unneeded_hunks = 0            # that no test needs
# alternatives_rejected = 0     # rewrites with the same behaviour that the tests may reject
# attack_seconds = 120          # after it, no further attack is begun
# check_seconds = 120           # after it, a check begins no further variant
# verdict_seconds = 60          # a slower verdict fails `cost`,
# memory_mib = 2048             # as does a run that takes more memory
# disk_mib = 512                # or writes more
#
# [models]                      # prices in dollars for a million tokens, and where a model answers; docs/agents.md
#   [models."gpt-5-mini"]
#   input_usd = 0.25
#   cached_input_usd = 0.025
#   output_usd = 2.0
#
# [agents]                      # agents of your own by name, for --agent
#   [agents.ours]
#   command = "our-agent --model {model} --prompt-file {prompt_file}"
#   mounts = ["/opt/our-agent"]
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
        raise _wrong(mark, error.errors()[0]) from error


def _wrong(mark: Path, first: ErrorDetails) -> ProjectError:
    """The first thing that is wrong, named: file, key, found, expected."""
    where = [str(part) for part in first["loc"]]
    key = ".".join(where)
    if first["type"] == "extra_forbidden":
        return ProjectError(f"{mark}: there is no setting {key!r}", hint=_meant(where))
    if first["type"] == "model_type":
        return ProjectError(f"{mark}, {key}: found {first['input']!r}, expected: a table, as in [{key}]")
    return ProjectError(f"{mark}, {key}: found {first['input']!r}, expected: {first['msg']}")


def _meant(where: list[str]) -> str:
    """What may have been meant: a key of the same table that is close, or the same key in the other table."""
    name, table, tables = where[-1], ".".join(where[:-1]), _tables(where)
    here = tables.pop(table, {})
    near = difflib.get_close_matches(name, here, n=1)
    homes = [other for other, keys in tables.items() if name in keys]
    if homes:
        return (
            f"it belongs into [{homes[0]}]: {name!r} is one of its keys"
            if homes[0]
            else "it belongs above the first [table]"
        )
    if near:
        return f"did you mean {f'{table}.{near[0]}' if table else near[0]!r}?"
    for other, keys in tables.items():
        if found := difflib.get_close_matches(name, keys, n=1):
            return f"did you mean {f'{other}.{found[0]}' if other else found[0]!r}?"
    return f"the keys {f'of [{table}] ' if table else ''}are: {', '.join(here)}"


def _tables(where: list[str]) -> dict[str, Iterable[str]]:
    """The keys of all tables, by name; those that a person names are there when it is about them."""
    tables: dict[str, Iterable[str]] = {"": ProjectSettings.model_fields, "audit": AuditSettings.model_fields}
    if len(where) > 1 and where[0] in NAMED:
        tables[".".join(where[:2])] = NAMED[where[0]].model_fields
    return tables
