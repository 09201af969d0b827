"""mini-swe-agent (https://mini-swe-agent.com), its environment being our sandbox and its model the trial's gate.

Its own loop, prompts and parsers; the parts around them are ours. The environment, because commands run in our sandbox;
the model, because the library's own would load litellm, read the user's environment and count costs by itself.
Needs the extra `mini`. The loop runs in a thread outside of the sandbox. What takes time it does through the event
loop, so that whoever cancels the trial ends it.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from assay.core.exchange.mini_swe_agent import read_mini
from assay.errors import AssayError, InputError, PrerequisiteError
from assay.model.agent import AgentSettings
from assay.model.json_values import JsonObject
from assay.model.sandbox import ExecResult
from assay.model.trajectory import Trajectory
from assay.ports.agent import Demands, ModelAccess, Work, Workplace

CONFIG = "mini.yaml"
COMMAND_SECONDS = 120.0
"""Of one command, unless the settings say otherwise."""
ANSWER_SECONDS = 3600.0
"""The gate has the patience; this only ends what hangs for ever."""
SUBMITTED = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
ENDS = {"Submitted": "submitted", "LimitsExceeded": "limit-steps", "TimeExceeded": "limit-wall"}
OURS = ("command_seconds", "model_kwargs", "agent", "model")
"""Keys of the settings; `agent` and `model` go over those of the library's own configuration."""


class MiniAgent:
    """The agent of the library that is installed."""

    name = "mini"
    has_model = True

    def __init__(self, settings: AgentSettings, *, has_model: bool = True) -> None:
        del has_model
        if unknown := sorted(set(settings.settings) - set(OURS)):
            raise InputError(f"the agent mini has no setting {unknown[0]!r}", hint=f"it has: {', '.join(OURS)}")
        self._given = settings
        self._library = _library()
        self.version = self._library.version
        self.settings: JsonObject = dict(settings.settings)

    def demands(self) -> Demands:
        """See the port."""
        return Demands(git=self._given.git)

    async def work(self, place: Workplace) -> Work:
        """See the port."""
        if place.model is None:
            raise InputError("the agent mini needs a model", hint="name one with --model")
        from httpx import AsyncClient

        stop = _Stop()
        work: Work | None = None
        error: AssayError | None = None
        async with anyio.create_task_group() as group, AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            group.start_soon(stop.when_cancelled)
            with anyio.move_on_after(place.limits.wall_seconds) as time_left:
                try:
                    work = await self._in_thread(place, client, stop)
                except AssayError as raised:
                    error = raised
            group.cancel_scope.cancel()
        if error is not None:
            raise error
        if time_left.cancelled_caught or work is None:
            return self._work("limit-wall", stop.agent)
        return work

    async def _in_thread(self, place: Workplace, client: Any, stop: _Stop) -> Work:
        """Run the loop in a thread that belongs to this trial, so that many do not keep everybody else from theirs."""
        assert place.model is not None
        config = self._config()
        model = _Model(self._library, config["model"], place.model, client, place.seed, stop)
        environment = _Environment(self._library, place, float(self._settled("command_seconds", COMMAND_SECONDS)), stop)
        stop.agent = self._library.agent(model, environment, **config["agent"])
        run = stop.agent.run
        try:
            done = await anyio.to_thread.run_sync(run, place.instruction, limiter=anyio.CapacityLimiter(math.inf))
        except AssayError:
            raise
        except Exception as error:  # whatever ends the library's loop is the agent's end, by its name
            if stop.error is not None:
                raise stop.error from error
            return self._work(type(error).__name__, stop.agent)
        return self._work(str(done.get("exit_status") or "unknown"), stop.agent)

    def _settled(self, name: str, default: Any) -> Any:
        return self._given.settings.get(name, default)

    def _config(self) -> dict[str, dict[str, Any]]:
        """The library's own configuration for `mini`, with ours over it. Limits are the gate's."""
        config = self._library.config
        agent = {name: config["agent"][name] for name in ("system_template", "instance_template")}
        agent |= {"cost_limit": 0.0, "step_limit": 0, **dict(self._settled("agent", {}))}
        model = {name: config["model"][name] for name in ("observation_template", "format_error_template")}
        model |= {"model_kwargs": dict(self._settled("model_kwargs", {})), **dict(self._settled("model", {}))}
        return {"agent": agent, "model": model}

    def _work(self, ended: str, agent: Any) -> Work:
        data = json.loads(json.dumps(agent.serialize(), default=str)) if agent is not None else None
        found = _trajectory(data)
        return Work(ENDS.get(ended, ended), found)


