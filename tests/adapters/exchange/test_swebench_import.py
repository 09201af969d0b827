"""Rows against a clone: what is read of it, every family, and what is said of a row that cannot come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from assay.adapters.exchange.clones import Clones, places, short_name
from assay.adapters.exchange.swebench_import import SwebenchImporter
from assay.adapters.format.harbor import HarborFormat
from assay.core.exchange.swebench_export import row_for
from assay.errors import InputError
from assay.model.exchange import Reading
from assay.model.task import Task
from assay.model.tree import FileState
from assay.testing.repositories import commit, git

WHEN = datetime(2024, 1, 1, tzinfo=UTC)
BASE = {
    "slug.py": FileState(b"def slug(text):\n    return text\n"),
    "test_slug.py": FileState(b"from slug import slug\n\n\ndef test_old():\n    assert slug('a') == 'a'\n"),
    "run.sh": FileState(b"#!/bin/sh\n", "100755"),
}
GOLD = """\
diff --git a/slug.py b/slug.py
--- a/slug.py
+++ b/slug.py
@@ -1,2 +1,2 @@
 def slug(text):
-    return text
+    return text.lower()
"""
TESTS = """\
diff --git a/test_slug.py b/test_slug.py
--- a/test_slug.py
+++ b/test_slug.py
@@ -4,2 +4,6 @@
 def test_old():
     assert slug('a') == 'a'
