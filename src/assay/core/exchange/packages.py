"""Python packages that bring tasks into training loops, as text: what assay writes, other people's programs import.

The packages are thin. The tasks lie in them as folders, and trying and judging is `assay.environment`'s, so that a
newer assay judges better without a new package.
"""

from __future__ import annotations

import json
import re

from assay import __version__
from assay.errors import InputError

VERIFIERS = "verifiers>=0.4,<0.5"
"""The interface (`verifiers.v1`) that the package is written for."""
TASKS = "tasks"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def package_name(folder: str) -> str:
    """The distribution's name for a folder's. Raises InputError when it can be none."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")
    if not _NAME.fullmatch(name):
        hint = "give a folder whose name begins with a letter, such as my-tasks"
        raise InputError(f"{folder!r} cannot be the name of a package", hint=hint)
    return name


def module_name(name: str) -> str:
    """The module's name for a distribution's."""
    return name.replace("-", "_")


def verifiers_package(name: str, task_count: int) -> dict[str, str]:
    """Files of an environment package for `verifiers`, by path; the tasks' folders go below `<module>/tasks/`."""
    module = module_name(name)
    return {
        "pyproject.toml": _pyproject(name, [VERIFIERS], ["verifiers", "assay"]),
        "README.md": _readme(name, task_count, _VERIFIERS_USE.replace("MODULE", module)),
        f"{module}/__init__.py": _VERIFIERS_MODULE.replace("MODULE", module),
    }


def plain_package(name: str, task_count: int) -> dict[str, str]:
    """Files of a package with an environment factory and nothing else."""
    module = module_name(name)
    return {
        "pyproject.toml": _pyproject(name, [], ["assay"]),
        "README.md": _readme(name, task_count, _PLAIN_USE.replace("MODULE", module)),
        f"{module}/__init__.py": _PLAIN_MODULE,
    }


def _pyproject(name: str, requirements: list[str], keywords: list[str]) -> str:
    # A development version is on no index: then whoever installs the package brings assay.
    ours = f"swe-assay>={__version__}" if re.fullmatch(r"[\d.]+", __version__) else "swe-assay"
    return f"""\
[project]
name = "{name}"
version = "0.1.0"
description = "Software-engineering tasks, judged by assay."
requires-python = ">=3.11"
dependencies = {json.dumps([ours, *requirements])}
keywords = {json.dumps(keywords)}

[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["{module_name(name)}"]
"""


def _readme(name: str, task_count: int, use: str) -> str:
    tasks = "1 task" if task_count == 1 else f"{task_count} tasks"
    return f"""\
# {name}

{tasks} for coding agents, written by `assay export`. Commands run in assay's sandbox on the machine that trains
(`assay doctor` says whether it can). The reward is 1.0 or 0.0 by assay's verdict; where no verdict was reached there is
no reward at all.

{use}
The tasks' hidden tests and reference changes are in this package: keep it from the agents. Each task has its own
licence, in `[metadata.assay.source]` of its `task.toml`.
"""


_PLAIN_USE = """\
```python
from MODULE import environment_factory, task_names

environment = environment_factory()
prompt = environment.reset(task=task_names()[0])
print(environment.run_command("ls"))
print(environment.get_reward())
```

`GRPOTrainer(environment_factory=environment_factory)` takes the same; its rows name a task in the column `task`.
"""

_PLAIN_MODULE = '''\
"""Tasks as a training environment. Written by `assay export`."""

from pathlib import Path

from assay.environment import TaskEnvironment
from assay.environment import environment_factory as _factory

TASKS = Path(__file__).parent / "tasks"
_make = None


def task_names() -> list[str]:
    """The tasks that `reset(task=...)` knows."""
    return sorted(place.parent.name for place in TASKS.glob("*/task.toml"))


def environment_factory() -> TaskEnvironment:
    """One environment; all of a process share what can be shared."""
    global _make
    if _make is None:
        _make = _factory(TASKS)
    return _make()
'''

