"""A failure: no verdict was reached, and at whose boundary. Unknown is not no."""

from __future__ import annotations

from typing import Literal, Self

from assay.errors import AssayError, InfrastructureError
from assay.model.base import Frozen

Boundary = Literal["provider", "environment", "sandbox", "verifier", "task", "store", "budget", "agent"]


class Failure(Frozen):
    """Why something has no result. Never a reward, never in a pass rate."""

    boundary: Boundary
    kind: str
    """The error's slug, such as `sandbox` or `disk-full`."""
    message: str
    hint: str | None = None
    retryable: bool
    """Whether the same call may succeed later, unchanged."""
    detail: str = ""
    """Last lines of whatever broke."""

    @classmethod
    def of(cls, error: AssayError) -> Self:
        """The record of an error; an error that is no InfrastructureError belongs to the task."""
        infrastructure = isinstance(error, InfrastructureError)
        return cls(
            boundary=error.boundary if isinstance(error, InfrastructureError) else "task",
            kind=error.code,
            message=error.message,
            hint=error.hint,
            retryable=error.retryable if isinstance(error, InfrastructureError) else False,
            detail=str(getattr(error, "tail", "")) if infrastructure else "",
        )
