"""Cold runs for checks: a run that a fault of ours stopped is tried once more, and then it is told as what it is."""

from __future__ import annotations

from pathlib import Path

from assay.errors import InfrastructureError
from assay.stages.audit.ground import Ground
from assay.stages.running import NORMAL, Conditions, TestRun


async def attempt(
    ground: Ground,
    candidate: Path | None,
    *,
    files: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
    conditions: Conditions = NORMAL,
) -> TestRun | str:
    """A run as by `Ground.run`, or why there is none after two tries."""
    try:
        return await ground.run(candidate, files=files, ids=ids, conditions=conditions)
    except InfrastructureError:
        pass
    try:
        return await ground.run(candidate, files=files, ids=ids, conditions=conditions)
    except InfrastructureError as error:
        return f"{error.boundary}: {error.message}"
