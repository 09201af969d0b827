"""A whole run of predictions in real sandboxes: shared tasks, remembered verdicts, and what is no answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay import app
from assay.model.event import Event
from assay.model.prediction import Graded, GradeOptions
from assay.testing.puzzle import GOLD, WRONG, puzzle

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    app.init_project(tmp_path)
    puzzle(tmp_path / "tasks" / "double")
    broken = puzzle(tmp_path / "tasks" / "broken")
    (broken / "solution" / "gold.patch").write_text(WRONG)
    (puzzle(tmp_path / "tasks" / "unread") / "instruction.md").unlink()
    lines = [
        json.dumps({"instance_id": name, "model_name_or_path": model, "model_patch": patch})
        for name, model, patch in (
            ("double", "good", GOLD),
            ("double", "bad", WRONG),
            ("double", "none", ""),
            ("broken", "good", GOLD),
            ("unread", "good", GOLD),
            ("nowhere", "good", GOLD),
        )
    ]
    (tmp_path / "preds.jsonl").write_text("\n".join([*lines, '{"instance_id": "trunc']))
    return tmp_path


async def graded(project: Path, events: list[Event]) -> list[Graded]:
    tasks = tuple(sorted((project / "tasks").iterdir()))
    return await app.grade(GradeOptions(project / "preds.jsonl", tasks), project, events.append)


def told(one: Graded) -> str:
    if one.verdict is None:
        return "problem"
    return "fault" if one.verdict.failure else f"{one.verdict.resolved} {one.verdict.reason}".strip()


async def test_a_run_is_graded_once_and_faults_are_no_answers(project: Path) -> None:
    events: list[Event] = []
    first = await graded(project, events)
    assert [told(one) for one in first] == [
        "True", "False tests-failed", "False empty-patch", "fault", "problem", "problem", "problem"
    ]  # fmt: skip
    assert {id(one) for one in events if isinstance(one, Graded)} == {id(one) for one in first}
    assert not any(one.recalled for one in first)
    again = await graded(project, [])
    assert [one.recalled for one in again] == [True, True, False, False, False, False, False]
    assert [told(one) for one in again] == [told(one) for one in first]
    assert [one.verdict and one.verdict.agent for one in again][:3] == ["good", "bad", "none"]
