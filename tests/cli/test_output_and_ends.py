"""What each command prints, on which stream, and every end inside and outside exception groups, over a fake app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assay.cli import main, output
from assay.cli.overview import COMMANDS
from assay.errors import InputError, ProviderError, Rejection
from assay.model.attack import AttackResult, AttackRun, AttackStatus
from assay.model.audit import AuditRun
from assay.model.event import Attacked, Count, Decided, OnEvent, Stage
from assay.model.failure import Failure
from assay.model.ledger import Cost, Decision
from assay.model.options import AttackOptions, AuditOptions, MineOptions, VerifyOptions
from assay.model.summary import CandidateView, FunnelLine, MineSummary, StatusReport, TaskLine, TaskView
from assay.model.verdict import Verdict
from assay.ports.sandbox import Finding
from assay.testing import audits
from assay.testing.exchange import Conversions
from assay.testing.plans import Plans

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NAMES = [name for name, _ in COMMANDS]
VERIFIED = Decision(candidate_key="k1", title="x 1 -> 2", state="verified", slug="x-2", decided_at=NOW)
REJECTED = Decision(
    candidate_key="k0", title="x 0 -> 1", state="rejected", reason="no-tests", detail="none\nat all", decided_at=NOW
)


class FakeApp(Conversions, Plans):
    """Answers at once; `error` and `failed` say what goes wrong."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.failed = 0
        self.nop_resolves = False
        self.verdict_failure: Failure | None = None
        self.findings = [Finding("bwrap", True, "0.8"), Finding("cgroup", False, "none", "use systemd", False)]

    async def attack(self, options: AttackOptions, project_dir: Path | None, on_event: OnEvent) -> AttackRun:
        facts = {"task": "x", "mechanism": "shadowed modules", "what": "A pytest.py."}
        ends: tuple[tuple[AttackStatus, str], ...] = (("rejected", "early-exit"), ("accepted", ""))
        results = tuple(AttackResult(attack=f"shadow-{s}", status=s, reason=why, **facts) for s, why in ends)
        on_event(Attacked(results[1]))
        return AttackRun(task="x", task_digest="", results=results)

    async def audit(self, options: AuditOptions, project_dir: Path | None, on_event: OnEvent) -> AuditRun:
        return audits.clean(options.task.name)

    def init_project(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "assay.toml").touch()
        return folder / "assay.toml"

    async def mine(self, options: MineOptions, project_dir: Path, on_event: OnEvent) -> MineSummary:
        if self.error is not None:
            raise self.error
        (project_dir / "tasks" / "x-2").mkdir(parents=True, exist_ok=True)
        for number, decision in enumerate((VERIFIED, REJECTED)):
            on_event(Stage(decision.title, "environment"))
            on_event(Decided(decision, project_dir / "tasks" / decision.slug if decision.slug else None))
            on_event(Count(number + 1, 2, 1, number))
        return MineSummary(2 + self.failed, 1, {"no-tests": 1}, self.failed, Cost(cpu_seconds=3), (VERIFIED, REJECTED))

    async def verify(self, options: VerifyOptions, project_dir: Path | None, on_event: OnEvent) -> list[Verdict]:
        facts: dict[str, Any] = {"task": options.task.name, "task_digest": "d", "patch_sha256": "p", "total_count": 2}
        if self.verdict_failure is not None:
            return [Verdict(agent="oracle", failure=self.verdict_failure, **facts)]
        nop = int(self.nop_resolves)
        return [
            Verdict(agent="oracle", resolved=True, reward=1, passed_count=2, **facts),
            Verdict(agent="nop", resolved=bool(nop), reward=nop, reason="tests-failed", **facts),
        ]

    def status(self, project_dir: Path) -> StatusReport:
        lines = (FunnelLine("verified", None, 1, Cost()), FunnelLine("rejected", "no-tests", 3, Cost()))
        return StatusReport(project_dir, lines, (TaskLine("x-2", project_dir / "tasks/x-2", Cost(cpu_seconds=2)),))

    def show(self, project_dir: Path | None, what: str) -> TaskView | CandidateView:
        if what != "k0":
            raise InputError(f"there is no task or candidate {what!r}", hint="see `assay status`")
        return CandidateView(REJECTED, log="a line")

    async def diagnose(self) -> list[Finding]:
        return self.findings


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApp]:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where reports of faults go
    yield FakeApp()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line["schema"] == 1 for line in found)
    return found


