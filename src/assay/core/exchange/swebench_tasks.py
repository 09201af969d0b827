"""From a published row to a task, and the row that a task keeps of where it came from.

Nothing is run and no environment is known: the recipe says `inferred`, and who uses the task first finds out. The
row itself travels in the folder as it came, so that exporting it again loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assay.core.admission import Admission
from assay.core.exchange.swebench_ids import file_of
from assay.core.exchange.swebench_rows import Row
from assay.core.hashing import json_digest, tree_digest
from assay.core.task_files import compose
from assay.errors import InputError
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.loss import Loss
from assay.model.sandbox import Limits
from assay.model.task import WORKSPACE, Provenance, Task
from assay.model.tree import FileState

ROW = "solution/row.json"
"""The row as it came; solutions are shown to no agent."""
TABLE = "swebench"
"""[metadata.swebench]: which row a task was made of."""
SETTLED = "settled"
"""In that table: the lists are those that hold here, and not the row's any more."""
VERSIONS = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PBR_VERSION", "PDM_BUILD_SCM_VERSION")
"""For projects that ask git for their version; the row knows it, roughly."""
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the clone says about a row."""

    origin: str
    """Under which others find the repository."""
    base_revision: str
    base_date: datetime | None
    gold_patch: bytes
    hidden: Mapping[str, FileState | None]
    """The tests as the row's test patch leaves them."""
    over: Mapping[str, FileState] = field(default_factory=dict)
    """Files that lie over the base revision: the bug, where a row makes one."""
    known_files: frozenset[str] = frozenset()
    """Those of the listed tests' files that the repository has, before or after."""


def slug_of(instance_id: str) -> str:
    """The folder's name: the row's own id, as far as a folder can be called so."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", instance_id).strip("-._")
    return re.sub(r"\.{2,}", ".", slug)[:200] if SLUG.fullmatch(slug) else "row"


def task_of(row: Row, ground: Ground, limits: Limits, protected: tuple[str, ...]) -> tuple[Task, tuple[Loss, ...]]:
    """The task of a row, and what of the row counts for nothing. Raises InputError when no test is left."""
    slug, losses = slug_of(row.instance_id), list(row.losses)
    lists = {}
    for key, ids in (("FAIL_TO_PASS", row.fail_to_pass), ("PASS_TO_PASS", row.pass_to_pass)):
        lists[key] = tuple(i for i in ids if not file_of(i) or file_of(i) in ground.known_files)
        gone = [i for i in ids if i not in set(lists[key])]
        losses += [_lost(row, key, f"{i!r:.120}: the repository has no such file") for i in gone]
    files = tuple(dict.fromkeys(file_of(i) for ids in lists.values() for i in ids if file_of(i)))
    if not files:
        files = tuple(path for path, state in ground.hidden.items() if state is not None and path.endswith(".py"))
    if not lists["FAIL_TO_PASS"] or not all(path.endswith(".py") for path in files) or not files:
        found = (row.fail_to_pass or ("nothing",))[0]
        raise InputError(
            f"FAIL_TO_PASS: found {found!r:.100}, expected a test of a Python file that the repository has",
            hint="assay judges by pytest; rows of other languages cannot be imported yet",
        )
    task = compose(
        slug=slug,
        source=SourceInfo(
            kind="git",
            origin=ground.origin,
            base_revision=ground.base_revision,
            gold_revision=ground.base_revision,
            base_date=ground.base_date,
            gold_date=row.created_at,
        ),
        recipe=Recipe(
            python="", install="inferred", variables=dict.fromkeys(VERSIONS, row.version) if row.version else {}
        ),
        framework="pytest",
        test_files=files,
        hidden=ground.hidden,
        gold_patch=ground.gold_patch,
        admission=Admission(fail_to_pass=lists["FAIL_TO_PASS"], pass_to_pass=lists["PASS_TO_PASS"]),
        protected=protected,
        limits=limits,
        provenance=Provenance(instruction=row.family, tests=row.family, gold=row.family),
        instruction=row.instruction,
    )
    config: dict[str, Any] = deepcopy(dict(task.config))
    text, lossy = _json(row.raw)
    losses += [_lost(row, key, "kept as text: JSON has no such value") for key in lossy]
    table = {"family": row.family, "instance_id": row.instance_id, "repo": row.repo}
    config["metadata"][TABLE] = {
        **table,
        **({"version": row.version} if row.version else {}),
        "made_of": parts_digests(task),
    }
    own = {ROW: FileState(text)} | {WORKSPACE + path: state for path, state in ground.over.items()}
    if ground.over:
        own["environment/Dockerfile"] = _with_workspace(task.files["environment/Dockerfile"])
    return replace(task, config=config, files={**task.files, **own}), tuple(losses)


def parts_digests(task: Task) -> dict[str, str]:
    """Digests of what a row says of a task, to see later which of it has been changed."""
    assay = task.assay
    return {
        "instruction": json_digest(task.instruction),
        "patch": hashlib.sha256(task.gold_patch).hexdigest(),
        "tests": tree_digest(task.hidden_tests),
        "lists": json_digest([assay.fail_to_pass, assay.pass_to_pass]),
    }


def row_of(task: Task) -> dict[str, Any] | None:
    """The row that a task was made of, as it came; None for a task of another origin."""
    state = task.files.get(ROW)
    if state is None or TABLE not in task.config.get("metadata", {}):
        return None
    try:
        row = json.loads(state.data)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _lost(row: Row, key: str, reason: str) -> Loss:
    return Loss(subject=row.instance_id, field=key, reason=reason)


def _json(raw: Mapping[str, Any]) -> tuple[bytes, list[str]]:
    """A row as JSON, and the keys whose values JSON has no place for (dates and bytes, as parquet has them)."""
    strange: list[str] = []
    parts = []
    for key, value in raw.items():
        try:
            text = json.dumps(value, ensure_ascii=True)
        except (TypeError, ValueError, RecursionError):
            strange.append(str(key))
            text = json.dumps(value.isoformat() if isinstance(value, datetime) else str(value))
        parts.append(f" {json.dumps(str(key))}: {text}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode(), strange


def _with_workspace(dockerfile: FileState) -> FileState:
    """The Dockerfile that lays what the folder brings over what it fetches."""
    text = dockerfile.data.decode().replace("\nRUN rm -rf .git ", "\nCOPY workspace/ /repo/\nRUN rm -rf .git ", 1)
    return FileState(text.encode())
