"""What we write is loaded by the libraries that it is for: atif, datasets, TRL, transformers, verifiers.

They are installed once, in the versions named here, into an environment of their own. TRL comes without torch (5.6 GB):
its functions for data need none. Its trainers do, and are not run here.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from uv import find_uv_bin

from assay.adapters.exchange.packages import PlainExporter, VerifiersExporter
from assay.adapters.exchange.rows import write_data_set
from assay.adapters.format.harbor import HarborFormat
from assay.core.exchange.atif import atif_bytes
from assay.core.exchange.shapes import SHAPES, rows
from assay.model.trajectory import Trajectory
from assay.model.trial import Trial
from assay.ports.exchange import Exporter
from assay.testing.puzzle import puzzle

pytestmark = [pytest.mark.network, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
LIBRARIES = ("atif==1.8.0", "datasets==5.2.0", "transformers==5.0.0", "jinja2", "verifiers==0.4.0")
ALONE = ("trl==1.16.0",)
"""Without what they require."""


@pytest.fixture(scope="session")
def peers(request: pytest.FixtureRequest) -> Path:
    """The interpreter of the libraries' environment, which also has this very assay."""
    key = hashlib.sha256(json.dumps([LIBRARIES, ALONE, sys.version, str(ROOT)]).encode()).hexdigest()[:12]
    place = request.config.cache.mkdir(f"peers-{key}")
    python, done = place / "bin" / "python", place / "complete"
    if not done.exists():
        uv = [find_uv_bin()]
        install = [*uv, "pip", "install", "-q", "--python", str(python)]
        for line in (
            [*uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)],
            [*install, *LIBRARIES, "-e", str(ROOT)],
            [*install, "--no-deps", *ALONE],
        ):
            subprocess.run(line, check=True, capture_output=True, text=True)
        done.touch()
    return python


def told(python: Path, program: str, folder: Path, *arguments: object) -> Any:
    """What a program prints in its last line, as JSON, run by that interpreter; its caches lie beside `folder`."""
    argv = [str(python), "-c", program, str(folder), *map(str, arguments)]
    cache = folder.parent / "cache"
    own = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cache / "hub"), "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, **own})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "bash",
            "description": "Run.",
            "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
        },
    }
]


def trajectory(number: int) -> Trajectory:
    """Calls whose arguments differ in keys and types from row to row, as Arrow does not like them."""
    arguments: dict[str, Any] = (
        {"command": "ls"} if number % 2 else {"command": ["ls", 1], "deep": {"a": None, "b": 1.5}}
    )
    call = {"tool_call_id": "c1", "function_name": "bash", "arguments": arguments}
    steps: list[dict[str, Any]] = [
        {"source": "system", "message": "You are a programmer."},
        {"source": "user", "message": "Fix it, caf\u00e9."},
        {
            "source": "agent",
            "message": "",
            "reasoning_content": "I look.",
            "tool_calls": [call],
            "observation": {"results": [{"source_call_id": "c1", "content": "src"}]},
            "metrics": {"prompt_tokens": 5, "cost_usd": 0.1, "extra": {"none": None}},
        },
        {"source": "agent", "message": f"Done {number}."},
    ]
    return Trajectory.model_validate(
        {
            "agent": {"name": "a", "version": "1", "tool_definitions": TOOLS},
            "steps": [{"step_id": n, **step} for n, step in enumerate(steps, 1)],
            "final_metrics": {"total_steps": len(steps)},
        }
    )


def trials() -> list[Trial]:
    return [
        Trial(task="t", agent="a", attempt=n, resolved=n > 2, reward=float(n > 2), trajectory=trajectory(n))
        for n in range(1, 5)
    ]


