"""What is done about findings: each repair changes what it is for, wherever that is written, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.admission import Admission
from assay.core.audit.repairs import (
    Outside,
    guarded,
    plan,
    restricted,
    shortened,
    sort_outside,
    together,
    unneeded,
    wanted_outside,
)
from assay.core.audit.stability import NEW_ID
from assay.core.audit.table import conclude
from assay.core.prompts import INTERFACE, INTERFACE_LEAD, JUDGED, with_interface_lines
from assay.core.task_files import amended, compose
from assay.core.variants.ablation import ablations, without
from assay.core.variants.changes import read_gold
from assay.model.audit import CheckId, CheckResult, Finding
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.report import Status, TestOutcome, TestReport
from assay.model.sandbox import Limits
from assay.model.task import Provenance, Task
from assay.model.tree import FileState

A, B = "tests/test_a.py", "tests/test_b.py"


def a_task(fail: Sequence[str] = (f"{A}::f1", f"{A}::f2"), keep: Sequence[str] = (f"{A}::p", f"{B}::q[1]")) -> Task:
    return compose(
        slug="p-1",
        source=SourceInfo(kind="git", origin="o", base_revision="a" * 40, gold_revision="b" * 40),
        recipe=Recipe(python="3.11"),
        framework="pytest",
        test_files=(A, B),
        hidden={A: FileState(b"x")},
        gold_patch=b"the patch",
        admission=Admission(fail_to_pass=tuple(fail), pass_to_pass=tuple(keep), uncounted=(f"{B}::s",)),
        protected=(),
        limits=Limits(),
        provenance=Provenance(instruction="maintainers", tests="maintainers", gold="maintainers"),
        instruction=f"# Work\n\n- Do it.\n\n{JUDGED} They check it.\n",
    )


def result(check: CheckId, *findings: Finding) -> CheckResult:
    return conclude(check, failed=True, summary="", findings=findings)


def flip(subject: str, kind: str = "flip", advice: str = "") -> Finding:
    return Finding(kind=kind, what="w", subject=subject, advice=advice)


def expected(task: Task) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = json.loads(task.files["tests/expected.json"].data)
    return lists


def consistent(task: Task) -> None:
    """The same facts stand in all places."""
    facts, table = task.assay, task.config["metadata"]["assay"]
    for name in ("fail_to_pass", "pass_to_pass", "quarantined", "uncounted", "test_files", "test_command"):
        assert tuple(table[name]) == getattr(facts, name)
    assert expected(task) == {"fail_to_pass": [*facts.fail_to_pass], "pass_to_pass": [*facts.pass_to_pass]}
    assert task.files["tests/selection.txt"].data.decode().split() == [*facts.test_files]


def test_what_flips_is_quarantined_everywhere() -> None:
    task = a_task()
    made = plan(task, [result("stability", flip(f"{A}::f1"), flip(f"{A}::f1"), flip(f"{A}::unknown"))])
    (repair,) = made.repairs
    changed = repair.change(task)
    assert changed.assay.fail_to_pass == (f"{A}::f2",)
    assert changed.assay.quarantined == (f"{A}::f1",)
    assert changed.assay.pass_to_pass == task.assay.pass_to_pass
    consistent(changed)
    assert task.assay.quarantined == ()
    consistent(task)


def test_a_list_that_is_wrong_in_all_runs_is_no_flakiness() -> None:
    assert plan(a_task(), [result("stability", flip(f"{A}::f1", "wrong"))]).repairs == []


def test_ids_that_come_and_go_are_quarantined_with_their_function() -> None:
    task = a_task(keep=[f"{A}::p", f"{B}::q[1]", f"{B}::q[2]"])
    (repair,) = plan(task, [result("stability", flip(f"{B}::q[1]", advice=NEW_ID))]).repairs
    assert repair.change(task).assay.quarantined == (f"{B}::q[1]", f"{B}::q[2]")
    (repair,) = plan(task, [result("stability", flip(f"{B}::new", "stranger", NEW_ID))]).repairs
    assert repair.change(task).assay.quarantined == (f"{B}::new",)


@pytest.mark.parametrize(
    ("check", "blamed", "offered"),
    [("stability", 1, True), ("stability", 2, False), ("amplified", 1, True), ("amplified", 2, False)],
)
def test_enough_fail_to_pass_tests_have_to_be_left(check: CheckId, blamed: int, offered: bool) -> None:
    made = plan(a_task(), [result(check, *(flip(f"{A}::f{n + 1}", "order-reversed") for n in range(blamed)))])
    assert bool(made.repairs) is offered
    assert bool(made.refused) is not offered


def test_a_condition_may_not_take_most_of_what_judges() -> None:
    task = a_task([f"{A}::f{n}" for n in range(5)])
    findings = [flip(f"{A}::f{n}", "clock-5y") for n in range(3)]
    assert plan(task, [result("amplified", *findings)]).refused
    assert plan(task, [result("stability", *findings)]).repairs


def test_a_test_is_quarantined_once() -> None:
    made = plan(a_task(), [result("stability", flip(f"{A}::p")), result("amplified", flip(f"{A}::p", "alone"))])
    assert [repair.check for repair in made.repairs] == ["stability"]


def test_hidden_names_go_into_the_prompt() -> None:
    line = "- `p.f(..., limit: int = 0)` (parameter): limit"
    findings = (
        Finding(
            kind="hidden-parameter", what="w", subject="p.f(limit)", advice=f"add to the Interface section: {line}"
        ),
        Finding(
            kind="hidden-message",
            what="w",
            subject="no: such",
            advice="say it in the prompt: - message `no: such`; or test without",
        ),
    )
    task = a_task()
    (repair,) = plan(task, [result("hidden-names", *findings)]).repairs
    changed = repair.change(task)
    assert f"{INTERFACE_LEAD}\n\n{line}\n- message `no: such`\n\n{JUDGED}" in changed.instruction
    assert changed.assay.provenance.instruction == "maintainers; names added by assay"
    assert changed.config["metadata"]["assay"]["provenance"]["instruction"] == "maintainers; names added by assay"
    assert repair.answers == findings
    assert plan(changed, [result("hidden-names", *findings)]).repairs == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Do it.\n", f"Do it.\n\n{INTERFACE}\n\n{INTERFACE_LEAD}\n\n- new\n"),
        ("## Interface\n\nLead:\n\n- one\n  more\n\nEnd.\n", "## Interface\n\nLead:\n\n- one\n  more\n- new\n\nEnd.\n"),
        ("## Interface\n\nLead\nhere:\n\n## Next\n", "## Interface\n\nLead\nhere:\n\n- new\n\n## Next\n"),
        ("## interface\r\n\r\n- one\r\n", "## interface\r\n\r\n- one\r\n- new\r\n"),
        ("## Interface\n", "## Interface\n\n- new\n"),
        ("## Interface\n\n- new\n", "## Interface\n\n- new\n"),
    ],
)
def test_lines_find_their_place(before: str, after: str) -> None:
    assert with_interface_lines(before, ["- new"]) == after


@given(st.text(alphabet="#- Interfac\n", max_size=60), st.lists(st.sampled_from(["- a", "- b"]), max_size=3))
def test_lines_are_added_once_and_nothing_is_lost(text: str, lines: list[str]) -> None:
    made = with_interface_lines(text, lines)
    assert set(lines) <= set(made.split("\n"))
    assert with_interface_lines(made, lines) == made
    rows = iter(made.split("\n"))
    assert all(row in rows for row in text.split("\n") if row), "the rows are there, in their order"


def test_files_without_a_test_at_stake_may_be_left_out() -> None:
    task = a_task()
    slow = Finding(kind="slow-verdict", what="a verdict takes 80.0 s; the budget is 60")
    (repair,) = plan(task, [result("cost", slow)]).repairs
    changed = repair.change(task)
    assert changed.assay.test_files == (A,)
    assert changed.assay.test_command == ("python", "-m", "pytest", A)
    assert changed.assay.pass_to_pass == (f"{A}::p",)
    assert changed.assay.uncounted == ()
    consistent(changed)
    assert repair.answers == (slow,)
    assert not plan(task, [result("cost", Finding(kind="much-memory", what="w"))]).repairs


def test_a_blamed_file_with_a_test_at_stake_stays() -> None:
    made = plan(a_task(), [result("amplified", flip(A, "home"), flip(B, "home"), flip("", "home"))])
    assert [repair.title for repair in made.repairs] == [
        "leave 1 test file without a fail_to_pass test out: tests/test_b.py"
    ]
    assert len(made.refused) == 1


def test_a_command_that_names_no_file_stays() -> None:
    task = amended(a_task(), test_command=("make", "test"))
    assert restricted(task, [B]).assay.test_command == ("make", "test")


BASE = b"def f(a):\n    return a\n\n\ndef g(a):\n    return a\n\n\ndef h(a):\n    return a\n"
GOLD = b"def f(a):\n    return a + 1\n\n\ndef g(a):\n    return a * 1\n\n\ndef h(a):\n    return a - 0\n"


def test_hunks_are_taken_out_together() -> None:
    gold = read_gold({"p.py": FileState(BASE)}, {"p.py": FileState(GOLD), "q.py": FileState(b"x = 1\n")})
    keys = [v.key for v in ablations(gold) if v.kind == "hunk"]
    by_line = {v.line: v.key for v in ablations(gold) if v.kind == "hunk" and v.path == "p.py"}
    left = without(gold, [by_line[6], by_line[10]])
    assert left == {"p.py": FileState(BASE.replace(b"return a\n", b"return a + 1\n", 1))}
    assert without(gold, keys) == {"p.py": FileState(BASE), "q.py": None}
    assert without(gold, ["ablation:p.py:99:0:hunk"]) is None
    assert without(gold, []) == {}


def test_only_unneeded_hunks_are_taken_out() -> None:
    findings = [
        Finding(kind="unneeded", what="w", subject="ablation:p.py:6:0:hunk", path="p.py", line=6),
        Finding(kind="unneeded", what="w", subject="ablation:p.py:6:0:statement", path="p.py", line=6),
        Finding(kind="untested", what="w", subject="ablation:p.py:10:0:hunk", path="p.py", line=10),
    ]
    found = unneeded([result("ablation", *findings)])
    assert list(found) == ["ablation:p.py:6:0:hunk"]
    task = a_task()
    changed = shortened(list(found.values()), b"less").change(task)
    assert changed.gold_patch == b"less"
    assert changed.assay.provenance.gold == "maintainers; parts left out by assay"


def report(**statuses: Status) -> TestReport:
    return TestReport({f"tests/test_c.py::{name}": TestOutcome(status) for name, status in statuses.items()})


def test_tests_outside_are_all_accounted_for() -> None:
    ok, bad, skip = Status.PASSED, Status.FAILED, Status.SKIPPED
    gold = [report(a=ok, b=ok, c=skip, d=ok), report(a=ok, b=ok, c=skip, d=bad)]
    base = [report(a=ok, b=bad, c=skip, d=ok), report(a=ok, b=bad, c=skip, d=ok)]
    outside = sort_outside(["tests/test_c.py"], base, gold)
    assert outside == Outside(
        ("tests/test_c.py",), ("tests/test_c.py::a",), ("tests/test_c.py::d",),
        ("tests/test_c.py::b", "tests/test_c.py::c"),
    )  # fmt: skip
    task = a_task()
    changed = guarded(outside, ["tests/test_c.py::a"]).change(task)
    assert changed.assay.test_files == (A, B, "tests/test_c.py")
    assert changed.assay.test_command[-1] == "tests/test_c.py"
    assert changed.assay.pass_to_pass[-1] == "tests/test_c.py::a"
    assert changed.assay.quarantined == ("tests/test_c.py::d",)
    assert changed.assay.uncounted[-2:] == ("tests/test_c.py::b", "tests/test_c.py::c")
    consistent(changed)


def test_what_notices_outside_is_wanted_once() -> None:
    found = Finding(kind="outside-test", what="w", subject="x")
    assert wanted_outside([result("collateral", found, found)]) == ("x",)
    assert wanted_outside([]) == ()


def test_repairs_go_together() -> None:
    task = a_task()
    made = plan(
        task,
        [
            result("stability", flip(f"{A}::p")),
            result("cost", Finding(kind="slow-verdict", what="w"), Finding(kind="slow-test", what="w", path=B)),
        ],
    )
    changed = together(made.repairs).change(task)
    assert changed.assay.quarantined == (f"{A}::p",)
    assert changed.assay.test_files == (A,)
    assert changed.assay.pass_to_pass == ()
    consistent(changed)


def test_other_keys_of_the_table_stay() -> None:
    task = a_task()
    config = {**task.config, "metadata": {**task.config["metadata"], "mine": 1}}
    changed = amended(replace(task, config=config), quarantined=("x",))
    assert changed.config["metadata"]["mine"] == 1
    assert changed.files.keys() == task.files.keys()