class _Stop:
    """Tells the thread that it is over; keeps the first error of ours that its loop ran into, and the agent itself."""

    def __init__(self) -> None:
        self.is_set = False
        self.error: AssayError | None = None
        self.agent: Any = None

    async def when_cancelled(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.is_set = True

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Something asynchronous, from the thread. After the end nothing is begun any more."""
        if self.is_set:
            raise _OverError
        try:
            return anyio.from_thread.run(function, *arguments)
        except AssayError as error:
            self.error = self.error or error
            self.is_set = True
            raise _OverError from error


class _OverError(Exception):
    """The trial is over: for the library's loop an error like any other, which ends it."""


class _Model:
    """What the library calls a model: asks the gate, and reads the answer by the library's own parser."""

    def __init__(
        self, library: Any, settings: Mapping[str, Any], access: ModelAccess, client: Any, seed: int, stop: _Stop
    ) -> None:
        self.config = SimpleNamespace(model_name=access.model, **settings)
        self._library, self._access, self._client, self._seed, self._stop = library, access, client, seed, stop

    def query(self, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """One answer, as the library keeps it: the message with its actions."""
        sent = [{name: value for name, value in message.items() if name != "extra"} for message in messages]
        body = {"model": self.config.model_name, "messages": sent, "tools": [self._library.tool], "seed": self._seed}
        answer = self._stop.call(self._ask, {**body, **self.config.model_kwargs, **more})
        choice = answer["choices"][0]
        message = {name: value for name, value in choice["message"].items() if value is not None}
        extra: dict[str, Any] = {"response": {"usage": answer.get("usage"), "model": answer.get("model")}}
        extra["timestamp"] = datetime.now(UTC).timestamp()
        try:
            actions = self._library.parse(
                [_as_object(call) for call in message.get("tool_calls") or ()],
                format_error_template=self.config.format_error_template,
                template_kwargs={"finish_reason": choice.get("finish_reason")},
            )
        except self._library.format_error as error:
            error.messages[0]["extra"].update(extra)
            raise
        return {"content": "", **message, "role": "assistant", "extra": {"actions": actions, **extra}}

    async def _ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._access.token}"}
        response = await self._client.post(f"{self._access.url}/chat/completions", json=body, headers=headers)
        answer: dict[str, Any] = response.json()
        if not response.is_success:
            raise _AnswerError(str(answer.get("error", {}).get("code") or f"status {response.status_code}"))
        return answer

    def format_message(self, **fields: Any) -> dict[str, Any]:
        """A message of the loop's own."""
        return fields

    def format_observation_messages(
        self, message: dict[str, Any], outputs: list[dict[str, Any]], template_vars: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """What came back, as the library tells it."""
        found: list[dict[str, Any]] = self._library.observe(
            actions=message.get("extra", {}).get("actions", []),
            outputs=outputs,
            observation_template=self.config.observation_template,
            template_vars=template_vars,
        )
        return found

    def get_template_vars(self, **_: Any) -> dict[str, Any]:
        """For the library's templates."""
        return {"model_name": self.config.model_name}

    def serialize(self) -> dict[str, Any]:
        """For the trajectory."""
        return {"info": {"config": {"model": vars(self.config), "model_type": "assay"}}}


class _AnswerError(Exception):
    """A refusal: the gate's at a limit, or the endpoint's for a prompt that is too long."""


def _as_object(call: Mapping[str, Any]) -> SimpleNamespace:
    function = call.get("function") or {}
    named = SimpleNamespace(name=function.get("name"), arguments=function.get("arguments"))
    return SimpleNamespace(id=call.get("id"), function=named)


class _Environment:
    """What the library calls an environment: our sandbox."""

    def __init__(self, library: Any, place: Workplace, seconds: float, stop: _Stop) -> None:
        self.config = SimpleNamespace(cwd="/repo", timeout=seconds)
        self._library, self._place, self._stop = library, place, stop

    def execute(self, action: Mapping[str, Any], cwd: str = "") -> dict[str, Any]:
        """One command, and what the library calls its output."""
        del cwd
        result = self._stop.call(self._place.workspace.run, str(action.get("command", "")), self.config.timeout)
        output = _output(result)
        lines = output["output"].lstrip().splitlines(keepends=True)
        if lines and lines[0].strip() == SUBMITTED and output["returncode"] == 0:
            said = {"exit_status": "Submitted", "submission": "".join(lines[1:])}
            raise self._library.submitted({"role": "exit", "content": said["submission"], "extra": said})
        return output

    def get_template_vars(self, **_: Any) -> dict[str, Any]:
        """What the prompt says about the machine: the sandbox's, nothing of the host's own."""
        about = os.uname()
        return {"system": about.sysname, "release": "", "version": "", "machine": about.machine, "cwd": "/repo"}

    def serialize(self) -> dict[str, Any]:
        """For the trajectory."""
        return {"info": {"config": {"environment": vars(self.config), "environment_type": "assay"}}}


def _output(result: ExecResult) -> dict[str, Any]:
    text = result.stdout.decode("utf-8", "replace")
    code = result.exit_status if result.exit_status is not None else -(result.signal or 1)
    why = f"the command was ended: it reached its limit of {result.stopped}" if result.stopped else ""
    return {"output": text, "returncode": code, "exception_info": why}


def _trajectory(data: Any) -> Trajectory | None:
    """The library's own record in our words. One that cannot be read is left to what the gate has seen."""
    try:
        return read_mini(data, "the trajectory of mini", task="task").value.trajectory if data else None
    except InputError:
        return None


@cache
def _library() -> SimpleNamespace:
    """What is used of it. Importing it would read the user's own configuration into this process's environment, and
    print: it is shown an empty folder instead. Raises PrerequisiteError when it is not installed.
    """
    shown = {"MSWEA_SILENT_STARTUP": "1", "MSWEA_GLOBAL_CONFIG_DIR": ""}
    kept = {name: os.environ.get(name) for name in shown}  # noqa: TID251  put back below
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({**shown, "MSWEA_GLOBAL_CONFIG_DIR": folder})  # noqa: TID251
        try:
            return _import()
        except ImportError as error:
            raise PrerequisiteError(
                f"mini-swe-agent is not installed: {error}",
                hint="in a clone of assay, type: .venv/bin/uv pip install -e '.[mini]'",
            ) from error
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)  # noqa: TID251
                if value is not None:
                    os.environ[name] = value  # noqa: TID251


def _import() -> SimpleNamespace:
    import minisweagent
    import yaml
    from minisweagent.agents.default import DefaultAgent
    from minisweagent.exceptions import FormatError, Submitted
    from minisweagent.models.utils.actions_toolcall import (
        BASH_TOOL,
        format_toolcall_observation_messages,
        parse_toolcall_actions,
    )

    config = yaml.safe_load((Path(minisweagent.__file__).parent / "config" / CONFIG).read_text())
    return SimpleNamespace(
        version=minisweagent.__version__,
        agent=DefaultAgent,
        format_error=FormatError,
        submitted=Submitted,
        tool=BASH_TOOL,
        observe=format_toolcall_observation_messages,
        parse=parse_toolcall_actions,
        config=config,
    )
