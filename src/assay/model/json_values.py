"""Values that JSON can hold: what free-form parts of stored types are made of.

NaN and the infinities are no JSON, though Python's parser takes them; a file that holds them cannot be read by others.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue


def _finite(value: Any) -> Any:
    """The value as it is. Raises ValueError when a number in it is not finite."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError("JSON has no NaN and no infinity")
        if isinstance(one, dict):
            rest.extend(one.values())
        elif isinstance(one, list):
            rest.extend(one)
    return value


JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_finite)]
"""A JSON object whose numbers are finite."""
