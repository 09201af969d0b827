"""Replays of the bank are verdicts: cold, from scratch, and without an answer when something around them breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Never, cast

import pytest

from assay.adapters.format.harbor import HarborFormat
from assay.app import _toolbox
from assay.errors import SandboxError
from assay.model.audit import AuditSettings
from assay.model.bank import Replay
from assay.model.event import Event, Stage
from assay.model.sandbox import SandboxSpec
from assay.stages.audit.bank import replay_bank
from assay.stages.audit.ground import Ground
from assay.stages.judging import prepare

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox]

CONFIG = """\
schema_version = "1.4"
task.name = "examples/double"
[metadata.assay]
test_files = ["tests/hidden.cases.toml"]
fail_to_pass = ["tests/hidden.cases.toml::four"]
pass_to_pass = ["tests/hidden.cases.toml::none"]
source = { kind = "puzzle", origin = "x", base_revision = "1", gold_revision = "1" }
environment = { python = "3.11", install = "none" }
provenance = { instruction = "a person", tests = "a person", gold = "a person" }
"""
CASES = """\
command = ["python", "double.py"]
[[case]]
name = "four"
arguments = ["4"]
expect.text = "8"
[[case]]
name = "none"
arguments = ["0"]
expect.text = "0"
"""
PATCH = "--- a/double.py\n+++ b/double.py\n@@ -1,2 +1,2 @@\n import sys\n-print(int(sys.argv[1]))\n+print({})\n"
RIGHT, WRONG = PATCH.format("int(sys.argv[1]) * 2"), PATCH.format("int(sys.argv[1]) + 1")


def write_task(folder: Path) -> Path:
    for name, text in {
        "task.toml": CONFIG,
        "instruction.md": "Double it.\n",
        "environment/workspace/double.py": "import sys\nprint(int(sys.argv[1]))\n",
        "solution/gold.patch": RIGHT,
        "tests/files/tests/hidden.cases.toml": CASES,
    }.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


class NoSandbox:
    """One that cannot be opened."""

    def open(self, spec: SandboxSpec) -> Never:
        raise SandboxError("no room for a sandbox")


async def replays(
    tmp_path: Path, patches: dict[str, bool], *, broken: bool = False
) -> tuple[list[Replay], list[Event]]:
    folder, events = write_task(tmp_path / "double"), list[Event]()
    for patch, right in patches.items():
        HarborFormat().add_to_bank(folder, patch.encode(), right=right)
    async with _toolbox(tmp_path / "state", tmp_path, "bubblewrap", unsafe=False) as tools:
        prepared = await prepare(tools.tasks.read(folder), tools)
        stand = prepared.stand
        applied = await stand.runner.apply(stand.task.gold_patch, stand.base_layer, prepared.is_protected)
        if broken:
            runner = replace(stand.runner, sandbox=cast("Any", NoSandbox()))
            prepared = replace(prepared, stand=replace(stand, runner=runner))
        ground = Ground(prepared, applied, tools, AuditSettings(), events.append)
        found = list(await replay_bank(ground, folder))
        assert (ground.tally.run_count > 0) is (bool(patches) and not broken)
    return found, events


async def test_right_and_wrong_are_judged(tmp_path: Path) -> None:
    patches = {RIGHT.replace("* 2", "* 2 + 0"): True, WRONG: True, WRONG + "\n": False, RIGHT: False}
    found, events = await replays(tmp_path, patches)
    says = {(r.solution.patch.decode(), r.solution.is_right): r.resolved for r in found}
    assert says == {(patch, right): "* 2" in patch for patch, right in patches.items()}
    rejected = next(r for r in found if r.solution.patch.decode() == WRONG)
    assert rejected.reason == "tests-failed"
    assert set(rejected.failing) == {"tests/hidden.cases.toml::four", "tests/hidden.cases.toml::none"}
    assert rejected.message
    assert [e.stage for e in events if isinstance(e, Stage)] == [f"bank:{r.solution.name}" for r in found]


async def test_a_fault_of_ours_is_no_answer(tmp_path: Path) -> None:
    (replay,), _ = await replays(tmp_path, {RIGHT: True}, broken=True)
    assert replay.resolved is None
    assert replay.failure is not None
    assert replay.failure.message == "no room for a sandbox"


async def test_an_empty_bank_costs_nothing(tmp_path: Path) -> None:
    assert (await replays(tmp_path, {}))[0] == []
