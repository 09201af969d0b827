"""A project's settings, as they stand in `assay.toml`."""

from __future__ import annotations

from pydantic import Field

from assay.model.agent import AgentSettings, ModelSettings
from assay.model.audit import AuditSettings
from assay.model.base import Frozen


class ProjectSettings(Frozen):
    """What a project may decide. Everything has a default; an empty file is a valid one."""

    tasks: str = "tasks"
    """Folder of the tasks, relative to the project."""
    jobs: int = 0
    """Candidates in work at a time; 0 for one a core."""
    licences: tuple[str, ...] = ()
    """SPDX identifiers that are allowed; empty for all."""
    max_changed_files: int = 40
    """A change of more source files is rejected."""
    max_changed_lines: int = 1500
    """A change of more source lines is rejected."""
    run_seconds: float = 300.0
    """Wall time of one run of a candidate's tests."""
    suite_seconds: float = 120.0
    """Wall time of one run of all tests of the project; if they take longer, a part of them has to do."""
    test_seconds: float = 60.0
    """Wall time of a single test."""
    memory_mib: int = 4096
    """Memory of one run."""
    audit: AuditSettings = AuditSettings()
    """Thresholds of `assay audit`."""
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    """Prices of models, and where they answer."""
    agents: dict[str, AgentSettings] = Field(default_factory=dict)
    """Agents by the name that --agent gives them."""
