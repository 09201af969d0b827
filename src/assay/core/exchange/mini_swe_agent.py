"""Trajectories of mini-swe-agent, format 1.1 (`<id>.traj.json`) and 1, into our values; `preds.json` beside them.

One turn of the agent is one step, with what came back as its observation. Without tool calls the agent's command stands
in its text and the observation is a user's message: such a result names no call, and goes out as a user's again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.core.exchange.mini_messages import Turn, observation_of, turn_of
from assay.core.exchange.reading import shown, validated, wrong
from assay.model.carried import Carried
from assay.model.loss import Loss
from assay.model.trajectory import Trajectory
from assay.model.trial import Trial

FORMATS = ("mini-swe-agent-1.1", "mini-swe-agent-1")
AGENT = "mini-swe-agent"
OBSERVATION_START = "<returncode>"
"""How observations begin in format 1, which does not mark them."""


def is_mini(data: object) -> bool:
    """Whether parsed JSON is a trajectory of mini-swe-agent."""
    return isinstance(data, dict) and str(data.get("trajectory_format", "")).startswith(AGENT)


def read_mini(data: object, file: str, *, task: str = "", patch: str | None = None) -> Carried[Trial]:
    """A trial, never judged, from parsed JSON. `task` is its task where the file does not say (`instance_id`), `patch`
    what `preds.json` has for it. Raises InputError naming file, key, found and expected.
    """
    table = _checked(data, file)
    info = _object(table, "info", file)
    carried = _trajectory(table, info, file)
    losses = list(carried.losses)
    submission = info.get("submission")
    submission = submission if isinstance(submission, str) else None
    if patch is not None and submission and patch != submission:
        reason = "preds.json has another patch, which is the one that was handed in"
        losses.append(Loss(subject=file, field="info.submission", reason=reason))
    stats = _object(info, "model_stats", file, "info.")
    trial = {
        "task": str(table.get("instance_id") or task or file),
        "agent": AGENT,
        "agent_version": str(info.get("mini_version") or ""),
        "model": carried.value.agent.model_name or "",
        "patch": submission if patch is None else patch,
        "ended": str(info.get("exit_status") or ""),
        "cost": {"usd": stats.get("instance_cost"), "model_call_count": stats.get("api_calls")},
        "trajectory": carried.value.model_dump(mode="json", exclude_none=True),
    }
    read = validated(Trial, trial, file, subject=file)
    return Carried(read.value, (*losses, *read.losses))


def read_predictions(data: object, file: str) -> dict[str, str]:
    """Patches by instance, from a `preds.json`. Raises InputError."""
    if not isinstance(data, dict):
        raise wrong(file, "", shown(data), "a JSON object with one prediction an instance")
    patches = {}
    for name, row in data.items():
        patch = row.get("model_patch") if isinstance(row, dict) else None
        if patch is not None and not isinstance(patch, str):
            raise wrong(file, f"{name}.model_patch", shown(patch), "a patch as text")
        if patch is not None:
            patches[name] = patch
    return patches


def _checked(data: object, file: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise wrong(file, "", shown(data), "a JSON object with `trajectory_format`, `info` and `messages`")
    found = data.get("trajectory_format")
    if found not in FORMATS:
        raise wrong(file, "trajectory_format", "nothing" if found is None else shown(found), f"{FORMATS[0]!r}")
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        raise wrong(file, "messages", "nothing" if not messages else shown(messages), "a list of messages")
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            raise wrong(file, f"messages[{number}]", shown(message), "a JSON object")
        if not isinstance(message.get("extra", {}), dict):
            raise wrong(file, f"messages[{number}].extra", shown(message["extra"]), "a JSON object")
    return data


def _object(table: Mapping[str, Any], key: str, file: str, prefix: str = "") -> dict[str, Any]:
    value = table.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(file, prefix + key, shown(value), "a JSON object")
    return value


def _trajectory(table: dict[str, Any], info: dict[str, Any], file: str) -> Carried[Trajectory]:
    steps: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    extra: dict[str, Any] = {"trajectory_format": table["trajectory_format"], "info": info}
    extra |= {k: v for k, v in table.items() if k not in {"trajectory_format", "info", "messages", "instance_id"}}
    for number, message in enumerate(table["messages"]):
        turn = turn_of(message, f"messages[{number}]", file)
        left_out |= turn.left_out
        if turn.source == "exit":
            _keep_exit(extra, message)
        elif turn.source == "observation" or (turn.source == "user" and _looks_observed(turn, steps)):
            _answer(steps, turn, message)
        else:
            steps.append({"step_id": len(steps) + 1, "source": turn.source, **turn.fields})
    config = info.get("config")
    model = config.get("model") if isinstance(config, dict) else None
    name = model.get("model_name") if isinstance(model, dict) else None
    document = {
        "session_id": table.get("instance_id"),
        "agent": {"name": AGENT, "version": str(info.get("mini_version") or "unknown"), "model_name": name},
        "steps": steps,
        "extra": extra,
    }
    carried = validated(Trajectory, document, file, subject=file)
    told = tuple(Loss(subject=file, field=field, reason=reason) for field, reason in left_out.items())
    return Carried(carried.value, (*told, *carried.losses))


def _keep_exit(extra: dict[str, Any], message: dict[str, Any]) -> None:
    """The last message only repeats what `info` says, mostly."""
    said = message.get("extra", {})
    info = extra["info"]
    known = {info.get("submission"), info.get("exit_status"), ""}
    rest = {key: value for key, value in said.items() if info.get(key) != value}
    if rest or message.get("content") not in known:
        extra["exit"] = {**({"content": message.get("content")} if message.get("content") else {}), **rest}


def _looks_observed(turn: Turn, steps: list[dict[str, Any]]) -> bool:
    text = turn.fields.get("message")
    after_agent = bool(steps) and steps[-1]["source"] == "agent" and "observation" not in steps[-1]
    return after_agent and isinstance(text, str) and text.startswith(OBSERVATION_START)


def _answer(steps: list[dict[str, Any]], turn: Turn, message: dict[str, Any]) -> None:
    """What came back belongs to the agent's last step; before any, it is a user's message."""
    result = observation_of(turn, message)
    if not steps or steps[-1]["source"] != "agent":
        fields = {key: value for key, value in turn.fields.items() if key in ("message", "timestamp", "extra")}
        steps.append({"step_id": len(steps) + 1, "source": "user", **fields})
        return
    step = steps[-1]
    calls = {call["tool_call_id"] for call in step.get("tool_calls", ())}
    if result.get("source_call_id") not in calls:
        unknown = result.pop("source_call_id", None)
        if unknown is not None:
            result["extra"] = {**result.get("extra", {}), "tool_call_id": unknown}
    step.setdefault("observation", {"results": []})["results"].append(result)
