"""What is in an excluded benchmark, or is a task already, does not become a task; and what that costs and leaves."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from assay.adapters.format.harbor import HarborFormat
from assay.adapters.framework.pytest import PytestFramework
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.store.layers import LayerStore
from assay.core.admission import Admission
from assay.core.exclusion import Exclusions
from assay.core.hashing import task_digest
from assay.core.task_files import compose
from assay.errors import EnvironmentBuildError
from assay.model.benchmark import BenchmarkRow
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.event import Event, Note
from assay.model.ledger import Decision
from assay.model.sandbox import Limits
from assay.model.summary import MineSummary
from assay.model.task import Provenance
from assay.model.tree import FileState, Tree
from assay.ports.source import Query
from assay.stages.mine import MineSettings, mine
from assay.stages.prove import ProofSettings
from assay.stages.same_changes import SameChanges
from assay.stages.toolbox import Toolbox
from assay.testing.source import FakeRelease, FakeSource
from assay.testing.store import MemoryStore

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
BEFORE = "def to_kelvin(celsius):\n    return celsius + 273\n"
AFTER = "def to_kelvin(celsius):\n    exact = celsius + 273.15\n    return round(exact, 2)\n"
SAME_CHANGE = """\
diff --git a/lib/demo.py b/lib/demo.py
--- a/lib/demo.py
+++ b/lib/demo.py
@@ -70,3 +70,4 @@ class Scale:
     def to_kelvin(celsius):
