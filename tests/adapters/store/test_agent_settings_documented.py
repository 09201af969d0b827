"""docs/agents.md shows tables for assay.toml: each can be read, and the agents in it can be made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from assay.adapters.agent.command import KNOWN, CommandAgent
from assay.model.agent import AgentSettings, ModelSettings
from assay.model.project import ProjectSettings

DOCUMENT = (Path(__file__).parents[3] / "docs/agents.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_table_can_be_read(block: str) -> None:
    project = ProjectSettings.model_validate(tomllib.loads(re.sub(r"^# (?=\w+ = )", "", block, flags=re.MULTILINE)))
    assert project.agents or project.models
    for settings in project.agents.values():
        if settings.kind == "command":
            assert CommandAgent(settings).settings["command"] == settings.command


def test_every_key_and_every_name_is_documented() -> None:
    shown = "\n".join(BLOCKS)
    for name in (*ModelSettings.model_fields, *AgentSettings.model_fields):
        assert re.search(rf"(^# |^|\.){name}( =|\])", shown, re.MULTILINE), name
    assert set(re.findall(r"`\{(\w+)\}`", DOCUMENT)) - {"print"} == set(KNOWN)
