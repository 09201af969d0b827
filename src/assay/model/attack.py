"""What came of the battery of scripted non-fixes on a task."""

from __future__ import annotations

from typing import Literal

from assay.model.base import Frozen
from assay.model.failure import Failure

AttackStatus = Literal["accepted", "rejected", "not-applicable", "no-verdict"]


class AttackResult(Frozen):
    """One attack on one task. Only a verdict counts as rejected, and a reward that is refused because the change could
    be a forgery (`unguarded`): neither another failure nor an attack that was not made.
    """

    task: str
    attack: str
    mechanism: str
    what: str
    status: AttackStatus
    reason: str = ""
    """The verdict's reason, or why there is none."""
    patch_sha256: str = ""
    dropped_paths: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    tamper: tuple[str, ...] = ()
    failure: Failure | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


class AttackRun(Frozen):
    """All attacks on one task. They mean something only when both controls are as they must be."""

    task: str
    task_digest: str
    results: tuple[AttackResult, ...] = ()
    complaint: str = ""
    """Why attacking means nothing: the reference change does not resolve the task, or doing nothing does."""
    failure: Failure | None = None
    """Why not even the controls have a verdict."""

    def count(self, status: AttackStatus) -> int:
        """Results of one kind."""
        return sum(result.status == status for result in self.results)

    @property
    def judged_count(self) -> int:
        """Attacks that got a verdict."""
        return self.count("accepted") + self.count("rejected")
