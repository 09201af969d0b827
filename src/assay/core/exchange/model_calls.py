"""What went through a gate as a trajectory: one step of the agent for each answer of the model.

The gate sees calls, not the agent: prompts are told once, when they first appear; results are found by the call that
they answer, wherever a later request brings them. Calls of several conversations (sub-agents, summaries) come in the
order in which they were made. Nothing is re-tokenized: token ids and log-probabilities are there if the server gave
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from assay.core.exchange.mini_messages import Turn, turn_of
from assay.core.model_calls import EventReader, parsed
from assay.errors import InputError
from assay.model.trajectory import AgentSystem, FinalMetrics, Step, Trajectory
from assay.model.trial import TrialCost

NOT_A_PROMPT = ("assistant", "tool", "function")


def trajectory_of(
    lines: Iterable[Mapping[str, Any]], instruction: str, system: AgentSystem, cost: TrialCost, extra: dict[str, Any]
) -> Trajectory:
    """Of a gate's exchanges (`Gate.exchanges`, parsed), or without any: the prompt, and that the agent was there."""
    calls = [(line, request, answer_of(line)) for line in lines if (request := _request(line)) is not None]
    results = _results(request for _, request, _ in calls)
    steps: list[dict[str, Any]] = []
    seen: set[str] = set()
    for line, request, answer in calls:
        steps += _prompts(request, seen)
        if answer is not None:
            steps.append(_step(line, answer, results))
    if not any(step["source"] == "user" for step in steps):
        steps.insert(0, {"source": "user", "message": instruction})
    final = FinalMetrics(
        total_prompt_tokens=cost.prompt_tokens,
        total_completion_tokens=cost.completion_tokens,
        total_cached_tokens=cost.cached_tokens,
        total_cost_usd=cost.usd,
        total_steps=len(steps),
    )
    numbered = tuple({"step_id": number, **step} for number, step in enumerate(steps, 1))
    return Trajectory.model_validate(
        {"agent": system, "steps": numbered, "final_metrics": final, "extra": extra or None}
    )


