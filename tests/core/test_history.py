"""Which commits make a change worth a try, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.history import Change, Commit, changes, may_be_source, may_be_test, score

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def commits(*steps: tuple[Sequence[str], str, float]) -> list[Commit]:
    """Commits newest first: paths, author, days after the first."""
    made = []
    for number, (paths, author, days) in enumerate(steps):
        parents = (f"c{number + 1}",) if number + 1 < len(steps) else ()
        made.append(Commit(f"c{number}", parents, DAY + timedelta(days=days), author, "Do", tuple(paths)))
    return made


def found(history: list[Commit]) -> list[Change]:
    async def stream() -> AsyncIterator[Commit]:
        for commit in history:
            yield commit

    async def run() -> list[Change]:
        return [change async for change in changes(stream())]

    return anyio.run(run)


SOURCE, TEST, FIRST = ["pkg/a.py"], ["tests/test_a.py"], (["README"], "x", -9.0)


def test_a_commit_that_touches_both_is_one_change() -> None:
    [change] = found(commits(([*SOURCE, *TEST], "x", 1), (SOURCE, "x", 0), FIRST))
    assert (change.kind, change.base, change.gold.sha) == ("commit", "c1", "c0")


@pytest.mark.parametrize(
    ("newer", "paired"),
    [
        ((TEST, "x", 1.0), True),
        ((TEST, "other", 1.0), True),  # the same module
        ((["tests/test_b.py"], "x", 1.0), True),  # the same author
        ((["tests/test_b.py"], "other", 1.0), False),
        ((TEST, "x", 9.0), False),
        (([*TEST, "pkg/b.py"], "x", 1.0), False),
        ((["README"], "x", 1.0), False),
    ],
)
def test_tests_that_follow_belong_to_the_change_before(newer: tuple[list[str], str, float], paired: bool) -> None:
    kinds = [change.kind for change in found(commits(newer, (SOURCE, "x", 0), FIRST))]
    assert ("follow-up" in kinds) is paired


def test_a_first_commit_and_a_commit_of_one_kind_are_none() -> None:
    assert found(commits(([*SOURCE, *TEST], "x", 0))) == []
    assert found(commits((SOURCE, "x", 1), FIRST)) == []


@pytest.mark.parametrize(
    ("path", "source", "test"),
    [
        ("pkg/a.py", True, False),
        ("pkg/testing/a.py", True, True),
        ("pkg/test_a.py", False, True),
        ("tests/data/x.json", False, True),
        ("setup.py", False, False),
        ("docs/conf.py", False, False),
        ("contest/latest.py", True, False),
        ("pkg/_speedups.pyx", True, False),
    ],
)
def test_what_names_say(path: str, source: bool, test: bool) -> None:
    assert (may_be_source(path), may_be_test(path)) == (source, test)


def change(message: str, *paths: str) -> Change:
    return Change("commit", "b", (Commit("c", ("b",), DAY, "x", message, paths or ("pkg/a.py", "tests/test_a.py")),))


def test_fixes_come_before_chores_and_small_before_large() -> None:
    fix, plain, chore = change("Fix a crash of f (#12)"), change("Let f take lists"), change("Run black, bump version")
    assert score(fix) > score(plain) > score(chore)
    assert score(plain) > score(change("Let f take lists", *(f"pkg/m{n}.py" for n in range(30))))


@given(
    st.lists(st.tuples(st.lists(st.sampled_from(["a.py", "test_a.py", "R"]), min_size=1), st.just("x"), st.just(0.0)))
)
def test_every_change_has_source_and_tests_and_stands_once(steps: list[tuple[list[str], str, float]]) -> None:
    made = found(commits(*steps))
    assert len({one.gold.sha + one.base for one in made}) == len(made)
    for one in made:
        assert any(may_be_source(path) for path in one.paths)
        assert any(may_be_test(path) for path in one.paths)
        assert score(one) == score(one)
