"""A loss: what a conversion between formats could not carry. Where none is told, nothing was lost."""

from __future__ import annotations

from assay.model.base import Frozen


class Loss(Frozen):
    """One field of one thing that did not come along."""

    subject: str
    """A task's slug, or what the other format calls the thing."""
    field: str
    """In the words of the format that it was read from, with dots between levels."""
    reason: str
    """Why, in words for people."""
