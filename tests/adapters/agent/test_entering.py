"""Which agent a choice makes, with what model, and what is refused before anything is tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.agent.command import CommandAgent
from assay.errors import InputError
from assay.model.agent import AgentChoice, AgentSettings, ModelSettings, TrialLimits
from assay.model.project import ProjectSettings
from assay.wiring import Entering, entering


def entered(folder: Path, project: ProjectSettings | None = None, **choice: Any) -> Entering:
    return entering(AgentChoice(**choice), project or ProjectSettings(), folder)


def test_agents_by_name(tmp_path: Path) -> None:
    assert entered(tmp_path, agent="oracle").entrant.name == "oracle"
    found = entered(tmp_path, agent="command", command="x {model}", model="m", limits=TrialLimits(step_count=3))
    assert isinstance(found.agent, CommandAgent)
    assert found.gate is not None
    assert found.entrant.name == "command, m"
    assert found.entrant.limits.step_count == 3
    assert found.entrant.settings["command"] == "x {model}"


def test_agents_of_the_project(tmp_path: Path) -> None:
    ours = AgentSettings(command="ours", version="7", variables={"A": "1"})
    project = ProjectSettings(agents={"ours": ours})
    found = entered(tmp_path, project, agent="ours")
    assert (found.entrant.agent, found.entrant.agent_version, found.gate) == ("ours", "7", None)
    assert found.entrant.settings["variables"] == {"A": "1"}
    other = entered(tmp_path, project, agent="ours", command="theirs")
    assert other.entrant != found.entrant


def test_predictions_are_an_agent_by_their_content(tmp_path: Path) -> None:
    file = tmp_path / "preds.jsonl"
    rows = [{"instance_id": "a", "model_name_or_path": "m", "model_patch": text} for text in ("one", "two")]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    found = entered(tmp_path, agent="patch", predictions=file)
    assert len(str(found.entrant.settings["predictions_sha256"])) == 64
    file.write_text("{")
    with pytest.raises(InputError):
        entered(tmp_path, agent="patch", predictions=file)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"agent": "absent"}, "no agent 'absent'"),
        ({"agent": "oracle", "model": "m"}, "no use for a model"),
        ({"agent": "oracle", "command": "x"}, "--command is not for"),
        ({"agent": "command"}, "has no command"),
        ({"agent": "command", "command": "x {url}"}, "needs a model"),
        ({"agent": "patch"}, "--predictions belongs to"),
        ({"agent": "nop", "predictions": Path("x")}, "--predictions belongs to"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, choice: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        entered(tmp_path, **choice)


def test_keys_come_from_the_variable_that_a_model_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ProjectSettings(models={"m": ModelSettings(key_variable="OTHER_KEY")})
    choice = {"agent": "command", "command": "x", "model": "m"}
    monkeypatch.delenv("OTHER_KEY", raising=False)
    with pytest.raises(InputError, match="OTHER_KEY is not set"):
        entered(tmp_path, project, **choice)
    monkeypatch.setenv("OTHER_KEY", "secret-of-other")
    found = entered(tmp_path, project, **choice)
    assert "secret-of-other" not in repr(found)
