"""Files of trials and trajectories: a broken item never ends the batch, a data set is written whole or not at all."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.exchange import rows as rows_module
from assay.adapters.exchange import trials as trials_module
from assay.adapters.exchange.rows import Layout, write_data_set
from assay.adapters.exchange.training import TRIAL_FORMATS, export_trials, import_trajectories
from assay.adapters.exchange.trials import read_trajectories, read_trials, write_trials
from assay.core.exchange.atif import atif_bytes
from assay.core.exchange.shapes import rows
from assay.errors import InputError, PrerequisiteError
from assay.model.event import Event
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.trajectory import Trajectory
from assay.model.trial import Trial

USER = {"step_id": 1, "source": "user", "message": "Fix it."}
AGENT = {"step_id": 2, "source": "agent", "message": "Done."}
DOCUMENT: dict[str, Any] = {"agent": {"name": "a", "version": "1"}, "steps": [USER, AGENT]}
ATIF = json.dumps({"schema_version": "ATIF-v1.5", **DOCUMENT})
MINI = json.dumps(
    {"trajectory_format": "mini-swe-agent-1.1", "info": {}, "messages": [{"role": "user", "content": "x"}]}
)


def trial(attempt: int, resolved: bool) -> Trial:
    made = Trajectory.model_validate(DOCUMENT)
    return Trial(task="t", agent="a", attempt=attempt, resolved=resolved, reward=float(resolved), trajectory=made)


def test_one_broken_line_is_told_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trials.jsonl"
    assert write_trials(path, [trial(1, True), trial(2, False)]) == 2
    good = path.read_bytes().splitlines()
    newer = json.dumps({**json.loads(good[0]), "format": 2, "mood": "good"}).encode()
    lines = [
        good[0],
        b"",
        b'{"format": 1, "reward": NaN}',
        good[1][:40],
        b"[]",
        newer,
        b'{"long": "' + b"x" * 5000,
        good[1],
    ]
    path.write_bytes(b"\n".join(lines))
    monkeypatch.setattr(trials_module, "MAX_LINE_BYTES", 2000)
    read = list(read_trials(path))
    assert [one.subject for one in read] == [f"trials.jsonl, line {n}" for n in (1, 3, 4, 5, 6, 7, 8)]
    assert [one.trial.attempt if one.trial else None for one in read] == [1, None, None, None, 1, None, 2]
    problems = [one.problem.message for one in read if one.problem]
    assert "line 3: found NaN" in problems[0]
    assert "in the middle of a value" in problems[1]
    assert "one trial a line" in problems[2]
    assert "more than 2000 bytes" in problems[3]
    assert [loss.field for loss in read[4].losses] == ["format", "mood"]


def test_a_run_s_folder_is_read_file_by_file(tmp_path: Path) -> None:
    files = {
        "one/one.traj.json": MINI,
        "two/agent/trajectory.json": ATIF,
        "three.traj.json": MINI[:50],
        "preds.json": json.dumps({"one": {"model_patch": "diff"}}),
        "config.json": '{"a": 1}',
        "notes.txt": "x",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    read = {one.subject: one for one in read_trajectories(tmp_path)}
    assert set(read) == {"one/one.traj.json", "two/agent/trajectory.json", "three.traj.json", "link.json"}
    one, two = read["one/one.traj.json"].trial, read["two/agent/trajectory.json"].trial
    assert one is not None and (one.task, one.patch) == ("one", b"diff")
    assert two is not None and (two.task, two.agent) == ("two", "a")
    assert [loss.field for loss in read["two/agent/trajectory.json"].losses] == ["task"]
    assert read["three.traj.json"].problem is not None
    assert read["link.json"].problem is not None
    assert [r.trial.task for r in read_trajectories(tmp_path / "one/one.traj.json") if r.trial] == ["one"]
    (other,) = read_trajectories(tmp_path / "config.json")
    assert other.problem is not None and "JSON of another kind" in other.problem.message
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="found no trajectory"):
        list(read_trajectories(tmp_path / "empty"))


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials_module, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.json").write_text(ATIF)
    (one,) = read_trajectories(tmp_path / "a.json")
    assert one.problem is not None and f"found {len(ATIF)} bytes" in one.problem.message


def test_a_data_set_is_laid_out_in_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "GROUP_BYTES", 1)
    monkeypatch.setattr(rows_module, "SHARD_BYTES", 300)
    trials = [trial(n, n % 2 == 0) for n in range(1, 7)]
    written = write_data_set(tmp_path / "set", {"kto": rows("kto", trials), "dpo": rows("dpo", trials)})
    found = sorted(str(p.relative_to(tmp_path / "set")) for p in (tmp_path / "set").rglob("*") if p.is_file())
    count = len([name for name in found if name.startswith("data/kto")])
    assert count > 1
    assert found[0] == "README.md"
    assert f"data/kto/train-00000-of-{count:05d}.parquet" in found
    assert "losses.jsonl" in found
    assert [(c.name, c.row_count) for c in written.configs] == [("kto", 6), ("dpo", 3)]
    table = import_module("pyarrow.parquet").read_table(tmp_path / f"set/data/kto/train-00000-of-{count:05d}.parquet")
    assert json.loads(table.column("prompt")[0].as_py()[0]) == {"role": "user", "content": "Fix it."}
    lost = [json.loads(line) for line in (tmp_path / "set/losses.jsonl").read_text().splitlines()]
    assert {"subject": "t", "field": "licence", "reason": "nobody knows the licence of the task's code"} in lost
    with pytest.raises(InputError, match="is there already"):
        write_data_set(tmp_path / "set", {})


def test_json_lines_need_no_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(rows_module, "import_module", absent)
    with pytest.raises(PrerequisiteError) as caught:
        write_data_set(tmp_path / "set", {"sft": rows("sft", [trial(1, True)])})
    assert "pip install 'swe-assay[parquet]'" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []  # nothing half written
    write_data_set(tmp_path / "set", {"sft": rows("sft", [trial(1, True)])}, layout="jsonl")
    (line,) = (tmp_path / "set/data/sft/train-00000-of-00001.jsonl").read_text().splitlines()
    assert [message["role"] for message in json.loads(line)["messages"]] == ["user", "assistant"]


def test_no_row_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no row came out.*1 times: never judged"):
        write_data_set(tmp_path / "set", {"sft": rows("sft", [Trial(task="t", agent="a")])})
    assert list(tmp_path.iterdir()) == []


def test_files_of_trials_go_out_in_every_format(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    write_trials(path, [trial(1, True), trial(2, False), Trial(task="t", agent="a")])
    with path.open("ab") as file:
        file.write(b"{\n")

    def export(name: str, place: str, layout: Layout = "jsonl") -> list[Converted]:
        events = list[Event]()
        options = ExportOptions(name, (path,), tmp_path / place, layout)
        done = export_trials(options, None, events.append)
        assert events == done
        return done

    done = export("atif", "atif")
    assert [bool(one.problem) for one in done] == [False, False, True, True]
    assert {loss.field for loss in done[1].losses} == {"task", "attempt", "resolved", "reward"}
    read = list(read_trajectories(tmp_path / "atif"))
    assert [one.trial.trajectory if one.trial else None for one in read] == [trial(1, True).trajectory] * 2
    for name in TRIAL_FORMATS[1:]:
        done = export(name, name)
        assert done[-1].problem is not None or done[-1].paths == (tmp_path / name,)
        assert [one.subject for one in done if one.problem and not one.paths][-1:] == ["trials.jsonl, line 4"]
    chats = (tmp_path / "chat/chats.jsonl").read_text().splitlines()
    assert [[message["role"] for message in json.loads(line)["messages"]] for line in chats] == [
        ["user", "assistant"]
    ] * 2
    with pytest.raises(InputError, match="there already"):
        export("sft", "sft")
    with pytest.raises(InputError, match="no format 'ppo'"):
        export("ppo", "new")


def test_trajectories_of_others_become_a_file_of_trials(tmp_path: Path) -> None:
    theirs, events = tmp_path / "run-7", list[Event]()
    theirs.mkdir()
    trajectory = trial(1, True).trajectory
    assert trajectory is not None
    (theirs / "a.json").write_bytes(atif_bytes(trajectory))
    (theirs / "b.json").write_text('{"schema_version": "ATIF-v1.8", "steps": [')
    options = ImportOptions("trajectories", (theirs, tmp_path / "nothing"))
    done = import_trajectories(options, tmp_path / "trials", events.append)
    assert events == done
    assert [(bool(one.problem), bool(one.paths)) for one in done] == [(False, True), (True, False), (True, False)]
    (again,) = read_trials(tmp_path / "trials" / "run-7.jsonl")
    assert again.trial is not None
    assert (again.trial.trajectory, again.trial.resolved) == (trajectory, None)
