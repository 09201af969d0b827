"""What a gate kept, as a trajectory: chat and responses, whole and streamed, with what the server told of tokens."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.core.exchange.model_calls import answer_of, trajectory_of
from assay.model.trajectory import AgentSystem, Trajectory
from assay.model.trial import TrialCost

SYSTEM = AgentSystem(name="ours", version="1")
CALL = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
SAID = {"role": "assistant", "content": None, "tool_calls": [CALL]}
PROMPT = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Fix it."}]
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "a.py"}


def line(number: int, request: Any, response: Any, **more: Any) -> dict[str, Any]:
    text = response if isinstance(response, str) else json.dumps(response)
    return {
        "number": number, "started_at": "2026-01-01T00:00:00+00:00", "path": "/chat/completions", "status": 200,
        "request": json.dumps(request), "response": text, "usd": 0.5, **more,
    }  # fmt: skip


def made(*lines: dict[str, Any]) -> Trajectory:
    return trajectory_of(lines, "The prompt.", SYSTEM, TrialCost(usd=1.0), {})


def test_a_conversation_is_told_once() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    logprobs = {"content": [{"token": "a", "logprob": -0.5}]}
    choice = {"message": SAID, "logprobs": logprobs, "token_ids": [7, 8]}
    first = {"choices": [choice], "usage": usage, "model": "m-1", "prompt_token_ids": [1, 2, 3]}
    last = {"choices": [{"message": {"role": "assistant", "content": "Done."}}]}
    found = made(line(1, {"messages": PROMPT}, first), line(2, {"messages": [*PROMPT, SAID, RESULT]}, last, usd=None))
    assert [step.source for step in found.steps] == ["system", "user", "agent", "agent"]
    step = found.steps[2]
    assert step.tool_calls is not None and step.tool_calls[0].arguments == {"command": "ls"}
    assert step.observation is not None and step.observation.results[0].content == "a.py"
    assert step.metrics is not None
    assert (step.metrics.logprobs, step.metrics.completion_token_ids) == ((-0.5,), (7, 8))
    assert (step.metrics.prompt_token_ids, step.metrics.cost_usd) == ((1, 2, 3), 0.5)
    assert step.model_name == "m-1"
    assert found.steps[3].message == "Done."
    assert found.final_metrics is not None and found.final_metrics.total_cost_usd == 1.0


def test_a_stream_is_the_answer_in_pieces() -> None:
    deltas = [
        {"role": "assistant", "content": "I "},
        {"content": "look.", "reasoning_content": "Hm"},
        {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "bash", "arguments": '{"comm'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'and": "ls"}'}}]},
    ]
    events: list[dict[str, Any]] = [{"model": "m-1", "choices": [{"delta": delta}]} for delta in deltas]
    events.append({"choices": [], "usage": {"prompt_tokens": 5}})
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    [_, _, step] = made(line(1, {"messages": PROMPT, "stream": True}, text)).steps
    assert (step.message, step.reasoning_content) == ("I look.", "Hm")
    assert step.tool_calls is not None and step.tool_calls[0].arguments == {"command": "ls"}
    assert step.metrics is not None and step.metrics.prompt_tokens == 5


def test_the_responses_api_is_read_whole_and_streamed() -> None:
    output: list[dict[str, Any]] = [
        {"type": "message", "content": [{"type": "output_text", "text": "Hello."}]},
        {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": '{"command": ["ls"]}'},
    ]
    answer: dict[str, Any] = {
        "object": "response",
        "model": "m-1",
        "output": output,
        "usage": {"input_tokens": 4, "output_tokens": 1},
    }
    streamed = f"event: x\ndata: {json.dumps({'type': 'response.completed', 'response': answer})}\n\n"
    request = {"instructions": "Be good.", "input": "Fix it."}
    later = {"input": [{"type": "function_call_output", "call_id": "c1", "output": "a.py"}]}
    for text in (answer, streamed):
        found = made(line(1, request, text), line(2, later, "gone", status=None))
        assert [step.source for step in found.steps] == ["system", "user", "agent"]
        step = found.steps[2]
        assert step.message == "Hello."
        assert step.observation is not None and step.observation.results[0].content == "a.py"


def test_without_a_call_there_is_the_prompt() -> None:
    [step] = made().steps
    assert (step.source, step.message) == ("user", "The prompt.")
    assert answer_of({"status": 200, "response": {"base64": "AA=="}}) is None
    assert answer_of({"status": 400, "response": "{}"}) is None


NAMES = ("choices", "message", "messages", "content", "role", "tool_calls", "function", "delta", "usage", "output")
KEYS = st.sampled_from(
    [*NAMES, "object", "type", "input", "id", "index", "logprobs", "token_ids", "response", "call_id", "tool_call_id"]
)
VALUES = st.recursive(
    st.sampled_from([None, True, 3, "", "user", "tool", "response", "message", "function_call", "reasoning", "c1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)


@given(st.lists(st.tuples(OBJECTS, OBJECTS), max_size=3), st.booleans())
def test_whatever_was_kept_becomes_a_trajectory(pairs: list[tuple[Any, Any]], streamed: bool) -> None:
    made(*(line(n, q, f"data: {json.dumps(a)}\n\n" if streamed else a) for n, (q, a) in enumerate(pairs)))
