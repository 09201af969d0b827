"""From a task to a row of SWE-bench, and to the files of its 5.x tree.

A task that was made of a row gives that row again, with what has been changed since; any other is written in the
classic columns, and what those have no place for is named.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from assay.core.exchange.swebench_tasks import SETTLED, TABLE, parts_digests, row_of
from assay.core.task_files import dockerfile
from assay.model.loss import Loss
from assay.model.sandbox import Limits
from assay.model.task import Task

START, END = ">>>>> Start Test Output", ">>>>> End Test Output"
ROOT = "/testbed"
DATASET = "assay/tasks"
SPLIT = "test"
COLUMNS = (
    *("repo", "instance_id", "base_commit", "patch", "test_patch", "problem_statement", "hints_text", "created_at"),
    *("version", "FAIL_TO_PASS", "PASS_TO_PASS", "environment_setup_commit"),
)


def instance_id(task: Task) -> str:
    """The row's own id, else the folder's name."""
    found = _table(task).get("instance_id")
    return found if isinstance(found, str) else task.slug


def changed_parts(task: Task) -> frozenset[str]:
    """Which parts of the row that a task was made of do not say the same any more; all of them for other tasks. Lists
    that were found to hold here are no change of the row's own.
    """
    made_of = _table(task).get("made_of", {})
    now = parts_digests(task)
    changed = {part for part in now if not isinstance(made_of, Mapping) or made_of.get(part) != now[part]}
    return frozenset(changed - ({"lists"} if _table(task).get(SETTLED) else set()))


def needs_test_patch(task: Task) -> bool:
    """Whether the row's own test patch cannot be used."""
    return row_of(task) is None or "tests" in changed_parts(task)


def row_for(task: Task, test_patch: bytes) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """The row of a task. `test_patch` is only looked at where `needs_test_patch`."""
    row = row_of(task)
    return _classic(task, test_patch) if row is None else _again(task, row, test_patch)


def _again(task: Task, row: dict[str, Any], test_patch: bytes) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    changed = changed_parts(task)
    losses: list[Loss] = []
    if "instruction" in changed:
        row["problem_statement"] = task.instruction
        for key in ("requirements", "interface"):
            if row.get(key):
                row[key] = ""
    if "patch" in changed and _table(task).get("family") == "swe-smith":
        reason = "the reference change was changed, and a row of this family holds its opposite: the old one stays"
        losses.append(_loss(task, "patch", reason))
    elif "patch" in changed:
        row["patch"] = _text(task.gold_patch, task, "patch", losses)
    if "tests" in changed:
        row["test_patch"] = _text(test_patch, task, "test_patch", losses)
    if "lists" in changed:
        for key, ids in (("FAIL_TO_PASS", task.assay.fail_to_pass), ("PASS_TO_PASS", task.assay.pass_to_pass)):
            column = key.lower() if key.lower() in row and key not in row else key
            row[column] = json.dumps(list(ids)) if isinstance(row.get(column), str) else list(ids)
    return row, tuple(losses)


def _classic(task: Task, test_patch: bytes) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    assay, source = task.assay, task.assay.source
    losses: list[Loss] = []
    row = {
        "repo": repository(source.origin),
        "instance_id": task.slug,
        "base_commit": source.base_revision,
        "patch": _text(task.gold_patch, task, "patch", losses),
        "test_patch": _text(test_patch, task, "test_patch", losses),
        "problem_statement": task.instruction,
        "hints_text": "",
        "created_at": source.gold_date.strftime("%Y-%m-%dT%H:%M:%SZ") if source.gold_date else "",
        "version": source.base_revision if source.kind != "git" else "",
        "FAIL_TO_PASS": json.dumps(list(assay.fail_to_pass)),
        "PASS_TO_PASS": json.dumps(list(assay.pass_to_pass)),
        "environment_setup_commit": source.base_revision,
    }
    if source.kind != "git":
        losses.append(
            _loss(task, "base_commit", f"the base is of {source.kind}, not a commit: nobody can check it out")
        )
    return row, (*losses, *_without_place(task))


def _without_place(task: Task) -> list[Loss]:
    """What a classic row has no column for."""
    assay = task.assay
    there = {
        "environment": bool(assay.environment.python),
        "quarantined": bool(assay.quarantined),
        "uncounted": bool(assay.uncounted),
        "protected_paths": bool(assay.protected_paths),
        "limits": assay.limits != Limits(),
        "source.licence": bool(assay.source.licence),
        "source.base_tree_sha256": bool(assay.source.base_tree_sha256),
        "source.gold_revision": assay.source.gold_revision != assay.source.base_revision,
        "provenance": True,
    }
    return [
        _loss(task, f"metadata.assay.{field}", "a row has no column for it")
        for field, is_there in there.items()
        if is_there
    ]


def repository(origin: str) -> str:
    """`owner/name` of a URL; other origins as they are."""
    found = re.fullmatch(r"\w+://[^/]+/(.+?)(?:\.git)?/?", origin)
    return found[1] if found else origin


