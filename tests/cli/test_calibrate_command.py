"""`assay calibrate` and `assay status --difficulty`: what people and programs are told, and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from assay.cli import main
from assay.cli.interface import App
from assay.testing.calibrations import Calibrations
from assay.testing.puzzle import puzzle
from assay.testing.store import MemoryStore

AGENT = ("--agent", "scripted", "--model", "m")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "assay.toml").write_text("")
    for name in ("never-0", "middle-50", "always-100"):
        path = puzzle(tmp_path / "tasks" / name)
        (path / "instruction.md").write_text(f"Make `double.py N` print twice N ({name}).\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Calibrations, "trials", MemoryStore())
    return tmp_path


def run(*line: str) -> int:
    return main([*line, *(("--quiet",) if line[0] == "calibrate" else ())], cast("App", Calibrations()))


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_people_see_each_trial_and_where_each_task_lies(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", *AGENT) == 0
    said = capsys.readouterr().out
    assert "scripted, m, band 0.1:0.9: 1 of 3 tasks just right, 1 too hard, 1 too easy, 0 not yet known" in said
    assert re.search(r"never-0 .* 0/\d+ +too hard", said)
    assert re.search(r"middle-50 .* \d+/\d+ +just right", said)
    assert re.search(r"always-100 .* (\d+)/\1 +too easy", said)
    assert "this run: " in said


def test_programs_get_one_object_a_task(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "never-0", "middle-50", *AGENT, "--json") == 0
    found = objects(capsys.readouterr().out)
    tasks = {one["task"]: one for one in found if one["kind"] == "difficulty"}
    assert {name: one["difficulty"]["placing"] for name, one in tasks.items()} == {
        "never-0": "too-hard",
        "middle-50": "in",
    }
    assert found[-1]["kind"] == "calibration"
    assert found[-1]["new_rollouts"] == sum(one["new_rollouts"] for one in tasks.values())
    assert [one["kind"] for one in found].count("trial") == found[-1]["new_rollouts"]


def test_what_is_not_placed_ends_with_four(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", *AGENT, "--budget", "2") == 4
    assert "not yet known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (("--band", "0.9:0.1"), 1, "no band"),
        (("--band", "half"), 1, "no band"),
        (("--prior", "beta:0,1"), 1, "no prior"),
        (("--match", "fixed:0"), 2, "fixed design"),
        (("--match", "fixed:8", "--accept", "3"), 2, "exclude each other"),
        (("--target-error", "2"), 1, "share between 0 and 1"),
        (("--target-error", "0.0001"), 1, "least error there is"),
        (("--checkpoint", "yesterday"), 1, "no trial here"),
        (("--recheck", "2"), 2, "recheck"),
    ],
)
def test_wrong_wishes(
    home: Path, capsys: pytest.CaptureFixture[str], line: tuple[str, ...], code: int, said: str
) -> None:
    assert run("calibrate", *AGENT, *line) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_an_agent_is_needed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate") == 2
    assert "--agent" in capsys.readouterr().err


def test_the_curve_is_drawn_for_one_and_for_several(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--difficulty") == 0
    assert "none of 3 tasks was calibrated" in capsys.readouterr().out
    run("calibrate", *AGENT)
    run("calibrate", "middle-50", "--agent", "scripted", "--model", "other")
    capsys.readouterr()
    assert run("status", "--difficulty", "--html", "curve.html") == 0
    said = capsys.readouterr().out
    assert "scripted, other, band 0.1:0.9: 1 of 3 tasks just right, 0 too hard, 0 too easy, 2 not yet known" in said
    assert "groups of 8 rollouts with signal" in said
    assert "never solved, which a broken task is as well" in said
    page = (home / "curve.html").read_text()
    assert page.count("<svg") == 2
    assert "middle-50" in page
    assert run("status", "--difficulty", "--model", "other", "--json") == 0
    (curve, summary) = objects(capsys.readouterr().out)
    assert (curve["kind"], curve["entrant"], summary["kind"]) == ("curve", "scripted, other", "difficulty-summary")
    assert sum(curve["counts"].values()) == 3
    assert sum(curve["bins"]) == pytest.approx(1)


def test_options_of_the_curve_belong_to_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--model", "m") == 2
    assert "--difficulty" in capsys.readouterr().err


def test_two_rollouts_a_task_tell_whether_a_set_still_teaches(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "--monitor", *AGENT, "--json") == 0
    found = objects(capsys.readouterr().out)
    assert [one["kind"] for one in found] == ["trial"] * 6 + ["monitor"]
    assert found[-1]["task_count"] == 3
    assert not found[-1]["is_saturated"]
    assert run("calibrate", "--monitor", *AGENT) == 0
    assert "0 rollouts" in capsys.readouterr().out


def test_a_saturated_set_is_an_answer_of_no(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(40):
        path = puzzle(home / "tasks" / f"t{number}-100")
        (path / "instruction.md").write_text(f"Make `double.py N` print twice N ({number}).\n")
    names = [f"t{number}-100" for number in range(40)]
    assert run("calibrate", "--monitor", *names, *AGENT) == 1
    said = capsys.readouterr().out
    assert "the set is saturated" in said
