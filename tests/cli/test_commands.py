"""The command line over an app of our own: exit codes, JSON lines, help, and what is imported for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assay.cli import main
from assay.cli.overview import COMMANDS
from assay.errors import AssayError, InputError, PrerequisiteError, ProviderError, StoreLockedError
from assay.model.attack import AttackResult, AttackRun, AttackStatus
from assay.model.audit import AuditRun
from assay.model.event import Attacked, Decided, OnEvent
from assay.model.failure import Failure
from assay.model.ledger import Decision, State
from assay.model.options import AttackOptions, AuditOptions, MineOptions, VerifyOptions
from assay.model.summary import CandidateView, MineSummary, StatusReport, TaskView
from assay.model.verdict import Verdict
from assay.ports.sandbox import Finding
from assay.testing import audits
from assay.testing.calibrations import Calibrations
from assay.testing.exchange import Conversions
from assay.testing.plans import Plans
from assay.testing.runs import Runs

NAMES = [name for name, _ in COMMANDS]


class FakeApp(Conversions, Plans, Runs, Calibrations):
    """Gives what it was told to give."""

    def __init__(self, error: BaseException | None = None, failed: int = 0, resolved: bool | None = True) -> None:
        self.error, self.failed, self.resolved = error, failed, resolved

    async def mine(self, options: MineOptions, project_dir: Path, on_event: OnEvent) -> MineSummary:
        self._raise()
        decisions = [self._decision("a", "verified"), self._decision("b", "rejected", "no-tests")]
        decisions += [self._decision(f"f{n}", "failed", "provider") for n in range(self.failed)]
        for decision in decisions:
            on_event(Decided(decision, project_dir / "tasks/a" if decision.state == "verified" else None))
        return MineSummary(len(decisions), 1, {"no-tests": 1}, self.failed, decisions=tuple(decisions))

    def _decision(self, key: str, state: State, reason: str | None = None) -> Decision:
        return Decision(
            candidate_key=key,
            title=key,
            state=state,
            reason=reason,
            slug=key if state == "verified" else None,
            decided_at=datetime.now(UTC),
        )

    async def verify(self, options: VerifyOptions, project_dir: Path | None, on_event: OnEvent) -> list[Verdict]:
        self._raise()
        agents = [options.agent] if options.agent else ["oracle", "nop"]
        return [self._verdict(agent, self.resolved if agent != "nop" else False) for agent in agents]

    def _verdict(self, agent: str, resolved: bool | None) -> Verdict:
        failure = Failure(boundary="sandbox", kind="x", message="broke", retryable=True) if resolved is None else None
        reward = None if resolved is None else int(resolved)
        return Verdict(
            task="a", task_digest="", agent=agent, patch_sha256="", resolved=resolved, reward=reward, failure=failure
        )

    async def attack(self, options: AttackOptions, project_dir: Path | None, on_event: OnEvent) -> AttackRun:
        self._raise()
        odd: dict[bool | None, tuple[AttackStatus, ...]] = {True: (), False: ("accepted",), None: ("no-verdict",)}
        statuses: tuple[AttackStatus, ...] = ("rejected", "not-applicable", *odd[self.resolved])
        results = tuple(AttackResult(task="a", attack=s, mechanism="m", what="W.", status=s) for s in statuses)
        for result in results:
            on_event(Attacked(result))
        return AttackRun(task="a", task_digest="", results=results)

    async def audit(self, options: AuditOptions, project_dir: Path | None, on_event: OnEvent) -> AuditRun:
        return audits.clean(options.task.name)

    def init_project(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / "assay.toml").write_text("")
        return folder / "assay.toml"

    def status(self, project_dir: Path) -> StatusReport:
        self._raise()
        return StatusReport(project_dir)

    def show(self, project_dir: Path | None, what: str) -> TaskView | CandidateView:
        raise InputError(f"there is no {what}", hint="look again")

    async def diagnose(self) -> list[Finding]:
        return [Finding("bwrap", not self.failed, "detail", "apt-get install bubblewrap")]

    def _raise(self) -> None:
        if self.error:
            raise self.error


Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assay.toml").write_text("")
    (tmp_path / "tasks" / "a").mkdir(parents=True)

    def go(*words: str, app: FakeApp | None = None) -> tuple[int, list[dict[str, Any]], str]:
        code = main([*words, "--json"], app or FakeApp())
        printed = capsys.readouterr()
        return code, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return go


def test_mine_tells_each_candidate_and_the_sum(run: Run) -> None:
    code, lines, _ = run("mine", "pypi:x")
    assert code == 0
    assert [(line["kind"], line.get("status")) for line in lines] == [
        ("task", "verified"),
        ("task", "rejected"),
        ("summary", None),
    ]
    assert lines[0].keys() >= {"schema", "slug", "path", "status", "reason"}
    assert lines[-1] | {"candidates": 2, "verified": 1, "rejected": {"no-tests": 1}, "failed": 0} == lines[-1]


def test_infrastructure_is_exit_4(run: Run) -> None:
    assert run("mine", "pypi:x", app=FakeApp(failed=1))[0] == 4
    code, lines, _ = run("verify", "tasks/a", "--agent", "oracle", app=FakeApp(resolved=None))
    assert code == 4
    assert (lines[0]["resolved"], lines[0]["reward"], lines[0]["failure"]["boundary"]) == (None, None, "sandbox")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad", hint="do better"), 1),
        (PrerequisiteError("lacking"), 1),
        (AssayError("no"), 1),
        (ProviderError("gone"), 4),
        (StoreLockedError("busy"), 4),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("ours"), 3),
        (ExceptionGroup("g", [InputError("inner")]), 1),
    ],
)
def test_every_end_has_its_exit_code(run: Run, error: BaseException, code: int) -> None:
    found, lines, err = run("mine", "pypi:x", app=FakeApp(error))
    assert found == code
    assert "Traceback" not in err
    if code in (1, 4):
        assert lines[-1]["kind"] == "error"


def test_verify_is_yes_no_or_unknown(run: Run) -> None:
    assert run("verify", "tasks/a")[0] == 0
    assert run("verify", "tasks/a", app=FakeApp(resolved=False))[0] == 1
    assert run("verify", "tasks/a", "--agent", "oracle")[0] == 0


def test_attacks_are_counted_and_none_may_be_accepted(run: Run) -> None:
    code, lines, _ = run("attack", "tasks/a")
    assert (code, [line["kind"] for line in lines]) == (0, ["attack", "attack", "attack-summary"])
    assert lines[-1].items() >= {"rejected": 1, "accepted": 0, "not_applicable": 1, "no_verdict": 0}.items()
    assert lines[-1]["upper_bound"] == pytest.approx(0.95)  # one trial says next to nothing
    assert run("attack", "tasks/a", app=FakeApp(resolved=False))[0] == 1
    assert run("attack", "tasks/a", app=FakeApp(resolved=None))[0] == 4
    assert run("attack", "tasks/a", "tasks/a")[0] == 0
    assert run("attack", "tasks/none-such")[0] == 1


def test_the_battery_lists_itself(run: Run) -> None:
    _, lines, _ = run("attack", "--list")
    assert len(lines) >= 25
    assert all(line["kind"] == "attack-description" and line["what"] for line in lines)


def test_usage_is_exit_2(run: Run) -> None:
    assert main(["mine"], FakeApp()) == 2
    assert main(["mine", "pypi:x", "--limit", "-3"], FakeApp()) == 2
    assert main(["nonsense"], FakeApp()) == 2
    assert main(["attack"], FakeApp()) == 2
    assert main(["mine", "pypi:x", "--sandbox", "none"], FakeApp()) == 2


def test_the_rest_answers(run: Run) -> None:
    assert run("status")[0] == 0
    assert run("doctor")[0] == 0
    assert run("doctor", app=FakeApp(failed=1))[0] == 1
    assert run("show", "x")[0] == 1
    assert run("init", "new")[0] == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"], FakeApp()) == 0
    text = capsys.readouterr().out
    assert f"assay {name}" in text
    assert "xample" in text


def test_a_verdict_does_not_wait_for_what_other_commands_import() -> None:
    code = "import sys, assay.app; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    others = {"httpx", "numpy", "assay.stages.attack", "assay.stages.audit.audit", "assay.adapters.exchange.training"}
    assert not loaded & others


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from assay.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"pydantic", "sqlalchemy", "click", "rich", "anyio", "httpx", "alembic"}
    assert all(name in done.stdout for name in NAMES)
