"""One message of mini-swe-agent as the fields of a step: chat completions, plain text, and OpenAI's responses.

What the program keeps beside a message (`extra`) was never sent to the model. Of the raw answer of the model's API only
what it cost and the model's name are taken; the rest of `extra` comes along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from assay.core.exchange.reading import shown, wrong

SOURCES = {"system": "system", "developer": "system", "user": "user", "assistant": "agent", "tool": "observation"}
IMAGE_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
OBSERVED = ("returncode", "raw_output")
"""Keys of `extra` that only what came back from a command has."""
KNOWN = {"role", "content", "tool_calls", "tool_call_id", "extra", "reasoning_content", "type", "call_id", "output"}
CALL_KEYS = {"id", "type", "function", "index"}
"""Of a call; the index only counts them."""
FUNCTION_KEYS = {"name", "arguments"}


@dataclass(frozen=True, slots=True)
class Turn:
    """A message read. `source` is a step's, or `observation`, or `exit`."""

    source: str
    fields: dict[str, Any]
    """Of a step."""
    call_id: str | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    """What was not taken, by field, each with the reason."""


def turn_of(message: Mapping[str, Any], key: str, file: str) -> Turn:
    """A message as a turn. Raises InputError for one of no known role."""
    if message.get("object") == "response":
        return _response(message, key)
    role = message.get("role")
    if message.get("type") == "function_call_output":
        role = "tool"
    if role == "exit":
        return Turn("exit", {})
    if role not in SOURCES:
        found = "nothing" if role is None else shown(role)
        raise wrong(file, f"{key}.role", found, f"one of {', '.join(SOURCES)} and exit")
    left_out: dict[str, str] = {}
    content = message.get("output") if message.get("type") == "function_call_output" else message.get("content")
    fields: dict[str, Any] = {"message": _content(content, key, file, left_out)}
    source = SOURCES[role]
    extra = _extra(message, fields, key, left_out, is_agent=source == "agent")
    if source == "agent":
        _take_calls(message, fields, extra, key, file, left_out)
    if source == "user" and any(name in extra for name in OBSERVED):
        source = "observation"
    rest = {name: value for name, value in message.items() if name not in KNOWN and value is not None}
    if rest:
        extra["message"] = rest
    if extra:
        fields["extra"] = extra
    call_id = message.get("tool_call_id") or message.get("call_id")
    return Turn(source, fields, call_id if isinstance(call_id, str) else None, left_out)


def observation_of(turn: Turn, message: Mapping[str, Any]) -> dict[str, Any]:
    """The turn as a result of an observation."""
    result: dict[str, Any] = {"content": turn.fields["message"]}
    if turn.call_id is not None:
        result["source_call_id"] = turn.call_id
    extra = dict(turn.fields.get("extra", {}))
    if "timestamp" in message.get("extra", {}):
        extra["timestamp"] = message["extra"]["timestamp"]
    return result | ({"extra": extra} if extra else {})


def _extra(
    message: Mapping[str, Any], fields: dict[str, Any], key: str, left_out: dict[str, str], *, is_agent: bool
) -> dict[str, Any]:
    """What is left of `extra` when time, cost and the raw answer have found their places."""
    extra = dict(message.get("extra", {}))
    time = _time(extra.pop("timestamp", None))
    if time is not None:
        fields["timestamp"] = time
    raw = extra.pop("response", None)
    answer = raw if isinstance(raw, dict) else {}
    if raw is not None:
        left_out["messages[].extra.response"] = "the raw answer of the model's API; its usage and model are kept"
    if is_agent:
        _take_metrics(fields, answer.get("usage"), extra)
        if isinstance(answer.get("model"), str):
            fields["model_name"] = answer["model"]
    return extra


