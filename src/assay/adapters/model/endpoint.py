"""An endpoint that speaks OpenAI's protocol, asked with patience: what is not its last word is asked for again.

What it says in the end is one of: an answer, a refusal that is the agent's own matter, or nothing that could be used.
That last one is raised, as a ProviderError (it may do better later) or an InputError (somebody has to correct
something).
"""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from assay.core.model_calls import is_out_of_credit, parsed
from assay.errors import InputError, ProviderError

if TYPE_CHECKING:
    import aiohttp

AGAIN = (408, 409, 425, 429)
"""Refusals that may be none a little later; and all from 500."""
NEVER = (401, 402, 403, 404)
"""Refusals that somebody has to do something about."""
SAID_CHARACTERS = 300
EVENTS = "text/event-stream"
HINT = "check --model, --model-url and the key in ASSAY_MODEL_KEY, or [models] in assay.toml"
NOT_PASSED = {
    *("authorization", "api-key", "x-api-key", "cookie", "set-cookie", "host", "content-length", "accept-encoding"),
    *("connection", "keep-alive", "te", "proxy-authenticate", "proxy-authorization", "trailer", "transfer-encoding"),
    *("upgrade", "content-encoding", "expect", "proxy-connection", "date", "server"),
}
"""Headers that are about one connection, or that tell who is asking."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is. `url` ends before `/chat/completions`; an empty key sends none."""

    model: str
    url: str
    key: str = field(default="", repr=False)
    certificates: Path | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, and how often."""

    tries: int = 6
    pause_seconds: float = 1.0
    """After the first try; twice as long after each further one."""
    longest_pause_seconds: float = 120.0
    """When the endpoint asks for a longer one, it is given up."""
    first_byte_seconds: float = 600.0
    """Of an answer; for one that is no stream, the whole of it."""
    next_byte_seconds: float = 120.0
    connect_seconds: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


@dataclass(slots=True)
class Answer:
    """What the endpoint says. A stream goes on in `more`; of anything else `body` is all."""

    status: int
    headers: dict[str, str]
    body: bytes
    more: Callable[[], Awaitable[bytes]] | None = None
    """The next piece; empty at the end. Raises ProviderError when the stream breaks off or stalls."""


@dataclass(slots=True)
class Asking:
    """One call on its way: what was tried in vain, and how long that took."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    vain: list[dict[str, object]] = field(default_factory=list)
    waited_seconds: float = 0.0


