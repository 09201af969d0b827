"""One request at a gate: whether it may pass, what comes back, and what is noted on the way."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import anyio
from aiohttp import web

from assay.adapters.model.counting import OpenGate
from assay.adapters.model.endpoint import NOT_PASSED, Answer, Asking
from assay.adapters.model.records import Exchange
from assay.core.model_calls import (
    Event,
    EventReader,
    Tokens,
    asking_for_usage,
    is_too_long,
    is_usage_alone,
    parsed,
    tokens_of,
)
from assay.errors import AssayError, ProviderError

CALLS = ("/chat/completions", "/completions", "/responses")
MODELS = "/models"
REQUEST_BYTES = 32 * 1024 * 1024
BROKEN_IN_A_ROW = 3
"""Answers that break off, after which an endpoint is given up."""
LIMIT_STATUS = 402
HUNG_UP = "the agent hung up"
MOST_NOTES = 20


def application(gate: OpenGate) -> web.Application:
    """The server of one gate."""
    served = web.Application(client_max_size=REQUEST_BYTES)

    async def serve(request: web.Request) -> web.StreamResponse:
        with gate.calling():
            return await _Call(gate, request).answer()

    served.router.add_route("*", "/{path:.*}", serve)
    return served


class _Call:
    """One request that came to the gate."""

    def __init__(self, gate: OpenGate, request: web.Request) -> None:
        self.gate, self.request = gate, request
        self.path = request.path.removeprefix("/v1")

    async def answer(self) -> web.StreamResponse:
        """Let it pass, or say why not."""
        given = self.request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.gate.inside.token.encode()):
            return self.refuse(401, "invalid_api_key", "this is not the token of this trial")
        if self.gate.problem is not None:
            return self.refuse(LIMIT_STATUS, "endpoint-failed", f"the trial is over: {self.gate.problem}")
        if self.path in CALLS and self.request.method == "POST":
            async with self.gate.room:
                return await self.call()
        if self.path.startswith(MODELS) and self.request.method == "GET":
            return await self.list_models()
        return self.refuse(404, "not_found", f"the ways to a model are POST {', '.join(CALLS)} and GET {MODELS}")

    async def call(self) -> web.StreamResponse:
        """A call of the model: pass it on if it may."""
        gate, body = self.gate, await self.request.read()
        asked = parsed(body)
        if not isinstance(asked, dict):
            return self.refuse(400, "invalid_request", "the request is no JSON object")
        if asked.get("model") != gate.inside.model:
            text = f"this trial has the model {gate.inside.model!r}, and no other"
            return self.refuse(404, "model_not_found", text)
        if (over := gate.reached()) is not None:
            return self.refuse(LIMIT_STATUS, over[0], f"the trial is over: its limit of {over[1]} is reached")
        gate.sum.calls += 1
        headers = {k: v for k, v in self.request.headers.items() if k.lower() not in NOT_PASSED}
        exchange = Exchange(gate.sum.calls, datetime.now(UTC).isoformat(), self.path, headers, body)
        wider = None if self.path == "/responses" else asking_for_usage(body, asked)
        exchange.usage_was_asked_for = wider is not None
        return await self.recorded(exchange, Asking(self.path, wider or body, headers))

    async def list_models(self) -> web.StreamResponse:
        """What the endpoint has; nothing is counted."""
        try:
            async with self.gate.client.ask(Asking(self.path, b"", {})) as answer:
                return self.whole(answer)
        except AssayError as error:
            return self.refuse(404, "not_found", str(error))

    async def recorded(self, exchange: Exchange, asking: Asking) -> web.StreamResponse:
        """Ask the endpoint, and keep what was said whatever way it ends."""
        began = anyio.current_time()
        try:
            async with self.gate.client.ask(asking) as answer:
                if not (exchange.usage_was_asked_for and _knows_no_usage(answer)):
                    return await self.taken(exchange, answer)
            exchange.usage_was_asked_for = False
            asking.vain.append({"problem": "stream_options are not known here", "status": answer.status})
            asking.body = exchange.request
            async with self.gate.client.ask(asking) as answer:
                return await self.taken(exchange, answer)
        except AssayError as error:
            exchange.notes.append(str(error))
            self.gate.give_up(error)
            return self.refuse(LIMIT_STATUS, "endpoint-failed", f"the trial is over: {error}")
        finally:
            exchange.vain, exchange.waited_seconds = asking.vain, asking.waited_seconds
            exchange.seconds = anyio.current_time() - began
            self.gate.charge(exchange)
            self.gate.records.add(exchange)

    async def taken(self, exchange: Exchange, answer: Answer) -> web.StreamResponse:
        """Pass an answer on."""
        exchange.status, exchange.response_headers = answer.status, answer.headers
        return await (self.pass_whole if answer.more is None else self.pass_stream)(exchange, answer)

    async def pass_whole(self, exchange: Exchange, answer: Answer) -> web.StreamResponse:
        """An answer that is no stream, or a refusal that is the agent's own matter."""
        total = self.gate.sum
        exchange.response += answer.body
        exchange.tokens = tokens_of(parsed(answer.body))
        if answer.status < 300:
            total.answered, total.broken = total.answered + 1, 0
            self.gate.demand_usage(exchange)
        elif not is_too_long(answer.body):
            total.last_refusal = f"status {answer.status}: {self.gate.client.said(answer.body)}"
        else:
            exchange.notes.append("longer than the model can take")
            total.answered, total.broken = total.answered + 1, 0
        return self.whole(answer)

    async def pass_stream(self, exchange: Exchange, answer: Answer) -> web.StreamResponse:
        """A stream, event by event. It is read to its end though the agent may hang up: it is paid for, and counted."""
        passed = web.StreamResponse(status=answer.status, headers=answer.headers)
        await passed.prepare(self.request)
        stream = Stream(exchange)
        try:
            async for piece in _pieces(answer):
                exchange.response += piece
                for event in stream.reader.feed(piece):
                    await self.hand_on(passed, stream.take(event), exchange)
        except ProviderError as error:
            stream.problem = str(error)
        for event in stream.reader.rest():
            await self.hand_on(passed, stream.take(event), exchange)
        exchange.tokens = stream.tokens
        total, problem = self.gate.sum, stream.verdict()
        if not problem:
            total.answered, total.broken = total.answered + 1, 0
            self.gate.demand_usage(exchange)
            if HUNG_UP not in exchange.notes:
                await passed.write_eof()
            return passed
        exchange.notes.append(problem)
        total.broken += 1
        if total.broken >= BROKEN_IN_A_ROW:
            self.gate.give_up(ProviderError(f"{total.broken} answers in a row broke off: {problem}"))
        if self.request.transport is not None:
            self.request.transport.abort()  # an end that looks whole would be a lie
        return passed

    async def hand_on(self, passed: web.StreamResponse, raw: bytes, exchange: Exchange) -> None:
        """To the agent, if it still listens."""
        if not raw or HUNG_UP in exchange.notes:
            return
        try:
            await passed.write(raw)
        except ConnectionError:
            exchange.notes.append(HUNG_UP)

    def whole(self, answer: Answer) -> web.StreamResponse:
        """As the endpoint said it."""
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def refuse(self, status: int, code: str, text: str) -> web.StreamResponse:
        """An answer of the gate's own, in the shape of OpenAI's errors."""
        error = {"message": f"assay: {text}", "type": "assay_gate", "param": None, "code": code}
        return web.json_response({"error": error}, status=status)


