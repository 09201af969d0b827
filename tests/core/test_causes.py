"""Why a test fails on the base: the change's absence, the machine, the network, or nobody knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.causes import Cause, acceptable, base_is_broken, cause, classifier
from assay.model.report import Status, TestOutcome
from assay.model.tree import FileState, Tree

BASE: Tree = {"pkg/__init__.py": FileState(b"def old():\n    return 1\n")}
GOLD: Tree = {
    "pkg/__init__.py": FileState(b"def old():\n    return 1\n\ndef fresh(limit=0):\n    return 2\n"),
    "pkg/extra.py": FileState(b"X = 1\n"),
}


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("AssertionError", "assert 1 == 2", Cause.ASSERTION),
        ("Failed", "DID NOT RAISE <class 'ValueError'>", Cause.ASSERTION),
        ("ImportError", "cannot import name 'fresh' from 'pkg' (/repo/pkg/__init__.py)", Cause.MISSING_NAME),
        ("AttributeError", "module 'pkg' has no attribute 'fresh'", Cause.MISSING_NAME),
        ("TypeError", "old() got an unexpected keyword argument 'limit'", Cause.MISSING_NAME),
        ("ModuleNotFoundError", "No module named 'pkg.extra'", Cause.MISSING_NAME),
        ("ModuleNotFoundError", "No module named 'numpy'", Cause.ENVIRONMENT),
        ("FixtureLookupError", "fixture 'mocker' not found", Cause.ENVIRONMENT),
        ("PermissionError", "[Errno 13] Permission denied: '/x'", Cause.ENVIRONMENT),
        ("socket.gaierror", "[Errno -3] Temporary failure in name resolution", Cause.NETWORK),
        ("requests.exceptions.ConnectionError", "Max retries exceeded with url: /", Cause.NETWORK),
    ],
)
def test_the_cause_is_read_from_the_frameworks_words(kind: str, message: str, expected: Cause) -> None:
    assert cause(TestOutcome(Status.FAILED, error_type=kind, message=message), BASE, GOLD) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.TIMEOUT, Cause.TIMEOUT),
        (Status.CRASHED, Cause.CRASH),
        (Status.PASSED, Cause.UNKNOWN),
        (Status.MISSING, Cause.UNKNOWN),
    ],
)
def test_ends_without_words_have_their_own_cause(status: Status, expected: Cause) -> None:
    assert cause(TestOutcome(status), BASE, GOLD) is expected
    assert not acceptable(expected)


def test_one_good_cause_is_enough_for_a_base() -> None:
    assert base_is_broken([Cause.ENVIRONMENT, Cause.NETWORK])
    assert not base_is_broken([Cause.ENVIRONMENT, Cause.ASSERTION])
    assert not base_is_broken([])


@given(st.sampled_from(list(Status)), st.text(max_size=40), st.text(max_size=200), st.binary(max_size=80))
def test_any_words_have_one_cause(status: Status, kind: str, message: str, source: bytes) -> None:
    outcome = TestOutcome(status, error_type=kind, message=message)
    gold = {"pkg/__init__.py": FileState(source)}
    assert classifier(BASE, gold)(outcome) is cause(outcome, BASE, gold)
