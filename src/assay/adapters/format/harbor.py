"""Harbor 1.4 task folders, with assay's own facts under [metadata.assay]."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from assay.adapters.format import bank
from assay.adapters.format.folder import broken, read_bytes, read_tree, replace_file, replace_folder
from assay.adapters.format.tables import check_tables
from assay.adapters.source.archive import read_archive
from assay.errors import Rejection, TaskDefinitionError
from assay.model.bank import Bank
from assay.model.evidence import Evidence
from assay.model.task import BASE_ARCHIVE, FORMAT, GOLD_PATCH, PUZZLE, SCRIPT, AssayMetadata, Task
from assay.model.tree import FileChange, FileState, Tree, changes_between, is_safe_path

CONFIG = "task.toml"
INSTRUCTION = "instruction.md"
EVIDENCE = "evidence"
OWN_NAMES = frozenset({CONFIG, INSTRUCTION, EVIDENCE})


class HarborFormat:
    """Reads and writes Harbor 1.4 folders."""

    name = "harbor"

    def read(self, path: Path) -> Task:
        """A task. Raises TaskDefinitionError naming file, key, found and expected."""
        root = path.absolute()
        if root.is_symlink() or not root.is_dir():
            raise broken(root.name, "", "no folder", "a task folder")
        config = read_config(root)
        check_tables(config)
        assay = _metadata(config)
        instruction = read_text(root / INSTRUCTION, INSTRUCTION)
        files = read_tree(root, OWN_NAMES)
        if GOLD_PATCH not in files and assay.framework != SCRIPT:
            raise broken(GOLD_PATCH, "", "nothing", "the reference change as git's patch")
        return Task(root.name, config, assay, instruction, files)

    def write(self, task: Task, folder: Path) -> Path:
        """Write `folder/<slug>` whole or not at all, keeping evidence/. Raises TaskDefinitionError, DiskFullError."""
        if "/" in task.slug or not is_safe_path(task.slug):
            raise broken(CONFIG, "slug", repr(task.slug), "a plain folder name")
        target = folder / task.slug
        files = _rendered(task)
        if target.is_dir() and (target / CONFIG).exists():
            _refuse_newer(_format_of(read_config(target)))
        replace_folder(target, files, EVIDENCE, CONFIG)
        return target

    def changes(self, path: Path, task: Task) -> tuple[FileChange, ...]:
        """What would differ in the folder at `path` if it held this task. A task.toml that says the same stays as it
        is, however it is laid out. Raises TaskDefinitionError.
        """
        root = path.absolute()
        now = read_tree(root, OWN_NAMES)
        for name in (CONFIG, INSTRUCTION):
            now[name] = FileState(read_bytes(root / name, name)[0])
        new = _rendered(task)
        if read_config(root) == task.config:
            new[CONFIG] = now[CONFIG]
        return changes_between(now, new)

    def base(self, task: Task) -> Tree | None:
        """What a puzzle starts from, or a base that was packed."""
        if task.assay.source.kind == PUZZLE:
            return task.workspace
        state = task.files.get(BASE_ARCHIVE)
        if state is None:
            return None
        try:
            return read_archive(state.data, BASE_ARCHIVE)
        except Rejection as error:
            raise broken(BASE_ARCHIVE, "", error.message, "the base as `assay export` packs it") from error

    def read_evidence(self, path: Path, stage: str) -> Evidence | None:
        """Evidence of a stage, or None. Raises TaskDefinitionError when it is broken."""
        name = _evidence_name(stage)
        if (path / EVIDENCE).is_symlink():
            raise broken(EVIDENCE, "", "a link", "a folder")
        if not os.path.lexists(path / name):
            return None
        data, _ = read_bytes(path / name, name)
        try:
            evidence = Evidence.model_validate_json(data)
        except ValidationError as error:
            raise _from_validation(name, "", error) from error
        if evidence.stage != stage:
            raise broken(name, "stage", repr(evidence.stage), repr(stage))
        return evidence

    def write_evidence(self, path: Path, evidence: Evidence) -> None:
        """Write evidence/<stage>.json whole or not at all."""
        name = _evidence_name(evidence.stage)
        if (path / EVIDENCE).is_symlink():
            raise broken(EVIDENCE, "", "a link", "a folder")
        replace_file(path / name, evidence.model_dump_json(indent=2).encode() + b"\n")

    def read_bank(self, path: Path) -> Bank:
        """Solutions that people judged. Raises TaskDefinitionError when they cannot be read as they are."""
        return bank.read_bank(path.absolute())

    def add_to_bank(self, path: Path, patch: bytes, *, right: bool) -> Path:
        """Keep a solution; where. Raises InputError for one that cannot be kept, and TaskDefinitionError."""
        root = path.absolute()
        if root.is_symlink() or not (root / CONFIG).is_file():
            raise broken(root.name, "", "no task folder", f"a folder with {CONFIG}")
        return bank.add_to_bank(root, patch, right=right)


def _rendered(task: Task) -> dict[str, FileState]:
    """All files of a task's folder. Raises TaskDefinitionError for what cannot be written."""
    check_tables(task.config)
    if _metadata(task.config) != task.assay:
        raise broken(CONFIG, "metadata.assay", "other values than the task's own", "the same values in both")
    _refuse_newer(task.assay.format)
    if taken := {path.split("/")[0] for path in task.files} & OWN_NAMES:
        raise broken(sorted(taken)[0], "", "a file of the task's tree", "a name that the format does not use")
    try:
        own = {
            CONFIG: FileState(tomli_w.dumps(task.config).encode()),
            INSTRUCTION: FileState(task.instruction.encode()),
        }
    except (TypeError, ValueError) as error:
        raise broken(CONFIG, "", str(error), "values that TOML and UTF-8 can hold") from error
    return {**task.files, **own}


