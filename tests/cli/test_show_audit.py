"""`assay show` of a task that was audited: the findings for people, and what is stale or foreign said to be so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from assay.cli import main
from assay.cli.interface import App
from assay.model.audit import AuditRun
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.evidence import Evidence
from assay.model.summary import EvidenceLine, TaskView
from assay.model.task import AssayMetadata, Provenance, Task
from assay.model.tree import FileState
from assay.testing import audits

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def data_of(run: AuditRun) -> dict[str, Any]:
    return run.model_dump(mode="json", include={"checks", "proposals"})


class Shower:
    """Shows one task, whose audit says `data`."""

    def __init__(self, data: dict[str, Any], *, stale: bool = False) -> None:
        meta = AssayMetadata(
            source=SourceInfo(kind="git", origin="x", base_revision="a", gold_revision="b"),
            environment=Recipe(python="3.11"),
            test_files=("test.py",),
            fail_to_pass=("test.py::test_a",),
            pass_to_pass=(),
            provenance=Provenance(instruction="a person", tests="a person", gold="a person"),
        )
        task = Task("audited", {}, meta, "Do it.", {"solution/gold.patch": FileState(b"--- a\n")})
        evidence = Evidence(stage="audit", task_digest="d", assay_version="1", created_at=NOW, data=data)
        self._view = TaskView(Path("tasks/audited"), task, "d" * 64, (EvidenceLine(evidence, stale),))

    def show(self, project_dir: Path | None, what: str) -> TaskView:
        return self._view


def shown(capsys: pytest.CaptureFixture[str], shower: Shower, *words: str) -> str:
    assert main(["show", "audited", *words], cast("App", shower)) == 0
    return capsys.readouterr().out


def test_an_audit_is_shown_in_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, Shower(data_of(audits.troubled())))
    assert "\naudit\n" in out
    assert "  ✗ leaks         gate fails  the prompt holds 19 tokens of the change in a row" in out
    assert "  → take the answer out of the prompt and out of the environment" in out
    assert "not fit to train on: 3 gates fail (alternatives, hidden-names, leaks)" in out
    assert "--all shows every finding" in out
    assert "holds for the task as it is" in out
    assert "test_copyright_year" not in out


def test_all_of_it_is_shown_to_who_asks(capsys: pytest.CaptureFixture[str]) -> None:
    run = audits.troubled().model_copy(update={"proposals": (audits.PROPOSAL,)})
    out = shown(capsys, Shower(data_of(run)), "--all")
    assert "test_copyright_year" in out
    assert "proposal 1 of 1: say `replacement_stage` in the prompt" in out
    assert "--all" not in out


def test_a_stale_audit_is_said_to_be_stale_and_comes_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, Shower(data_of(audits.clean()), stale=True))
    assert "audit (stale: of the task as it was then)" in out
    assert "fit to train on" not in out


@pytest.mark.parametrize("data", [{}, {"checks": None}, {"checks": {"a": 1}}, {"checks": [], "proposals": "x"}])
def test_an_audit_that_says_nothing_is_no_yes(capsys: pytest.CaptureFixture[str], data: dict[str, Any]) -> None:
    assert "nobody knows: 5 gates are unknown" in shown(capsys, Shower(data))


def test_checks_of_another_version_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    data = data_of(audits.clean())
    data["checks"] += [{"check": "from-a-newer-version"}, 3]
    out = shown(capsys, Shower(data))
    assert "2 checks in the words of another version; --json has them" in out
    assert "✓ leaks" in out
    assert main(["show", "audited", "--json"], cast("App", Shower(data))) == 0
    [line] = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(line["evidence"][0]["data"]["checks"]) == 13
