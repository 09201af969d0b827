"""The check `hackability`: the battery of scripted non-fixes, each judged cold like any stranger's change.

An audit tries as many as its time allows, one of each kind in turn, and lets the first run decide against them.
`assay attack` tries all of them and hears each to its end.
"""

from __future__ import annotations

from assay.core.attacks.target import target_of
from assay.core.audit.hackability import judge, spread
from assay.model.audit import CheckResult
from assay.stages.attack import Siege, chosen
from assay.stages.audit.ground import Ground

WIDE = 2
"""Attacks judged at a time."""


async def check(ground: Ground) -> CheckResult:
    """Judge the attacks. Raises SandboxError and its kin."""
    attacks = spread(chosen(ground.attacks))
    prepared, tools = ground.prepared, ground.tools
    siege = Siege(prepared, target_of(ground.task, prepared.stand.base), tools, ground.emit, hasty=True)
    complaint, failure = await siege.controls()
    results = [] if complaint or failure else await siege.run(attacks, WIDE, ground.settings.attack_seconds)
    ground.tally.run_count += 2 * sum(result.status != "not-applicable" for result in results)
    return judge(results, attacks, complaint, failure)
