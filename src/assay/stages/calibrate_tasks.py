"""The tasks of a calibration: as they stand, what their audits said, and what people said of patches for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.core.audit.conclusion import answer
from assay.core.hashing import task_digest
from assay.errors import InputError
from assay.model.audit import AuditRun, CheckResult
from assay.model.calibration_run import Calibrated
from assay.model.difficulty import AuditState
from assay.model.evidence import Evidence
from assay.ports.task_format import TaskFormat
from assay.stages.toolbox import Toolbox

ANSWERS: Mapping[str, AuditState] = {"pass": "sound", "fail": "unsound", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Subject:
    """One task."""

    slug: str
    path: Path
    digest: str
    audit: AuditState = "none"
    judged: Mapping[str, bool] = field(default_factory=dict)
    """Patches that a person judged, by SHA-256: whether they are right."""


def read_subjects(paths: Sequence[Path], tools: Toolbox) -> tuple[list[Subject], list[Calibrated]]:
    """The tasks, each once, and those that cannot be read. Blocking."""
    subjects: dict[str, Subject] = {}
    broken: list[Calibrated] = []
    for path in dict.fromkeys(paths):
        try:
            subject = subject_of(path, tools.tasks)
        except InputError as error:
            broken.append(Calibrated(path.name, path, problem=error.message))
        else:
            subjects.setdefault(subject.digest, subject)
    return list(subjects.values()), broken


def subject_of(path: Path, tasks: TaskFormat) -> Subject:
    """One task as it stands. Raises TaskDefinitionError."""
    task = tasks.read(path)
    digest = task_digest(task)
    audit = audit_state(tasks.read_evidence(path, "audit"), task.slug, digest)
    bank = tasks.read_bank(path)
    judged = {hashlib.sha256(one.patch).hexdigest(): one.is_right for one in bank.solutions}
    return Subject(task.slug, path, digest, audit, judged)


def audit_state(evidence: Evidence | None, slug: str, digest: str) -> AuditState:
    """What the audit of a content said; `none` for one of another content, or in the words of another version."""
    if evidence is None or evidence.task_digest != digest:
        return "none"
    found = evidence.data.get("checks")
    try:
        checks = tuple(CheckResult.model_validate(one) for one in found) if isinstance(found, list) else ()
    except ValueError:
        return "none"
    return ANSWERS[answer(AuditRun(task=slug, task_digest=digest, checks=checks))] if checks else "none"
