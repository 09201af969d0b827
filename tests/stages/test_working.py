"""Trials of agents that work: real sandboxes, a puzzle, a scripted model; whatever they do has an end with a name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from assay import app
from assay.adapters.agent.builtin import PredictionAgent
from assay.adapters.agent.command import CommandAgent
from assay.adapters.model.endpoint import Endpoint, Patience
from assay.adapters.model.gate import LoopbackGate
from assay.errors import InputError
from assay.model.agent import AgentSettings, Entrant, ModelSettings, TrialLimits
from assay.model.trial import Trial
from assay.ports.agent import Worker
from assay.stages.attempt import prepare_attempts
from assay.stages.judging import Prepared
from assay.stages.toolbox import Toolbox
from assay.stages.trial import try_task
from assay.testing.puzzle import GOLD, INSTRUCTION, WRONG, puzzle
from assay.testing.scripted_model import KEY, Refusal, ScriptedModel, scripted_model

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox]

SOLVE = "sed -i 's/int(sys.argv\\[1\\])/int(sys.argv[1]) * 2/' double.py"
PRICES = ModelSettings(input_usd=1, output_usd=2)
LOOP = """
import json, os, subprocess, sys, urllib.request
messages = [{"role": "user", "content": open(sys.argv[1]).read()}]
tool = {"name": "bash", "parameters": {"properties": {"command": {"type": "string"}}, "required": ["command"]}}
while True:
    body = {"model": sys.argv[2], "messages": messages, "tools": [{"type": "function", "function": tool}], "seed": 1}
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
    message = json.load(urllib.request.urlopen(request))["choices"][0]["message"]
    messages.append(message)
    if not message.get("tool_calls"):
        break
    for call in message["tool_calls"]:
        line = json.loads(call["function"]["arguments"])["command"]
        out = subprocess.run(["bash", "-c", line], stdout=-1, stderr=-2).stdout.decode()
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": out or "nothing"})
print("done")
"""
"""A coding agent of sixteen lines."""


@dataclass
class Bench:
    """A prepared puzzle and what trials it."""

    prepared: Prepared
    tools: Toolbox
    folder: Path

    async def trial(self, agent: Any, model: ScriptedModel | None = None, **limits: Any) -> Trial:
        gate = None
        if model is not None:
            patience = Patience(tries=2, pause_seconds=0.0, first_byte_seconds=5, next_byte_seconds=5)
            gate = LoopbackGate(Endpoint("scripted", model.url, KEY), PRICES, self.folder / "gates", patience=patience)
        settings = agent.settings if isinstance(agent, Worker) else {}
        entrant = Entrant(agent=agent.name, model="scripted", limits=TrialLimits(**limits), settings=settings)
        told: list[Trial] = []

        async def on_worked(trial: Trial) -> None:
            told.append(trial)

        found = await try_task(self.prepared, agent, entrant, 1, self.tools, on_worked, gate)
        assert len(told) == (found.failure is None or found.verdict is not None)
        return found

    def exchanges(self, trial: Trial) -> list[dict[str, Any]]:
        lines = self.tools.store.get_blob(str(trial.extra["exchanges_sha256"])).splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder = app.init_project(tmp_path_factory.mktemp("project")).parent
    path = puzzle(folder / "tasks" / "double")
    async with app.workbench(folder, path.parent) as tools:
        yield Bench(await prepare_attempts(path, tools, lambda _: None), tools, folder)


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model(SOLVE) as made:
        yield made


def script(line: str, *, has_model: bool = False, **more: Any) -> CommandAgent:
    return CommandAgent(AgentSettings(command=line, **more), has_model=has_model)


@pytest.fixture
def loop(tmp_path: Path) -> CommandAgent:
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "loop.py").write_text(LOOP)
    line = "python /opt/agent/loop.py {prompt_file} {model}"
    return script(line, has_model=True, mounts=(f"{tmp_path / 'agent'}:/opt/agent",))


async def test_a_script_solves_and_its_patch_is_read_from_outside(bench: Bench) -> None:
    check = 'test "$(cat {prompt_file})" = "$(printf %s {prompt})" && test $(git log --oneline | wc -l) = 1'
    check += " && git status --short"
    trial = await bench.trial(script(f"{check} && {SOLVE} && echo caf\u00e9 && ls -A"))
    assert (trial.resolved, trial.ended, trial.reason) == (True, "submitted", "")
    assert trial.patch is not None and b"argv[1]) * 2" in trial.patch and b".git" not in trial.patch
    assert trial.extra["output"] == "caf\u00e9\n.git\ndouble.py\n"
    assert trial.trajectory is not None
    assert [step.source for step in trial.trajectory.steps] == ["user"]
    assert trial.trajectory.steps[0].message == INSTRUCTION
    assert trial.cost is not None and (trial.cost.usd, trial.cost.model_call_count) == (0, 0)


async def test_an_agent_inside_works_with_its_model(bench: Bench, model: ScriptedModel, loop: CommandAgent) -> None:
    trial = await bench.trial(loop, model)
    assert (trial.resolved, trial.ended) == (True, "submitted"), trial
    assert trial.extra["output"] == "done\n"
    assert trial.trajectory is not None and trial.cost is not None
    assert [step.source for step in trial.trajectory.steps] == ["user", "agent", "agent"]
    step = trial.trajectory.steps[1]
    assert step.tool_calls is not None and step.observation is not None and step.metrics is not None
    assert step.tool_calls[0].arguments == {"command": SOLVE}
    assert step.observation.results[0].content == "nothing"
    lines = bench.exchanges(trial)
    assert [line["status"] for line in lines] == [200, 200]
    assert trial.cost.usd == pytest.approx(sum(line["usd"] for line in lines))
    assert trial.cost.prompt_tokens == sum(line["prompt_tokens"] for line in lines)
    assert KEY not in str(trial) + str(lines)


async def test_the_same_seed_ends_the_same_way(bench: Bench, loop: CommandAgent) -> None:
    with scripted_model(SOLVE, 0.0) as model:
        trial = await bench.trial(loop, model)
    assert (trial.resolved, trial.reason, trial.patch) == (False, "tests-failed", b"")


@pytest.mark.parametrize(
    ("line", "ended", "reason"),
    [
        ("rm -rf .git * .[!.]*", "submitted", "tests-failed"),
        ("exit 3", "exit-status-3", "tests-failed"),
        ("kill -9 $$", "exit-status-137", "tests-failed"),
        ("true", "submitted", "tests-failed"),
        ("head -c 30000000 /dev/zero", "submitted", "tests-failed"),
        (f"{SOLVE}; (sleep 1000 &) ; exec 1>&-", "submitted", ""),
        ("mkdir tests; echo 'cases = []' > tests/hidden.cases.toml", "submitted", "tests-failed"),
        ("for i in 1 2 3 4 5 6 7 8; do fallocate -l 400M b$i; done; sleep 20", "limit-disk", "tests-failed"),
        ("f() { f | f & }; f; sleep 5", None, "tests-failed"),
        ("echo > /dev/tcp/1.1.1.1/80", "exit-status-1", "tests-failed"),
        ("no-such-agent", "exit-status-127", "tests-failed"),
    ],
)  # fmt: skip
async def test_whatever_an_agent_does_is_judged(bench: Bench, line: str, ended: str | None, reason: str) -> None:
    trial = await bench.trial(script(line), wall_seconds=30)
    assert trial.failure is None, trial.failure
    assert (trial.resolved, trial.reason) == (reason == "", reason)
    assert ended in (None, trial.ended), trial.ended
    assert len(str(trial.extra["output"])) < 600_000


async def test_an_agent_that_hangs_is_ended_and_judged(bench: Bench) -> None:
    trial = await bench.trial(script(f"{SOLVE}; echo here; sleep 1000"), wall_seconds=1)
    assert (trial.ended, trial.resolved) == ("limit-wall", True)
    assert trial.extra["output"] == "here\n"


async def test_limits_of_the_model_end_a_trial_that_is_judged_all_the_same(
    bench: Bench, model: ScriptedModel, loop: CommandAgent
) -> None:
    trial = await bench.trial(loop, model, step_count=1)
    assert (trial.ended, trial.resolved) == ("limit-steps", True)
    assert trial.cost is not None and trial.cost.model_call_count == 1


@pytest.mark.parametrize("fault", [Refusal(500), "nonsense", "hang-up"])
async def test_an_endpoint_that_fails_gives_no_score(
    bench: Bench, model: ScriptedModel, loop: CommandAgent, fault: Any
) -> None:
    model.faults += [None, *[fault] * 5]  # type: ignore[list-item]
    trial = await bench.trial(loop, model)
    assert trial.failure is not None and (trial.failure.boundary, trial.resolved) == ("provider", None)
    assert trial.cost is not None and trial.cost.model_call_count == 2
    assert len(bench.exchanges(trial)) == 2


async def test_a_prompt_that_is_too_long_is_the_agents_end(
    bench: Bench, model: ScriptedModel, loop: CommandAgent
) -> None:
    model.always = "overflow"
    trial = await bench.trial(loop, model)
    assert (trial.failure, trial.ended, trial.resolved) == (None, "exit-status-1", False)


async def test_a_wrong_key_stops_everything(bench: Bench, model: ScriptedModel, loop: CommandAgent) -> None:
    model.always = Refusal(401)
    with pytest.raises(InputError, match="refuses the model"):
        await bench.trial(loop, model)


async def test_nothing_of_the_key_or_of_other_trials_is_seen_inside(bench: Bench, model: ScriptedModel) -> None:
    ask = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], headers={'Authorization': 'Bearer x'}))"
    line = "env; cat /proc/*/environ | tr '\\0' '\\n'; ls -AR /assay; touch /assay/model/x; "
    line += f'python -c "{ask}" {{url}}/models 2>&1 | tail -1'
    trial = await bench.trial(script(line, has_model=True), model)
    said = str(trial.extra["output"])
    assert KEY not in said and "OPENAI_API_KEY=assay-" in said
    assert "HTTP Error 401" in said
    assert "Read-only file system" in said
    assert said.count("model.sock") == 1
    assert model.requests == []


async def test_who_cancels_a_trial_ends_its_agent_and_its_gate(
    bench: Bench, model: ScriptedModel, loop: CommandAgent
) -> None:
    model.solution = "sleep 1000"
    async with anyio.create_task_group() as group:
        group.start_soon(bench.trial, loop, model)
        while not model.requests:  # noqa: ASYNC110  the endpoint is in a thread of its own
            await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert list((bench.folder / "gates").iterdir()) == []
    assert list((bench.folder / ".assay" / "sandboxes").iterdir()) == []


async def test_predictions_are_tried_one_after_the_other(bench: Bench) -> None:
    agent = PredictionAgent({"double": [GOLD.encode(), WRONG.encode()]})
    found = []
    for number in (1, 2):

        async def on_worked(trial: Trial) -> None:
            assert trial.verdict is None

        found.append(await try_task(bench.prepared, agent, Entrant(agent="patch"), number, bench.tools, on_worked))
    assert [trial.resolved for trial in found] == [True, False]
    with pytest.raises(InputError, match="2 predictions for double"):
        await agent.attempt(bench.prepared.task, 3)


def test_a_template_is_quoted_and_its_names_are_held_against_those_there_are() -> None:
    with pytest.raises(InputError, match="prompt_fil") as error:
        script("x {prompt_fil}")
    assert error.value.hint == "did you mean {prompt_file}?"
    with pytest.raises(InputError, match="no command"):
        script(" ")
    assert script("awk '{print}' ${HOME} {model}").has_model
    assert not script("x").has_model
    with pytest.raises(InputError, match="no absolute path"):
        script("x", mounts=("here",)).demands()