def test_mine_prints_a_line_for_each_candidate_and_ends_with_0(
    app: FakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", "pypi:x"], app) == 0
    out = capsys.readouterr().out
    assert "tasks/x-2" in out
    assert "no-tests: none" in out
    assert "at all" not in out
    assert "2 candidates: 1 verified, 1 rejected" in out


def test_mine_as_json_is_tasks_then_a_summary(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "pypi:x", "--json"], app) == 0
    found = lines(capsys)
    assert [line["kind"] for line in found] == ["task", "task", "summary"]
    assert {"slug", "path", "status", "reason", "candidate", "digest", "cost"} <= found[0].keys()
    assert (found[1]["status"], found[1]["reason"]) == ("rejected", "no-tests")
    assert found[2]["candidates"] == found[2]["verified"] + sum(found[2]["rejected"].values()) + found[2]["failed"]


def test_candidates_without_a_verdict_end_with_4(app: FakeApp) -> None:
    app.failed = 1
    assert main(["mine", "pypi:x", "-q"], app) == 4


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "slug"),
    [
        (InputError("no such thing", hint="look again"), 1, "input"),
        (Rejection("no-tests", "none"), 1, "rejection"),
        (ProviderError("index down", hint="later"), 4, "provider"),
        (OSError(28, "full"), 4, "disk-full"),
        (KeyError("a"), 3, "bug"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_end_has_its_code_its_sentence_and_its_json(
    app: FakeApp, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, slug: str, grouped: bool
) -> None:
    app.error = BaseExceptionGroup("tasks", [error]) if grouped else error
    assert main(["mine", "pypi:x", "--json", "-q"], app) == code
    captured = capsys.readouterr()
    [line] = [json.loads(text) for text in captured.out.splitlines()]
    assert (line["kind"], line["code"], line["exit_code"]) == ("error", slug, code)
    assert captured.err.strip()
    assert "Traceback" not in captured.err
    assert "ExceptionGroup" not in captured.err + captured.out


def test_infrastructure_wins_over_input_in_a_group(app: FakeApp) -> None:
    app.error = ExceptionGroup("tasks", [InputError("wrong"), ProviderError("down")])
    assert main(["mine", "pypi:x", "-q"], app) == 4


def test_a_bug_in_a_group_is_named_and_its_report_kept(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    app.error = ExceptionGroup("outer", [ExceptionGroup("inner", [KeyError("lost")])])
    assert main(["mine", "pypi:x", "--json", "-q"], app) == 3
    [line] = lines(capsys)
    assert "KeyError: 'lost'" in line["message"]
    report = Path(line["report"]).read_text()
    assert "Traceback" in report
    assert "pypi:x" in report


def test_the_named_bug_is_the_bug_and_not_its_expected_neighbour(
    app: FakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app.error = ExceptionGroup("tasks", [InputError("wrong"), KeyError("lost")])
    assert main(["mine", "pypi:x", "-q"], app) == 3
    assert "KeyError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["mine"],
        ["mine", "pypi:x", "--limit", "0"],
        ["mine", "pypi:x", "--limit", "many"],
        ["mine", "pypi:x", "--sandbox", "none"],
        ["verify"],
        ["verify", "x", "--patch", "absent"],
        ["verify", "x", "--agent", "nop", "--patch", "assay.toml"],
        ["status", "--what"],
    ],
)
def test_a_wrong_line_ends_with_2_and_says_where_to_look(
    app: FakeApp, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    Path("assay.toml").touch()
    assert main(arguments, app) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")


def test_a_near_miss_gets_a_suggestion(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verfy"], app) == 2
    assert "`assay verify`" in capsys.readouterr().err


def test_verify_holds_when_the_reference_resolves_and_nothing_does_not(
    app: FakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x-2").mkdir()
    assert main(["verify", "x-2", "--json"], app) == 0
    found = lines(capsys)
    assert [(v["kind"], v["agent"], v["resolved"], v["reward"]) for v in found] == [
        ("verdict", "oracle", True, 1),
        ("verdict", "nop", False, 0),
    ]


def test_a_task_that_no_change_resolves_does_not_hold(app: FakeApp) -> None:
    Path("x-2").mkdir()
    app.nop_resolves = True
    assert main(["verify", "x-2", "-q"], app) == 1


def test_no_verdict_ends_with_4_and_is_no_reward(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x-2").mkdir()
    app.verdict_failure = Failure.of(ProviderError("index down"))
    assert main(["verify", "x-2", "--json", "-q"], app) == 4
    [line] = lines(capsys)
    assert line["reward"] is None
    assert line["failure"]["boundary"] == "provider"


def test_one_absent_task_does_not_keep_the_others_from_a_verdict(
    app: FakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x-2").mkdir()
    assert main(["verify", "absent", "x-2", "--json", "-q"], app) == 1
    assert [line["kind"] for line in lines(capsys)] == ["error", "verdict", "verdict"]


def test_status_needs_a_project(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"], app) == 1
    assert "hint: " in capsys.readouterr().err


def test_status_sums_up(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"], app) == 0
    capsys.readouterr()
    assert main(["status"], app) == 0
    assert "no-tests" in capsys.readouterr().out
    assert main(["status", "--json"], app) == 0
    found = lines(capsys)
    funnel = [line for line in found if line["kind"] == "funnel"]
    assert sum(line["share"] for line in funnel) == pytest.approx(1)
    assert found[-1]["kind"] == "summary"
    assert found[-1]["candidates"] == 4


def test_show_tells_of_a_candidate_or_that_there_is_none(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "k0", "--json"], app) == 0
    [line] = lines(capsys)
    assert (line["kind"], line["reason"], line["log"]) == ("candidate", "no-tests", "a line")
    assert main(["show", "nothing"], app) == 1


def test_doctor_ends_with_1_only_for_what_is_required(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"], app) == 0
    assert "use systemd" in capsys.readouterr().out
    app.findings.append(Finding("uv", False, "missing", "install uv", True))
    assert main(["doctor", "--json"], app) == 1
    found = lines(capsys)
    assert [line["kind"] for line in found] == ["finding"] * 3 + ["summary"]
    assert found[-1]["missing"] == ["uv"]


def test_the_demo_goes_the_whole_way(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-q"], app) == 0
    out = capsys.readouterr().out
    assert "assay show demo/tasks/x-2" in out
    assert "oracle" in out


def test_the_demo_without_a_task_says_why(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    app.error = ProviderError("index down")
    assert main(["demo", "-q"], app) == 4
    assert "index down" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_every_commands_help_ends_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"], FakeApp()) == 0
    out = capsys.readouterr().out
    example = out.partition("Example")[2]
    assert f"  assay {name}" in example
    assert "x>=" not in out
    assert "--json" in out


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in NAMES)


def test_no_arguments_is_a_miss_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: " in captured.err


def test_what_a_candidate_wrote_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.text_line("a\x1b[2Jb\rc\ud800d\u202ee\tf\n\N{LATIN SMALL LETTER E WITH ACUTE} →")
    assert capsys.readouterr().out == "a\\x1b[2Jb\\x0dc\\ud800d\\u202ee\tf\n\N{LATIN SMALL LETTER E WITH ACUTE} →\n"


def test_people_hear_of_an_accepted_attack_and_see_the_table(app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    Path("assay.toml").touch()
    Path("tasks/x").mkdir(parents=True)
    assert main(["attack", "tasks/x", "-q"], app) == 1
    out = capsys.readouterr().out
    assert "! x: shadow-accepted was accepted. A pytest.py." in out
    assert "early-exit" in out
    assert out.splitlines()[-1] == "x: 1 of 2 attacks accepted; at most 97.5% with 95% confidence"