def _time(seconds: object) -> str | None:
    """Seconds since 1970 as ISO 8601; None for what is no such time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _take_metrics(fields: dict[str, Any], usage: object, extra: dict[str, Any]) -> None:
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    found = {
        "prompt_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "completion_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
        "cached_tokens": details.get("cached_tokens") if isinstance(details, dict) else None,
    }
    metrics = {k: v for k, v in found.items() if isinstance(v, int) and not isinstance(v, bool)}
    cost = extra.get("cost")
    if isinstance(cost, int | float) and not isinstance(cost, bool):
        metrics["cost_usd"] = extra.pop("cost")
    if metrics:
        fields["metrics"] = metrics


def _take_calls(
    message: Mapping[str, Any],
    fields: dict[str, Any],
    extra: dict[str, Any],
    key: str,
    file: str,
    left_out: dict[str, str],
) -> None:
    if isinstance(message.get("reasoning_content"), str):
        fields["reasoning_content"] = message["reasoning_content"]
    raw = message.get("tool_calls")
    if raw is None:
        return
    if not isinstance(raw, list):
        raise wrong(file, f"{key}.tool_calls", shown(raw), "a list of calls")
    calls = []
    for number, one in enumerate(raw):
        place = f"{key}.tool_calls[{number}]"
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise wrong(file, f"{place}.function", shown(function), "a function with its name and arguments")
        call = _call(one.get("id"), function["name"], function.get("arguments"), place, left_out)
        rest = {k: v for k, v in one.items() if k not in CALL_KEYS and v is not None}
        rest |= {k: v for k, v in function.items() if k not in FUNCTION_KEYS and v is not None}
        if rest:
            call["extra"] = {**call.get("extra", {}), **rest}
        calls.append(call)
    if calls:
        fields["tool_calls"] = calls
        same = [{"command": c["arguments"].get("command"), "tool_call_id": c["tool_call_id"]} for c in calls]
        if extra.get("actions") == same:
            del extra["actions"]  # says the same again


def _call(call_id: object, name: str, arguments: object, place: str, left_out: dict[str, str]) -> dict[str, Any]:
    call: dict[str, Any] = {"tool_call_id": str(call_id or place), "function_name": name, "arguments": {}}
    parsed = arguments
    if isinstance(arguments, str):
        try:
            parsed = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            parsed = None
    if isinstance(parsed, dict):
        call["arguments"] = parsed
    else:
        call["extra"] = {"raw_arguments": arguments}
        left_out[f"{place}.function.arguments"] = "no JSON object: kept as `extra.raw_arguments`, the call has none"
    return call


def _content(content: object, key: str, file: str, left_out: dict[str, str]) -> str | list[dict[str, Any]]:
    """Text, or parts where there is more than text. Absent text is empty."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise wrong(file, f"{key}.content", shown(content), "text, or a list of parts")
    parts = [part for number, one in enumerate(content) for part in _part(one, f"{key}.content[{number}]", left_out)]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def _part(part: object, place: str, left_out: dict[str, str]) -> list[dict[str, Any]]:
    if isinstance(part, dict):
        if "cache_control" in part:
            left_out["messages[].content[].cache_control"] = "a hint for the model's API"
        text = part.get("text")
        if part.get("type") in ("text", "input_text", "output_text") and isinstance(text, str):
            return [{"type": "text", "text": text}]
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        kind = _image_type(url) if isinstance(url, str) else ""
        if kind:
            return [{"type": "image", "source": {"media_type": kind, "path": url}}]
    left_out[place] = "a part of a kind that is not known"
    return []


def _image_type(url: str) -> str:
    if url.startswith("data:"):
        kind = url[5:].partition(";")[0]
        return kind if kind in IMAGE_TYPES.values() else ""
    return IMAGE_TYPES.get(url.partition("?")[0].rpartition(".")[2].lower(), "")


def _response(message: Mapping[str, Any], key: str) -> Turn:
    """An answer of OpenAI's responses API."""
    left_out: dict[str, str] = {}
    fields = _answered(message.get("output"), f"{key}.output", left_out)
    others = fields.pop("others", None)
    extra = _extra({"extra": {**message.get("extra", {}), "response": message}}, fields, key, left_out, is_agent=True)
    if "tool_calls" in fields:
        extra.pop("actions", None)
    if others:
        extra["output"] = others
    return Turn("agent", {**fields, **({"extra": extra} if extra else {})}, None, left_out)


def _answered(output: object, key: str, left_out: dict[str, str]) -> dict[str, Any]:
    """Message, thoughts and calls of an answer; items of other kinds as they are, as `others`."""
    found: dict[str, list[Any]] = {"message": [], "reasoning": [], "function_call": [], "": []}
    for number, item in enumerate(output if isinstance(output, list) else []):
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "message":
            found[kind] += _texts(item.get("content"))
        elif kind == "reasoning":
            found[kind] += _texts(item.get("summary")) + _texts(item.get("content"))
        elif kind == "function_call" and isinstance(item.get("name"), str):
            call_id = item.get("call_id") or item.get("id")
            found[kind].append(_call(call_id, item["name"], item.get("arguments"), f"{key}[{number}]", left_out))
        else:
            found[""].append(item)
    fields: dict[str, Any] = {"message": "\n\n".join(found["message"])}
    if found["reasoning"]:
        fields["reasoning_content"] = "\n\n".join(found["reasoning"])
    return fields | {k: v for k, v in (("tool_calls", found["function_call"]), ("others", found[""])) if v}


def _texts(parts: object) -> list[str]:
    found = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [text for text in found if isinstance(text, str)]
