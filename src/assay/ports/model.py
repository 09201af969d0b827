"""The way to a model: for each trial a gate of its own, that lets pass what the trial may still use, and counts it.

The key stays outside: whoever comes through the gate shows a token that is good for this trial alone. What passes is
not changed but for that, and is kept as it was. What an agent may not have any more is refused; what the endpoint did
not do is no fault of the agent: `check` raises it, so that the trial has no score.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from assay.model.agent import TrialLimits
from assay.model.trial import TrialCost
from assay.ports.agent import ModelAccess


class Gate(Protocol):
    """One trial's way to its model, open."""

    outside: ModelAccess
    """For an agent that runs on this machine, outside of any sandbox."""
    inside: ModelAccess
    """For an agent in a sandbox that shows `folder` at the place that is named here."""
    folder: Path
    """Holds a socket and nothing else."""

    @property
    def limit(self) -> str:
        """What a call was refused for (`limit-steps`, `limit-tokens`, `limit-usd`, `limit-bytes`), or empty."""
        ...

    @property
    def waited_seconds(self) -> float:
        """How long calls were held up by an endpoint that did not do its part."""
        ...

    async def over(self) -> None:
        """Wait until no further call will pass: at a limit, or because the endpoint is given up."""
        ...

    def check(self) -> None:
        """Raises what took the model from the agent: ProviderError (RefusedError when asking again is no use), or
        InputError for key, name, address and limits that cannot be right.
        """
        ...

    def cost(self) -> TrialCost:
        """What was used so far, as the endpoint counts it; unknown where it did not say, for one call even."""
        ...

    def exchanges(self) -> bytes:
        """All requests and responses so far, one JSON object a line; see docs/agents.md."""
        ...


class ModelGate(Protocol):
    """One model at one endpoint."""

    def open(self, limits: TrialLimits) -> AbstractAsyncContextManager[Gate]:
        """A gate for one trial. Raises InputError for a limit that cannot be held."""
        ...
