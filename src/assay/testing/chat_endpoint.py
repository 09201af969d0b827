"""An endpoint on loopback that answers like a chat model, with what a test gives it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class ChatEndpoint:
    """What it answers, and what it was asked."""

    text: str = ""
    statuses: list[int] = field(default_factory=list)
    """Of the next answers, one after the other; then 200."""
    raw: bytes | None = None
    """The whole body of an answer, instead of a completion."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def chat_endpoint(text: str = "") -> Iterator[ChatEndpoint]:
    """Serve until the block ends."""
    endpoint = ChatEndpoint(text)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            endpoint.requests.append(json.loads(self.rfile.read(length)))
            endpoint.keys.append(self.headers.get("Authorization"))
            answer = {
                "choices": [{"message": {"role": "assistant", "content": endpoint.text}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3},
            }
            body = endpoint.raw if endpoint.raw is not None else json.dumps(answer).encode()
            self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
