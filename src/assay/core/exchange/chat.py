"""A trajectory as chat messages with tool calls, as trainers and model APIs read them.

Two styles. `trl`: a call's arguments are an object, and what the agent thought stands beside its message
(`reasoning_content`, which chat templates know). `openai`: arguments are a JSON string, and thoughts have no place.
What came back from a call is a `tool` message; what came back otherwise is said by the user, as the agent saw it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.model.carried import Carried
from assay.model.loss import Loss
from assay.model.trajectory import Content, ObservationResult, Step, ToolCall, Trajectory

Style = Literal["trl", "openai"]
Message = dict[str, Any]
LARGEST, SMALLEST = 2**64 - 1, -(2**63)
"""Integers that the JSON parsers of trainers take."""
OF_STEPS = {
    "timestamp": "chat messages have no time",
    "model_name": "chat messages do not say which model wrote them",
    "reasoning_effort": "chat messages have no place for it",
    "metrics": "chat messages have no place for tokens and costs",
    "extra": "chat messages have no place for it",
    "llm_call_count": "chat messages do not say how many calls of a model made them",
}
OF_TRAJECTORIES = {
    "session_id": "a row has no place for it",
    "trajectory_id": "a row has no place for it",
    "notes": "a row has no place for it",
    "final_metrics": "a row has no place for it",
    "continued_trajectory_ref": "only this part is carried, not the one that follows",
    "extra": "a row has no place for it",
    "subagent_trajectories": "the messages of other agents are theirs",
}


@dataclass(frozen=True, slots=True)
class Chat:
    """Messages, and the tools that they may call."""

    messages: tuple[Message, ...]
    tools: tuple[Message, ...] | None = None
    """As OpenAI's function schema has them; None when nobody wrote them down."""

    @property
    def opening(self) -> int:
        """How many messages stand before the agent's first."""
        roles = [message["role"] for message in self.messages]
        return roles.index("assistant") if "assistant" in roles else len(roles)

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What the agent was given."""
        return self.messages[: self.opening]

    @property
    def completion(self) -> tuple[Message, ...]:
        """From the agent's first message on."""
        return self.messages[self.opening :]


@dataclass(slots=True)
class _Told:
    """Losses, each place and reason once."""

    subject: str
    losses: dict[tuple[str, str], Loss] = field(default_factory=dict)

    def lose(self, place: str, reason: str) -> None:
        self.losses.setdefault((place, reason), Loss(subject=self.subject, field=place, reason=reason))


def chat_of(trajectory: Trajectory, subject: str, style: Style = "trl", *, reasoning: bool = True) -> Carried[Chat]:
    """The trajectory as messages. Steps that were copied from elsewhere stay out, as the format demands. A loss of all
    steps alike is told once, as `steps[].metrics`.
    """
    told = _Told(subject)
    for name, reason in OF_TRAJECTORIES.items():
        if getattr(trajectory, name) is not None:
            told.lose(name, reason)
    agent = trajectory.agent
    for name in ("name", "version", "model_name", "extra"):
        if getattr(agent, name) is not None:
            told.lose(f"agent.{name}", "chat messages do not say who wrote them")
    messages: list[Message] = []
    for step in trajectory.steps:
        place = f"steps[{step.step_id - 1}]"
        if step.is_copied_context:
            told.lose(place, "copied from an earlier trajectory, which is never trained on")
            continue
        messages += _Speaker(step, place, style, told, reasoning=reasoning).messages()
    tools = None
    if agent.tool_definitions is not None:
        tools = tuple(_tool(number, one, told) for number, one in enumerate(agent.tool_definitions))
    return Carried(Chat(tuple(messages), tools), tuple(told.losses.values()))


