"""A model on loopback that speaks OpenAI's chat completions, with tool calls and streams, and solves a task with a
probability that is known: it asks for one command of shell, a solving one or an idle one, and is done.

Whether it solves is drawn from the request's `seed` and the prompt, so that the same trial ends the same way; without a
seed, in turn. And it has the bad days of real endpoints: whatever is put into `faults` is what the next calls get.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

SUBMIT = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""What mini-swe-agent waits for."""
IDLE = "true"
KEY = "key-of-the-scripted-model"
SHELLS = ("bash", "shell", "run_shell_command", "execute_command", "local_shell")

Fault = Literal["stall", "stall-midway", "cut", "malformed", "nonsense", "overflow", "empty", "hang-up"]
"""`stall`: not a byte. `stall-midway`, `cut`: the beginning of an answer. `malformed`: a stream with an event that is
no JSON. `nonsense`: a page. `overflow`: the prompt is too long. `empty`: nothing. `hang-up`: the connection is closed.
"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status instead of an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=lambda: {"message": "not now"})


@dataclass(slots=True)
class ScriptedModel:
    """What it does, and what it was asked."""

    solution: str = IDLE
    """A line of shell that solves the task."""
    probability: float = 1.0
    solutions: Mapping[str, str] = field(default_factory=dict)
    """Lines for several tasks, each by a text that stands in its prompt."""
    name: str = "scripted"
    usage: bool = True
    """Whether it tells tokens."""
    faults: deque[Fault | Refusal] = field(default_factory=deque)
    always: Fault | Refusal | None = None
    """What every call gets."""
    steps: int = 1
    """Commands before it is done."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    """The requests' very bytes."""
    url: str = ""
    _drawn: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def solves(self, prompt: str, seed: object) -> bool:
        """Whether the trial with this seed is one that solves."""
        if seed is None:
            with self._lock:
                seed, self._drawn = f"turn {self._drawn}", self._drawn + 1
        digest = hashlib.sha256(json.dumps([prompt, seed]).encode()).digest()
        return random.Random(digest).random() < self.probability

    def message(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request: a command, or that it is done."""
        messages: Sequence[Mapping[str, Any]] = request.get("messages") or [{}]
        prompt = "\n".join(_text(m.get("content")) for m in messages if m.get("role") in ("user", "system"))
        # Agents put words into its mouth before it has said anything; calls they do not make up.
        calling = any(m.get("tool_calls") for m in messages) or bool(request.get("tools"))
        turns = sum(m.get("role") == "assistant" and bool(m.get("tool_calls") or not calling) for m in messages)
        if turns >= self.steps:
            if SUBMIT not in prompt:
                return {"role": "assistant", "content": "Done."}
            return self._calling(request, f"echo {SUBMIT}", turns)
        line = next((line for text, line in self.solutions.items() if text in prompt), self.solution)
        first = _text(next((m.get("content") for m in messages if m.get("role") == "user"), ""))
        solves = turns == 0 and self.solves(first, request.get("seed"))
        return self._calling(request, line if solves else IDLE, turns)

    def _calling(self, request: Mapping[str, Any], line: str, turn: int) -> dict[str, Any]:
        tools = [tool.get("function", {}) for tool in request.get("tools") or ()]
        tool = next((tool for tool in tools if tool.get("name") in SHELLS), None)
        if tool is None:
            return {"role": "assistant", "content": f"```bash\n{line}\n```"}
        schema = tool.get("parameters", {})
        wanted = {name: _any_value(schema.get("properties", {}).get(name, {})) for name in schema.get("required", ())}
        is_list = schema.get("properties", {}).get("command", {}).get("type") == "array"
        arguments = {**wanted, "command": ["bash", "-c", line] if is_list else line}
        function = {"name": tool["name"], "arguments": json.dumps(arguments)}
        call = {"id": f"call_{turn}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    def counted(self, request: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
        """The usage: four characters a token, an eighth of the prompt cached."""
        prompt, completion = len(json.dumps(request.get("messages"))) // 4, len(json.dumps(message)) // 4
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": prompt // 8},
        }


def _any_value(schema: Mapping[str, Any]) -> Any:
    return {"boolean": False, "number": 0, "integer": 0, "array": [], "object": {}}.get(schema.get("type", ""), "work")


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


@contextmanager
def scripted_model(solution: str = IDLE, probability: float = 1.0, **more: Any) -> Iterator[ScriptedModel]:
    """Serve until the block ends."""
    model = ScriptedModel(solution, probability, **more)

    class Handler(_Handler):
        scripted = model

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model._ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripted: ScriptedModel

    def do_GET(self) -> None:
        self._whole(200, {"object": "list", "data": [{"id": self.scripted.name, "object": "model"}]})

    def do_POST(self) -> None:
        body, model = self.rfile.read(int(self.headers.get("Content-Length") or 0)), self.scripted
        request = json.loads(body)
        with model._lock:
            model.requests.append(request)
            model.raw.append(body)
            model.keys.append(self.headers.get("Authorization"))
            fault = model.faults.popleft() if model.faults else model.always
        if isinstance(fault, Refusal):
            self._whole(fault.status, {"error": dict(fault.error)}, fault.headers)
        elif request.get("model") != model.name:
            self._whole(404, {"error": {"message": f"no model {request.get('model')!r}", "code": "model_not_found"}})
        elif fault is None or fault == "malformed":
            self._answer(request, fault)
        else:
            self._fail(fault)

    def _fail(self, fault: Fault) -> None:
        if fault == "overflow":
            text = "This model's maximum context length is 8192 tokens."
            self._whole(400, {"error": {"message": text, "code": "context_length_exceeded"}})
        elif fault == "nonsense":
            self._bytes(200, b"<html>Welcome to nginx!</html>", {"Content-Type": "text/html"})
        elif fault == "empty":
            self._bytes(200, b"", {"Content-Type": "text/event-stream"})
        else:
            self.close_connection = True
            if fault in ("cut", "stall-midway"):
                self._start_stream()
                self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "I"}}]})
            if fault in ("stall", "stall-midway"):
                self.scripted._ended.wait()

    def _answer(self, request: Mapping[str, Any], fault: Fault | None) -> None:
        message = self.scripted.message(request)
        usage = self.scripted.counted(request, message) if self.scripted.usage else None
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        head = {"id": "chatcmpl-1", "created": 0, "model": self.scripted.name}
        if not request.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            answer = {**head, "object": "chat.completion", "choices": [choice]}
            self._whole(200, answer | ({"usage": usage} if usage else {}))
            return
        self._start_stream()
        head["object"] = "chat.completion.chunk"
        if fault == "malformed":
            self._write(b"data: {this is no JSON\n\n")
        for delta in _deltas(message):
            self._event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self._event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if usage and (request.get("stream_options") or {}).get("include_usage"):
            self._event({**head, "choices": [], "usage": usage})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _whole(self, status: int, answer: object, headers: Mapping[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _bytes(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _event(self, data: object) -> None:
        self._write(f"data: {json.dumps(data)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A message in pieces, arguments of calls cut in two."""
    yield {"role": "assistant", "content": message.get("content")}
    for number, call in enumerate(message.get("tool_calls") or ()):
        text = call["function"]["arguments"]
        function = {"name": call["function"]["name"], "arguments": text[: len(text) // 2]}
        yield {"tool_calls": [{"index": number, "id": call["id"], "type": "function", "function": function}]}
        yield {"tool_calls": [{"index": number, "function": {"arguments": text[len(text) // 2 :]}}]}
