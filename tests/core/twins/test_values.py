"""Wrong values: other than the right one, of its type, and near it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from assay.core.twins.values import wrong

VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12),
    st.text(max_size=40),
    st.binary(max_size=40),
)


@given(VALUES, st.integers(0, 2**32))
def test_a_wrong_value_differs_and_keeps_its_type(value: object, seed: int) -> None:
    other = wrong(value, random.Random(seed))
    assert other != value
    assert type(other) is type(value)


@given(st.floats(min_value=1e-6, max_value=1e12), st.integers(0, 2**32))
def test_a_wrong_float_is_outside_any_sensible_tolerance(value: float, seed: int) -> None:
    other = wrong(value, random.Random(seed))
    assert isinstance(other, float)
    assert abs(other - value) > 0.09 * value


@given(st.text(alphabet="abcXYZ019 -_", min_size=3, max_size=40), st.integers(0, 2**32))
def test_a_wrong_text_is_a_slip_of_the_pen(value: str, seed: int) -> None:
    other = wrong(value, random.Random(seed))
    assert isinstance(other, str)
    assert abs(len(other) - len(value)) <= 5
