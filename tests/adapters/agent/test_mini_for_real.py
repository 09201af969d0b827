"""mini-swe-agent itself, installed by our extra into an environment of its own; real sandboxes, a scripted model.

It runs once; each test looks at some of what came out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.sandbox]

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, os, sys
from pathlib import Path
import anyio
from assay import app
from assay.adapters.model.endpoint import Endpoint, Patience
from assay.adapters.model.gate import LoopbackGate
from assay.adapters.agent.mini import MiniAgent
from assay.errors import SandboxError
from assay.model.agent import AgentChoice, AgentSettings, ModelSettings, TrialLimits
from assay.ports.agent import Workplace
from assay.model.project import ProjectSettings
from assay.stages.attempt import prepare_attempts
from assay.stages.trial import try_task
from assay.testing.puzzle import puzzle
from assay.testing.scripted_model import KEY, Refusal, scripted_model
from assay.wiring import entering

SOLVE = "sed -i 's/int(sys.argv.1.)/int(sys.argv[1]) * 2/' double.py"
folder = Path(sys.argv[1])
app.init_project(folder)
path = puzzle(folder / "tasks" / "double")
found = {}

async def nothing(trial):
    pass

class Broken:
    async def run(self, command, wall_seconds=None):
        raise SandboxError("the sandbox is gone")

async def main():
    async with app.workbench(folder, path.parent) as tools:
        prepared = await prepare_attempts(path, tools, lambda _: None)

        async def trial(name, model, settings={}, **limits):
            choice = AgentChoice("mini", "scripted", model.url, limits=TrialLimits(**limits))
            project = ProjectSettings.model_validate({"agents": {"mini": {"kind": "mini", "settings": settings}}})
            entering_one = entering(choice, project, folder / ".assay")
            patience = Patience(tries=2, pause_seconds=0.0)
            gate = LoopbackGate(Endpoint("scripted", model.url, KEY), ModelSettings(), folder / "g", patience=patience)
            done = await try_task(
                prepared, entering_one.agent, entering_one.entrant, 1, tools, nothing, gate
            )
            found[name] = {**done.model_dump(mode="json"), "keys": model.keys, "asked": model.requests}

        for name, probability in (("solves", 1.0), ("idles", 0.0)):
            with scripted_model(SOLVE, probability) as model:
                await trial(name, model, {"model_kwargs": {"temperature": 0.5}})
        with scripted_model(SOLVE + "; sleep 1000") as model:
            await trial("hangs", model, wall_seconds=3)
        with scripted_model(SOLVE, steps=50) as model:
            await trial("wanders", model, step_count=3)
        with scripted_model(SOLVE) as model:
            model.faults += [None, Refusal(500), Refusal(500)]
            await trial("is let down", model)
        with scripted_model(SOLVE) as model:
            agent = MiniAgent(AgentSettings(kind="mini"))
            async with LoopbackGate(Endpoint("scripted", model.url, KEY), ModelSettings(), folder / "g").open(
                TrialLimits()
            ) as gate:
                place = Workplace("Solve it.", Broken(), TrialLimits(), 1, "python", gate.outside)
                try:
                    await agent.work(place)
                except SandboxError as error:
                    found["breaks"] = str(error)
        with scripted_model(SOLVE) as model:
            model.always = "overflow"
            await trial("says too much", model)

anyio.run(main)
found["environment"] = {name: value for name, value in os.environ.items() if "MSWEA" in name or name == "PLANTED"}
found["litellm"] = "litellm" in sys.modules
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program told, run by an interpreter that has assay with its extra `mini`."""
    dependencies = (ROOT / "pyproject.toml").read_bytes()
    key = hashlib.sha256(b"%s %s %s" % (dependencies, sys.version.encode(), str(ROOT).encode())).hexdigest()[:12]
    place = request.config.cache.mkdir(f"mini-{key}")
    python, done = place / "bin" / "python", place / "complete"
    if not done.exists():
        uv = [find_uv_bin()]
        for line in (
            [*uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)],
            [*uv, "pip", "install", "-q", "--python", str(python), "-e", f"{ROOT}[mini]"],
        ):
            subprocess.run(line, check=True, capture_output=True, text=True)
        done.touch()
    folder = tmp_path_factory.mktemp("mini")
    (folder / "config" / "mini-swe-agent").mkdir(parents=True)
    (folder / "config" / "mini-swe-agent" / ".env").write_text("PLANTED=1\nMSWEA_MODEL_NAME=other\n")
    variables = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "MSWEA_GLOBAL_COST_LIMIT": "0.000001"}
    argv = [str(python), "-c", PROGRAM, str(folder / "project")]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, env=variables)
    assert told.returncode == 0, told.stderr[-3000:]
    assert told.stdout.count("\n") == 1  # the library says nothing of its own
    return json.loads(told.stdout)


def test_it_solves_as_often_as_its_model_does(found: Any) -> None:
    assert (found["solves"]["resolved"], found["solves"]["ended"]) == (True, "submitted")
    assert (found["idles"]["resolved"], found["idles"]["ended"]) == (False, "submitted")
    assert found["idles"]["patch"] == ""


def test_its_trajectory_is_told_in_our_words(found: Any) -> None:
    trajectory = found["solves"]["trajectory"]
    assert [step["source"] for step in trajectory["steps"]] == ["system", "user", "agent", "agent"]
    assert "Make `double.py N` print twice N." in trajectory["steps"][1]["message"]
    step = trajectory["steps"][2]
    assert step["tool_calls"][0]["function_name"] == "bash"
    assert json.loads(step["observation"]["results"][0]["content"])["returncode"] == 0
    assert step["metrics"]["prompt_tokens"] > 100
    assert step["metrics"]["cost_usd"] is None
    assert found["solves"]["cost"]["model_call_count"] == 2
    assert found["solves"]["extra"]["exchanges_sha256"]


def test_nothing_of_the_users_environment_is_consulted(found: Any) -> None:
    assert found["environment"] == {"MSWEA_GLOBAL_COST_LIMIT": "0.000001"}
    assert found["litellm"] is False
    asked = found["solves"]["asked"][0]
    assert (asked["model"], asked["temperature"]) == ("scripted", 0.5)
    assert set(found["solves"]["keys"]) == {"Bearer key-of-the-scripted-model"}


def test_it_is_ended_at_limits_and_judged(found: Any) -> None:
    assert (found["hangs"]["ended"], found["hangs"]["resolved"]) == ("limit-wall", True)
    assert len(found["hangs"]["trajectory"]["steps"]) == 3
    assert (found["wanders"]["ended"], found["wanders"]["resolved"]) == ("limit-steps", True)
    assert found["wanders"]["cost"]["model_call_count"] == 3


def test_a_fault_of_the_endpoint_is_no_score_and_too_long_a_prompt_is_its_own(found: Any) -> None:
    assert found["is let down"]["failure"]["boundary"] == "provider"
    assert found["is let down"]["resolved"] is None
    assert (found["says too much"]["failure"], found["says too much"]["resolved"]) == (None, False)


def test_a_sandbox_that_breaks_is_raised_as_what_it_is(found: Any) -> None:
    assert found["breaks"] == "the sandbox is gone"
