"""What the command line asks of the layer below. `assay.app` is one; tests bring their own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from assay.model.attack import AttackRun
from assay.model.audit import AuditRun
from assay.model.event import OnEvent
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.options import AttackOptions, AuditOptions, MineOptions, VerifyOptions
from assay.model.plan import Plan, PlanOptions
from assay.model.prediction import Graded, GradeOptions
from assay.model.summary import CandidateView, MineSummary, StatusReport, TaskView
from assay.model.verdict import Verdict
from assay.ports.sandbox import Finding


class App(Protocol):
    """The use cases. All raise `AssayError` and its kin for what can be expected to go wrong."""

    async def mine(self, options: MineOptions, project_dir: Path, on_event: OnEvent) -> MineSummary:
        """Look at candidates of a source, newest first, and keep those that can be verified."""
        ...

    async def verify(self, options: VerifyOptions, project_dir: Path | None, on_event: OnEvent) -> list[Verdict]:
        """Judge; without agent and patch, one verdict each for the agents `oracle` and `nop`."""
        ...

    async def grade(self, options: GradeOptions, project_dir: Path | None, on_event: OnEvent) -> list[Graded]:
        """Judge a file of predictions on tasks; `Graded` is told as each is done. Raises InputError for a file that
        cannot be opened.
        """
        ...

    async def attack(self, options: AttackOptions, project_dir: Path | None, on_event: OnEvent) -> AttackRun:
        """Try scripted non-fixes on a task. Raises InputError for an unknown attack."""
        ...

    async def audit(self, options: AuditOptions, project_dir: Path | None, on_event: OnEvent) -> AuditRun:
        """Look for what is wrong with a task's verifier; `Checked` is told as each check ends.

        Raises InputError for a task, an attack or a patch that cannot be read.
        """
        ...

    async def import_tasks(self, options: ImportOptions, project_dir: Path, on_event: OnEvent) -> list[Converted]:
        """Read tasks of another format into the project; `Converted` is told as each is done.

        Raises InputError for an unknown format, and for a path that holds another one.
        """
        ...

    async def export(self, options: ExportOptions, project_dir: Path | None, on_event: OnEvent) -> list[Converted]:
        """Write tasks in another format; `Converted` is told as each is done. Raises InputError as import does."""
        ...

    def plan(self, options: PlanOptions, project_dir: Path | None) -> Plan:
        """What calibrating will cost. Raises InputError for a wish that contradicts itself or cannot be met."""
        ...

    def init_project(self, folder: Path) -> Path:
        """Make a folder a project, keeping what is there; the path of its `assay.toml`."""
        ...

    def status(self, project_dir: Path) -> StatusReport:
        """Funnel and ledger."""
        ...

    def show(self, project_dir: Path | None, what: str) -> TaskView | CandidateView:
        """A task by folder or slug, or a candidate by key. Raises InputError when there is neither."""
        ...

    async def diagnose(self) -> list[Finding]:
        """What this machine allows."""
        ...
