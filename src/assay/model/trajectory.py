"""What an agent did, step by step, in the words of ATIF 1.8 (the Agent Trajectory Interchange Format).

The types are strict in what may stand together, because whoever trains on a trajectory relies on it. Absent and empty
are two things: `tool_calls=()` was written down, `None` was not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, field_validator, model_validator

from assay.model.base import Frozen
from assay.model.json_values import JsonObject

Count = Annotated[int, Field(ge=0)]
ImageType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
AudioType = Literal[
    "audio/wav", "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac", "audio/webm", "audio/aiff"
]
Source = Literal["system", "user", "agent"]
AGENT_ONLY = ("model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics")
"""Fields of a step that only the agent's own steps have."""


class Media(Frozen):
    """A picture or a sound that lies beside the trajectory."""

    media_type: ImageType | AudioType
    path: str
    """A file's path, absolute or relative to the trajectory, or a URL."""
    duration_sec: Annotated[FiniteFloat, Field(ge=0)] | None = None
    """Of a sound, if known."""


class Part(Frozen):
    """A piece of a message that is not text alone."""

    type: Literal["text", "image", "audio"]
    text: str | None = None
    source: Media | None = None

    @model_validator(mode="after")
    def _holds_what_it_says(self) -> Self:
        if self.type == "text":
            if self.text is None or self.source is not None:
                raise ValueError("a part of type 'text' has `text` and no `source`")
            return self
        if self.source is None or self.text is not None:
            raise ValueError(f"a part of type {self.type!r} has `source` and no `text`")
        if not self.source.media_type.startswith(f"{self.type}/"):
            raise ValueError(f"a part of type {self.type!r} has a source of type {self.source.media_type!r}")
        if self.type == "image" and self.source.duration_sec is not None:
            raise ValueError("an image has no duration")
        return self


Content = str | tuple[Part, ...]


class SubagentRef(Frozen):
    """Where the trajectory of another agent is, to which this one has handed something."""

    trajectory_id: str | None = None
    """One of `Trajectory.subagent_trajectories`."""
    trajectory_path: str | None = None
    """A file or a URL."""
    session_id: str | None = None
    """For people; nothing is found by it."""
    extra: JsonObject | None = None

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.trajectory_id is None and self.trajectory_path is None:
            raise ValueError("a sub-agent is named by `trajectory_id` or by `trajectory_path`")
        return self


class ToolCall(Frozen):
    """What the agent wants to be done."""

    tool_call_id: str
    function_name: str
    arguments: JsonObject
    extra: JsonObject | None = None


class ObservationResult(Frozen):
    """What came back from one call, or from elsewhere."""

    source_call_id: str | None = None
    """The call of the same step that it answers; None when it answers none."""
    content: Content | None = None
    subagent_trajectory_ref: tuple[SubagentRef, ...] | None = None
    extra: JsonObject | None = None


class Observation(Frozen):
    """All that came back in one step."""

    results: tuple[ObservationResult, ...]


class Metrics(Frozen):
    """What one step cost. Cached tokens are among the prompt's."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: FiniteFloat | None = None
    prompt_token_ids: tuple[int, ...] | None = None
    completion_token_ids: tuple[int, ...] | None = None
    logprobs: tuple[FiniteFloat, ...] | None = None
    """One for each completion token."""
    extra: JsonObject | None = None


class FinalMetrics(Frozen):
    """What the whole trajectory cost."""

    total_prompt_tokens: int | None = None
    total_completion_tokens: int | None = None
    total_cached_tokens: int | None = None
    total_cost_usd: FiniteFloat | None = None
    total_steps: Count | None = None
    """May differ from the number of steps when `Trajectory.notes` says why."""
    extra: JsonObject | None = None


class AgentSystem(Frozen):
    """Who acted."""

    name: str
    version: str
    model_name: str | None = None
    """Of all steps that do not name another."""
    tool_definitions: tuple[JsonObject, ...] | None = None
    """As OpenAI's function schema has them."""
    extra: JsonObject | None = None


class Step(Frozen):
    """A message of the system or the user, or one turn of the agent with what came back."""

    step_id: Annotated[int, Field(ge=1)]
    timestamp: str | None = None
    """ISO 8601, as it was written."""
    source: Source
    model_name: str | None = None
    reasoning_effort: str | FiniteFloat | None = None
    message: Content
    reasoning_content: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    observation: Observation | None = None
    metrics: Metrics | None = None
    is_copied_context: bool | None = None
    """Taken over from an earlier trajectory; never trained on."""
    llm_call_count: Count | None = None
    """0 on a step that no model made."""
    extra: JsonObject | None = None

    @field_validator("timestamp")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError as error:
                raise ValueError("a time as ISO 8601 writes it") from error
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.source != "agent":
            for name in AGENT_ONLY:
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"`{name}` only stands on a step of the agent, and this one is the {self.source}'s"
                    )
        elif self.llm_call_count == 0 and (self.metrics is not None or self.reasoning_content is not None):
            raise ValueError("a step that no model made has neither `metrics` nor `reasoning_content`")
        calls = {call.tool_call_id for call in self.tool_calls or ()}
        for result in self.observation.results if self.observation else ():
            if result.source_call_id is not None and result.source_call_id not in calls:
                raise ValueError(f"a result answers the call {result.source_call_id!r}, which this step does not make")
        return self


class Trajectory(Frozen):
    """One agent's way through one task."""

    session_id: str | None = None
    """Of the run; others of the same run may have it, too."""
    trajectory_id: str | None = None
    """Of this very document."""
    agent: AgentSystem
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    notes: str | None = None
    final_metrics: FinalMetrics | None = None
    continued_trajectory_ref: str | None = None
    """Where it goes on, after a summary for example."""
    extra: JsonObject | None = None
    subagent_trajectories: tuple[Trajectory, ...] | None = None

    @model_validator(mode="after")
    def _counts_and_names(self) -> Self:
        for number, step in enumerate(self.steps, 1):
            if step.step_id != number:
                raise ValueError(f"steps are numbered 1, 2, 3: found {step.step_id} where {number} is expected")
        total = self.final_metrics.total_steps if self.final_metrics else None
        if total is not None and total != len(self.steps) and not self.notes:
            raise ValueError(f"`total_steps` is {total} and there are {len(self.steps)}: `notes` has to say why")
        names = [one.trajectory_id for one in self.subagent_trajectories or ()]
        if None in names or len(set(names)) != len(names):
            raise ValueError("trajectories inside another each have a `trajectory_id` of their own")
        return self