def test_atif_takes_what_we_write(peers: Path, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(atif_bytes(trajectory(1)))
    program = """
import json, sys
from atif import Trajectory
data = json.load(open(sys.argv[1]))
print(json.dumps([Trajectory.model_validate(data).to_json_dict() == data, data["schema_version"]]))
"""
    assert told(peers, program, tmp_path / "t.json") == [True, "ATIF-v1.8"]


DATASETS = """
import json, sys
from datasets import load_dataset, get_dataset_config_names
folder, cache = sys.argv[1:]
found = {}
for name in get_dataset_config_names(folder):
    data = load_dataset(folder, name, split="train", cache_dir=cache)
    found[name] = [len(data), str(data.features.get("messages") or data.features.get("prompt")), data[0]]
print(json.dumps(found))
"""


@pytest.mark.parametrize("layout", ["parquet", "jsonl"])
def test_datasets_loads_each_shape_by_its_card(peers: Path, tmp_path: Path, layout: Any) -> None:
    write_data_set(tmp_path / "set", {shape: rows(shape, trials()) for shape in SHAPES}, layout=layout)
    found = told(peers, DATASETS, tmp_path / "set", tmp_path / "cache")
    counts = {"sft": 2, "openai-sft": 2, "prompt-only": 1, "dpo": 2, "kto": 4, "reward": 2, "stepwise": 4}
    assert {name: count for name, (count, _, _) in found.items()} == counts
    _, feature, row = found["sft"]
    assert feature.startswith("List(Json(")
    assert row["messages"][2] == {
        "role": "assistant",
        "content": "",
        "reasoning_content": "I look.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "bash", "arguments": {"command": "ls"}}}],
    }
    assert row["tools"] == TOOLS
    assert found["openai-sft"][2]["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"command": "ls"}'
    assert found["kto"][2]["label"] is False
    assert found["stepwise"][2]["labels"] == [False, False]


TRL = """
import json, sys
from datasets import load_dataset
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pathlib import Path
import trl
from trl import extract_prompt, is_conversational, unpair_preference_dataset
folder, cache = sys.argv[1:]
names = ("sft", "prompt-only", "dpo", "kto", "reward")
sets = {name: load_dataset(folder, name, split="train", cache_dir=cache) for name in names}
reward = extract_prompt(sets["reward"][0])
template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
jinja = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
row = sets["sft"][0]
text = jinja.from_string(template).render(messages=row["messages"], tools=row["tools"])
print(json.dumps({
    "conversational": {name: is_conversational(data[0]) for name, data in sets.items()},
    "prompt": [message["role"] for message in reward["prompt"]],
    "same": reward["prompt"] + reward["chosen"] == sets["reward"][0]["chosen"],
    "unpaired": [row["label"] for row in unpair_preference_dataset(sets["dpo"])],
    "text": text,
    "torch": "torch" in sys.modules,
}))
"""


def test_trl_knows_each_shape(peers: Path, tmp_path: Path) -> None:
    shapes = [shape for shape in SHAPES if shape not in ("openai-sft", "stepwise")]
    write_data_set(tmp_path / "set", {shape: rows(shape, trials()) for shape in shapes})
    found = told(peers, TRL, tmp_path / "set", tmp_path / "cache")
    assert set(found["conversational"].values()) == {True}
    assert found["prompt"][:2] == ["system", "user"]
    assert found["same"]
    assert found["unpaired"] == [True, True, False, False]
    assert '"arguments": {"command": "ls"}' in found["text"]
    assert "<tool_response>\nsrc\n</tool_response>" in found["text"]
    assert found["torch"] is False


async def exported(exporter: Exporter, folder: Path, out: Path) -> None:
    tasks = [HarborFormat().read(puzzle(folder / name)) for name in ("double", "twice")]
    async for converted in exporter.write(tasks, out, None):
        assert converted.problem is None
        assert converted.losses == ()


VERIFIERS = """
import asyncio, base64, json, os, sys
sys.path.insert(0, sys.argv[1])
import my_tasks
import verifiers.v1 as vf

async def main():
    environment = my_tasks.load_environment()
    taskset = environment.taskset
    tasks = list(taskset)
    tools = my_tasks.AssayTools(vf.ToolsetConfig())
    async with tools._exit_stack:
        await tools.setup_task(tasks[0].data)
        said = [await tools.run_command("ls")]
        before = tools.state.patch
        said.append(await tools.run_command("sed -i 's/int(sys/2 * int(sys/' double.py"))
        after = tools.state.patch
    trace = vf.Trace.model_construct(rewards={}, metrics={}, info={}, state=my_tasks.AssayState(patch=after))
    await tasks[0].score(trace)
    print(json.dumps({
        "environment": type(environment).__name__,
        "harness": type(vf.load_harness(environment.config.agent_harnesses()["agent"])).__name__,
        "tasks": [task.key for task in tasks],
        "prompt": tasks[0].data.prompt,
        "said": said,
        "before": before,
        "reward": trace.rewards["resolved"].value,
    }))

asyncio.run(main())
"""


@pytest.mark.sandbox
def test_verifiers_loads_the_package_and_grades_by_our_verdict(peers: Path, tmp_path: Path) -> None:
    anyio.run(exported, VerifiersExporter(), tmp_path, tmp_path / "my-tasks")
    found = told(peers, VERIFIERS, tmp_path / "my-tasks")
    assert found["environment"] == "SingleAgentEnv"
    assert found["harness"] == "AssayHarness"
    assert found["tasks"] == ["double", "twice"]
    assert found["prompt"].startswith("Make `double.py N`")
    assert found["said"] == ["double.py\n[exit status 0]", "[exit status 0]"]
    assert (found["before"], found["reward"]) == ("", 1.0)


PLAIN = """
import inspect, json, sys
sys.path.insert(0, sys.argv[1])
from plain_tasks import environment_factory, task_names
from transformers.utils import get_json_schema
environment = environment_factory()
methods = [name for name, _ in inspect.getmembers(type(environment), predicate=inspect.isfunction)]
tools = [name for name in methods if name not in ("reset", "get_reward") and not name.startswith("_")]
schemas = [get_json_schema(getattr(environment, name))["function"] for name in tools]
prompt = environment.reset(task=task_names()[0])
first = environment.get_reward()
environment.run_command("sed -i 's/int(sys/2 * int(sys/' double.py")
print(json.dumps([[s["name"] for s in schemas], [sorted(s["parameters"]["properties"]) for s in schemas], prompt, first,
    environment.get_reward()]))
environment.close()
"""


@pytest.mark.sandbox
def test_the_plain_package_is_what_trl_s_environment_factory_takes(peers: Path, tmp_path: Path) -> None:
    """As GRPOTrainer of TRL 1.16 finds tools: public functions of the class, but for `reset` and `get_reward`."""
    anyio.run(exported, PlainExporter(), tmp_path, tmp_path / "plain-tasks")
    names, parameters, prompt, before, after = told(peers, PLAIN, tmp_path / "plain-tasks")
    assert names == ["run_command", "write_file"]
    assert parameters == [["command"], ["content", "path"]]
    assert prompt.startswith("Make `double.py N`")
    assert (before, after) == (0.0, 1.0)
