"""One screen: what it says, that it fits, and that strangers' words cannot steer it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from assay.cli import audit_words as words
from assay.cli import output
from assay.cli.audit_screen import SCREEN_LINES, Room, finding_lines, pooled_lines, screen
from assay.core.audit.table import TABLE, conclude, unanswered
from assay.model.audit import CHECK_IDS, AuditRun, CheckResult, Finding, Measure
from assay.testing import audits

HOSTILE = st.text(max_size=300) | st.sampled_from(
    ["\x1b[2J\r\u202e", "x" * 500, "漢字" * 90, "a\nb\tc", "-", "--- \n+++ ", "@@ "]
)


def said(run: AuditRun, columns: int = 100, lines: int | None = SCREEN_LINES) -> list[str]:
    return [line.text for line in screen(run, CHECK_IDS, Room(columns, lines))]


def test_an_author_sees_what_is_wrong_how_sure_that_is_and_what_to_do() -> None:
    lines = said(audits.troubled())
    text = "\n".join(lines)
    assert len(lines) <= SCREEN_LINES
    assert lines[0] == "python-slugify-9.2.0"
    assert [line[2:16].strip() for line in lines[1:13] if line[0] != " "] == list(CHECK_IDS)
    assert "68 % (kill rate 55 to 80 %)" in text
    assert "slugify/slugify.py:88: `<` became `<=`" in text
    assert "    - if len(text) < max_length:" in text
    assert "    + if len(text) <= max_length:" in text
    assert "@@" not in text
    assert "→ take the answer out of the prompt and out of the environment" in text
    assert "(3 more)" in text
    assert "not looked at: amplified: load: not tried" in text
    assert "3 gates fail (alternatives, hidden-names, leaks)" in text
    assert "293 runs of tests in 1 min 23 s; 1 of 11 checks kept from an earlier audit; --all" in text


def test_gates_come_before_warnings() -> None:
    lines = said(audits.troubled())
    heads = [line[2:16].strip() for line in lines[13:-4] if line[:2] in ("✗ ", "! ")]
    assert heads == ["alternatives", "hidden-names", "leaks", "amplified", "ablation", "mutants"]


def test_everything_leaves_nothing_out() -> None:
    text = "\n".join(said(audits.troubled(), lines=None))
    for result in audits.troubled().checks:
        for finding in result.findings:
            assert all(line.strip() in text for line in words.evidence_lines(finding))
    assert "test_copyright_year" in text
    assert "more)" not in text
    assert "--all" not in text
    assert "…" not in text


def test_what_passes_is_cut_only_where_findings_need_the_room() -> None:
    assert "164 te…  earlier" in said(audits.troubled())[1]
    quiet = audits.troubled().model_copy(update={"checks": audits.troubled().checks[:2]})
    assert "at most 13.9% of runs deviate, with 95% con" in said(quiet)[2]


def test_nothing_wrong_is_said_in_few_words() -> None:
    lines = said(audits.clean())
    assert lines[-2:] == ["✓ markupsafe-2.1.5: fit to train on", "  0 runs of tests in 12 s"]
    assert len(lines) == 15


def test_no_result_is_a_sentence_and_what_to_do() -> None:
    assert said(audits.unreached()) == [
        "? attrs-24.3.0: nobody knows: bubblewrap could not be started (sandbox)",
        "  → see `assay doctor`",
    ]
    assert said(AuditRun(task="t", task_digest="d", complaint="gold fails")) == ["✗ t: not audited: gold fails"]


def test_a_gate_that_nobody_knows_says_why() -> None:
    [line] = [
        line
        for line in said(AuditRun(task="t", task_digest="", checks=(unanswered("leaks", "no canary"),)))
        if "leaks  " in line
    ]
    assert line.split() == ["?", "leaks", "unknown", "no", "canary", "0.0", "s"]


def test_an_interval_is_told_once() -> None:
    measures = [Measure(name="kill_rate", value=0.5, low=0.2, high=0.79, count=10)]
    for summary, shown in (
        ("5 of 10", "5 of 10 (kill rate 20 to 79 %)"),
        ("5 of 10 (20 to 79%)", "5 of 10 (20 to 79%)"),
        ("5 of 10; at most 79.0 %", "5 of 10; at most 79.0 %"),
    ):
        assert words.summary_of(conclude("mutants", failed=False, summary=summary, measures=measures)) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("kill_rate", 0.683, "68 %"),
        ("accepted_share", 0.0213, "2.1 %"),
        ("flake_bound", 0.0004, "under 0.1 %"),
        ("verdict_seconds", 75, "1 min 15 s"),
        ("memory_bytes", 2048, "2.0 KiB"),
        ("memory_mib", 1500, "1,500 MiB"),
        ("flips", 2, "2"),
    ],
)
def test_a_value_is_shown_in_its_unit(name: str, value: float, shown: str) -> None:
    assert words.value_of(Measure(name=name, value=value)) == shown


def test_a_diff_is_told_by_a_little_of_both_sides() -> None:
    diff = "\n".join(["--- a/x", "+++ b/x", "@@ -1,9 +1,9 @@", " keep", *["-    old"] * 5, *["+    new"] * 5])
    finding = Finding(kind="survivor", what="w", evidence=(diff,))
    assert words.telling_lines(finding, 2) == ["- old …", "+ new …"]
    assert words.telling_lines(finding, 4) == ["- old", "- old …", "+ new", "+ new …"]
    assert len(words.telling_lines(finding, 20)) == 10


def test_a_removed_line_that_looks_like_a_head_is_a_change() -> None:
    finding = Finding(kind="k", what="w", evidence=("@@ -1,2 +1,2 @@", "--- a comment of SQL", "+-- another"))
    assert words.telling_lines(finding, 6) == ["- -- a comment of SQL", "+ -- another"]


FINDINGS = st.builds(
    Finding,
    kind=st.just("k"),
    what=HOSTILE,
    subject=HOSTILE,
    path=HOSTILE,
    line=st.integers(0, 9999),
    evidence=st.lists(HOSTILE, max_size=8).map(tuple),
    advice=HOSTILE,
)
MEASURES = st.builds(
    Measure,
    name=st.sampled_from(["kill_rate", "x_seconds", "flips", ""]),
    value=st.floats(0, 1e9),
    low=st.none() | st.floats(0, 1),
    high=st.none() | st.floats(0, 1),
)
RESULTS = st.builds(
    CheckResult,
    check=st.sampled_from(CHECK_IDS),
    status=st.sampled_from(["pass", "fail", "unknown"]),
    severity=st.sampled_from(["gate", "warning", "note"]),
    summary=HOSTILE,
    findings=st.lists(FINDINGS, max_size=5).map(tuple),
    measures=st.lists(MEASURES, max_size=2).map(tuple),
    unknown=st.lists(HOSTILE, max_size=3).map(tuple),
    advice=HOSTILE,
)


@settings(deadline=None)
@given(st.lists(RESULTS, max_size=11, unique_by=lambda r: r.check), HOSTILE, st.sampled_from([40, 72, 100]))
def test_whatever_was_found_it_fits_and_cannot_steer_a_terminal(
    checks: list[CheckResult], task: str, columns: int
) -> None:
    run = AuditRun(task=task, task_digest="d", checks=tuple(checks))
    for shown in (said(run, columns), said(run, columns, None)):
        assert all(line.isprintable() for line in shown)
        assert all(cell_len(line) <= columns for line in shown)
    assert len(said(run, columns)) <= SCREEN_LINES + 6  # the table alone may take two lines a check
    for lines in (0, 1, 20):
        assert len(finding_lines(run.checks, Room(columns, lines))) <= lines


@given(HOSTILE, st.integers(2, 60), st.integers(1, 4))
def test_what_is_wrapped_fits_and_loses_no_word(text: str, columns: int, most: int) -> None:
    clean = output.one_line(text)
    lines = output.wrapped(clean, columns)
    assert "".join("".join(lines).split()) == "".join(clean.split())
    few = output.wrapped(clean, columns, most)
    assert len(few) <= most
    assert all(cell_len(line) <= columns for line in (*lines, *few))
    assert (few[-1].endswith("…")) or few == lines


def test_shares_of_several_tasks_have_denominators_and_intervals() -> None:
    lines = [
        line.text for line in pooled_lines([audits.troubled("a"), audits.clean("b"), audits.unreached("c")], CHECK_IDS)
    ]
    assert lines[0] == "all 3 tasks: 1 with no failed gate, 1 not fit, 1 unknown"
    [leak] = [line for line in lines if line.startswith("  a leak")]
    assert " ".join(leak.split()) == "a leak 1 of 2 tasks = 50 % 1.3 to 99 % 1 unknown"
    assert any("under order-reversed" in line for line in lines)
    assert any("of 20 runs = 0 %" in line and "at most 14 %" in line for line in lines)


def test_the_table_of_checks_is_complete() -> None:
    assert tuple(definition.check for definition in TABLE) == CHECK_IDS
