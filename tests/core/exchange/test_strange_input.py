"""What strangers write: told with file, key, found and expected, item by item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.exchange.atif import read_atif, write_atif
from assay.core.exchange.chat import chat_of
from assay.core.exchange.mini_swe_agent import read_mini, read_predictions
from assay.core.exchange.reading import parse_json
from assay.core.exchange.trials import read_trial
from assay.errors import InputError

STEP = {"step_id": 1, "source": "user", "message": "Fix it."}
ATIF: dict[str, Any] = {"schema_version": "ATIF-v1.8", "agent": {"name": "a", "version": "1"}, "steps": [STEP]}


def atif(**fields: Any) -> dict[str, Any]:
    return {**ATIF, **fields}


def step(**fields: Any) -> dict[str, Any]:
    return atif(steps=[{**STEP, **fields}])


@pytest.mark.parametrize(
    ("data", "key", "found"),
    [
        ([], "", "list of 0"),
        ({}, "schema_version", "nothing"),
        (atif(schema_version="ATIF-v2.0"), "schema_version", "'ATIF-v2.0'"),
        (atif(schema_version=1.8), "schema_version", "1.8"),
        (atif(steps=[]), "steps", "list of 0"),
        (atif(steps="none"), "steps", "'none'"),
        (atif(agent={"name": "a"}), "agent.version", "nothing"),
        (atif(steps=[{"step_id": 1, "message": "x"}]), "steps[0].source", "nothing"),
        (step(source="robot"), "steps[0].source", "'robot'"),
        (step(step_id="1"), "steps[0].step_id", "'1'"),
        (step(step_id=2), "", ""),
        (step(message=3), "steps[0].message", "3"),
        (step(timestamp="yesterday"), "steps[0].timestamp", "'yesterday'"),
        (step(tool_calls=[]), "steps[0]", ""),
        (step(source="agent", metrics={"cost_usd": "free"}), "steps[0].metrics.cost_usd", "'free'"),
        (step(source="agent", llm_call_count=0, reasoning_content="hm"), "steps[0]", ""),
    ],
)
def test_a_broken_trajectory_says_where(data: Any, key: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        read_atif(data, "a.json")
    context = caught.value.context
    assert context["file"] == "a.json"
    assert context["key"] == key
    assert found in str(context["found"])
    assert context["expected"]
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"steps": [1, 2', "the end of the file in the middle"),
        (b'{"text": "abc', "the end of the file in the middle"),
        (b'{"cost": NaN}', "NaN"),
        (b'{"cost": -Infinity}', "-Infinity"),
        (b'{"a": 1, "a": 2}', "the same key twice"),
        (b'{"a": \xff}', "not UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"[" * 300 + b"]" * 300, "nested too deeply"),
        (b"{'a': 1}", "at line 1"),
        (b"9" * 9999, "digits"),
    ],
)
def test_what_is_no_json(text: bytes, found: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(text, "a.json")
    assert found in str(caught.value.context["found"])


@pytest.mark.parametrize("minor", range(9))
def test_every_version_is_read(minor: int) -> None:
    read = read_atif(atif(schema_version=f"ATIF-v1.{minor}", session_id="s"), "a.json")
    assert [one.message for one in read.value.steps] == ["Fix it."]
    assert read.losses == ()


def test_a_newer_minor_version_is_read_as_far_as_it_goes() -> None:
    read = read_atif({**atif(schema_version="ATIF-v1.9"), "mood": "good"}, "a.json")
    assert read.value.steps[0].message == "Fix it."
    assert [loss.field for loss in read.losses] == ["schema_version", "mood"]


def test_what_is_known_to_be_written_wrongly_is_mended_and_told() -> None:
    ref = {"session_id": "child"}
    result = {"source_call_id": "c9", "content": "x", "subagent_trajectory_ref": ref}
    sound = {"type": "audio", "source": {"media_type": "Audio/MP3", "path": "a.mp3"}}
    data = step(source="agent", message=[sound], observation={"results": [result]})
    data["final_metrics"] = {"total_steps": 7}
    read = read_atif(data, "a.json")
    (mended,) = read.value.steps[0].observation.results if read.value.steps[0].observation else ()
    assert mended.source_call_id is None
    assert mended.subagent_trajectory_ref is not None
    assert mended.subagent_trajectory_ref[0].trajectory_id == "child"
    assert {loss.field for loss in read.losses} == {
        "steps[0].observation.results[0].source_call_id",
        "steps[0].observation.results[0].subagent_trajectory_ref[0].session_id",
        "final_metrics.total_steps",
    }
    assert write_atif(read.value)["steps"][0]["message"][0]["source"]["media_type"] == "audio/mpeg"
    assert data["steps"][0]["observation"]["results"][0]["source_call_id"] == "c9"  # the caller's stays as it is


def mini(*messages: dict[str, Any], **info: Any) -> dict[str, Any]:
    return {
        "trajectory_format": "mini-swe-agent-1.1",
        "info": {"mini_version": "2.4.6", **info},
        "messages": [*messages],
    }


CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c1", "type": "function", "index": 0, "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    ],
    "provider_specific_fields": {"refusal": None},
    "extra": {
        "actions": [{"command": "ls", "tool_call_id": "c1"}],
        "response": {"model": "m-1", "usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}}},
        "cost": 0.25,
        "timestamp": 1.0,
    },
}
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "src", "extra": {"returncode": 0, "timestamp": 2.0}}
EXIT = {"role": "exit", "content": "diff", "extra": {"exit_status": "Submitted", "submission": "diff"}}
USER = {"role": "user", "content": "Fix it."}


def test_a_run_of_mini_swe_agent_becomes_a_trial() -> None:
    stats = {"instance_cost": 0.25, "api_calls": 1}
    config = {"model": {"model_name": "m"}}
    data = mini(USER, CALL, ANSWER, EXIT, submission="diff", exit_status="Submitted", model_stats=stats, config=config)
    read = read_mini(data, "x.traj.json", task="x")
    trial = read.value
    assert (trial.task, trial.model, trial.patch, trial.ended, trial.outcome) == (
        "x",
        "m",
        b"diff",
        "Submitted",
        "unscored",
    )
    assert trial.cost is not None and trial.cost.usd == 0.25
    assert trial.trajectory is not None
    user, agent = trial.trajectory.steps
    assert user.message == "Fix it."
    assert agent.tool_calls is not None and agent.tool_calls[0].arguments == {"command": "ls"}
    assert agent.metrics is not None and (agent.metrics.cached_tokens, agent.metrics.cost_usd) == (2, 0.25)
    assert (agent.model_name, agent.timestamp) == ("m-1", "1970-01-01T00:00:01+00:00")
    assert agent.observation is not None and agent.observation.results[0].source_call_id == "c1"
    assert [loss.field for loss in read.losses] == ["messages[].extra.response"]
    assert [m["role"] for m in chat_of(trial.trajectory, "x").value.messages] == ["user", "assistant", "tool"]


def test_plain_text_and_responses_are_read_as_well() -> None:
    said = {"role": "assistant", "content": "```bash\nls\n```", "extra": {"actions": [{"command": "ls"}]}}
    seen = {"role": "user", "content": "src", "extra": {"returncode": 0, "raw_output": "src"}}
    plain = read_mini(mini(USER, said, seen), "p").value.trajectory
    assert plain is not None and plain.steps[1].observation is not None
    assert [m["role"] for m in chat_of(plain, "p").value.messages] == ["user", "assistant", "user"]
    call = {"type": "function_call", "call_id": "c1", "name": "bash", "arguments": "not json"}
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    text = {"type": "message", "content": [{"type": "output_text", "text": "I look."}]}
    answer = {
        "object": "response",
        "model": "m",
        "output": [thought, text, call],
        "usage": {"input_tokens": 3},
        "extra": {"cost": 1},
    }
    back = {"type": "function_call_output", "call_id": "c1", "output": "src", "extra": {"returncode": 0}}
    read = read_mini(mini(USER, answer, back), "r")
    assert read.value.trajectory is not None
    step = read.value.trajectory.steps[1]
    assert (step.message, step.reasoning_content) == ("I look.", "hm")
    assert step.tool_calls is not None and step.tool_calls[0].extra == {"raw_arguments": "not json"}
    assert any(loss.field.endswith("function.arguments") for loss in read.losses)
    assert step.observation is not None and step.observation.results[0].content == "src"


def test_predictions_beside_win_and_a_difference_is_told() -> None:
    patches = read_predictions({"x": {"model_patch": "other"}, "y": {"model_patch": None}}, "preds.json")
    assert patches == {"x": "other"}
    read = read_mini(mini(USER, submission="diff"), "x", task="x", patch=patches["x"])
    assert read.value.patch == b"other"
    assert [loss.field for loss in read.losses] == ["info.submission"]
    with pytest.raises(InputError, match=r"preds.json, x.model_patch: found 3, expected a patch"):
        read_predictions({"x": {"model_patch": 3}}, "preds.json")


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"trajectory_format": "mini-swe-agent-9"}, "trajectory_format"),
        (mini(), "messages"),
        (mini({"content": "x"}), "messages[0].role"),
        (mini({"role": "user", "content": 3}), "messages[0].content"),
        (mini({"role": "user", "extra": []}), "messages[0].extra"),
        (mini({"role": "assistant", "tool_calls": [{}]}), "messages[0].tool_calls[0].function"),
        ({**mini(USER), "info": []}, "info"),
        (mini(USER, model_stats={"instance_cost": -1}), "cost.usd"),
    ],
)
def test_a_broken_run_says_where(data: Any, key: str) -> None:
    with pytest.raises(InputError) as caught:
        read_mini(data, "a.traj.json")
    assert caught.value.context["key"] == key


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"task": "t", "agent": "a"}, "format"),
        ({"format": 1, "agent": "a"}, "task"),
        ({"format": 1, "task": "t", "agent": "a", "attempt": 0}, "attempt"),
        ({"format": 1, "task": "t", "agent": "a", "patch": {"base64": "!"}}, "patch"),
        ({"format": 1, "task": "t", "agent": "a", "resolved": True}, ""),
        ({"format": 1, "task": "t", "agent": "a", "reward": 1, "failure": {"boundary": "x"}}, "failure.boundary"),
    ],
)
def test_a_broken_trial_says_where(data: Any, key: str) -> None:
    with pytest.raises(InputError) as caught:
        read_trial(data, "line 3")
    assert caught.value.context["key"] == key
    assert caught.value.context["file"] == "line 3"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "steps",
    "agent",
    "messages",
    "info",
    "final_metrics",
    "subagent_trajectories",
    "observation",
    "tool_calls",
    "extra",
]


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4), JSON)
def test_nothing_but_our_own_errors_comes_out(fields: dict[str, Any], inner: Any) -> None:
    for read, data in (
        (read_atif, {**ATIF, **fields}),
        (read_atif, step(source="agent", observation=inner, tool_calls=inner, extra=inner)),
        (read_mini, {**mini(USER), **fields}),
        (read_mini, mini({"role": "assistant", "content": inner, "tool_calls": inner, "extra": {"response": inner}})),
        (read_mini, mini({"object": "response", "output": inner, "usage": inner, "extra": {}})),
    ):
        try:
            read(data, "a.json")
        except InputError as error:
            assert error.context["file"] == "a.json"
