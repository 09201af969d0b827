"""What can be read from a call of a model without changing it: tokens as the endpoint counts them, what they cost, the
events of a stream, and whether a refusal is about the length of the prompt.

OpenAI's chat completions, completions and responses; https://platform.openai.com/docs/api-reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.model.agent import ModelSettings

MILLION = 1_000_000
EVENT_BYTES = 4 * 1024 * 1024
"""A longer event is passed on unread."""
END = re.compile(rb"\r?\n\r?\n|\r\r")
DONE = "[DONE]"
TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size)|maximum context|too many (input )?tokens"
    r"|(prompt|input|message)s? (is|are) too long|exceeds? the (model|maximum|limit)|reduce the length",
    re.IGNORECASE,
)
"""How endpoints say that a prompt is too long, next to OpenAI's code."""
TOO_LONG_CODE = "context_length_exceeded"
ASKING = b'"stream_options":{"include_usage":true},'
OBJECT_START = re.compile(rb"\s*\{(?=\s*\")")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one call, as the endpoint counts. Cached ones are among the prompt's."""

    prompt: int
    completion: int
    cached: int = 0


def tokens_of(answer: object) -> Tokens | None:
    """The usage that an answer, or an event of a stream, tells; None when it tells none that can be believed."""
    if not isinstance(answer, Mapping):
        return None
    usage = answer.get("usage")
    if usage is None and isinstance(answer.get("response"), Mapping):
        usage = answer["response"].get("usage")
    if not isinstance(usage, Mapping):
        return None
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    completion = usage.get("completion_tokens", usage.get("output_tokens"))
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    read, written = _count(prompt), _count(completion)
    return None if read is None else Tokens(read, written or 0, min(_count(cached) or 0, read))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def usd_of(tokens: Tokens, model: ModelSettings) -> float | None:
    """What they cost by the project's prices; None when a price that is needed is not there."""
    if model.input_usd is None or model.output_usd is None:
        return None
    cached_usd = model.input_usd if model.cached_input_usd is None else model.cached_input_usd
    fresh = tokens.prompt - tokens.cached
    return (fresh * model.input_usd + tokens.cached * cached_usd + tokens.completion * model.output_usd) / MILLION


def asking_for_usage(body: bytes, request: Mapping[str, Any]) -> bytes | None:
    """The same request for a stream that ends with its usage, not a byte of it otherwise changed; None where nothing
    has to be asked for, or where the request speaks about it itself.
    """
    if request.get("stream") is not True or "stream_options" in request:
        return None
    start = OBJECT_START.match(body)
    return body[: start.end()] + ASKING + body[start.end() :] if start else None


def is_usage_alone(data: object) -> bool:
    """Whether an event of a stream is the one that exists only because the usage was asked for."""
    return isinstance(data, Mapping) and data.get("choices") == [] and isinstance(data.get("usage"), Mapping)


def is_too_long(body: bytes) -> bool:
    """Whether a refusal says that the prompt, with what may be answered, is longer than the model can take."""
    error = parsed(body)
    error = error.get("error") if isinstance(error, Mapping) else None
    if isinstance(error, Mapping) and error.get("code") == TOO_LONG_CODE:
        return True
    return bool(TOO_LONG.search(body.decode("utf-8", "replace")))


def is_out_of_credit(body: bytes) -> bool:
    """Whether a refusal for too many requests is in truth about money, so that no waiting helps."""
    error = parsed(body)
    error = error.get("error") if isinstance(error, Mapping) else None
    return isinstance(error, Mapping) and "insufficient_quota" in (error.get("code"), error.get("type"))


def parsed(body: bytes) -> object:
    """JSON, or None for what is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: its very bytes, and what its data says."""

    raw: bytes
    data: object = None
    is_malformed: bool = False
    """It has data, and that is no JSON."""
    is_end: bool = False
    """Says that the stream is complete."""


class EventReader:
    """Server-sent events out of pieces of any size; `raw` of all events together are the pieces again."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now."""
        self._pending += piece
        events, start = [], 0
        for end in END.finditer(self._pending):
            events.append(_event(self._pending[start : end.end()]))
            start = end.end()
        self._pending = self._pending[start:]
        if len(self._pending) > EVENT_BYTES:
            events += self.rest()
        return events

    def rest(self) -> list[Event]:
        """What is left when the stream has ended."""
        left, self._pending = self._pending, b""
        return [_event(left)] if left else []


def _event(raw: bytes) -> Event:
    lines = [line[5:].strip() for line in raw.splitlines() if line.startswith(b"data:")]
    text = b"\n".join(lines)
    if not lines or text == DONE.encode():
        return Event(raw, is_end=bool(lines))
    data = parsed(text)
    kind = data.get("type") if isinstance(data, Mapping) else None
    is_end = kind in ("response.completed", "response.incomplete", "response.failed")
    return Event(raw, data, is_malformed=not isinstance(data, Mapping), is_end=is_end)
