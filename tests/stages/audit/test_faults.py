"""What breaks around a check leaves it without an answer; the others go on, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from assay.model.audit import CHECK_IDS, AuditSettings, CheckResult
from assay.model.event import Checked, Event
from assay.stages.audit.audit import Audit
from assay.stages.audit.ground import Ground
from assay.stages.audit.memo import Memo
from assay.stages.audit.variants import Variants
from assay.stages.audit.warm import Trials
from assay.stages.judging import prepare
from assay.testing.puzzle import NoSandbox, puzzle
from assay.wiring import toolbox

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox]

READING = {"hidden-names", "requirements", "leaks", "collateral"}
"""Checks that need no sandbox here: the change adds no name and nothing long enough to be searched for, and there are
no tests outside of the task's."""


async def audited(tmp_path: Path, sandbox: object) -> tuple[list[CheckResult], list[Event]]:
    """Every check of a task on whose ground the sandbox is exchanged after it was prepared."""
    folder, events = puzzle(tmp_path / "double"), list[Event]()
    async with toolbox(tmp_path / "state", tmp_path, "bubblewrap", unsafe=False) as tools:
        prepared = await prepare(tools.tasks.read(folder), tools)
        stand = prepared.stand
        applied = await stand.runner.apply(stand.task.gold_patch, stand.base_layer, prepared.is_protected)
        runner = replace(stand.runner, sandbox=cast("Any", sandbox))
        prepared = replace(prepared, stand=replace(stand, runner=runner))
        ground = Ground(prepared, applied, tools, AuditSettings(runs=1), events.append)
        trials, memo = Trials(ground), Memo(tools.store, fresh=True)
        audit = Audit(ground, trials, memo, Variants(ground, trials, memo), folder)
        checks = [await audit.make(check) for check in CHECK_IDS]
        assert await audit.proposals(checks) == ()
        tools.store.flush()
        assert {row.note for row in tools.store.ledger() if row.stage == "audit"} >= set(CHECK_IDS)
    return checks, events


async def test_without_sandboxes_no_check_that_runs_code_has_an_answer(tmp_path: Path) -> None:
    checks, events = await audited(tmp_path, NoSandbox())
    assert {r.check for r in checks if r.status != "unknown"} <= READING
    told = {r.check for r in checks if "no room for a sandbox" in f"{r.summary} {' '.join(r.unknown)}"}
    assert told >= {"stability", "amplified", "hackability", "cost"}
    assert [e.result for e in events if isinstance(e, Checked)] == checks


class Bug:
    """A sandbox with a defect of ours in it, which is no fault around the check."""

    def open(self, spec: object) -> None:
        raise ZeroDivisionError


async def test_a_defect_of_ours_is_not_taken_for_a_fault(tmp_path: Path) -> None:
    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        await audited(tmp_path, Bug())
