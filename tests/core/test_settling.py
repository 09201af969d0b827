"""What published lists are worth here: what does as the list says counts, and everything else is named."""

from __future__ import annotations

import pytest

from assay.core.settling import Settlement, doubtful, settle_lists, with_settlement
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.report import Status, TestOutcome, TestReport
from assay.model.task import AssayMetadata, Provenance, Task

P, F, S, X = Status.PASSED, Status.FAILED, Status.SKIPPED, Status.XFAILED
FILE = "test_x.py::"


def task(fail: tuple[str, ...], keep: tuple[str, ...]) -> Task:
    assay = AssayMetadata(
        source=SourceInfo(kind="git", origin="o", base_revision="a", gold_revision="a"),
        environment=Recipe(python="", install="inferred"),
        test_files=("test_x.py",),
        fail_to_pass=tuple(FILE + name for name in fail),
        pass_to_pass=tuple(FILE + name for name in keep),
        provenance=Provenance(instruction="", tests="", gold=""),
    )
    config = {"metadata": {"assay": assay.model_dump(mode="json", exclude_none=True), "swebench": {"family": "f"}}}
    return Task("t", config, assay, "", {})


def report(**ends: Status) -> TestReport:
    outcomes = {
        f"{FILE}{name.replace('__', '[') + (']' if '__' in name else '')}": TestOutcome(s) for name, s in ends.items()
    }
    return TestReport(outcomes=outcomes)


def test_lists_that_hold_are_kept_and_the_rest_is_uncounted() -> None:
    found = settle_lists(
        task(("a",), ("b",)), [report(a=F, b=P, c=F)], [report(a=P, b=P, c=P, d=S)], lambda outcome: ""
    )
    assert (found.fail_to_pass, found.pass_to_pass) == ((FILE + "a",), (FILE + "b",))
    assert found.uncounted == (FILE + "c", FILE + "d")
    assert (found.quarantined, found.losses) == ((), ())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (F, F, "fails with the reference change (network)"),
        (P, S, "skipped, or expected to fail, with the reference change"),
        (P, X, "skipped, or expected to fail, with the reference change"),
        (S, P, "skipped before the change"),
        (F, P, "it counts as a test that must begin to pass"),
    ],
)
def test_what_does_otherwise_is_named(before: Status, after: Status, said: str) -> None:
    found = settle_lists(
        task(("a",), ("b",)), [report(a=F, b=before)], [report(a=P, b=after)], lambda outcome: "network"
    )
    (loss,) = found.losses
    assert said in loss.reason
    assert (loss.subject, loss.field) == ("t", "PASS_TO_PASS")
    assert FILE + "b" not in found.pass_to_pass
    assert {*found.fail_to_pass, *found.uncounted} == {FILE + "a", FILE + "b"}


def test_a_test_that_passes_before_the_change_must_go_on_passing() -> None:
    found = settle_lists(task(("a", "b"), ()), [report(a=F, b=P)], [report(a=P, b=P)], lambda outcome: "")
    assert (found.fail_to_pass, found.pass_to_pass) == ((FILE + "a",), (FILE + "b",))
    assert "passes without the change, too" in found.losses[0].reason


def test_runs_that_disagree_are_quarantined() -> None:
    found = settle_lists(
        task(("a",), ("b",)), [report(a=F, b=P)] * 2, [report(a=P, b=P), report(a=P, b=F)], lambda outcome: ""
    )
    assert (found.quarantined, found.pass_to_pass) == ((FILE + "b",), ())
    assert "its runs disagreed" in found.losses[0].reason


def test_a_cut_id_stands_for_those_that_end_alike_and_for_none_of_those_that_do_not() -> None:
    alike = settle_lists(
        task(("a",), ("b[x",)), [TestReport(outcomes={FILE + "a": TestOutcome(F), **two(P, P)})],
        [TestReport(outcomes={FILE + "a": TestOutcome(P), **two(P, P)})], lambda outcome: "",
    )  # fmt: skip
    assert alike.pass_to_pass == (FILE + "b[x 1]", FILE + "b[x 2]")
    assert alike.losses == ()
    unlike = settle_lists(
        task(("a",), ("b[x",)), [TestReport(outcomes={FILE + "a": TestOutcome(F), **two(P, F)})],
        [TestReport(outcomes={FILE + "a": TestOutcome(P), **two(P, P)})], lambda outcome: "",
    )  # fmt: skip
    assert unlike.pass_to_pass == ()
    assert "may be any of 2 tests" in unlike.losses[0].reason


def two(one: Status, other: Status) -> dict[str, TestOutcome]:
    return {FILE + "b[x 1]": TestOutcome(one), FILE + "b[x 2]": TestOutcome(other)}


def test_a_file_that_cannot_be_collected_fails_its_tests() -> None:
    base = TestReport(outcomes={}, uncollected={"test_x.py": TestOutcome(Status.ERROR)})
    found = settle_lists(task(("a",), ()), [base], [report(a=P)], lambda outcome: "")
    assert found.fail_to_pass == (FILE + "a",)


def test_a_settled_task_says_so_everywhere() -> None:
    lists = settle_lists(task(("a",), ()), [report(a=F)], [report(a=P)], lambda outcome: "")
    known = with_settlement(
        task(("a",), ()), Settlement(environment=Recipe(python="3.9", lock=("pytest==7",)), lists=lists)
    )
    assert known.assay.environment.python == "3.9"
    assert known.config["metadata"]["assay"]["environment"]["lock"] == ["pytest==7"]
    assert known.config["metadata"]["swebench"] == {"family": "f", "settled": True}
    assert known.files["environment/requirements.txt"].data == b"pytest==7\n"
    assert b"FROM python:3.9-slim" in known.files["environment/Dockerfile"].data


@pytest.mark.parametrize(
    ("before", "after", "cause", "doubted"),
    [
        (F, F, "behaviour", True),
        (F, F, "network", False),
        (P, F, "behaviour", False),
        (F, P, "behaviour", False),
        (S, S, "", False),
    ],
)
def test_an_environment_is_doubted_for_what_fails_with_and_without_the_change(
    before: Status, after: Status, cause: str, doubted: bool
) -> None:
    row = task(("a",), ("b",))
    assert doubtful(row, [report(a=F, b=before)], [report(a=P, b=after)], lambda outcome: cause) is doubted


def test_an_environment_in_which_no_test_comes_out_is_doubted() -> None:
    assert doubtful(task(("a",), ()), [report()], [report()], lambda outcome: "")
