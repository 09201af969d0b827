"""Who tries a task, and how far they may go: what makes two trials comparable."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from assay.model.base import Frozen
from assay.model.json_values import JsonObject


class TrialLimits(Frozen):
    """What one trial may use before it is ended. Running into one is the agent's doing, and is judged as it is then."""

    wall_seconds: Annotated[FiniteFloat, Field(gt=0)] = 1800.0
    """Of the agent's work; the judge has limits of its own."""
    step_count: Annotated[int, Field(gt=0)] | None = 100
    """Calls of the model; None for no bound."""
    tokens: Annotated[int, Field(gt=0)] | None = None
    """Read and written, of all calls together."""
    usd: Annotated[FiniteFloat, Field(gt=0)] | None = None


class Entrant(Frozen):
    """An agent with its model and limits: the one whose rate of solving is measured.

    Two trials belong to the same rate when their entrants are equal; whatever changes what the agent does is in here.
    """

    agent: str
    agent_version: str = ""
    model: str = ""
    limits: TrialLimits = TrialLimits()
    settings: JsonObject = Field(default_factory=dict)
    """The agent's own: a command's template, sampling, the file of predictions by its digest."""

    @property
    def name(self) -> str:
        """For people: `mini, gpt-5-mini`."""
        return ", ".join(part for part in (self.agent, self.model) if part)
