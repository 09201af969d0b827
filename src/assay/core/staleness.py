"""Whether a proof still speaks about what lies there: evidence is bound to the content that it judged."""

from __future__ import annotations

from assay.model.evidence import Evidence


def is_stale(evidence: Evidence, digest: str) -> bool:
    """Whether the evidence judged other content than the task whose digest (`task_digest`) is given."""
    return evidence.task_digest != digest
