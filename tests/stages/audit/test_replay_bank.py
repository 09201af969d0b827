"""Replays of the bank are verdicts: cold, from scratch, and without an answer when something around them breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from assay.adapters.format.harbor import HarborFormat
from assay.model.audit import AuditSettings
from assay.model.bank import Replay
from assay.model.event import Event, Stage
from assay.stages.audit.bank import replay_bank
from assay.stages.audit.ground import Ground
from assay.stages.judging import prepare
from assay.testing.puzzle import GOLD, WRONG, NoSandbox, puzzle
from assay.wiring import toolbox

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox]


async def replays(
    tmp_path: Path, patches: dict[str, bool], *, broken: bool = False
) -> tuple[list[Replay], list[Event]]:
    folder, events = puzzle(tmp_path / "double"), list[Event]()
    for patch, right in patches.items():
        HarborFormat().add_to_bank(folder, patch.encode(), right=right)
    async with toolbox(tmp_path / "state", tmp_path, "bubblewrap", unsafe=False) as tools:
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
    patches = {GOLD.replace("* 2", "* 2 + 0"): True, WRONG: True, WRONG + "\n": False, GOLD: False}
    found, events = await replays(tmp_path, patches)
    says = {(r.solution.patch.decode(), r.solution.is_right): r.resolved for r in found}
    assert says == {(patch, right): "* 2" in patch for patch, right in patches.items()}
    rejected = next(r for r in found if r.solution.patch.decode() == WRONG)
    assert rejected.reason == "tests-failed"
    assert set(rejected.failing) == {"tests/hidden.cases.toml::four", "tests/hidden.cases.toml::none"}
    assert rejected.message
    assert [e.stage for e in events if isinstance(e, Stage)] == [f"bank:{r.solution.name}" for r in found]


async def test_a_fault_of_ours_is_no_answer(tmp_path: Path) -> None:
    (replay,), _ = await replays(tmp_path, {GOLD: True}, broken=True)
    assert replay.resolved is None
    assert replay.failure is not None
    assert replay.failure.message == "no room for a sandbox"


async def test_an_empty_bank_costs_nothing(tmp_path: Path) -> None:
    assert (await replays(tmp_path, {}))[0] == []