+
+
+def test_new():
+    assert slug('A') == 'a'
diff --git a/test_more.py b/test_more.py
new file mode 100644
--- /dev/null
+++ b/test_more.py
@@ -0,0 +1 @@
+def test_more(): pass
"""


@pytest.fixture
def clones(tmp_path: Path) -> Path:
    folder = tmp_path / "clones" / "acme__slug"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, BASE, "Base", WHEN)
    return folder.parent


def row(clones: Path, **changed: Any) -> dict[str, Any]:
    made = {
        "repo": "acme/slug",
        "instance_id": "acme__slug-1",
        "base_commit": git(clones / "acme__slug", "rev-parse", "main"),
        "patch": GOLD,
        "test_patch": TESTS,
        "problem_statement": "Make it lower case.",
        "FAIL_TO_PASS": '["test_slug.py::test_new", "test_more.py::test_more"]',
        "PASS_TO_PASS": '["test_slug.py::test_old"]',
    }
    return {key: value for key, value in {**made, **changed}.items() if value is not ...}


def read(
    clones: Path | None, tmp_path: Path, *rows: dict[str, Any] | str, told: list[str] | None = None
) -> list[Reading]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
    heard: list[str] = [] if told is None else told
    importer = SwebenchImporter(remember=lambda origin, git_dir: heard.append(f"{origin} {git_dir}"))

    async def run() -> list[Reading]:
        return await anyio.to_thread.run_sync(lambda: list(importer.read(path, clones)))

    return anyio.run(run)


def task_of(reading: Reading) -> Task:
    assert reading.problem is None
    assert reading.task is not None
    return reading.task


def test_a_row_becomes_a_task_that_can_be_written_and_read(clones: Path, tmp_path: Path) -> None:
    told: list[str] = []
    raw = row(clones)
    (reading,) = read(clones, tmp_path, raw, told=told)
    task = task_of(reading)
    assert told == [f"https://github.com/acme/slug {clones / 'acme__slug' / '.git'}"]
    assert task.assay.environment.install == "inferred"
    assert task.assay.source.base_date == WHEN
    assert task.assay.test_files == ("test_slug.py", "test_more.py")
    assert task.assay.fail_to_pass == ("test_slug.py::test_new", "test_more.py::test_more")
    assert {path: state and state.data.count(b"def test") for path, state in task.hidden_tests.items()} == {
        "test_slug.py": 2, "test_more.py": 1
    }  # fmt: skip
    again = HarborFormat().read(HarborFormat().write(task, tmp_path / "tasks"))
    assert row_for(again, b"") == (raw, ())
    assert reading.losses == ()


def test_a_bug_is_taken_back(clones: Path, tmp_path: Path) -> None:
    bug = GOLD.replace("-    return text\n+    return text.lower()", "-    return text\n+    return text + '!'")
    smith = row(
        clones, image_name="x", patch=bug, test_patch=..., FAIL_TO_PASS=["test_slug.py::test_old"], PASS_TO_PASS=[]
    )
    task = task_of(read(clones, tmp_path, smith)[0])
    assert task.workspace == {"slug.py": FileState(b"def slug(text):\n    return text + '!'\n")}
    assert b"-    return text + '!'\n+    return text\n" in task.gold_patch
    assert task.hidden_tests == {"test_slug.py": BASE["test_slug.py"]}
    assert "COPY workspace/ /repo/" in task.files["environment/Dockerfile"].data.decode()
    assert row_for(task, b"")[0] == smith


def test_a_bug_on_its_branch(clones: Path, tmp_path: Path) -> None:
    folder = clones / "acme__slug"
    git(folder, "checkout", "-q", "-b", "acme__slug-1")
    broken = {**BASE, "slug.py": FileState(b"def slug(text):\n    return text + '!'\n")}
    tip = commit(folder, {path: state for path, state in broken.items() if path != "test_slug.py"}, "Bug", WHEN)
    bug = GOLD.replace("text.lower()", "text + '!'")
    smith = row(
        clones, image_name="x", patch=bug, test_patch=..., base_commit=..., FAIL_TO_PASS=["test_slug.py::test_old"]
    )
    task = task_of(read(clones, tmp_path, smith)[0])
    assert (task.assay.source.base_revision, task.workspace) == (tip, {})
    assert set(task.hidden_tests) == {"test_slug.py"}


def test_tests_of_a_commit(clones: Path, tmp_path: Path) -> None:
    folder = clones / "acme__slug"
    base = git(folder, "rev-parse", "main")
    later = commit(folder, {**BASE, "test_slug.py": FileState(b"def test_new(): ...\n")}, "Later", WHEN)
    pro = row(
        clones, base_commit=base, test_patch=..., FAIL_TO_PASS=..., PASS_TO_PASS=..., pass_to_pass="[]",
        fail_to_pass="['test_slug.py::test_new']",
        before_repo_set_cmd=f"git reset --hard {base}\ngit checkout {later} -- test_slug.py",
    )  # fmt: skip
    task = task_of(read(clones, tmp_path, pro)[0])
    assert task.hidden_tests == {"test_slug.py": FileState(b"def test_new(): ...\n")}


def test_every_broken_row_is_told_and_none_keeps_others_back(clones: Path, tmp_path: Path) -> None:
    broken: list[tuple[dict[str, Any] | str, str]] = [
        (row(clones, repo=...), "has no 'repo'"),
        (row(clones, repo="acme/none"), "has no clone of acme/none"),
        (row(clones, repo="../../etc"), "does not name a repository"),
        (row(clones, base_commit="f" * 40), "lacks the commit"),
        (row(clones, base_commit="--help"), "lacks the commit"),
        (row(clones, patch=GOLD.replace("return text\n", "return nothing\n", 1)), "'patch' does not apply"),
        (row(clones, test_patch=TESTS.replace("def test_old", "def test_older")), "'test_patch' does not apply"),
        (row(clones, patch="--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n"), "'patch' does not apply"),
        (row(clones, patch="x" * 100), "'patch' does not apply"),
        (row(clones, FAIL_TO_PASS=3), "'FAIL_TO_PASS'"),
        (row(clones, FAIL_TO_PASS=["none.py::test_a"]), "expected a test of a Python file"),
        (row(clones, FAIL_TO_PASS=["src/a.js::b"], test_patch=""), "expected a test of a Python file"),
        ('{"instance_id": "trunc', "not JSON"),
        ("[]", "is not a row"),
    ]
    rows = [one for one, _ in broken]
    readings = read(clones, tmp_path, row(clones), *rows, row(clones))
    assert readings[0].problem is None
    assert readings[-1].problem is None
    for number, (reading, (_, said)) in enumerate(zip(readings[1:-1], broken, strict=True), 2):
        assert reading.task is None
        assert reading.problem is not None
        assert said in reading.problem.message
        assert f"rows.jsonl, line {number}" in reading.problem.message


def test_clones_are_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clones were given"):
        read(None, tmp_path, "{}")


@pytest.mark.parametrize("place", ["acme/slug", "acme+slug/repo", "acme__slug.git", "slug"])
def test_where_a_clone_may_lie(clones: Path, tmp_path: Path, place: str) -> None:
    target = tmp_path / "others" / place
    target.parent.mkdir(parents=True)
    git(tmp_path, "clone", "-q", "--bare", str(clones / "acme__slug"), str(target))
    reader = anyio.run(Clones(tmp_path / "others").find, "https://github.com/acme/slug.git")
    assert reader.git_dir == target


def test_one_clone_alone(clones: Path) -> None:
    assert anyio.run(Clones(clones / "acme__slug").find, "acme/slug").git_dir.name == ".git"


def test_names_of_repositories() -> None:
    assert short_name("git@github.com:a/b.git") == short_name("https://github.com/a/b/") == short_name("a/b") == "a/b"
    assert places("a/b")[0] == "a__b"


def test_nothing_of_a_clone_is_written_to(clones: Path, tmp_path: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_size) for p in clones.rglob("*")}

    raw, before = row(clones), state()
    read(clones, tmp_path, raw)
    assert state() == before
