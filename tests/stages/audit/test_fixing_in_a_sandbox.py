"""Repairs of a small task in real sandboxes: each patch applies and was verified; what does not verify is told."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from assay.adapters.format.harbor import HarborFormat
from assay.adapters.framework.pytest import PytestFramework
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.core.admission import Admission
from assay.core.audit.table import conclude
from assay.core.task_files import compose
from assay.model.audit import AuditSettings, CheckId, CheckResult, Finding, Proposal
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.event import Event, Note
from assay.model.ledger import Cost
from assay.model.sandbox import Limits
from assay.model.task import PUZZLE, WORKSPACE, Provenance
from assay.model.tree import FileState, changes_between
from assay.model.variant import Trial, Variant
from assay.ports.environment import Built
from assay.stages.audit.fixing import propose
from assay.stages.audit.ground import Ground, lay
from assay.stages.audit.memo import Memo
from assay.stages.toolbox import Toolbox
from assay.testing.interpreter import own_environment
from assay.testing.store import MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox]

BASE = """\
def double(number):
    return number


def triple(number):
    return number * 3


def half(number):
    return number / 2
"""
GOLD = BASE.replace("return number\n", "return number * 2\n").replace("number * 3", "3 * number")
TESTS = """\
import product
def test_double(): assert product.double(2) == 4
def test_again(): assert product.double(5) == 10
def test_triple(): assert product.triple(2) == 6
"""
OUTSIDE = """\
import product
def test_half(): assert product.half(4) == 2.0
def test_double_outside(): assert product.double(1) == 2
"""
INSIDE_FILE, OUTSIDE_FILE = "tests/test_in.py", "tests/test_out.py"


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


class OneEnvironment:
    """The environment of these tests themselves."""

    async def rebuild(self, *_: Any, **__: Any) -> Built:
        return Built(own_environment(), Cost(), ())


async def a_task(folder: Path, patches: GitPatchWriter) -> Path:
    base = {"product.py": FileState(BASE.encode()), OUTSIDE_FILE: FileState(OUTSIDE.encode())}
    gold = {**base, "product.py": FileState(GOLD.encode())}
    names = ("double", "again")
    task = compose(
        slug="numbers",
        source=SourceInfo(kind=PUZZLE, origin="numbers", base_revision="1", gold_revision="2"),
        recipe=Recipe(python="3.11"),
        framework="pytest",
        test_files=(INSIDE_FILE,),
        hidden={INSIDE_FILE: FileState(TESTS.encode())},
        gold_patch=await patches.diff(changes_between(base, gold)),
        admission=Admission(
            fail_to_pass=tuple(f"{INSIDE_FILE}::test_{name}" for name in names),
            pass_to_pass=(f"{INSIDE_FILE}::test_triple",),
        ),
        protected=("tests/**",),
        limits=Limits(wall_seconds=120),
        provenance=Provenance(instruction="x", tests="x", gold="x"),
        instruction="# Work on numbers\n\n- Double it.\n",
    )
    files = {**task.files, **{WORKSPACE + path: state for path, state in base.items()}}
    return HarborFormat().write(type(task)(task.slug, task.config, task.assay, task.instruction, files), folder)


async def ground_of(folder: Path, events: list[Event]) -> tuple[Ground, Path]:
    framework, unused, patches = PytestFramework(), cast("Any", None), GitPatchWriter()
    tools = Toolbox(
        run_id="test",
        sandbox=BubblewrapSandbox(folder / "sandboxes"),
        layers=LayerStore(folder / "layers"),
        environments=cast("Any", OneEnvironment()),
        patches=patches,
        store=MemoryStore(),
        tasks=HarborFormat(),
        clock=Clock(),
        source=unused,
        framework=lambda name: framework,
        agent=unused,
        tasks_folder=folder,
        slots=anyio.CapacityLimiter(2),
    )
    path = await a_task(folder / "tasks", patches)
    return await lay(HarborFormat().read(path), tools, AuditSettings(), events.append), path


def result(check: CheckId, *findings: Finding) -> CheckResult:
    return conclude(check, failed=True, summary="", findings=findings)


def applied(path: Path, proposal: Proposal, folder: Path) -> Path:
    """A copy of the task with a proposal's patch, as people apply it."""
    copy = folder / path.name
    shutil.copytree(path, copy)
    subprocess.run(["git", "apply", "-"], input=proposal.patch.encode(), cwd=copy, check=True)
    return copy


FLIP = Finding(kind="flip", what="w", subject=f"{INSIDE_FILE}::test_again")
HUNK = Finding(kind="unneeded", what="w", subject="ablation:product.py:6:0:hunk", path="product.py", line=6)
OTHER = Finding(kind="outside-test", what="w", subject=f"{OUTSIDE_FILE}::test_half")


async def proposals_of(
    ground: Ground, path: Path, checks: Sequence[CheckResult], survivors: Sequence[Trial] = ()
) -> tuple[Proposal, ...]:
    return await propose(ground, checks, path, Memo(ground.tools.store), survivors=survivors)


@pytest.mark.slow
async def test_each_proposal_applies_and_was_verified(tmp_path: Path) -> None:
    ground, path = await ground_of(tmp_path, [])
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    wrong = GOLD.replace("number / 2", "number // 2 + 1")
    survivor = Variant("k", "mutant", "m", "w", "product.py", 10, {"product.py": FileState(wrong.encode())})
    checks = [result("stability", FLIP), result("ablation", HUNK), result("collateral", OTHER)]
    found = await proposals_of(ground, path, checks, [Trial(survivor, "accepted")])
    assert [proposal.title for proposal in found] == [
        "quarantine 1 test",
        "take 1 hunk out of the reference change",
        f"add 1 test of {OUTSIDE_FILE} to pass_to_pass",
        "all 3 of the above at once",
    ]
    assert all("accepted in 2 of 2 verdicts" in proposal.verified for proposal in found)
    assert "1 of 1 wrong change tried again noticed" in found[2].verified
    made = [HarborFormat().read(applied(path, p, tmp_path / str(n))) for n, p in enumerate(found)]
    assert made[0].assay.quarantined == (FLIP.subject,)
    assert b"3 * number" not in made[1].gold_patch
    assert made[2].assay.pass_to_pass[-1] == OTHER.subject
    assert made[2].assay.uncounted == (f"{OUTSIDE_FILE}::test_double_outside",)
    assert made[3].assay.quarantined == (FLIP.subject,)
    assert made[3].gold_patch == made[1].gold_patch
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


async def test_what_does_not_verify_is_told_and_not_proposed(tmp_path: Path) -> None:
    events: list[Event] = []
    ground, path = await ground_of(tmp_path, events)
    needed = HUNK.model_copy(update={"subject": "ablation:product.py:2:0:hunk"})
    all_flip = [FLIP, FLIP.model_copy(update={"subject": f"{INSIDE_FILE}::test_double"})]
    red = OTHER.model_copy(update={"subject": f"{OUTSIDE_FILE}::test_double_outside"})
    checks = [result("stability", *all_flip), result("ablation", needed), result("collateral", red)]
    assert await proposals_of(ground, path, checks) == ()
    notes = [event.text for event in events if isinstance(event, Note)]
    assert len(notes) == 3
    assert "only 0 of 2 fail_to_pass tests would be left" in notes[0]
    assert "no hunk of the reference change can be taken out" in notes[1]
    assert "not for pass_to_pass" in notes[2]
