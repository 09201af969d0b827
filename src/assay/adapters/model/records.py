"""What went through a gate, kept as it was: one JSON object a line, on disk until the trial is over."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.core.model_calls import Tokens


@dataclass(slots=True)
class Exchange:
    """One request of the agent and what it was answered. Headers are without keys."""

    number: int
    started_at: str
    path: str
    request_headers: dict[str, str]
    request: bytes
    usage_was_asked_for: bool = False
    """The endpoint saw the request with `stream_options.include_usage`, and the agent its answer without that event."""
    status: int | None = None
    """None: the agent got no answer."""
    response_headers: dict[str, str] = field(default_factory=dict)
    response: bytearray = field(default_factory=bytearray)
    """As the endpoint sent it."""
    seconds: float = 0.0
    waited_seconds: float = 0.0
    """Of these, for tries in vain."""
    vain: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tokens: Tokens | None = None
    usd: float | None = None

    def line(self) -> bytes:
        """As it is kept."""
        table: dict[str, Any] = {
            "number": self.number,
            "started_at": self.started_at,
            "seconds": round(self.seconds, 3),
            "path": self.path,
            "request_headers": self.request_headers,
            "request": _text(self.request),
            "usage_was_asked_for": self.usage_was_asked_for,
            "status": self.status,
            "response_headers": self.response_headers,
            "response": _text(bytes(self.response)),
            "waited_seconds": round(self.waited_seconds, 3),
            "vain": self.vain,
            "notes": self.notes,
            "prompt_tokens": self.tokens.prompt if self.tokens else None,
            "completion_tokens": self.tokens.completion if self.tokens else None,
            "cached_tokens": self.tokens.cached if self.tokens else None,
            "usd": self.usd,
        }
        return json.dumps(table, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


class Records:
    """The exchanges of one trial, in a file of their own."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.kept_bytes = 0
        file.touch(mode=0o600)

    def add(self, exchange: Exchange) -> None:
        """Append one."""
        line = exchange.line()
        self.kept_bytes += len(line)
        with self._file.open("ab") as stream:
            stream.write(line)

    def read(self) -> bytes:
        """All of them."""
        return self._file.read_bytes()
