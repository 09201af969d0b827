"""`assay audit` over an app of our own: lines, ends, usage, several tasks; and every line that the docs show."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import click
import pytest

from assay.cli import main
from assay.cli.interface import App
from assay.errors import AssayError, InputError, ProviderError, TaskDefinitionError
from assay.model.audit import CHECK_IDS, AuditRun
from assay.model.event import Checked, OnEvent, Stage
from assay.model.options import AuditOptions
from assay.testing import audits

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "docs/audit.md")
MAKERS: dict[str, Callable[[str], AuditRun]] = {
    "troubled": audits.troubled,
    "clean": audits.clean,
    "unreached": audits.unreached,
}


class Auditor:
    """Knows a task by its name: troubled, clean, unreached, or one that raises an error."""

    def __init__(self) -> None:
        self.asked: list[AuditOptions] = []
        self.errors: dict[str, BaseException] = {}

    async def audit(self, options: AuditOptions, project_dir: Path | None, on_event: OnEvent) -> AuditRun:
        self.asked.append(options)
        name = options.task.name
        if name in self.errors:
            raise self.errors[name]
        run = MAKERS.get(name, audits.clean)(name)
        kept = [result for result in run.checks if not options.only or result.check in options.only]
        for result in kept:
            on_event(Stage(name, result.check))
            on_event(Checked(result, name))
        proposals = (audits.PROPOSAL,) if options.fix else ()
        return run.model_copy(update={"checks": tuple(kept), "proposals": proposals})


@pytest.fixture
def auditor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Auditor]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assay.toml").touch()
    for name in (*MAKERS, "broken"):
        (tmp_path / "tasks" / name).mkdir(parents=True)
    yield Auditor()


def go(auditor: Auditor, *words: str) -> int:
    return main(["audit", *words], cast("App", auditor))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line["schema"] == 1 for line in found)
    return found


@pytest.mark.parametrize(("name", "code"), [("clean", 0), ("troubled", 1), ("unreached", 4), ("none-such", 1)])
@pytest.mark.parametrize("more", [[], ["--json"], ["--all"]])
def test_every_end_has_its_exit_code(auditor: Auditor, name: str, code: int, more: list[str]) -> None:
    assert go(auditor, name, "-q", *more) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError("bad"), 1), (ProviderError("gone"), 4), (AssayError("no"), 1), (KeyboardInterrupt(), 130)],
)
def test_errors_end_as_everywhere(
    auditor: Auditor, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    auditor.errors["clean"] = error
    assert go(auditor, "clean", "--json") == code
    assert [line["kind"] for line in lines(capsys)] == ["error"]


def test_a_failed_gate_outweighs_an_unknown_one(auditor: Auditor) -> None:
    assert go(auditor, "clean", "unreached", "-q") == 4
    assert go(auditor, "unreached", "troubled", "clean", "-q") == 1


def test_a_line_a_check_and_one_a_task(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(auditor, "troubled", "--json", "-q") == 1
    *checks, last = lines(capsys)
    assert [(c["kind"], c["task"], c["check"]) for c in checks] == [("check", "troubled", c) for c in CHECK_IDS]
    keys = "schema kind task check status severity summary findings measures unknown advice run_count wall_seconds"
    assert set(checks[0]) == {*keys.split(), "cpu_seconds", "remembered"}
    mutants = next(c for c in checks if c["check"] == "mutants")
    assert set(mutants["findings"][0]) == {"kind", "what", "subject", "path", "line", "evidence", "advice"}
    assert set(mutants["measures"][0]) == {"name", "value", "low", "high", "count"}
    assert (last["kind"], last["status"], last["run_count"]) == ("audit", "fail", 293)
    assert last["failed_gates"] == ["alternatives", "hidden-names", "leaks"]
    assert last["unknown_gates"] == []
    assert (last["complaint"], last["failure"]) == ("", None)


def test_no_result_says_why(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(auditor, "unreached", "--json") == 4
    [line] = lines(capsys)
    assert (line["status"], line["failure"]["boundary"]) == ("unknown", "sandbox")
    assert len(line["unknown_gates"]) == 5


def test_options_reach_the_audit(auditor: Auditor, tmp_path: Path) -> None:
    for name in ("r1", "r2", "w"):
        (tmp_path / name).touch()
    words = [
        "--only",
        "leaks",
        "--only",
        "mutants",
        "--only",
        "leaks",
        "--runs",
        "3",
        "--fresh",
        "--fix",
        "--jobs",
        "4",
    ]
    assert go(auditor, "clean", *words, "--right", "r1", "--right", "r2", "--wrong", "w", "-q") == 0
    [asked] = auditor.asked
    assert (asked.only, asked.runs, asked.fresh, asked.fix, asked.jobs) == (("leaks", "mutants"), 3, True, True, 4)
    assert (asked.right, asked.wrong) == ((Path("r1"), Path("r2")), (Path("w"),))
    assert asked.task == tmp_path / "tasks/clean"


def test_with_only_a_part_asked_for_only_that_part_counts(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(auditor, "troubled", "--only", "mutants", "-q") == 0
    assert "no gate was asked for; 1 warning (mutants)" in capsys.readouterr().out
    assert go(auditor, "troubled", "--only", "leaks", "-q") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "at least one task"),
        (["clean", "--only", "leak"], "did you mean leaks?"),
        (["clean", "--only", "zzz"], "the checks are: stability, "),
        (["clean", "--runs", "0"], "--runs"),
        (["clean", "troubled", "--right", "assay.toml"], "exactly one"),
        (["clean", "--wrong", "absent"], "absent"),
        (["clean", "--sandbox", "none"], "dangerous"),
    ],
)
def test_a_wrong_line_is_told_before_any_work(
    auditor: Auditor, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert go(auditor, *words) == 2
    assert said in capsys.readouterr().err
    assert auditor.asked == []


def test_one_broken_task_does_not_keep_the_others_from_their_audit(
    auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor.errors["broken"] = TaskDefinitionError("task.toml: no source")
    auditor.errors["clean"] = ProviderError("the index is down")
    assert go(auditor, "broken", "clean", "troubled", "-q", "--html", "a.html") == 1
    printed = capsys.readouterr()
    assert "task.toml: no source" in printed.err
    assert "all 3 tasks: 0 with no failed gate, 1 not fit, 2 unknown" in printed.out
    assert "task.toml: no source" in Path("a.html").read_text()
    assert go(auditor, "broken", "troubled", "--json", "-q") == 1
    found = lines(capsys)
    assert [line["kind"] for line in found if line["kind"] not in ("check", "audit-pool")] == ["error", "audit"]
    leak = next(line for line in found if line.get("name") == "leak")
    assert (leak["hits"], leak["known"], leak["unknown"], leak["share"]) == (1, 1, 1, 1.0)


def test_repairs_are_shown_with_what_verified_them(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(auditor, "clean", "--fix", "-q") == 0
    out = capsys.readouterr().out
    assert "proposal 1 of 1: say `replacement_stage` in the prompt" in out
    assert "    +- `slugify` takes `replacement_stage`." in out
    assert "verified: hidden-names again: passes" in out
    assert go(auditor, "clean", "--fix", "--json", "-q") == 0
    [proposal] = [line for line in lines(capsys) if line["kind"] == "proposal"]
    assert proposal["patch"] == audits.PROPOSAL.patch


def test_progress_goes_to_stderr_as_checks_end(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(auditor, "troubled", "--json") == 1
    printed = capsys.readouterr()
    assert "troubled: mutants fails (warning): the tests kill 41 of 60 mutants: 68 %" in printed.err
    assert all(line.startswith("{") for line in printed.out.splitlines())
    assert go(auditor, "clean", "-q") == 0
    assert capsys.readouterr().err == ""


def test_the_checks_list_themselves(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(auditor, "--list") == 0
    out = capsys.readouterr().out
    assert "leaks (gate)" in out
    assert "→ take the answer out of the prompt" in out
    assert go(auditor, "--list", "--json") == 0
    assert [line["check"] for line in lines(capsys)] == list(CHECK_IDS)


def test_a_terminal_gets_colour_unless_it_wants_none(
    auditor: Auditor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert go(auditor, "troubled", "-q") == 1
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert go(auditor, "troubled", "-q") == 1
    coloured = capsys.readouterr().out
    assert "\x1b[31m✗ leaks         gate fails\x1b[0m" in coloured
    assert click.unstyle(coloured) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert go(auditor, "troubled", "-q") == 1
    assert capsys.readouterr().out == plain


def shown_lines() -> list[str]:
    """Every `assay audit ...` that the documentation shows, in blocks and between backticks."""
    texts = [(ROOT / name).read_text() for name in DOCUMENTS]
    found = [line for text in texts for line in re.findall(r"(?:^\$ |`)(assay audit[^`\n]*)", text, re.MULTILINE)]
    return sorted(set(found))


def test_the_documentation_shows_the_command() -> None:
    assert len(shown_lines()) >= 8


@pytest.mark.parametrize("line", shown_lines())
def test_every_line_of_the_documentation_runs(auditor: Auditor, line: str, tmp_path: Path) -> None:
    for name in ("other.patch", "cheat.patch"):
        (tmp_path / name).touch()
    words = shlex.split(line)[2:]
    tasks = [word for word in words if word.startswith("tasks/")]
    for task in tasks:
        (tmp_path / task).mkdir(exist_ok=True)
    words = [{"TASK": "clean", "TASK...": "clean", "FILE": "page.html"}.get(word, word) for word in words]
    if words:  # without any, it is the name of the command
        assert go(auditor, *words, "-q") == 0


def test_the_documentation_has_the_table_of_checks() -> None:
    from assay.core.audit.table import TABLE

    text = (ROOT / "docs/audit.md").read_text()
    for one in TABLE:
        assert f"| `{one.check}` | {one.severity} | {one.question} | {one.advice} |" in text
        assert f"\n### {one.check}\n" in text
