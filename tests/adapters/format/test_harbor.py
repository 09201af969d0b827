"""Task folders survive the disk, and nonsense is told plainly."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assay.adapters.format.harbor import HarborFormat
from assay.core.hashing import task_digest
from assay.core.staleness import is_stale
from assay.errors import InputError, TaskDefinitionError
from assay.model.evidence import Evidence
from assay.model.task import AssayMetadata, Task
from assay.model.tree import FileState


def a_task() -> Task:
    table = {
        "format": 1,
        "source": {"kind": "pypi", "origin": "x", "base_revision": "1", "gold_revision": "2"},
        "environment": {"python": "3.11"},
        "test_files": ["tests/test_a.py"],
        "fail_to_pass": ["tests/test_a.py::test_a"],
        "pass_to_pass": [],
        "provenance": {"instruction": "maintainers", "tests": "maintainers", "gold": "maintainers"},
    }
    config = {"schema_version": "1.4", "task": {"name": "assay/x"}, "odd": {"k": [1.5]}, "metadata": {"assay": table}}
    files = {
        "solution/gold.patch": FileState(b"\xff\r\n"),
        "solution/solve.sh": FileState(b"#!/bin/sh\n", "100755"),
        "tests/files/tests/link": FileState(b"../test_a.py", "120000"),
        "tests/files/n\udcff": FileState(b""),
    }
    return Task("x", config, AssayMetadata.model_validate(table), "Do it.\r\n", files)


def test_round_trip_and_evidence_is_kept(tmp_path: Path) -> None:
    harbor, task = HarborFormat(), a_task()
    path = harbor.write(task, tmp_path)
    digest = task_digest(task)
    evidence = Evidence(stage="verify", task_digest=digest, assay_version="0", created_at=datetime.now(UTC))
    harbor.write_evidence(path, evidence)
    harbor.write(task, tmp_path)
    again = harbor.read(path)
    assert again == task
    assert task_digest(again) == digest
    assert harbor.read_evidence(path, "verify") == evidence
    assert harbor.read_evidence(path, "audit") is None
    assert not is_stale(evidence, digest)
    assert is_stale(evidence, task_digest(task.with_instruction("other")))
    assert [place.name for place in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("text", [b"\xff", b"a = ", b"a = " + b"[" * 5000, b"metadata = 1", b"[task]\nname = 'x'"])
def test_nonsense_is_a_definition_error(tmp_path: Path, text: bytes) -> None:
    path = HarborFormat().write(a_task(), tmp_path)
    (path / "task.toml").write_bytes(text)
    with pytest.raises(TaskDefinitionError) as caught:
        HarborFormat().read(path)
    assert {"file", "key", "found", "expected"} <= set(caught.value.context)


def test_links_out_and_pipes_are_refused(tmp_path: Path) -> None:
    path = HarborFormat().write(a_task(), tmp_path)
    (path / "tests" / "out").symlink_to("../../..")
    with pytest.raises(TaskDefinitionError, match="link"):
        HarborFormat().read(path)
    (path / "tests" / "out").unlink()
    os.mkfifo(path / "tests" / "pipe")
    with pytest.raises(TaskDefinitionError):
        HarborFormat().read(path)


def test_a_newer_format_is_read_and_never_written_over(tmp_path: Path) -> None:
    path = HarborFormat().write(a_task(), tmp_path)
    text = (
        (path / "task.toml")
        .read_text()
        .replace("format = 1", "format = 2")
        .replace('kind = "pypi"', 'kind = "pypi"\nnew = 1')
    )
    (path / "task.toml").write_text(text)
    task = HarborFormat().read(path)
    assert task.assay.format == 2
    for other in (task, replace(a_task())):
        with pytest.raises(TaskDefinitionError):
            HarborFormat().write(other, tmp_path)


def test_what_is_no_task_folder_is_not_written_over(tmp_path: Path) -> None:
    task = a_task()
    stranger = tmp_path / task.slug
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("ten years of work")
    with pytest.raises(InputError, match="not a task folder"):
        HarborFormat().write(task, tmp_path)
    assert (stranger / "thesis.txt").read_text() == "ten years of work"


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".assay-999999999-x" / "new").mkdir(parents=True)
    HarborFormat().write(a_task(), tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == [a_task().slug]


def test_what_would_change_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    harbor, task = HarborFormat(), a_task()
    path = harbor.write(task, tmp_path)
    by_hand = b"# by hand\n" + (path / "task.toml").read_bytes()
    (path / "task.toml").write_bytes(by_hand)
    before = {place: place.read_bytes() for place in path.rglob("*") if place.is_file()}
    assert harbor.changes(path, harbor.read(path)) == ()
    other = task.with_instruction("Do it otherwise.\n")
    assert [change.path for change in harbor.changes(path, other)] == ["instruction.md"]
    table = {**task.config["metadata"]["assay"], "quarantined": ["x"]}
    assay = AssayMetadata.model_validate(table)
    files = {name: state for name, state in task.files.items() if name != "solution/solve.sh"}
    other = replace(task, config={**task.config, "metadata": {"assay": table}}, assay=assay, files=files)
    found = {change.path: change for change in harbor.changes(path, other)}
    assert found.keys() == {"task.toml", "solution/solve.sh"}
    assert found["solution/solve.sh"].new is None
    assert found["task.toml"].old == FileState(by_hand)
    assert {place: place.read_bytes() for place in path.rglob("*") if place.is_file()} == before
    with pytest.raises(TaskDefinitionError):
        harbor.changes(path, replace(task, assay=assay))