def tree_for(task: Task, test_patch: bytes) -> tuple[dict[str, bytes], tuple[Loss, ...]]:
    """The files of `tasks/<instance_id>/` in the 5.x tree."""
    row, losses = row_for(task, test_patch)
    name, assay = instance_id(task), task.assay
    patch = str(row.get("test_patch") or "") or test_patch.decode("utf-8", "replace")
    facts = {
        "instance_id": name,
        "repo": row["repo"],
        "version": str(row.get("version") or "unversioned"),
        "base_commit": assay.source.base_revision,
        "split": SPLIT,
        "image": image(name),
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
        "datasets": [DATASET],
    }
    lists = _as_logged(task)
    files = {
        "task.yaml": _yaml(facts),
        "tests.json": json.dumps(lists, indent=2) + "\n",
        "Dockerfile": _container(task),
        "problem_statement.md": task.instruction,
        "gold.patch": task.gold_patch.decode("utf-8", "replace"),
        "test.patch": patch,
        "eval.sh": _eval(task, patch),
    }
    if row.get("hints_text"):
        files["hints.md"] = str(row["hints_text"])
    lost = list(losses)
    asked = len(assay.fail_to_pass) + len(assay.pass_to_pass)
    if sum(len(ids) for ids in lists.values()) < asked:
        lost.append(_loss(task, "tests.json", "its harness cuts ids off at a blank: some tests are one there"))
    if assay.environment.install == "inferred":
        lost.append(_loss(task, "Dockerfile", "the task's environment is not known before its first `assay verify`"))
    if row_of(task) is not None:
        kept = {
            "instance_id",
            "repo",
            "version",
            "base_commit",
            "patch",
            "test_patch",
            "problem_statement",
            "hints_text",
        }
        others = [key for key in row if key not in kept and key.upper() not in lists and row[key]]
        lost += [_loss(task, key, "the tree has no place for it") for key in others]
    return {path: text.encode("utf-8", "surrogatepass") for path, text in files.items()}, tuple(lost)


def _as_logged(task: Task) -> dict[str, list[str]]:
    """Both lists as `parse_log_pytest` finds ids in a log: cut off at their first blank. A name that both would have
    stands where it must begin to pass.
    """
    fail, keep = (
        dict.fromkeys(test_id.split()[0] for test_id in ids if test_id.strip())
        for ids in (task.assay.fail_to_pass, task.assay.pass_to_pass)
    )
    return {"FAIL_TO_PASS": list(fail), "PASS_TO_PASS": [name for name in keep if name not in fail]}


def root_file() -> bytes:
    """`sweb.yaml` of a tree."""
    return _yaml({"datasets": [DATASET], "splits": [SPLIT]}).encode()


def image(name: str) -> str:
    """What the harness calls the image of an instance."""
    return f"swebench/sweb.eval.x86_64.{name.lower().replace('__', '_1776_')}:latest"


def _yaml(facts: Mapping[str, Any]) -> str:
    """Every JSON value is YAML, too."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in facts.items())


def _container(task: Task) -> str:
    """Our own Dockerfile, at the harness's place, as root and with the packages inside the file."""
    text = dockerfile(task.assay.source, task.assay.environment)
    lock = " ".join(shlex.quote(line) for line in task.assay.environment.lock)
    install = f"RUN pip install --no-cache-dir --no-deps {lock}" if lock else "RUN true"
    lines = [
        install if line.startswith("RUN pip install --no-cache-dir --no-deps -r") else line
        for line in text.replace("/repo", ROOT).splitlines()
        if not line.startswith(("COPY requirements.txt", "USER agent"))
    ]
    return "\n".join(lines) + "\n"


def _eval(task: Task, test_patch: str) -> str:
    """Puts the tests in place, runs them between both markers, and takes them away again."""
    paths = [*task.hidden_tests] or list(task.assay.test_files)
    names = " ".join(shlex.quote(path) for path in paths)
    files = " ".join(shlex.quote(path) for path in task.assay.test_files)
    mark = "ASSAY_TESTS"
    while mark in test_patch:
        mark += "_"
    ended = test_patch if test_patch.endswith("\n") or not test_patch else test_patch + "\n"
    put = f"git apply --whitespace=nowarn - <<'{mark}'\n{ended}{mark}\n" if test_patch.strip() else ""
    return (
        f"#!/bin/bash\nset -uxo pipefail\ncd {ROOT}\n"
        f'for path in {names}; do git checkout HEAD -- "$path" 2>/dev/null || rm -f "$path"; done\n{put}'
        f": '{START}'\npython -m pytest -rA --color=no --tb=short -p no:cacheprovider {files}\n: '{END}'\n"
    )


def _table(task: Task) -> Mapping[str, Any]:
    found = task.config.get("metadata", {}).get(TABLE, {})
    return found if isinstance(found, Mapping) else {}


def _text(data: bytes, task: Task, field: str, losses: list[Loss]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        losses.append(_loss(task, field, "it holds bytes that are not UTF-8, which a row cannot carry"))
        return data.decode("utf-8", "replace")


def _loss(task: Task, field: str, reason: str) -> Loss:
    return Loss(subject=task.slug, field=field, reason=reason)