_VERIFIERS_USE = """\
```python
from MODULE import load_environment

environment = load_environment()
```

`eval MODULE` runs it. The agent has two tools, `run_command` and `write_file`, which run in assay's sandbox; its own
program needs no container.
"""

_VERIFIERS_MODULE = '''\
"""Tasks as an environment for verifiers 0.4. Written by `assay export`.

Tools run in a sandbox of assay over the task's base, in the tool server's process. After each call the patch is read
out of it from outside and kept in the rollout's state, and the reward is the cold verdict on that patch.
"""

import base64
from pathlib import Path

import verifiers.v1 as vf
from assay.environment import COMMAND_SECONDS, as_text, judge, open_attempt
from verifiers.v1.harnesses.null import NullHarness

TASKS = Path(__file__).parent / "tasks"

__all__ = ["AssayHarness", "AssayTaskset", "load_environment"]


class AssayHarness(NullHarness):
    """A conversation with tools; nothing runs outside of assay's sandbox."""


class AssayState(vf.State):
    """What tool server and judge share."""

    patch: str = ""
    """What the agent has changed so far, as git's patch, in base64."""


class AssayData(vf.TaskData):
    """One task. `slug` is its folder."""

    slug: str


class AssayTools(vf.Toolset[vf.ToolsetConfig, AssayState]):
    """What the agent can do."""

    TOOL_PREFIX = None

    async def setup_task(self, task: AssayData) -> None:
        """Open the sandbox; it goes away with the server."""
        self._attempt = await self._exit_stack.enter_async_context(open_attempt(TASKS / task.slug))

    @vf.tool
    async def run_command(self, command: str) -> str:
        """Run a bash command in the repository's root directory and return its output and exit status. Files persist
        between commands; variables and the working directory do not."""
        return await self._done(await self._attempt.run(command, COMMAND_SECONDS))

    @vf.tool
    async def write_file(self, path: str, content: str) -> str:
        """Write a file of the repository (a path relative to its root directory), replacing it when it is there."""
        return await self._done(await self._attempt.put(path, content))

    async def _done(self, result) -> str:
        self.state.patch = base64.b64encode(await self._attempt.patch()).decode()
        return as_text(result)


class AssayTask(vf.Task[AssayData, AssayState, vf.TaskConfig]):
    """One task and its judge."""

    @property
    def key(self) -> str:
        """The same in every run."""
        return self.data.slug

    @classmethod
    def toolsets(cls, config: vf.TaskConfig) -> list[vf.Toolset]:
        """One server a rollout."""
        return [AssayTools(vf.ToolsetConfig())]

    @vf.reward
    async def resolved(self, trace: vf.Trace) -> float:
        """1.0 or 0.0. Where no verdict was reached this raises, and the reward stays unset."""
        verdict = await judge(TASKS / self.data.slug, base64.b64decode(trace.state.patch), agent="verifiers")
        if verdict.failure is not None:
            raise vf.TaskError(f"no verdict: {verdict.failure.message}")
        trace.info["assay"] = {"reason": verdict.reason, "patch_sha256": verdict.patch_sha256, "seed": verdict.seed}
        return float(verdict.reward)


class AssayTaskset(vf.Taskset[AssayTask, vf.TasksetConfig]):
    """All tasks of this package."""

    def load(self) -> list[AssayTask]:
        """In the order of their names."""
        found = sorted(place.parent for place in TASKS.glob("*/task.toml"))
        return [AssayTask(_data(folder), self.config.task) for folder in found]


def _data(folder: Path) -> AssayData:
    prompt = (folder / "instruction.md").read_text(encoding="utf-8")
    return AssayData(id=folder.name, name=folder.name, slug=folder.name, prompt=prompt)


def load_environment(**config) -> vf.Env:
    """The environment, on this machine; `config` is that of `verifiers.v1.EnvConfig`."""
    agent = {"runtime": {"type": "subprocess"}, **config.pop("agent", {})}
    return vf.load_environment(vf.resolve_env_config({"taskset": {"id": __name__}, "agent": agent, **config}))
'''
