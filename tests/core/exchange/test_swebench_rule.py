"""The publisher's rule, and what a disagreement is put down to."""

from __future__ import annotations

import pytest

from assay.core.exchange.swebench_rule import disagreements
from assay.model.report import Status, TestOutcome, TestReport

P, F, S, X, E = Status.PASSED, Status.FAILED, Status.SKIPPED, Status.XFAILED, Status.ERROR


def run(end: Status) -> TestReport:
    return TestReport(outcomes={"t.py::a": TestOutcome(end), "t.py::other": TestOutcome(P)})


def kinds(
    column: str, base: list[Status], gold: list[Status], *, cause: str = "", ids: tuple[str, ...] = ("t.py::a",)
) -> list[str]:
    found = disagreements(column, ids, [run(b) for b in base], [run(g) for g in gold], lambda outcome: cause)
    return [one.kind for one in found]


@pytest.mark.parametrize("gold", [P, X])
@pytest.mark.parametrize("base", [F, E, S, Status.TIMEOUT])
def test_fail_to_pass_holds(base: Status, gold: Status) -> None:
    assert kinds("FAIL_TO_PASS", [base], [gold]) == []


@pytest.mark.parametrize("gold", [P, X, S])
def test_pass_to_pass_holds(gold: Status) -> None:
    assert kinds("PASS_TO_PASS", [gold], [gold]) == []


@pytest.mark.parametrize(
    ("column", "base", "gold", "cause", "kind"),
    [
        ("FAIL_TO_PASS", [P, P], [P, P], "", "passes-on-base"),
        ("FAIL_TO_PASS", [F], [F], "", "fails-alike"),
        ("FAIL_TO_PASS", [F], [E], "", "fails-with-gold"),
        ("FAIL_TO_PASS", [F], [S], "", "fails-with-gold"),
        ("FAIL_TO_PASS", [F], [F], "network", "network"),
        ("FAIL_TO_PASS", [F, F], [F, P], "", "flaky"),
        ("PASS_TO_PASS", [F], [P], "", "fails-on-base"),
        ("PASS_TO_PASS", [F], [F], "network", "network"),
        ("PASS_TO_PASS", [P, F], [P, P], "", "flaky"),
    ],
)
def test_a_disagreement_has_its_kind(
    column: str, base: list[Status], gold: list[Status], cause: str, kind: str
) -> None:
    assert kinds(column, base, gold, cause=cause) == [kind]


def test_ids_that_nothing_has() -> None:
    assert kinds("PASS_TO_PASS", [P], [P], ids=("[100%]", "t.py::gone", "t.py::a")) == ["impossible-id", "no-such-test"]


def test_a_file_that_cannot_be_collected_with_the_change_fails_its_tests() -> None:
    gold = TestReport(outcomes={}, uncollected={"t.py": TestOutcome(E, error_type="ImportError")})
    (one,) = disagreements("FAIL_TO_PASS", ["t.py::a"], [run(F)], [gold], lambda outcome: "")
    assert (one.kind, one.detail) == ("fails-with-gold", "error: ImportError: ")
