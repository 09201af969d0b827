"""A model that drafts a task's description.

- `draft` gets an instruction and material, and gives prose; it decides nothing: what it writes is checked like the
  words of maintainers, and left out when it does not pass.
- Whatever keeps the endpoint from answering is a ProviderError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model wrote, and what it read and wrote for it."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0


class Writer(Protocol):
    """One model behind one endpoint."""

    name: str
    """As provenance records it."""

    async def draft(self, instruction: str, material: str) -> Draft:
        """Write. Raises ProviderError, InputError when the endpoint refuses the key or the model's name."""
        ...
