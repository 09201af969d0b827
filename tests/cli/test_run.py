"""`assay run` and `assay show TRIAL` over trials that a script ends; every line that the docs show."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from assay.cli import main
from assay.cli.interface import App
from assay.cli.progress import Pace, Plain
from assay.model.event import OnEvent
from assay.model.options import RunOptions
from assay.model.summary import TrialView
from assay.model.trajectory import AgentSystem, Observation, ObservationResult, Step, ToolCall, Trajectory
from assay.model.trial_run import TrialCount, TrialsRun
from assay.testing.puzzle import GOLD
from assay.testing.runs import Runs

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "docs/trials.md")


class Runner(Runs):
    """Knows a task by its name; see `assay.testing.runs`."""

    def __init__(self) -> None:
        self.asked: list[RunOptions] = []

    async def run(self, options: RunOptions, project_dir: Path | None, on_event: OnEvent) -> TrialsRun:
        self.asked.append(options)
        return await super().run(options, project_dir, on_event)

    def show(self, project_dir: Path | None, what: str) -> TrialView:
        return self.trial(what)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assay.toml").touch()
    for name in ("solved", "failed", "void", "broken", "half"):
        (tmp_path / "tasks" / name).mkdir(parents=True)
        (tmp_path / "tasks" / name / "task.toml").touch()
    yield Runner()


def go(app: Runner, *words: str) -> int:
    return main(["run", *words], cast("App", app))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line["schema"] == 1 for line in found)
    return found


@pytest.mark.parametrize("more", [[], ["--json"], ["-q"]])
@pytest.mark.parametrize(
    ("task", "code"), [("solved", 0), ("failed", 0), ("half", 0), ("void", 4), ("broken", 1), ("none-such", 1)]
)
def test_every_end_has_its_exit_code(app: Runner, task: str, code: int, more: list[str]) -> None:
    assert go(app, task, "--agent", "oracle", *more) == code


def test_without_a_task_all_of_the_projects_are_tried(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(app, "--agent", "mini", "--model", "m", "-k", "2", "-q") == 1
    printed = capsys.readouterr()
    out = printed.out.splitlines()
    assert [path.name for path in app.asked[0].tasks] == ["broken", "failed", "half", "solved", "void"]
    assert re.fullmatch(r"[0-9a-f]{8}  half#1  resolved  1.0 s  \$0.25", next(line for line in out if "half#1" in line))
    assert any("failed#2  not resolved (tests-failed)" in line for line in out)
    assert any(line.split() == ["half", "1/2"] for line in out)
    assert any(line.split() == ["void", "0/0", "2", "void"] for line in out)
    assert out[-1] == (
        r"3 of 6 trials with a verdict resolved (50 %); 2 void (provider: the endpoint \x1b[31mis down), which count "
        "for nothing; 2 not tried, see above; $2.50"
    )
    assert printed.err.count("expected a table") == 1
    assert "\x1b" not in printed.out + printed.err


def test_as_json_every_wish_is_an_object_and_the_numbers_add_up(
    app: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(app, "--agent", "mini", "--model", "m", "-k", "2", "--json") == 1
    *trials, run = lines(capsys)
    assert {line["kind"] for line in trials} == {"trial"}
    assert (run["kind"], run["asked"], len(trials)) == ("run", 10, 10)
    assert run["asked"] == run["scored"] + run["void"] + run["unusable"] + run["held_back"]
    assert (run["resolved"], run["rate"], run["usd"], run["entrant"]["agent"]) == (3, 0.5, 2.5, "mini")
    assert {one["task"]: (one["resolved"], one["scored"]) for one in run["tasks"]}["half"] == (1, 2)
    void = next(line for line in trials if line["status"] == "void")
    assert (void["resolved"], void["reward"], void["failure"]["boundary"]) == (None, None, "provider")
    broken = next(line for line in trials if line["status"] == "unusable")
    assert broken["problem"]["code"] == "input"


def test_a_second_run_recalls_and_a_larger_k_adds(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(app, "half", "--agent", "oracle", "-q") == 0
    assert go(app, "half", "--agent", "oracle", "-k", "2", "--json", "-q") == 0
    *_, first, second, run = lines_after_text(capsys)
    assert [first["recalled"], second["recalled"], run["recalled"]] == [True, False, 1]
    assert go(app, "half", "--agent", "oracle", "-q") == 0
    assert "as before" in capsys.readouterr().out


def lines_after_text(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_a_budget_holds_trials_back(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(app, "solved", "--agent", "mini", "--model", "m", "-k", "9", "--budget", "0.6") == 4
    printed = capsys.readouterr()
    assert "3 of 3 trials with a verdict resolved (100 %); 6 not begun (the budget of $0.6 is spent)" in printed.out
    assert "9/9 done: 3 solved, 0 failed, 6 void, $0.75" in printed.err


def test_unknown_cost_is_told(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    app.usd = None
    assert go(app, "solved", "--agent", "mini", "--model", "m", "-k", "2", "-q") == 0
    assert "$0.00; 2 tries of unknown cost" in capsys.readouterr().out


def test_options_reach_the_run(app: Runner) -> None:
    words = "--agent mini --model m --model-url http://x/v1 --wall 60 --steps 7 --tokens 1000 --usd 0.5 --budget 3"
    assert go(app, "solved", "-q", *words.split(), "--concurrent", "5", "--jobs", "3", "--out", "t.jsonl") == 0
    [asked] = app.asked
    choice, limits = asked.choice, asked.choice.limits
    assert (choice.agent, choice.model, choice.model_url) == ("mini", "m", "http://x/v1")
    assert (limits.wall_seconds, limits.step_count, limits.tokens, limits.usd) == (60, 7, 1000, 0.5)
    assert (asked.budget_usd, asked.concurrent, asked.jobs, asked.out) == (3, 5, 3, Path("t.jsonl"))


def test_the_agent_follows_from_its_options(app: Runner) -> None:
    assert go(app, "solved", "-q", "--command", "true") == 0
    assert go(app, "solved", "-q", "--predictions", "assay.toml") == 0
    assert [asked.choice.agent for asked in app.asked] == ["command", "patch"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["solved"], 2, "--agent"),
        (["solved", "--agent", "none"], 1, "the known ones are"),
        (["solved", "--agent", "oracle", "-k", "0"], 2, "--attempts"),
        (["solved", "--agent", "oracle", "--budget", "0"], 2, "--budget"),
        (["solved", "--agent", "oracle", "--sandbox", "none"], 2, "dangerous"),
        (["solved", "--agent", "oracle", "--out", "absent/t.jsonl"], 1, "no folder absent"),
    ],
)
def test_a_wrong_line_is_told(
    app: Runner, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert go(app, *words) == code
    assert said in capsys.readouterr().err


def test_progress_tells_solved_failed_void_cost_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter((0.0, 60.0, 60.0))
    pace = Pace(lambda: next(moments))
    shown = Plain(pace)
    shown.on_event(TrialCount(0, 10))
    shown.on_event(TrialCount(6, 10, 2, 3, 1, recalled=2, usd=0.414))
    assert capsys.readouterr().err.splitlines()[-1] == (
        "6/10 done: 2 solved, 3 failed, 1 void, $0.41; 4.0 a minute, about 1 min 0 s left"
    )


def shown(app: Runner, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["show", *words], cast("App", app)) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    return out


def test_a_trial_is_shown_step_by_step(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(app, "half", "--agent", "mini", "--model", "m", "-k", "2", "-q") == 0
    text = shown(app, capsys, "half#2")
    assert "half#2: not resolved (tests-failed)" in text
    assert "limits  30 min 0 s, 100 calls" in text
    assert "spent   $0.25, 1 call, 10 tokens read, 2 written" in text
    assert "patch\n  no change\n" in text
    assert "2  agent\n    done\n" in text
    assert shown(app, capsys, text[:8]) == text
    assert json.loads(shown(app, capsys, "half#2", "--json"))["trial"]["resolved"] is False
    assert main(["show", "half#9"], cast("App", app)) == 1


def test_two_agents_trials_of_one_name_are_told_apart(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    for agent in ("oracle", "nop"):
        assert go(app, "half", "--agent", agent, "-q") == 0
    assert main(["show", "half#1"], cast("App", app)) == 1
    printed = capsys.readouterr()
    for found in re.findall(r"([0-9a-f]{8}) \(", printed.err):
        assert "half#1" in shown(app, capsys, found)


def test_earlier_tries_stand_beside_the_one_that_counts(app: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(app, "void", "--agent", "mini", "--model", "m", "-q") == 4
    text = shown(app, capsys, "void#1")
    assert r"void (provider): the endpoint \x1b[31mis down" in text.splitlines()[0]
    assert text.count("earlier") == 1
    assert "no trajectory was kept" in text


def test_what_an_agent_wrote_cannot_touch_the_terminal_and_long_output_is_cut(
    app: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(app, "half", "--agent", "mini", "--model", "m", "-q") == 0
    view = app.trial("half#1")
    seen = "".join(f"\x1b]0;owned\x07 line {n}\r\n" for n in range(100))
    call = ToolCall(
        tool_call_id="c", function_name="bash", arguments={"command": f"cat \x1b[2J\nls\necho {'a' * 2000}"}
    )
    steps = (
        Step(step_id=1, source="user", message="\x9b31mred\u202e"),
        Step(
            step_id=2, source="agent", message="go", reasoning_content="hm\x08", tool_calls=(call,),
            observation=Observation(results=(ObservationResult(source_call_id="c", content=seen),)),
        ),
    )  # fmt: skip
    trajectory = Trajectory(agent=AgentSystem(name="x", version="1"), steps=steps)
    trial = view.trial.model_copy(update={"trajectory": trajectory, "patch": GOLD.encode()})

    class Shower(Runner):
        def show(self, project_dir: Path | None, what: str) -> TrialView:
            return TrialView(view.record, trial, view.entrant)

    text = shown(Shower(), capsys, "x")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "    > \\x1b]0;owned\\x07 line 0\n" in text
    assert "… 90 more lines …" in text
    assert "$ bash: cat \\x1b[2J\n      ls\n" in text
    assert max(map(len, text.splitlines())) < 500
    assert "… and 1,605 more characters" in text
    assert "patch: 1 file, +1 -1 lines\n  double.py" in text
    whole = shown(Shower(), capsys, "x", "--all")
    assert "line 50" in whole
    assert "a" * 2000 in whole
    assert "+print(int(sys.argv[1]) * 2)" in whole


def shown_lines() -> list[str]:
    texts = [(ROOT / name).read_text() for name in DOCUMENTS]
    found = [line for text in texts for line in re.findall(r"(?:^\$ |`)(assay run[^`\n]*)", text, re.MULTILINE)]
    return sorted(set(found))


def test_the_documentation_shows_the_command() -> None:
    assert len(shown_lines()) >= 6


@pytest.mark.parametrize("line", shown_lines())
def test_every_line_of_the_documentation_runs(app: Runner, line: str, tmp_path: Path) -> None:
    words = shlex.split(line)[2:]
    for word in words:
        if word.startswith("tasks/"):
            (tmp_path / word).mkdir(exist_ok=True)
    for name in ("preds.jsonl", "FILE"):
        (tmp_path / name).touch()
    for name in ("void", "broken"):
        (tmp_path / "tasks" / name / "task.toml").unlink()
    words = [
        {"TASK": "solved", "TASK...": "solved", "N": "2", "NAME": "x", "USD": "9", "A": "x", "M": "m"}.get(w, w)
        for w in words
    ]
    if words:  # without any, it is the name of the command
        assert go(app, *words, "-q") == 0