class Stream:
    """What is read of a stream in passing."""

    def __init__(self, exchange: Exchange) -> None:
        self.reader = EventReader()
        self.tokens: Tokens | None = None
        self.problem = ""
        self._exchange = exchange
        self._count = 0
        self._has_ended = False

    def take(self, event: Event) -> bytes:
        """What of an event is the agent's."""
        self._count += 1
        data = event.data
        if event.is_malformed and len(self._exchange.notes) < MOST_NOTES:
            self._exchange.notes.append(f"event {self._count} is no JSON")
        self.tokens = tokens_of(data) or self.tokens
        self._has_ended = self._has_ended or event.is_end
        if isinstance(data, Mapping):
            choices = data.get("choices")
            finished = isinstance(choices, list) and any(
                isinstance(c, dict) and c.get("finish_reason") for c in choices
            )
            self._has_ended = self._has_ended or finished
            if data.get("error") and not choices:
                self.problem = f"an error in the middle of an answer: {str(data['error'])[:300]}"
        return b"" if self._exchange.usage_was_asked_for and is_usage_alone(data) else event.raw

    def verdict(self) -> str:
        """Why this was no whole answer; empty for one."""
        return self.problem or ("" if self._has_ended else "the stream ended before its answer did")


def _knows_no_usage(answer: Answer) -> bool:
    """Whether an endpoint refuses a request for what the gate has added to it."""
    return answer.status in (400, 422) and b"stream_options" in answer.body


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    piece = answer.body
    while piece:
        yield piece
        piece = await answer.more() if answer.more is not None else b""
