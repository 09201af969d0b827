"""A row, the task made of it, and the row again: where no loss is told, nothing was lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.core.exchange.swebench_export import image, needs_test_patch, repository, row_for, tree_for
from assay.core.exchange.swebench_rows import read_row
from assay.core.exchange.swebench_tasks import Ground, slug_of, task_of
from assay.core.task_files import amended
from assay.model.sandbox import Limits
from assay.model.task import GOLD_PATCH, Task
from assay.model.tree import FileState

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT, st.lists, max_leaves=4
)
IDS = st.lists(
    st.sampled_from(["test_x.py::a", "test_x.py::b[1 2", "[100%]", "gone.py::c", "test_x.py::d"]), unique=True
)


FORMS: tuple[Callable[[list[str]], Any], ...] = (list, json.dumps, repr)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Rows of any family, with columns that nobody knows."""
    form = draw(st.sampled_from(FORMS))
    row = {
        "repo": "acme/slug",
        "instance_id": "acme__slug-1",
        "base_commit": "a" * 40,
        "patch": "diff --git a/x.py b/x.py\n" + draw(TEXT),
        "test_patch": draw(TEXT),
        "problem_statement": "It breaks. " + draw(TEXT),
        "FAIL_TO_PASS": form(["test_x.py::new", *draw(IDS)]),
        "PASS_TO_PASS": form(draw(IDS)),
    }
    others = draw(st.dictionaries(st.sampled_from(["hints_text", "meta", "interface", "docker_image", "zeal"]), VALUES))
    return {**row, **others}


def made(raw: dict[str, Any]) -> tuple[Task, list[str]]:
    row = read_row(raw, "rows, row 1")
    hidden = {"test_x.py": FileState(b"def test(): ...\n")}
    ground = Ground(
        "https://github.com/acme/slug", "a" * 40, None, row.patch.encode(), hidden, known_files=frozenset(hidden)
    )
    task, losses = task_of(row, ground, Limits(), ("conftest.py",))
    return task, [loss.field for loss in losses]


@given(rows())
def test_a_round_trip_gives_the_same_row(raw: dict[str, Any]) -> None:
    task, _ = made(raw)
    assert not needs_test_patch(task)
    again, losses = row_for(task, b"")
    assert (again, losses) == (raw, ())


@given(rows())
def test_every_published_test_is_in_the_task_or_among_the_losses(raw: dict[str, Any]) -> None:
    task, losses = made(raw)
    row = read_row(raw, "r")
    counted = {*task.assay.fail_to_pass, *task.assay.pass_to_pass}
    dropped = [i for i in (*row.fail_to_pass, *row.pass_to_pass) if i not in counted]
    told = losses.count("FAIL_TO_PASS") + losses.count("PASS_TO_PASS")
    assert len(dropped) + len(row.losses) >= told >= len(dropped)
    assert all(test_id.startswith("gone.py") for test_id in dropped)


def test_what_was_changed_since_is_in_the_row() -> None:
    raw = {
        "repo": "acme/slug", "instance_id": "acme__slug-1", "base_commit": "a" * 40, "patch": "diff --git a/x b/x\n",
        "test_patch": "t", "problem_statement": "Old.", "FAIL_TO_PASS": '["test_x.py::new"]', "PASS_TO_PASS": "[]",
    }  # fmt: skip
    task, _ = made(raw)
    lists = amended(task.with_instruction("New.\n"), pass_to_pass=("test_x.py::e",))
    changed = replace(lists, files={**lists.files, GOLD_PATCH: FileState(b"other\n")})
    row, losses = row_for(changed, b"")
    assert losses == ()
    assert row == {**raw, "problem_statement": "New.\n", "patch": "other\n", "PASS_TO_PASS": '["test_x.py::e"]',
                   "FAIL_TO_PASS": '["test_x.py::new"]'}  # fmt: skip
    tests = replace(task, files={**task.files, "tests/files/test_x.py": FileState(b"more\n")})
    assert needs_test_patch(tests)
    assert row_for(tests, b"the diff\n")[0]["test_patch"] == "the diff\n"


def test_values_that_json_has_not_are_a_loss() -> None:
    from datetime import UTC, datetime

    raw = {
        "repo": "acme/slug", "instance_id": "acme__slug-1", "base_commit": "a" * 40, "patch": "d",
        "test_patch": "t", "problem_statement": "Old.", "FAIL_TO_PASS": ["test_x.py::new"],
        "created_at": datetime(2023, 1, 2, tzinfo=UTC), "blob": b"x",
    }  # fmt: skip
    task, losses = made(raw)
    assert losses == ["created_at", "blob"]
    assert row_for(task, b"")[0]["created_at"] == "2023-01-02T00:00:00+00:00"


