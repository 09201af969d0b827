"""From runs under conditions to what is to blame: one condition, several, or chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.audit.amplified import (
    ALONE,
    BASE,
    GOLD,
    Trial,
    functions,
    judge,
    read,
    rounds,
    sample,
    unexplained,
    uses_workers,
)
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.report import Problem, Status, TestOutcome, TestReport, Trouble
from assay.model.task import AssayMetadata, Provenance
from assay.model.tree import FileState

NEW, OLD = "t.py::test_new", "t.py::test_old"
TASK = AssayMetadata(
    source=SourceInfo(kind="fake", origin="x", base_revision="1", gold_revision="2"),
    environment=Recipe(python="3.11"),
    test_files=("t.py",),
    fail_to_pass=(NEW,),
    pass_to_pass=(OLD,),
    provenance=Provenance(instruction="x", tests="x", gold="x"),
)
BOTH = frozenset((NEW, OLD))
RED = TestOutcome(Status.FAILED, error_type="AssertionError", message="2027 is not 2026\nmore")
CONDITIONS = [f"c{number}" for number in range(20)]


def trial(*names: str, red: tuple[str, ...] = (), whole: str = "") -> Trial:
    return Trial(GOLD, names, BOTH, dict.fromkeys(red, RED), whole)


def kinds(*trials: Trial) -> list[tuple[str, str]]:
    return [(finding.kind, finding.subject) for finding in judge(trials, unknown=()).findings]


def test_every_condition_gets_its_turn_and_no_two_of_a_kind_go_together() -> None:
    assert rounds([["o1", "o2", "o3"], ["z1"], ["l1", "l2"]]) == [("o1", "z1", "l1"), ("o2", "l2"), ("o3",)]


@given(st.lists(st.lists(st.integers(), unique=True, max_size=5), max_size=5))
def test_rounds_lose_nothing(axes: list[list[int]]) -> None:
    assert sorted(item for row in rounds(axes) for item in row) == sorted(item for axis in axes for item in axis)


def test_nothing_flips() -> None:
    result = judge([trial("c1", "c2"), trial(ALONE)], unknown=("no clock",))
    assert (result.status, result.findings, result.unknown) == ("pass", (), ("no clock",))
    assert judge([], unknown=("no sandbox",)).status == "unknown"


def test_a_flip_that_repeats_is_the_conditions() -> None:
    trials = [trial("c1", "c2", red=(OLD,)), trial("c1"), *[trial("c2", red=(OLD,))] * 2, trial("c3")]
    (finding,) = judge(trials, unknown=()).findings
    assert (finding.kind, finding.subject, finding.evidence) == (
        "c2",
        OLD,
        ("failed: AssertionError 2027 is not 2026",),
    )


def test_a_flip_that_does_not_repeat_is_chance() -> None:
    assert kinds(trial("c1", "c2", red=(OLD,)), trial("c1"), trial("c2", red=(OLD,)), trial("c2")) == [
        ("unsteady", OLD)
    ]
    assert kinds(trial("c1", "c2", red=(OLD,)), trial("c1"), trial("c2"), trial("c1", "c2")) == [("unsteady", OLD)]


def test_two_in_a_row_are_chance_too_when_the_test_fails_elsewhere_as_well() -> None:
    others = [trial(name) for name in CONDITIONS]
    twice = [trial("load", red=(OLD,))] * 2
    assert kinds(*others, *twice) == [("load", OLD)]
    assert kinds(*others[3:], *[trial(name, red=(OLD,)) for name in CONDITIONS[:3]], *twice) == [("unsteady", OLD)]


def test_what_only_several_conditions_do_together() -> None:
    trials = [*[trial("c1", "c2", red=(OLD,))] * 2, trial("c1"), trial("c2")]
    assert kinds(*trials) == [("together", OLD)]
    assert len(unexplained(trials)) == 2
    assert kinds(*[trial("c1", "c2", red=(OLD,))] * 2, *[trial("c2", red=(OLD,))] * 2, trial("c1")) == [("c2", OLD)]
    assert unexplained([*trials, trial("c2", red=(OLD,))]) == []


def test_a_test_that_the_fixed_hash_seed_flips_is_blamed_on_nothing_else() -> None:
    still = [trial("hash-seed-0", red=(OLD,))] * 2
    others = [*[trial("c1", red=(OLD,))] * 2, trial("c1", "hash-seed-0", red=(OLD,))]
    assert kinds(*still, *others, trial("hash-seed-1")) == [("hash-seed-0", OLD)]
    assert kinds(*still, *others, trial("hash-seed-1", red=(OLD,))) == [("everywhere", OLD)]


def test_a_run_that_falls_over_is_one_finding() -> None:
    fallen = TestReport({}, complete=False, problems=(Problem(Trouble.NOT_STARTED, "no home"),))
    assert read(TASK, GOLD, ("home",), fallen).whole == "no home"
    assert kinds(*[trial("home", whole="no home")] * 2) == [("home", "")]
    uncollected = TestReport({OLD: RED}, uncollected={"u.py": RED})
    other = TASK.model_copy(update={"pass_to_pass": ("u.py::test_a", "u.py::test_b", OLD), "fail_to_pass": ()})
    assert sorted(read(other, GOLD, ("home",), uncollected).flipped) == [OLD, "u.py"]


def test_ids_that_are_not_seen_again_are_one_subject() -> None:
    task = TASK.model_copy(update={"pass_to_pass": ("t.py::test_p[a]", "t.py::test_p[b]")})
    report = TestReport({NEW: TestOutcome(Status.PASSED), "t.py::test_p[x]": TestOutcome(Status.PASSED)})
    assert list(read(task, GOLD, ("hash-seed-1",), report).flipped) == ["t.py::test_p"]


def test_on_the_base_it_is_passing_that_flips() -> None:
    passes = TestReport({NEW: TestOutcome(Status.PASSED)})
    assert list(read(TASK, BASE, ("clock-year",), passes).flipped) == [NEW]
    assert read(TASK, BASE, ("clock-year",), TestReport({NEW: RED})).subjects == frozenset()
    trials = [read(TASK, BASE, ("clock-year",), passes)] * 2
    (finding,) = judge(trials, unknown=()).findings
    assert "passes on the base under clock-year" in finding.what


def test_alone_a_run_that_falls_over_is_the_tests_own_flip() -> None:
    fallen = TestReport({}, complete=False, problems=(Problem(Trouble.NOT_STARTED, "not found"),))
    assert list(read(TASK, GOLD, (ALONE,), fallen, (NEW,)).flipped) == [NEW]
    hinted = judge([trial("order-reversed", red=(OLD,))] * 2, unknown=(), hints={OLD: "alone it passes"})
    assert hinted.findings[0].evidence[-1] == "alone it passes"


def test_functions_and_their_ids() -> None:
    assert functions(["t.py::a[1]", "t.py::b", "t.py::a[2]"]) == {
        "t.py::a": ("t.py::a[1]", "t.py::a[2]"),
        "t.py::b": ("t.py::b",),
    }


@given(st.lists(st.integers(), unique=True), st.integers(0, 20))
def test_a_sample_and_its_rest_are_the_whole(numbers: list[int], count: int) -> None:
    names = [str(number) for number in numbers]
    chosen, left = sample(names, count)
    assert len(chosen) == min(count, len(names))
    assert sorted(chosen + left) == sorted(names)
    wanted = set(names[-3:])
    assert len(wanted & set(sample(names, count, wanted)[0])) == min(count, len(wanted))


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("tox.ini", "[testenv]\ncommands = pytest -n auto {posargs}", True),
        ("pyproject.toml", 'addopts = ["-n", "4"]', True),
        ("setup.cfg", "addopts =\n    -n 2", True),
        (".github/workflows/ci.yml", "run: python -m pytest --numprocesses=4", True),
        (".github/workflows/ci.yml", "run: sed -n 10p x", False),
        ("Makefile", "\thead -n 3 x", False),
        ("docs/tox.txt", "pytest -n auto", False),
        ("pytest.ini", "addopts = -q", False),
    ],
)
def test_whether_a_project_shares_its_tests_out(path: str, text: str, expected: bool) -> None:
    assert uses_workers({path: FileState(text.encode())}) is expected