def _evidence_name(stage: str) -> str:
    if "/" in stage or not is_safe_path(stage):
        raise broken(EVIDENCE, "stage", repr(stage), "a plain name")
    return f"{EVIDENCE}/{stage}.json"


def read_text(path: Path, name: str) -> str:
    """A file of a task as text; `name` is for messages. Raises TaskDefinitionError."""
    data, _ = read_bytes(path, name)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise broken(name, "", f"byte {error.start} that is not UTF-8", "UTF-8 text") from error


def read_config(root: Path) -> dict[str, Any]:
    """`task.toml` as it stands, unchecked. Raises TaskDefinitionError for what is no TOML."""
    text = read_text(root / CONFIG, CONFIG)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise broken(CONFIG, "", str(error) or "tables nested too deeply", "TOML 1.0") from error


def _assay_table(config: Mapping[str, Any]) -> dict[str, Any]:
    table = config.get("metadata", {}).get("assay")
    if not isinstance(table, dict):
        raise TaskDefinitionError(
            f"{CONFIG}, metadata.assay: found nothing, expected the table with assay's facts",
            hint="This may be a Harbor task of another origin: type `assay import harbor FOLDER`.",
            file=CONFIG, key="metadata.assay", found="nothing", expected="a table",
        )  # fmt: skip
    return table


def _format_of(config: Mapping[str, Any]) -> int:
    number = _assay_table(config).get("format", FORMAT)
    if not isinstance(number, int) or isinstance(number, bool):
        raise broken(CONFIG, "metadata.assay.format", repr(number), "a whole number")
    return number


def _refuse_newer(number: int) -> None:
    if number > FORMAT:
        raise broken(CONFIG, "metadata.assay.format", str(number), f"at most {FORMAT}, to be written over")


def _metadata(config: Mapping[str, Any]) -> AssayMetadata:
    table = deepcopy(_assay_table(config))
    newer = _format_of(config) > FORMAT
    try:
        return AssayMetadata.model_validate(table)
    except ValidationError as error:
        unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
        if not newer or not unknown:
            raise _from_validation(CONFIG, "metadata.assay.", error) from error
    for *above, last in unknown:
        inner: Any = table
        for key in above:
            inner = inner[key]
        inner.pop(last, None)
    try:
        return AssayMetadata.model_validate(table)
    except ValidationError as error:
        raise _from_validation(CONFIG, "metadata.assay.", error) from error


def _from_validation(file: str, prefix: str, error: ValidationError) -> TaskDefinitionError:
    first = error.errors()[0]
    key = prefix + ".".join(str(part) for part in first["loc"])
    found = "nothing" if first["type"] == "missing" else repr(first["input"])
    return broken(file, key, found, first["msg"])
