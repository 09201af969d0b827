"""Who tries a task, and how far they may go: what makes two trials comparable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat

from assay.model.base import Frozen
from assay.model.json_values import JsonObject

Price = Annotated[FiniteFloat, Field(ge=0)]


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


class ModelSettings(Frozen):
    """A model, as `[models."NAME"]` of assay.toml has it. Prices are dollars for a million tokens; without one, what a
    trial costs is unknown.
    """

    input_usd: Price | None = None
    cached_input_usd: Price | None = None
    """Of the prompt's tokens that the endpoint had cached; absent: as `input_usd`."""
    output_usd: Price | None = None
    url: str = ""
    """Where it answers; ends before `/chat/completions`. Empty: as for every other model."""
    name: str = ""
    """What the endpoint calls it, if not NAME."""
    key_variable: str = ""
    """The environment variable that holds the key, if not ASSAY_MODEL_KEY or OPENAI_API_KEY."""


class AgentSettings(Frozen):
    """An agent, as `[agents.NAME]` of assay.toml has it."""

    kind: str = "command"
    """The agent that it is a form of."""
    command: str = ""
    """Of `command`: the line of shell that starts it; see docs/agents.md for what stands in braces."""
    mounts: tuple[str, ...] = ()
    """Folders of the host that the sandbox shows, read-only: `FOLDER`, or `FOLDER:PLACE`."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Of its environment."""
    version: str = ""
    """Of its program. Trials of another version are another rate."""
    git: bool = True
    """Whether it finds a repository of one commit in its workspace."""
    settings: JsonObject = Field(default_factory=dict)
    """The kind's own."""


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """Which agent is to try, with what, and how far."""

    agent: str
    """One that is installed, or a table of [agents] in assay.toml."""
    model: str = ""
    """By its name in assay.toml, or as the endpoint knows it."""
    model_url: str = ""
    """Empty: the model's own, or that of ASSAY_MODEL_URL."""
    command: str = ""
    """For `command`: its line of shell."""
    predictions: Path | None = None
    """For `patch`: a file of predictions."""
    limits: TrialLimits = field(default_factory=TrialLimits)