@dataclass(frozen=True, slots=True)
class _Speaker:
    """One step, being put into messages."""

    step: Step
    place: str
    style: Style
    told: _Told
    reasoning: bool

    def messages(self) -> Iterator[Message]:
        """The step's own message, then what came back."""
        step = self.step
        for name, reason in OF_STEPS.items():
            if getattr(step, name) is not None:
                self.told.lose(f"steps[].{name}", reason)
        if step.is_copied_context is not None:
            self.told.lose("steps[].is_copied_context", "only steps of which it does not hold are there")
        if step.source == "agent":
            yield self._agents()
        else:
            yield {"role": step.source, "content": self._text(step.message, f"{self.place}.message")}
        if step.observation is not None:
            yield from self._answers(step.observation.results, step.tool_calls or ())

    def _agents(self) -> Message:
        step = self.step
        message: Message = {"role": "assistant", "content": self._text(step.message, f"{self.place}.message")}
        if step.llm_call_count == 0:
            self.told.lose(f"{self.place}.llm_call_count", "no model made this step, and its message looks as if")
        if step.reasoning_content is not None:
            if self.reasoning and self.style == "trl":
                message["reasoning_content"] = step.reasoning_content
            else:
                why = "left out on demand" if not self.reasoning else "OpenAI's messages have no place for thoughts"
                self.told.lose("steps[].reasoning_content", why)
        if step.tool_calls:
            message["tool_calls"] = [self._call(number, call) for number, call in enumerate(step.tool_calls)]
        elif step.tool_calls is not None:
            self.told.lose("steps[].tool_calls", "that there are none is not written down")
        return message

    def _call(self, number: int, call: ToolCall) -> Message:
        if call.extra is not None:
            self.told.lose("steps[].tool_calls[].extra", "calls have no place for it")
        place = f"{self.place}.tool_calls[{number}].arguments"
        arguments: Any = _tame(call.arguments, place, self.told)
        if self.style == "openai":
            arguments = json.dumps(arguments, ensure_ascii=False)
        function = {"name": call.function_name, "arguments": arguments}
        return {"id": call.tool_call_id, "type": "function", "function": function}

    def _answers(self, results: tuple[ObservationResult, ...], calls: tuple[ToolCall, ...]) -> Iterator[Message]:
        """First what answers calls, in the order of the calls: no chat template takes them otherwise."""
        if not results:
            self.told.lose("steps[].observation", "that nothing came back is not written down")
        by_call: dict[str, list[tuple[int, ObservationResult]]] = {call.tool_call_id: [] for call in calls}
        free: list[tuple[int, ObservationResult]] = []
        for number, result in enumerate(results):
            (free if result.source_call_id is None else by_call[result.source_call_id]).append((number, result))
        order: list[int] = []
        for index, call in enumerate(calls):
            answers = by_call.pop(call.tool_call_id, [])
            if not answers and free:
                where = f"{self.place}.observation.results[{free[0][0]}].source_call_id"
                self.told.lose(where, "it names no call; taken for the answer to the one that has none")
                answers = [free.pop(0)]
            if not answers:
                self.told.lose(f"{self.place}.tool_calls[{index}]", "nothing came back, which looks like empty text")
                yield {"role": "tool", "tool_call_id": call.tool_call_id, "name": call.function_name, "content": ""}
            for number, result in answers:
                order.append(number)
                content = self._result(number, result)
                yield {"role": "tool", "tool_call_id": call.tool_call_id, "name": call.function_name, **content}
        for number, result in free:
            order.append(number)
            where = f"{self.place}.observation.results[{number}].source_call_id"
            self.told.lose(where, "what came back from no call looks like a user's message")
            yield {"role": "user", **self._result(number, result)}
        if order != sorted(order):
            self.told.lose(f"{self.place}.observation.results", "put into the order of the calls")

    def _result(self, number: int, result: ObservationResult) -> Message:
        if result.extra is not None:
            self.told.lose("steps[].observation.results[].extra", "messages have no place for it")
        if result.subagent_trajectory_ref is not None:
            where = "steps[].observation.results[].subagent_trajectory_ref"
            self.told.lose(where, "messages do not lead to other agents")
        place = f"{self.place}.observation.results[{number}].content"
        if result.content is None:
            self.told.lose(place, "absent, which looks like empty text")
        return {"content": self._text(result.content or "", place)}

    def _text(self, content: Content, place: str) -> str | list[Message]:
        """Text; several parts where there are several texts."""
        if isinstance(content, str):
            return content
        texts = [{"type": "text", "text": part.text} for part in content if part.type == "text"]
        if len(texts) < len(content):
            self.told.lose(place, "pictures and sounds are not carried, only text")
        if len(texts) > 1:
            return texts
        if len(texts) == len(content):
            self.told.lose(place, "a single part of text is text")
        return str(texts[0]["text"]) if texts else ""


def _tool(number: int, definition: Mapping[str, Any], told: _Told) -> Message:
    """A definition as OpenAI has it; some write the function itself."""
    place = f"agent.tool_definitions[{number}]"
    tool: Message = _tame(dict(definition), place, told)
    if "function" in tool or "name" not in tool:
        return tool
    told.lose(place, "a bare function, put into the frame that OpenAI gives it")
    return {"type": "function", "function": tool}


def _tame(value: Any, place: str, told: _Told) -> Any:
    """The value with numbers that everybody's parser takes."""
    if isinstance(value, dict):
        return {key: _tame(inner, place, told) for key, inner in value.items()}
    if isinstance(value, list):
        return [_tame(inner, place, told) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and not SMALLEST <= value <= LARGEST:
        told.lose(place, "an integer of more than 64 bits, as text")
        return str(value)
    return value