-        return celsius + 273
+        exact = celsius + 273.15
+        return round(exact, 2)
"""


def tree(source: str, test: str) -> Tree:
    return {"demo.py": FileState(source.encode()), "tests/test_demo.py": FileState(test.encode())}


RELEASES = [
    FakeRelease(OLD, tree(BEFORE, "def test_a(): pass\n"), NOW),
    FakeRelease(NEW, tree(AFTER, "def test_b(): pass\n"), NOW),
]
KEY = f"fake:demo:{OLD}..{NEW}"


class StillClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class NoEnvironments:
    """Builds nothing, and counts who asked: every candidate that gets here is rejected for it."""

    def __init__(self) -> None:
        self.asked = 0

    async def provide(self, *arguments: object, **named: object) -> object:
        self.asked += 1
        raise EnvironmentBuildError("nothing builds", step="resolve")


@dataclass
class Project:
    """A project on disk whose candidates get as far as their environment."""

    folder: Path
    releases: Sequence[FakeRelease] = tuple(RELEASES)
    store: MemoryStore = field(default_factory=MemoryStore)
    environments: NoEnvironments = field(default_factory=NoEnvironments)
    events: list[Event] = field(default_factory=list)

    async def mine(self, *rows: BenchmarkRow) -> MineSummary:
        unused = cast("Any", None)
        framework, source = PytestFramework(), FakeSource({"demo": self.releases})
        tools = Toolbox(
            run_id=self.store.begin_run(["mine"], NOW),
            sandbox=unused,
            layers=LayerStore(self.folder / "layers"),
            environments=cast("Any", self.environments),
            patches=GitPatchWriter(),
            store=self.store,
            tasks=HarborFormat(),
            clock=StillClock(),
            source=lambda kind: source,
            framework=lambda name: framework,
            agent=lambda name: unused,
            tasks_folder=self.folder / "tasks",
        )
        settings = MineSettings(proof=ProofSettings(exclusions=Exclusions(rows)))
        return await mine("fake", Query("demo"), tools, settings, self.events.append)

    def has_task(self, candidate_key: str, source: SourceInfo, patch: str) -> Path:
        """Let the project have a verified task."""
        task = compose(
            slug="earlier",
            source=source,
            recipe=Recipe(python="3.11"),
            framework="pytest",
            test_files=("tests/test_demo.py",),
            hidden={"tests/test_demo.py": FileState(b"")},
            gold_patch=patch.encode(),
            admission=Admission(fail_to_pass=("tests/test_demo.py::test_b",)),
            protected=(),
            limits=Limits(),
            provenance=Provenance(instruction="x", tests="y", gold="z"),
            instruction="Make it exact.\n",
        )
        path = HarborFormat().write(task, self.folder / "tasks")
        verified = Decision(
            candidate_key=candidate_key,
            title="earlier",
            state="verified",
            slug=task.slug,
            task_digest=task_digest(task),
            decided_at=NOW,
        )
        self.store.decide(verified)
        return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "tasks").mkdir()
    return Project(tmp_path)


def row(base: str = "0" * 40, patch: str = "", gold: str = "") -> BenchmarkRow:
    return BenchmarkRow("rows.jsonl: owner__name-7", "owner/name", base, patch, gold)


@pytest.mark.parametrize("excluded", [row(OLD), row(OLD.upper()), row(gold=NEW)])
async def test_the_same_commit_is_not_even_fetched(project: Project, excluded: BenchmarkRow) -> None:
    project.releases = [RELEASES[0], FakeRelease(NEW, None, NOW)]
    [decision] = (await project.mine(excluded)).decisions
    assert (decision.state, decision.reason) == ("rejected", "benchmark")
    assert "owner__name-7" in decision.detail
    assert [(e.stage, e.outcome) for e in project.store.ledger()] == [("fetch", "benchmark")]


async def test_the_same_change_is_not_built_and_the_decision_is_not_reused_without_the_rows(project: Project) -> None:
    [decision] = (await project.mine(row(patch=SAME_CHANGE))).decisions
    assert (decision.reason, project.environments.asked) == ("benchmark", 0)
    assert "the same change" in decision.detail
    assert dict((await project.mine(row(patch=SAME_CHANGE))).rejected) == {"benchmark": 1}
    assert dict((await project.mine()).rejected) == {"environment": 1}
    assert project.environments.asked == 1


@pytest.mark.parametrize("other", [row(NEW), row(gold=OLD), row(patch=SAME_CHANGE.replace("exact", "close")), row("a")])
async def test_other_commits_and_changes_are_tried(project: Project, other: BenchmarkRow) -> None:
    assert dict((await project.mine(other)).rejected) == {"environment": 1}


async def test_a_task_that_is_excluded_later_is_none_any_more_and_keeps_its_folder(project: Project) -> None:
    source = SourceInfo(kind="fake", origin="demo", base_revision=OLD, gold_revision=NEW)
    path = project.has_task(KEY, source, SAME_CHANGE)
    assert (await project.mine()).verified == 1
    [decision] = (await project.mine(row(patch=SAME_CHANGE))).decisions
    assert (decision.state, decision.reason, decision.slug) == ("rejected", "benchmark", None)
    assert path.is_dir()
    assert any(isinstance(event, Note) and str(path) in event.text for event in project.events)
    assert [line.state for line in project.store.funnel()] == ["rejected"]
    assert project.environments.asked == 0
    await project.mine()
    assert project.environments.asked == 1


FORK = SourceInfo(kind="git", origin="https://x.test/fork.git", base_revision="c" * 40, gold_revision="d" * 40)


async def test_a_change_that_is_a_task_already_is_a_duplicate_as_long_as_it_is(project: Project) -> None:
    path = project.has_task("git:fork", FORK, SAME_CHANGE)
    [decision] = (await project.mine()).decisions
    assert (decision.state, decision.reason, project.environments.asked) == ("rejected", "duplicate", 0)
    assert "earlier" in decision.detail
    shutil.rmtree(path)
    assert dict((await project.mine()).rejected) == {"environment": 1}


@pytest.mark.parametrize(("origin", "reason"), [("demo", "duplicate"), ("fork", "environment")])
async def test_a_small_change_is_a_duplicate_within_its_repository_alone(
    project: Project, origin: str, reason: str
) -> None:
    small = BEFORE.replace("    return", "    celsius += 1\n    return")
    project.releases = [RELEASES[0], FakeRelease(NEW, tree(small, "def test_b(): pass\n"), NOW)]
    source = SourceInfo(kind="fake", origin=origin, base_revision="c" * 40, gold_revision="d" * 40)
    project.has_task("a port to another branch", source, "+++ b/demo.py\n@@ -8,0 +8 @@\n+    celsius += 1\n")
    assert dict((await project.mine()).rejected) == {reason: 1}


@pytest.mark.parametrize("first_becomes_a_task", [True, False])
async def test_of_equal_changes_the_first_is_tried_and_the_next_waits(
    project: Project, first_becomes_a_task: bool
) -> None:
    same, found = SameChanges(project.store, project.folder / "tasks"), list[str]()
    assert await same.take("change", "first") == ""

    async def second() -> None:
        found.append(await same.take("change", "second"))

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        assert await same.take("other change", "third") == ""
        await anyio.wait_all_tasks_blocked()
        assert found == []
        if first_becomes_a_task:
            project.has_task("first", FORK, SAME_CHANGE)
            same.remember("change", "first", "earlier")
        same.give_back("first")
    assert found == (["earlier"] if first_becomes_a_task else [""])
