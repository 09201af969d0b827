"""A reward is a plain finite number, or there is none; it is never guessed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.exchange.rewards import reward_of


@pytest.mark.parametrize(
    ("structured", "text", "reward"),
    [
        (None, b"1\n", 1.0),
        (None, b" 0.25 ", 0.25),
        (b'{"reward": 1}', b"0", 1.0),
        (b'{"reward": 0, "style": 1}', None, 0.0),
        (b'{"tests": 1, "style": 0.5}', None, 0.5),
    ],
)
def test_what_counts(structured: bytes | None, text: bytes | None, reward: float) -> None:
    assert reward_of(structured, text) == (reward, "")


@pytest.mark.parametrize(
    ("structured", "text"),
    [
        (None, None),
        (None, b""),
        (None, b"nan"),
        (None, b"-inf"),
        (None, b"yes"),
        (None, b"\xff"),
        (b"{", b"1"),
        (b"[1]", b"1"),
        (b"{}", b"1"),
        (b'{"reward": NaN}', b"1"),
        (b'{"reward": true}', b"1"),
        (b'{"reward": "1"}', b"1"),
        (b"[" * 100_000, None),
    ],
)
def test_what_does_not(structured: bytes | None, text: bytes | None) -> None:
    reward, why = reward_of(structured, text)
    assert reward == 0.0
    assert why


@given(st.one_of(st.none(), st.binary(max_size=30)), st.one_of(st.none(), st.binary(max_size=30)))
def test_it_never_raises_and_never_gives_a_number_that_is_none(structured: bytes | None, text: bytes | None) -> None:
    reward, why = reward_of(structured, text)
    assert math.isfinite(reward)
    assert why or reward == 0 or structured or text


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_named_one_or_else_the_least(rewards: dict[str, float]) -> None:
    reward, why = reward_of(json.dumps(rewards).encode(), None)
    assert (reward, why) == (rewards.get("reward", min(rewards.values())), "")
