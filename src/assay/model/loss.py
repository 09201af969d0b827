"""What an import or an export could not carry, one value a thing: silence means that nothing was lost."""

from __future__ import annotations

from assay.model.base import Frozen


class Loss(Frozen):
    """One thing that did not come along, or that came along and counts for nothing."""

    subject: str
    """The task's slug, or the name of what was read."""
    field: str
    """The field of the format that it stood in."""
    reason: str
    """Why, in a sentence without a full stop."""
