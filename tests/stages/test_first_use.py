"""The first use of an imported task, with everything real but the building of environments."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from assay.adapters.clock import SystemClock
from assay.adapters.exchange.swebench_import import SwebenchImporter
from assay.adapters.format.harbor import HarborFormat
from assay.adapters.framework.pytest import PytestFramework
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.source.git import GitSource
from assay.adapters.store.layers import LayerStore
from assay.core.hashing import task_digest
from assay.core.recipes import LATER
from assay.errors import VerifierError
from assay.model.environment import Recipe
from assay.model.ledger import Cost
from assay.model.task import Task
from assay.model.tree import FileState, Tree
from assay.ports.environment import Built
from assay.stages.judging import prepare
from assay.stages.toolbox import Toolbox
from assay.testing.interpreter import own_environment
from assay.testing.repositories import commit, git
from assay.testing.store import MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox, pytest.mark.slow]
BASE = {
    "slug.py": FileState(b"def slug(text):\n    return text\n"),
    "test_slug.py": FileState(b"from slug import slug\n\n\ndef test_old():\n    assert slug('a') == 'a'\n"),
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
@@ -1,1 +1,2 @@
+import os, pytest
 from slug import slug
@@ -4,2 +5,20 @@
 def test_old():
     assert slug('a') == 'a'
+
+
+@pytest.mark.parametrize("text", ["A B", "C"])
+def test_new(text):
+    assert slug(text) == text.lower()
+
+
+def test_network():
+    raise ConnectionRefusedError("Connection refused")
+
+
+def test_package():
+    assert "BROKEN" not in os.environ
+
+
+@pytest.mark.xfail
+def test_hoped():
+    assert not slug('a')
"""


class Environments:
    """Builds nothing; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, datetime | None]] = []
        self.broken_until: datetime | None = None
        """Environments up to this day have a package that breaks one of the tests."""

    async def provide(
        self, base: Tree, base_layer: Path, *, repository: str, date: datetime | None, name: str = "", version: str = ""
    ) -> Built:
        self.asked.append(("provide", version, date))
        if self.broken_until and date and date <= self.broken_until:
            found = own_environment()
            return Built(replace(found, variables=(*found.variables, ("BROKEN", "1"))), Cost())
        return Built(own_environment(), Cost())

    async def rebuild(self, recipe: Recipe, base: Tree, base_layer: Path, *, name: str = "") -> Built:
        self.asked.append(("rebuild", recipe.python, None))
        return Built(own_environment(), Cost())


@pytest.fixture
async def imported(tmp_path: Path) -> tuple[Task, Toolbox, Environments]:
    clone = tmp_path / "slug"
    clone.mkdir()

    def make() -> str:
        git(clone, "init", "-q", "-b", "main")
        return commit(clone, BASE, "Base", datetime(2024, 1, 1, tzinfo=UTC))

    sha = await anyio.to_thread.run_sync(make)
    row = {
        "repo": "acme/slug", "instance_id": "acme__slug-1", "base_commit": sha, "patch": GOLD, "test_patch": TESTS,
        "problem_statement": "Lower.", "created_at": "2024-02-03", "version": "1.2", "environment_setup_commit": sha,
        "FAIL_TO_PASS": ["test_slug.py::test_new[A", "test_slug.py::test_new[C]"],
        "PASS_TO_PASS": [f"test_slug.py::test_{name}" for name in ("old", "network", "hoped", "package")],
    }  # fmt: skip
    source, envs = GitSource(tmp_path / "cache"), Environments()
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    importer = SwebenchImporter(remember=source.remember)
    (reading,) = await anyio.to_thread.run_sync(lambda: list(importer.read(path, clone)))
    assert reading.task is not None
    tools = Toolbox(
        run_id="test",
        sandbox=BubblewrapSandbox(tmp_path / "sandboxes"),
        layers=LayerStore(tmp_path / "layers"),
        environments=cast("Any", envs),
        patches=GitPatchWriter(),
        store=MemoryStore(),
        tasks=HarborFormat(),
        clock=SystemClock(),
        source=lambda kind: source,
        framework=lambda name: PytestFramework(),
        agent=cast("Any", None),
        tasks_folder=tmp_path,
    )
    return reading.task, tools, envs


async def test_the_environment_is_found_out_once_and_the_lists_are_what_holds(
    imported: tuple[Task, Toolbox, Environments],
) -> None:
    task, tools, envs = imported
    prepared = await prepare(task, tools)
    assert envs.asked == [("provide", "1.2", datetime(2024, 2, 3, tzinfo=UTC))]
    assert prepared.task.assay.fail_to_pass == ("test_slug.py::test_new[A B]", "test_slug.py::test_new[C]")
    assert prepared.task.assay.pass_to_pass == ("test_slug.py::test_old", "test_slug.py::test_package")
    assert [loss.reason for loss in prepared.losses] == [
        "test_slug.py::test_network: fails with the reference change (network)",
        "test_slug.py::test_hoped: skipped, or expected to fail, with the reference change",
    ]
    assert prepared.pool.broken == ""
    assert prepared.digest == task_digest(task)
    again = await prepare(task, tools)
    assert [kind for kind, *_ in envs.asked] == ["provide", "rebuild"]
    assert (again.task, again.settled_sha256) == (prepared.task, prepared.settled_sha256)
    assert again.verifier_sha256 == prepared.verifier_sha256


@pytest.mark.parametrize(("days", "held"), [(30, True), (300, False)])
async def test_a_broken_package_of_that_day_is_got_round_if_a_later_one_is_better(
    imported: tuple[Task, Toolbox, Environments], days: int, held: bool
) -> None:
    task, tools, envs = imported
    day = datetime(2024, 2, 3, tzinfo=UTC)
    envs.broken_until = day + timedelta(days=days)
    prepared = await prepare(task, tools)
    assert envs.asked == [("provide", "1.2", day), ("provide", "1.2", day + LATER)]
    assert ("test_slug.py::test_package" in prepared.task.assay.pass_to_pass) is held
    assert ("test_slug.py::test_package" in str(prepared.losses)) is not held


async def test_a_row_whose_tests_do_not_flip_has_no_verdict(imported: tuple[Task, Toolbox, Environments]) -> None:
    task, tools, _ = imported
    path = "tests/files/test_slug.py"
    red = task.files[path].data.replace(b"text.lower()", b"text.upper()")
    with pytest.raises(VerifierError, match=r"test_new\[A"):
        await prepare(replace(task, files={**task.files, path: FileState(red)}), tools)
