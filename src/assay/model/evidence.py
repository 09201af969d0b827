"""Machine-written proof, bound to the content that it judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from assay.model.base import Lenient


class Evidence(Lenient):
    """One `evidence/<stage>.json`. Stale when `task_digest` is not the task's digest any more."""

    format: int = 1
    stage: str
    task_digest: str
    assay_version: str
    created_at: datetime
    data: dict[str, Any] = Field(default_factory=dict)
