"""The base of all stored types: frozen, strict about what it is given, described by attribute docstrings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value. Unknown keys are an error: what we author, we author exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Lenient(BaseModel):
    """An immutable value that keeps keys it does not know, so that newer files survive older programs."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