def test_a_task_of_another_origin_names_what_a_row_has_no_place_for() -> None:
    task, _ = made({"repo": "a/b", "instance_id": "i", "base_commit": "a" * 40, "patch": "d", "test_patch": "t",
                    "problem_statement": "p", "FAIL_TO_PASS": ["test_x.py::new"]})  # fmt: skip
    files = {path: state for path, state in task.files.items() if path != "solution/row.json"}
    row, losses = row_for(replace(task, files=files), b"the tests\n")
    assert (row["repo"], row["instance_id"], row["test_patch"]) == ("acme/slug", "i", "the tests\n")
    assert {loss.field for loss in losses} == {"metadata.assay.protected_paths", "metadata.assay.provenance"}


def check(name: str, files: dict[str, bytes]) -> list[str]:
    """The rules of `swebench`'s own check, as far as they are known."""
    needed = {"task.yaml", "tests.json", "Dockerfile", "problem_statement.md", "gold.patch", "test.patch", "eval.sh"}
    facts = {
        line.partition(": ")[0]: json.loads(line.partition(": ")[2])
        for line in files["task.yaml"].decode().splitlines()
    }
    lists = json.loads(files["tests.json"])
    keys = {"instance_id", "repo", "version", "base_commit", "split", "image", "log_parser", "eval_type", "datasets"}
    wrong = [f"no {path}" for path in sorted(needed - files.keys())] + [
        f"no {key}" for key in sorted(keys - facts.keys())
    ]
    script = files["eval.sh"].decode()
    rules = {
        "id": facts["instance_id"] == name,
        "lists": all(isinstance(lists[key], list) for key in ("FAIL_TO_PASS", "PASS_TO_PASS")),
        "fail-to-pass": bool(lists["FAIL_TO_PASS"]),
        "image": facts["image"] == f"swebench/sweb.eval.x86_64.{name.lower().replace('__', '_1776_')}:latest",
        "gold": b"diff --git" in files["gold.patch"],
        "tests": b"diff --git" in files["test.patch"],
        "markers": ">>>>> Start Test Output" in script and ">>>>> End Test Output" in script,
        "hints": files.get("hints.md") != b"",
    }
    return wrong + [rule for rule, holds in rules.items() if not holds]


def test_the_tree_keeps_the_rules_of_its_check() -> None:
    raw = {
        "repo": "acme/slug", "instance_id": "Acme__slug-1", "base_commit": "a" * 40, "patch": "diff --git a/x b/x\n",
        "test_patch": "diff --git a/test_x.py b/test_x.py\nASSAY_TESTS\n", "problem_statement": "It breaks.",
        "FAIL_TO_PASS": ["test_x.py::new"], "hints_text": "Look.", "zeal": 3,
    }  # fmt: skip
    task, _ = made(raw)
    files, losses = tree_for(task, b"")
    assert check("Acme__slug-1", files) == []
    assert {loss.field for loss in losses} == {"Dockerfile", "zeal"}
    assert files["hints.md"] == b"Look."
    assert b"<<'ASSAY_TESTS_'\n" in files["eval.sh"]


def test_the_tree_names_tests_as_the_parser_of_its_harness_reads_them() -> None:
    raw = {
        "repo": "acme/slug", "instance_id": "i", "base_commit": "a" * 40, "patch": "diff --git a/x b/x\n",
        "test_patch": "diff --git a/test_x.py b/test_x.py\n", "problem_statement": "It breaks.",
        "FAIL_TO_PASS": ["test_x.py::new[a b]"],
        "PASS_TO_PASS": ["test_x.py::new[a c]", "test_x.py::old[d e]", "test_x.py::old[d f]"],
    }  # fmt: skip
    task, _ = made(raw)
    files, losses = tree_for(task, b"")
    lists = json.loads(files["tests.json"])
    assert lists == {"FAIL_TO_PASS": ["test_x.py::new[a"], "PASS_TO_PASS": ["test_x.py::old[d"]}
    assert [loss.field for loss in losses if loss.field == "tests.json"] == ["tests.json"]


def test_names() -> None:
    assert slug_of("pallets__flask-5014") == "pallets__flask-5014"
    assert slug_of("a/b c..d") == "a-b-c.d"
    assert (slug_of("../../etc"), slug_of("..")) == ("etc", "row")
    assert image("A__b-1") == "swebench/sweb.eval.x86_64.a_1776_b-1:latest"
    assert repository("https://github.com/a/b.git") == "a/b"
    assert repository("python-slugify") == "python-slugify"
