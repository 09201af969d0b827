"""A front end's view of planning: what the real one answers under a prior, without a project."""

from __future__ import annotations

from pathlib import Path

from assay.core.calibration.planning import plan
from assay.model.calibration import DEFAULT_PRIOR
from assay.model.plan import Plan, PlanOptions


class Plans:
    """The use case of an `App` that plans."""

    def plan(self, options: PlanOptions, project_dir: Path | None) -> Plan:
        """There is no history: the default prior stands for it."""
        del project_dir
        return plan(options, options.prior or DEFAULT_PRIOR)
