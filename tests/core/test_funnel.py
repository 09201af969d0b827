"""The funnel adds up to the last candidate, whatever the decisions are, and every reason has its place and sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.funnel import (
    BOUNDARIES,
    REASONS,
    STAGES,
    Stage,
    funnel_of,
    lines_of,
    meaning_of,
    origin_of,
    origins_of,
    stage_of,
    task_costs,
)
from assay.model.failure import Boundary
from assay.model.ledger import Cost, Decision, State
from assay.model.reason import Reason
from assay.model.summary import FunnelLine
from assay.testing.store import MemoryStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def decision(key: str, state: State, reason: str | None = None, cost: Cost | None = None) -> Decision:
    return Decision(
        candidate_key=key, title=key, state=state, reason=reason, cost=cost or Cost(), slug=key, decided_at=NOW
    )


# CPU seconds in powers of two, so that sums are exact in any order.
costs = st.builds(
    lambda cpu, written: Cost(cpu_seconds=cpu / 1024, written_bytes=written),
    st.integers(0, 2**30),
    st.integers(0, 2**40),
)
ends: st.SearchStrategy[tuple[State, str | None]] = st.one_of(
    st.just(("verified", None)),
    st.tuples(st.just("rejected"), st.sampled_from([*map(str, Reason), "from-a-newer-version", None])),
    st.tuples(st.just("failed"), st.sampled_from([*get_args(Boundary), "a-new-boundary", None])),
)
origins = st.sampled_from(["pypi:a", "pypi:b", "git:https://host:80/x", "git:/some/where"])


@st.composite
def decided(draw: st.DrawFn) -> list[Decision]:
    found = draw(st.lists(st.tuples(origins, ends, costs), max_size=60))
    return [decision(f"{origin}:{n}..{n + 1}", *end, cost) for n, (origin, end, cost) in enumerate(found)]


@given(decided())
def test_every_candidate_is_counted_exactly_once(decisions: list[Decision]) -> None:
    funnel = funnel_of(lines_of(decisions))
    assert funnel.candidates == len(decisions)
    assert funnel.candidates == funnel.verified.count + funnel.rejected + funnel.failed
    for state, count in (
        ("verified", funnel.verified.count),
        ("rejected", funnel.rejected),
        ("failed", funnel.failed),
    ):
        assert count == sum(d.state == state for d in decisions)
    left = funnel.candidates - funnel.failed
    for step in funnel.steps:
        assert step.entered == left
        assert step.entered == step.fell_out + step.passed
        assert step.passed >= 0
        left = step.passed
    assert left == funnel.verified.count


@given(decided())
def test_costs_add_up_like_counts(decisions: list[Decision]) -> None:
    funnel = funnel_of(lines_of(decisions))
    parts = [funnel.verified.cost, *(line.cost for line in funnel.failures), *(step.cost for step in funnel.steps)]
    assert sum(parts, Cost()) == funnel.cost == sum((d.cost for d in decisions), Cost())


@given(decided())
def test_origins_add_up_too(decisions: list[Decision]) -> None:
    lines = origins_of(decisions)
    assert sum(line.candidates for line in lines) == len(decisions)
    assert sum(line.verified for line in lines) == sum(d.state == "verified" for d in decisions)
    assert sum(line.rejected for line in lines) == sum(d.state == "rejected" for d in decisions)
    assert sum((line.cost for line in lines), Cost()) == sum((d.cost for d in decisions), Cost())
    assert all((line.top_reason is None) == (line.verified == line.candidates) for line in lines)


@given(decided())
def test_the_lines_are_those_that_a_store_counts(decisions: list[Decision]) -> None:
    store = MemoryStore()
    for one in decisions:
        store.decide(one)
    counted = [(row.state, row.reason, row.count, row.cost) for row in store.funnel()]
    assert [(line.state, line.reason, line.count, line.cost) for line in lines_of(decisions)] == counted


def test_every_reason_and_every_boundary_is_explained_in_one_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert set(BOUNDARIES) == set(get_args(Boundary))
    assert set(STAGES) == set(get_args(Stage))
    assert all(text.stage != "unknown" for text in REASONS.values())
    sentences = [*(text.meaning for text in REASONS.values()), *BOUNDARIES.values()]
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert ". " not in sentence


@pytest.mark.parametrize(
    ("reason", "stage"),
    [
        ("no-sdist", "change"),
        ("licence", "change"),
        ("no-interpreter", "environment"),
        ("no-fail-to-pass", "tests"),
        ("needs-network", "tests"),
        ("no-prompt", "prompt"),
        ("from-a-newer-version", "unknown"),
        (None, "unknown"),
    ],
)
def test_where_a_reason_belongs(reason: str | None, stage: Stage) -> None:
    assert stage_of(reason) == stage
    assert meaning_of(FunnelLine("rejected", reason, 1, Cost()))


def test_a_failure_that_nobody_knows_is_still_explained() -> None:
    assert "does not know" in meaning_of(FunnelLine("failed", "new", 1, Cost()))
    assert meaning_of(FunnelLine("failed", "sandbox", 1, Cost())) == BOUNDARIES["sandbox"]


@pytest.mark.parametrize(
    ("key", "origin"),
    [
        ("pypi:python-slugify:1.0..2.0", "pypi:python-slugify"),
        ("git:https://host:8080/a/b.git:abc..def", "git:https://host:8080/a/b.git"),
        ("odd", "odd"),
    ],
)
def test_an_origin_is_a_key_without_its_revisions(key: str, origin: str) -> None:
    assert origin_of(key) == origin


def test_an_origins_top_reason_is_the_most_frequent_and_says_when_it_was_a_failure() -> None:
    ends: list[tuple[State, str | None]] = [("verified", None), ("rejected", "flaky"), ("rejected", "flaky")]
    decisions = [decision(f"pypi:a:{n}", *end) for n, end in enumerate([*ends, ("failed", "sandbox")])]
    decisions.append(decision("pypi:b:1", "failed", "sandbox"))
    decisions.append(decision("pypi:c:1", "verified"))
    found = {line.origin: (line.candidates, line.verified, line.top_reason) for line in origins_of(decisions)}
    assert found == {"pypi:a": (4, 1, "flaky"), "pypi:b": (1, 0, "failed: sandbox"), "pypi:c": (1, 1, None)}


def test_a_task_costs_its_own_work_and_its_part_of_what_fell_out() -> None:
    own = [Cost(cpu_seconds=seconds, written_bytes=10) for seconds in (1, 2, 9)]
    lines = (
        FunnelLine("verified", None, 3, sum(own, Cost())),
        FunnelLine("rejected", "flaky", 2, Cost(cpu_seconds=18, written_bytes=30)),
    )
    found = task_costs(funnel_of(lines), own)
    assert found is not None
    assert (found.median_cpu_seconds, found.median_written_bytes) == (2, 10)
    assert (found.cpu_seconds_all_in, found.written_bytes_all_in) == (10, 20)
    assert task_costs(funnel_of(()), []) is None


def test_nothing_mined_is_no_division_by_nothing() -> None:
    funnel = funnel_of(())
    assert (funnel.candidates, funnel.share(0)) == (0, 0.0)
    assert [step.entered for step in funnel.steps] == [0, 0, 0, 0]
