"""What was exported and imported again is what it was, minus exactly what the losses say."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.exchange.atif import atif_bytes, read_atif, write_atif
from assay.core.exchange.chat import Style, chat_of
from assay.core.exchange.reading import parse_json
from assay.core.exchange.trials import read_trial, trial_line
from assay.model.failure import Failure
from assay.model.trajectory import Trajectory
from assay.model.trial import Trial

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 10**9)
VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
OBJECT = st.dictionaries(TEXT, VALUE, max_size=2)


def table(needed: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(needed, optional=optional)


PART = st.one_of(
    table({"type": st.just("text"), "text": TEXT}, {}),
    st.just({"type": "image", "source": {"media_type": "image/png", "path": "a.png"}}),
    st.just({"type": "audio", "source": {"media_type": "audio/wav", "path": "a.wav", "duration_sec": 1.5}}),
)
CONTENT = TEXT | st.lists(PART, max_size=3)
REF = table({"trajectory_id": TEXT}, {"trajectory_path": TEXT, "session_id": TEXT, "extra": OBJECT})
METRICS = table(
    {},
    {
        "prompt_tokens": COUNT,
        "cost_usd": NUMBER,
        "completion_token_ids": st.lists(COUNT, max_size=2),
        "logprobs": st.lists(NUMBER, max_size=2),
        "extra": OBJECT,
    },
)


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    source = draw(st.sampled_from(["system", "user", "agent", "agent"]))
    common = {
        "timestamp": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+02:00"]),
        "is_copied_context": st.booleans(),
        "llm_call_count": st.integers(1, 3),
        "extra": OBJECT,
    }
    own = {"model_name": TEXT, "reasoning_effort": TEXT | NUMBER, "reasoning_content": TEXT, "metrics": METRICS}
    step = draw(table({"source": st.just(source), "message": CONTENT}, common | (own if source == "agent" else {})))
    calls: list[str] = []
    if source == "agent" and draw(st.booleans()):
        calls = [f"c{number}" for number in range(draw(st.integers(0, 2)))]
        call = table({"function_name": TEXT, "arguments": OBJECT}, {"extra": OBJECT})
        step["tool_calls"] = [{"tool_call_id": name, **draw(call)} for name in calls]
    if draw(st.booleans()):
        answers = {"source_call_id": st.sampled_from(calls)} if calls else {}
        others = {"content": CONTENT, "subagent_trajectory_ref": st.lists(REF, max_size=1), "extra": OBJECT}
        step["observation"] = {"results": draw(st.lists(table({}, answers | others), max_size=2))}
    return step


@st.composite
def trajectories(draw: st.DrawFn, depth: int = 1) -> Trajectory:
    made = draw(st.lists(steps(), min_size=1, max_size=3))
    agent = table(
        {"name": TEXT, "version": TEXT},
        {"model_name": TEXT, "tool_definitions": st.lists(OBJECT, max_size=2), "extra": OBJECT},
    )
    final = table({}, {"total_cost_usd": NUMBER, "total_steps": st.just(len(made)), "extra": OBJECT})
    data = draw(
        table(
            {"agent": agent},
            {
                "session_id": TEXT,
                "trajectory_id": TEXT,
                "notes": TEXT,
                "final_metrics": final,
                "continued_trajectory_ref": TEXT,
                "extra": OBJECT,
            },
        )
    )
    data["steps"] = [{"step_id": number, **step} for number, step in enumerate(made, 1)]
    if depth and draw(st.booleans()):
        inner = draw(trajectories(depth=0)).model_dump(mode="json", exclude_none=True)
        data["subagent_trajectories"] = [{**inner, "trajectory_id": "inside"}]
    return Trajectory.model_validate_json(json.dumps(data))


TRIALS = st.builds(
    lambda score, trajectory, **fields: Trial(**score, trajectory=trajectory, **fields),
    st.sampled_from(
        [
            {},
            {"resolved": True, "reward": 1.0},
            {"resolved": False, "reward": 0.0, "reason": "tests-failed"},
            {"reward": 0.25},
            {"failure": Failure(boundary="provider", kind="provider", message="gone", retryable=True)},
        ]
    ),
    st.none() | trajectories(),
    task=TEXT,
    agent=TEXT,
    model=TEXT,
    attempt=st.integers(1, 9),
    patch=st.none() | st.binary(max_size=20) | TEXT.map(str.encode),
    started_at=st.none() | st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    extra=OBJECT,
)


@settings(max_examples=40)
@given(trajectories())
def test_a_trajectory_goes_out_and_comes_back(trajectory: Trajectory) -> None:
    read = read_atif(parse_json(atif_bytes(trajectory), "t"), "t")
    assert read.value == trajectory
    assert read.losses == ()


@settings(max_examples=40)
@given(TRIALS)
def test_a_trial_goes_out_and_comes_back(trial: Trial) -> None:
    line = trial_line(trial)
    assert line.count(b"\n") == 1
    read = read_trial(parse_json(line, "line 1"), "line 1")
    assert read.value == trial
    assert read.losses == ()


@settings(max_examples=25)
@given(trajectories(), st.dictionaries(st.sampled_from(["zzz", "later"]), VALUE, min_size=1, max_size=2))
def test_unknown_keys_are_what_is_lost_and_nothing_else(trajectory: Trajectory, unknown: dict[str, Any]) -> None:
    data = write_atif(trajectory)
    data["steps"][-1].update(unknown)
    data["agent"].update(unknown)
    read = read_atif({**data, **unknown}, "t")
    assert read.value == trajectory
    last = len(trajectory.steps) - 1
    places = {f"{prefix}{key}" for key in unknown for prefix in ("", "agent.", f"steps[{last}].")}
    assert {loss.field for loss in read.losses} == places
    assert {loss.reason for loss in read.losses} == {"an unknown key"}


@settings(max_examples=40)
@given(trajectories(), st.sampled_from(["trl", "openai"]))
def test_messages_lack_what_is_told_and_nothing_else(trajectory: Trajectory, style: Style) -> None:
    carried = chat_of(trajectory, "t", style)
    told = {loss.field for loss in carried.losses}
    kept = Counter(
        leaf
        for path, leaf in leaves(trajectory.model_dump(mode="json", exclude_none=True))
        if not (covers(path) & told)
    )
    messages = [unframed(message) for message in carried.value.messages]
    found = Counter(leaf for _, leaf in leaves([messages, list(carried.value.tools or ())]))
    assert kept <= found, kept - found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every simple value with its place; an object's own keys count as values of it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("step_id", "source", "type") and path.count("[") <= 1 and "arguments" not in path:
                continue  # said by the order and by the roles
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path, json.dumps(value)


def covers(path: str) -> set[str]:
    """Every place of a loss that holds for this path: those above it, with and without the numbers."""
    parts = re.split(r"(?=[.\[])", path)
    above = {"".join(parts[: count + 1]) for count in range(len(parts))}
    return above | {re.sub(r"\[\d+\]", "[]", one) for one in above}


def unframed(message: dict[str, Any]) -> dict[str, Any]:
    """A message with the arguments of its calls as objects, in either style."""
    calls = [dict(call["function"]) | {"id": call["id"]} for call in message.get("tool_calls", ())]
    for call in calls:
        if isinstance(call["arguments"], str):
            call["arguments"] = json.loads(call["arguments"])
    return {**message, "tool_calls": calls}
