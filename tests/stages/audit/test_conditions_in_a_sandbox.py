"""The checks `stability` and `amplified` over a small task in real sandboxes: each planted dependence by its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from assay.adapters.framework.pytest import PytestFramework
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.errors import SandboxError
from assay.model.audit import AuditSettings
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.ledger import Cost
from assay.model.sandbox import Limits
from assay.model.task import AssayMetadata, Provenance, Task
from assay.model.tree import FileState
from assay.ports.sandbox import Sandbox
from assay.stages.audit import amplified, stability
from assay.stages.audit.ground import Ground
from assay.stages.judging import Prepared
from assay.stages.running import Applied
from assay.stages.toolbox import Toolbox
from assay.stages.twins import Stand
from assay.testing.interpreter import own_environment
from assay.testing.sandbox import FakeSandbox

pytestmark = pytest.mark.anyio

PATH = "test_it.py"
CLEAN = "import product\ndef test_new(): assert product.new\ndef test_old(): pass\n"
PLANTED = """
import os, pathlib, random, time
SEEN = []
def test_first(): SEEN.append(1)
def test_order(): assert SEEN
def test_zone(): assert time.localtime(0).tm_hour == 0
def test_home(): pathlib.Path(os.path.expanduser("~"), "x").write_text("x")
"""
CHANCE = "import os\ndef test_chance(): assert os.urandom(1)[0] < 160\n"


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


async def ground_of(folder: Path, tests: str, sandbox: Sandbox, runs: int = 2) -> Ground:
    """A task whose reference change makes `product.new` true."""
    layers, framework = LayerStore(folder / "layers"), PytestFramework()
    names = [line.partition("(")[0].removeprefix("def ") for line in tests.splitlines() if line.startswith("def test_")]
    metadata = AssayMetadata(
        source=SourceInfo(kind="fake", origin="x", base_revision="1", gold_revision="2"),
        environment=Recipe(python="3.11"),
        test_files=(PATH,),
        fail_to_pass=(f"{PATH}::test_new",),
        pass_to_pass=tuple(f"{PATH}::{name}" for name in names if name != "test_new"),
        limits=Limits(wall_seconds=60),
        provenance=Provenance(instruction="x", tests="x", gold="x"),
    )
    hidden = FileState(tests.encode())
    task = Task("planted", {}, metadata, "x", {f"tests/files/{PATH}": hidden})
    base = {"product.py": FileState(b"new = False\n")}
    unused = cast("Any", None)
    tools = Toolbox(
        run_id="test",
        sandbox=sandbox,
        layers=layers,
        environments=unused,
        patches=GitPatchWriter(),
        store=unused,
        tasks=unused,
        clock=RealClock(),
        source=unused,
        framework=lambda name: framework,
        agent=unused,
        tasks_folder=folder,
        slots=anyio.CapacityLimiter(2),
    )
    stand = Stand(
        task=task,
        environment=own_environment(),
        base=base,
        base_layer=await layers.put(base),
        hidden={PATH: hidden},
        hidden_layer=await layers.put({PATH: hidden}),
        runner=tools.runner(framework),
    )
    applied = Applied(layer=await layers.put({"product.py": FileState(b"new = True\n")}))
    nobody: Callable[[object], None] = lambda event: None  # noqa: E731
    return Ground(Prepared(stand, "x", lambda path: "", Cost()), applied, tools, AuditSettings(runs=runs), nobody)


@pytest.mark.sandbox
async def test_a_clean_task_is_stable_under_every_condition(tmp_path: Path) -> None:
    ground = await ground_of(tmp_path, CLEAN, BubblewrapSandbox(tmp_path / "sandboxes"))
    result = await stability.check(ground)
    assert (result.status, result.findings, ground.tally.run_count) == ("pass", (), 4)
    result = await amplified.check(ground)
    assert (result.status, result.findings) == ("pass", ())
    assert ground.tally.run_count - 4 <= 8, "one run for several conditions, while nothing flips"


@pytest.mark.sandbox
@pytest.mark.slow
async def test_each_dependence_is_named_by_its_condition(tmp_path: Path) -> None:
    ground = await ground_of(tmp_path, CLEAN + PLANTED, BubblewrapSandbox(tmp_path / "sandboxes"))
    result = await amplified.check(ground)
    kinds: dict[str, set[str]] = {}
    for finding in result.findings:
        kinds.setdefault(finding.subject.rpartition("_")[2], set()).add(finding.kind)
    assert kinds.pop("order") >= {"order-reversed"}
    assert kinds == {"zone": {"time-zone-east", "time-zone-west"}, "home": {"home-read-only"}}
    hinted = next(finding for finding in result.findings if finding.kind == "order-reversed")
    assert hinted.evidence[-1].startswith("alone it fails")


@pytest.mark.sandbox
async def test_chance_shows_as_a_flip(tmp_path: Path) -> None:
    ground = await ground_of(tmp_path, CLEAN + CHANCE, BubblewrapSandbox(tmp_path / "sandboxes"), runs=10)
    result = await stability.check(ground)
    assert [finding.subject for finding in result.findings][:1] == [f"{PATH}::test_chance"]


class BrokenSandbox(FakeSandbox):
    """One that cannot be opened."""

    def open(self, spec: object) -> Any:
        raise SandboxError("broken")


async def test_a_broken_sandbox_is_unknown_and_no_flip(tmp_path: Path) -> None:
    ground = await ground_of(tmp_path, CLEAN, BrokenSandbox())
    for check in (stability.check, amplified.check):
        result = await check(ground)
        assert (result.status, result.findings) == ("unknown", ())
        assert any("broken" in why for why in result.unknown)
