"""An agent inside a container reaches its model through the same socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import app
from assay.adapters.agent.command import CommandAgent
from assay.adapters.model.endpoint import Endpoint
from assay.adapters.model.gate import LoopbackGate
from assay.model.agent import AgentSettings, Entrant, ModelSettings
from assay.model.trial import Trial
from assay.stages.attempt import prepare_attempts
from assay.stages.trial import try_task
from assay.testing.puzzle import puzzle
from assay.testing.scripted_model import KEY, scripted_model

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

ASK = """
import json, os, urllib.request
body = {"model": "scripted", "messages": [{"role": "user", "content": "Solve it."}]}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
    {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
print(json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"].splitlines()[1])
"""


async def test_a_trial_in_docker(tmp_path: Path) -> None:
    folder = app.init_project(tmp_path / "project").parent
    path = puzzle(folder / "tasks" / "double")
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "ask.py").write_text(ASK)
    settings = AgentSettings(
        command='git log --oneline && bash -c "$(python /opt/agent/ask.py)"',
        mounts=(f"{tmp_path / 'agent'}:/opt/agent",),
    )

    async def on_worked(_: Trial) -> None:
        return

    with scripted_model("sed -i 's/int(sys.argv.1.)/int(sys.argv[1]) * 2/' double.py") as model:
        gate = LoopbackGate(Endpoint("scripted", model.url, KEY), ModelSettings(), folder / "gates")
        async with app.workbench(folder, path.parent, sandbox="docker") as tools:
            prepared = await prepare_attempts(path, tools, lambda _: None)
            agent = CommandAgent(settings, has_model=True)
            trial = await try_task(prepared, agent, Entrant(agent="command"), 1, tools, on_worked, gate)
    assert (trial.failure, trial.ended, trial.resolved) == (None, "submitted", True), trial.extra
    assert trial.cost is not None and trial.cost.model_call_count == 1
