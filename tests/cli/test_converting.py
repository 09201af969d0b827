"""What people and programs are told of imports and exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from assay.cli import main
from assay.testing.exchange import Conversions


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "assay.toml").touch()
    (tmp_path / "tasks" / "one").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def converted(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words), cast("Any", Conversions()))
    told = capsys.readouterr()
    return code, told.out, told.err


LINES = {"import": ("import", "swe-bench", "rows.jsonl"), "export": ("export", "harbor", "one", "--out", "there")}


@pytest.mark.parametrize("verb", LINES)
@pytest.mark.usefixtures("project")
def test_people_see_each_problem_and_one_table_of_losses(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = converted(capsys, *LINES[verb])
    assert code == 1
    assert "rows.jsonl, row 2: found nothing" in err
    assert "hint: correct the row" in err
    head, *table = out.splitlines()
    assert head.startswith(f"1 item {verb}ed")
    assert head.endswith("1 could not be")
    assert [line.split() for line in table] == [
        ["lost", "of", "because"],
        ["hints_text", "one", "no", "place", "for", "it"],
    ]


@pytest.mark.parametrize("verb", LINES)
@pytest.mark.usefixtures("project")
def test_programs_get_one_object_a_thing(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = converted(capsys, *LINES[verb], "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(row["kind"], row["subject"]) for row in rows] == [("converted", "one"), ("converted", "two")]
    assert rows[0]["losses"] == [{"field": "hints_text", "reason": "no place for it"}]
    assert rows[1]["problem"]["message"] == "rows.jsonl, row 2: found nothing"


@pytest.mark.usefixtures("project")
def test_an_unknown_format_is_an_error_that_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = converted(capsys, "import", "none", "rows.jsonl")
    assert code == 1
    assert "the known ones are" in err


def test_a_run_of_predictions_in_one_line_and_in_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "assay.toml").write_text("")
    task = tmp_path / "tasks" / "one"
    task.mkdir(parents=True)
    (task / "task.toml").write_text("")
    predictions = tmp_path / "preds.jsonl"
    predictions.write_text("{}")
    line = ["verify", "--predictions", str(predictions), str(task), "--report", str(tmp_path / "logs")]
    assert main(line, cast("Any", Conversions())) == 4
    said = capsys.readouterr()
    assert "one demo resolved" in said.out
    assert "three demo no verdict (sandbox): no room for it" in said.out
    assert "1 of 2 predictions with a verdict resolved (50.0%); 1 without a verdict" in said.out
    assert "there is no task 'four' here" in said.err
    assert json.loads((tmp_path / "logs" / "demo" / "run.json").read_text())["resolved_ids"] == ["one"]
    assert main([*line, "--json"], cast("Any", Conversions())) == 4
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["kind"], last["asked"], last["rate"], last["tasks"]) == ("grading", 4, 0.5, 1)
    assert main(["verify"], cast("Any", Conversions())) == 2