class EndpointClient:
    """Asks one endpoint, over connections of its own."""

    def __init__(self, endpoint: Endpoint, patience: Patience, session: aiohttp.ClientSession) -> None:
        self.endpoint, self.patience, self._session = endpoint, patience, session

    @asynccontextmanager
    async def ask(self, asking: Asking) -> AsyncIterator[Answer]:
        """The endpoint's last word. Raises ProviderError, InputError."""
        pause, reason = self.patience.pause_seconds, ""
        for number in range(self.patience.tries):
            began = anyio.current_time()
            async with self._once(asking) as (answer, problem):
                if answer is not None and not _is_passing(answer):
                    if _is_final(answer):
                        raise self._refused(answer)
                    yield answer
                    return
            reason = problem if answer is None else f"status {answer.status}: {self.said(answer.body)}"
            asking.waited_seconds += anyio.current_time() - began
            wished = None if answer is None else _wished_seconds(answer.headers)
            asking.vain.append({"problem": reason, "status": answer.status if answer else None})
            if number + 1 == self.patience.tries or (wished or 0.0) > self.patience.longest_pause_seconds:
                break
            seconds = wished if wished is not None else pause * random.uniform(0.75, 1.25)
            pause = min(pause * 2, self.patience.longest_pause_seconds)
            await self.patience.sleep(seconds)
            asking.waited_seconds += seconds
        raise ProviderError(
            f"the model at {self.endpoint.url} does not answer, asked {len(asking.vain)} times: {reason}",
            hint="run the same line again later: what is finished is kept",
        )

    @asynccontextmanager
    async def _once(self, asking: Asking) -> AsyncIterator[tuple[Answer | None, str]]:
        """One try: an answer as far as it has to be read, or why there is none."""
        import aiohttp

        key = self.endpoint.key
        headers = {
            **asking.headers,
            "Accept-Encoding": "identity",
            **({"Authorization": f"Bearer {key}"} if key else {}),
        }
        url = f"{self.endpoint.url.rstrip('/')}{asking.path}"
        method = "POST" if asking.body else "GET"
        answer, problem, response = None, "", None
        try:
            try:
                with anyio.fail_after(self.patience.first_byte_seconds):
                    response = await self._session.request(
                        method, url, data=asking.body or None, headers=headers, allow_redirects=False
                    )
                    answer = await self._read(response)
            except aiohttp.InvalidURL as error:
                raise InputError(f"{self.endpoint.url} is no address of an endpoint", hint=HINT) from error
            except TimeoutError:
                problem = f"not a byte in {self.patience.first_byte_seconds:g} s"
            except aiohttp.ClientConnectorError as error:
                why = error.os_error.strerror or str(error.os_error) or type(error).__name__
                problem = f"no connection to {error.host}:{error.port}: {self.said(why.encode())}"
            except (aiohttp.ClientError, OSError) as error:
                problem = self.said(str(error).encode()) or type(error).__name__
            yield answer, problem
        finally:
            if response is not None:
                response.close()

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        """The answer, whole unless it is a stream. An answer that cannot be what was asked for is none: ClientError."""
        import aiohttp

        headers = {name: value for name, value in response.headers.items() if name.lower() not in NOT_PASSED}
        asked_again = response.headers.get("Retry-After")
        if response.content_type == EVENTS and response.status == 200:
            first = await response.content.readany()
            if not first:
                raise aiohttp.ClientPayloadError("an empty stream")
            return Answer(200, headers, self.scrubbed(first), lambda: self._next(response))
        body = self.scrubbed(await response.read())
        if response.status == 200 and not isinstance(parsed(body), dict):
            raise aiohttp.ClientPayloadError(f"no JSON object: {self.said(body) or 'nothing'}")
        return Answer(response.status, headers | ({"Retry-After": asked_again} if asked_again else {}), body)

    async def _next(self, response: aiohttp.ClientResponse) -> bytes:
        import aiohttp

        try:
            with anyio.fail_after(self.patience.next_byte_seconds):
                return self.scrubbed(await response.content.readany())
        except TimeoutError as error:
            raise ProviderError(
                f"not a byte for {self.patience.next_byte_seconds:g} s in the middle of an answer"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderError(f"the answer broke off: {error or type(error).__name__}") from error

    def _refused(self, answer: Answer) -> InputError:
        return InputError(
            f"{self.endpoint.url} refuses the model {self.endpoint.model!r} (status {answer.status}): "
            f"{self.said(answer.body) or 'nothing'}",
            hint=HINT,
        )

    def scrubbed(self, data: bytes) -> bytes:
        """Without the key, should the endpoint repeat it."""
        key = self.endpoint.key.encode()
        return data.replace(key, b"[key]") if key and key in data else data

    def said(self, body: bytes) -> str:
        """The beginning of an answer, on one line, without the key."""
        return " ".join(self.scrubbed(body).decode("utf-8", "replace").split())[:SAID_CHARACTERS]


@asynccontextmanager
async def client(endpoint: Endpoint, patience: Patience) -> AsyncIterator[EndpointClient]:
    """A client with connections of its own, closed with the block."""
    import aiohttp

    context = ssl.create_default_context(cafile=endpoint.certificates) if endpoint.certificates else True
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=patience.connect_seconds)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=jar, auto_decompress=False, trust_env=False
    ) as session:
        yield EndpointClient(endpoint, patience, session)


def _is_passing(answer: Answer) -> bool:
    """Whether the endpoint may say something else a little later."""
    return (answer.status >= 500 or answer.status in AGAIN) and not is_out_of_credit(answer.body)


def _is_final(answer: Answer) -> bool:
    """Whether somebody has to correct something first."""
    return answer.status in NEVER or 300 <= answer.status < 400 or is_out_of_credit(answer.body)


def _wished_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the endpoint wants to be left alone (RFC 9110, section 10.2.3); None when it does not say."""
    said = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None
