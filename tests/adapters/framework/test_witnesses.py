"""What a hostile run may put on the channel or into the report is read without an exception and without belief."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.framework import events, junit
from assay.adapters.framework.pytest import PytestFramework
from assay.model.report import Status, TestReport
from assay.model.sandbox import Command, ExecResult
from assay.ports.framework import Plan

PLAN = Plan(Command(argv=("python",)), (), "/assay/out", "report.xml", ("a.py",))
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["e", "id", "ids", "when"]), inner),
    max_leaves=8,
)


def lines(*told: dict[str, object]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in told)


def honest(*tests: str) -> list[dict[str, object]]:
    told: list[dict[str, object]] = [{"e": "start"}, {"e": "collected", "ids": list(tests)}]
    for test in tests:
        told.append({"e": "begin", "id": test})
        for when in ("setup", "call", "teardown"):
            told.append({"e": "phase", "id": test, "when": when, "outcome": "passed", "xfail": False, "seconds": 0.1})
        told.append({"e": "end", "id": test})
    told.append({"e": "finish", "status": 0, "count": len(told)})
    return told


XML = b'<testsuites><testsuite><testcase classname="a" name="test_x"/></testsuite></testsuites>'


def report(told: bytes, xml: bytes | None = XML, exit_status: int = 0) -> TestReport:
    return PytestFramework().report(PLAN, ExecResult(exit_status, None, b"", b"", told), xml)


def test_an_honest_run_is_complete() -> None:
    told = report(lines(*honest("a.py::test_x")))
    assert (told.complete, told.problems) == (True, ())
    assert told.status("a.py::test_x") is Status.PASSED


def test_any_lost_or_added_line_is_a_problem() -> None:
    told = honest("a.py::test_x")
    for place in range(1, len(told) - 1):
        assert not report(lines(*told[:place], *told[place + 1 :])).complete
        assert not report(lines(*told[:place], told[place], *told[place:])).complete
    assert not report(lines(*told[:-1])).complete
    assert not report(lines(*told) + b"x").complete
    assert not report(lines(*told, {"e": "start"})).complete


def test_the_witnesses_must_agree() -> None:
    told = lines(*honest("a.py::test_x"))
    assert not report(told, None).complete
    assert not report(told, XML[:-5]).complete
    assert not report(told, XML.replace(b"/>", b"><failure/></testcase>")).complete
    assert not report(told, XML.replace(b"test_x", b"test_y")).complete
    assert not report(told, exit_status=1).complete


def test_entities_are_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>'
    assert "refused" in junit.parse(bomb).problem


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    events.read(data)
    junit.parse(data)
    report(data, data)


@given(st.lists(VALUES, max_size=6))
def test_no_events_raise(told: list[object]) -> None:
    data = b"".join(json.dumps(event).encode() + b"\n" for event in told)
    report(lines({"e": "start"}) + data)


@given(st.text(min_size=1, max_size=80))
def test_no_id_raises(test_id: str) -> None:
    assert len(junit.key_of(test_id)) == 2


@pytest.mark.parametrize(
    "line",
    [
        '{"e": "finish", "status": 1e400, "count": 0}',
        '{"e": "finish", "status": NaN, "count": 0}',
        '{"e": "start"}\n{"e": "begin", "id": "a"}\n{"e": "phase", "id": "a", "when": "call", "outcome": "passed", '
        f'"seconds": {"9" * 400}}}',
        '{"e": "start"}\n{"e": "begin", "id": "a"}\n{"e": "phase", "id": "a", "when": "call", "outcome": "passed", '
        '"seconds": Infinity}\n{"e": "end", "id": "a"}',
    ],
)
def test_numbers_that_no_float_holds_are_a_complaint(line: str) -> None:
    account = events.read(f"{line}\n".encode())
    assert account.problems
    assert all(outcome.seconds < float("inf") for outcome in account.outcomes.values())
