"""What is read of a call of a model: usage, prices, events of streams in pieces of any size, what a refusal means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.model_calls import (
    ASKING,
    Event,
    EventReader,
    Tokens,
    asking_for_usage,
    is_out_of_credit,
    is_too_long,
    tokens_of,
    usd_of,
)
from assay.model.agent import ModelSettings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CHAT = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
RESPONSES = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}}


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"usage": CHAT}, Tokens(9, 4, 3)),
        ({"usage": RESPONSES}, Tokens(9, 4, 3)),
        ({"type": "response.completed", "response": {"usage": RESPONSES}}, Tokens(9, 4, 3)),
        ({"usage": {"prompt_tokens": 9}}, Tokens(9, 0, 0)),
        ({"usage": {**CHAT, "prompt_tokens_details": {"cached_tokens": 99}}}, Tokens(9, 4, 9)),
        ({"usage": {"prompt_tokens": -1}}, None),
        ({"usage": {"prompt_tokens": True}}, None),
        ({"usage": None}, None),
        ([], None),
    ],
)
def test_usage_is_taken_as_it_is_told(answer: Any, tokens: Tokens | None) -> None:
    assert tokens_of(answer) == tokens


def test_dollars_follow_the_prices_of_the_project() -> None:
    tokens = Tokens(1_000_000, 500_000, 250_000)
    assert usd_of(tokens, ModelSettings(input_usd=4, cached_input_usd=1, output_usd=10)) == 3 + 0.25 + 5
    assert usd_of(tokens, ModelSettings(input_usd=4, output_usd=10)) == 4 + 5
    assert usd_of(tokens, ModelSettings(input_usd=4)) is None


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.sampled_from([None, 1, "\t"]))
def test_asking_for_usage_changes_nothing_else(more: dict[str, Any], indent: Any) -> None:
    request = {**more, "stream": True}
    body = json.dumps(request, indent=indent).encode()
    asked = asking_for_usage(body, request)
    if "stream_options" in request:
        assert asked is None
    else:
        assert asked is not None and asked.replace(ASKING, b"", 1) == body
        assert json.loads(asked) == {**request, "stream_options": {"include_usage": True}}
    assert asking_for_usage(body, {**request, "stream": False}) is None


@given(
    st.lists(st.sampled_from([b"data: {}\n\n", b"data: [DONE]\n\n", b": hi\r\n\r\n", b"x", b"\n", b"data: {"])),
    st.data(),
)
def test_the_events_are_the_stream_again(parts: list[bytes], data: st.DataObject) -> None:
    stream, reader, events = b"".join(parts), EventReader(), list[Event]()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        events += reader.feed(stream[start:end])
    events += reader.rest()
    assert b"".join(event.raw for event in events) == stream


def test_events_are_read() -> None:
    reader = EventReader()
    first, second, third, last = reader.feed(b'data: {"a": 1}\n\n: ping\n\ndata: {oh\r\n\r\ndata: [DONE]\n\n')
    assert (first.data, first.is_malformed, first.is_end) == ({"a": 1}, False, False)
    assert (second.data, second.is_malformed) == (None, False)
    assert third.is_malformed
    assert last.is_end


@pytest.mark.parametrize(
    ("body", "too_long"),
    [
        ('{"error": {"code": "context_length_exceeded"}}', True),
        ('{"error": {"message": "This model\'s maximum context length is 8192 tokens."}}', True),
        ('{"message": "prompt is too long: 210000 tokens > 200000 maximum"}', True),
        ('{"error": {"message": "Unsupported parameter: seed"}}', False),
        ("", False),
    ],
)
def test_refusals_for_length_are_known(body: str, too_long: bool) -> None:
    assert is_too_long(body.encode()) is too_long
    assert is_out_of_credit(b'{"error": {"type": "insufficient_quota"}}')
    assert not is_out_of_credit(body.encode())