def answer_of(line: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer of an exchange as one object, whether it came whole or as a stream; None for none, or for an error."""
    text = line.get("response")
    if line.get("status") != 200 or not isinstance(text, str):
        return None
    whole = parsed(text.encode("utf-8", "surrogatepass"))
    if isinstance(whole, dict):
        return whole
    reader = EventReader()
    events = [*reader.feed(text.encode("utf-8", "surrogatepass")), *reader.rest()]
    return _joined(event.data for event in events if isinstance(event.data, dict))


def _joined(events: Iterable[Any]) -> dict[str, Any] | None:
    """The events of a stream as the answer that they are the pieces of."""
    answer: dict[str, Any] = {}
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: dict[int, dict[str, Any]] = {}
    logprobs: list[Any] = []
    token_ids: list[Any] = []
    for event in events:
        if isinstance(event.get("response"), dict):  # of the responses API; the last one holds all
            answer = event["response"]
            continue
        answer |= {key: event[key] for key in ("id", "model", "usage", "prompt_token_ids") if event.get(key)}
        for choice in _objects(event.get("choices")):
            delta = _object(choice.get("delta"))
            message["content"] += _text(delta.get("content")) or _text(choice.get("text"))
            if reasoning := _text(delta.get("reasoning_content")) or _text(delta.get("reasoning")):
                message["reasoning_content"] = message.get("reasoning_content", "") + reasoning
            for piece in _objects(delta.get("tool_calls")):
                _add_call(calls, piece)
            logprobs += _objects(_object(choice.get("logprobs")).get("content"))
            ids = choice.get("token_ids")
            token_ids += ids if isinstance(ids, list) else []
    if answer.get("object") == "response" or not (answer or message["content"] or calls):
        return answer or None
    if calls:
        message["tool_calls"] = [calls[number] for number in sorted(calls)]
    more = ({"logprobs": {"content": logprobs}} if logprobs else {}) | ({"token_ids": token_ids} if token_ids else {})
    return {**answer, "choices": [{"message": message, **more}]}


def _add_call(calls: dict[int, dict[str, Any]], piece: Mapping[str, Any]) -> None:
    function, index = _object(piece.get("function")), piece.get("index")
    place = index if isinstance(index, int) else 0
    call = calls.setdefault(place, {"type": "function", "function": {"name": "", "arguments": ""}})
    if piece.get("id"):
        call["id"] = piece["id"]
    call["function"]["name"] += _text(function.get("name"))
    call["function"]["arguments"] += _text(function.get("arguments"))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _request(line: Mapping[str, Any]) -> dict[str, Any] | None:
    text = line.get("request")
    request = parsed(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else None
    return request if isinstance(request, dict) else None


def _messages(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of chat completions and of responses, whose input may be bare text, and whose instructions stand apart."""
    if isinstance(request.get("instructions"), str):
        yield {"role": "system", "content": request["instructions"]}
    found = request.get("messages", request.get("input", request.get("prompt")))
    if isinstance(found, str):
        yield {"role": "user", "content": found}
    for message in found if isinstance(found, list) else ():
        if isinstance(message, dict):
            yield message


def _prompts(request: Mapping[str, Any], seen: set[str]) -> Iterator[dict[str, Any]]:
    for message in _messages(request):
        role = message.get("role")
        if not isinstance(role, str) or role in NOT_A_PROMPT:
            continue
        key = json.dumps([message["role"], message.get("content")], sort_keys=True)
        if key in seen:
            continue
        seen.add(key)
        turn = _turn({"role": role, "content": message.get("content")})
        if turn is None:
            continue
        source = "user" if turn.source == "observation" else turn.source
        yield {"source": source, "message": turn.fields["message"]}


def _turn(message: dict[str, Any]) -> Turn | None:
    """A message read, or None: what an agent sends and an endpoint answers may be anything."""
    try:
        turn = turn_of(message, "messages[]", "a call")
        Step.model_validate({"step_id": 1, "source": "agent", "message": turn.fields["message"]})
    except (InputError, ValueError, TypeError, AttributeError, KeyError):
        return None
    return turn


def _results(requests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What came back from each call, by the call's id."""
    results: dict[str, Any] = {}
    for request in requests:
        for message in _messages(request):
            call_id = message.get("tool_call_id") or message.get("call_id")
            is_result = message.get("role") == "tool" or message.get("type") == "function_call_output"
            if is_result and isinstance(call_id, str) and call_id not in results:
                turn = _turn({"role": "tool", "content": message.get("content", message.get("output"))})
                if turn is not None:
                    results[call_id] = turn.fields["message"]
    return results


def _step(line: Mapping[str, Any], answer: dict[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """One answer. What cannot be read of it is told by its exchange."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = answer if answer.get("object") == "response" else choice.get("message") or {"content": choice.get("text")}
    if message is not answer:
        of_api = {name: answer.get(name) for name in ("usage", "model")}
        message = {**_object(message), "role": "assistant", "extra": {"response": of_api}}
    turn, number = _turn(message), line.get("number")
    fields = turn.fields if turn else {"message": ""}
    step: dict[str, Any] = {"source": "agent", "llm_call_count": 1, **fields}
    step["extra"] = {**step.get("extra", {}), "exchange": number}
    time = line.get("started_at")
    step["timestamp"] = time if isinstance(time, str) and _is_time(time) else None
    metrics = {**step.get("metrics", {}), **_told_tokens(answer, choice)}
    if isinstance(line.get("usd"), int | float):
        metrics["cost_usd"] = line["usd"]
    if metrics:
        step["metrics"] = metrics
    found = [
        {"source_call_id": call["tool_call_id"], "content": results[call["tool_call_id"]]}
        for call in step.get("tool_calls", ())
        if call["tool_call_id"] in results
    ]
    step |= {"observation": {"results": found}} if found else {}
    try:
        Step.model_validate({"step_id": 1, **step})
    except ValidationError:
        return {"source": "agent", "llm_call_count": 1, "message": "", "extra": {"exchange": number}}
    return step


def _told_tokens(answer: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    """Log-probabilities and token ids, where the server gives them (vLLM: `return_token_ids`)."""
    logprobs = choice.get("logprobs")
    rows = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    found: dict[str, Any] = {}
    if isinstance(rows, list) and all(isinstance(row, Mapping) and _is_number(row.get("logprob")) for row in rows):
        found["logprobs"] = [row["logprob"] for row in rows]
    for name, ids in (
        ("prompt_token_ids", answer.get("prompt_token_ids", choice.get("prompt_token_ids"))),
        ("completion_token_ids", choice.get("token_ids")),
    ):
        if isinstance(ids, list) and ids and all(isinstance(one, int) for one in ids):
            found[name] = ids
    return {name: value for name, value in found.items() if value}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
