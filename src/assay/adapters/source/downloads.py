"""Bytes from an index: bounded, retried a few times, checked, and kept.

    index/<digest of the address>     the last good answer, for days without a network
    archives/<sha256>                 archives under their own digest: what is there needs no network again

Files are renamed into place when they are whole; what cannot be checked against a digest from the index is kept
under its address.
"""

from __future__ import annotations

import errno
import json
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import anyio
import httpx

from assay.errors import DiskFullError, ProviderError, Rejection, StoreError
from assay.model.reason import Reason

Answer = TypeVar("Answer")

MAX_PAGE_BYTES = 64 << 20
OFFLINE_HINT = "check the network (a proxy or certificate file can be set in the settings) and run the same line again"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach an index. Nothing is read from environment variables."""

    ca_file: Path | None = None
    """Certificates to trust; the system's when None."""
    proxy: str | None = None
    timeout_seconds: float = 30.0
    attempts: int = 4
    backoff_seconds: float = 0.5
    """Wait before the second attempt; doubles each time."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the index."""

    url: str
    status: int
    content_type: str
    body: bytes


class Downloads:
    """Fetches over HTTP into a cache that any number of processes may share."""

    def __init__(self, cache_dir: Path, connection: Connection) -> None:
        self._cache_dir = cache_dir
        self._connection = connection
        self._tls: ssl.SSLContext | None = None

    async def page(self, url: str, accept: str) -> Page:
        """An index page: fresh if the network allows, else the last one. 404 is a value. Raises ProviderError."""
        kept = self._cache_dir / "index" / sha256(f"{accept} {url}".encode()).hexdigest()
        try:
            page = await self._fresh(url, accept)
        except ProviderError:
            old = await anyio.to_thread.run_sync(_read_page, kept)
            if old is None:
                raise
            return old
        if page.status == 200:
            await anyio.to_thread.run_sync(_write_page, kept, page)
        return page

    async def archive(self, url: str, digest: str | None, max_bytes: int) -> bytes:
        """An archive's bytes, checked. Raises ProviderError, Rejection (unsafe-source) when it is too large."""
        kept = self._cache_dir / "archives" / (digest or f"address-{sha256(url.encode()).hexdigest()}")
        data = await anyio.to_thread.run_sync(_read, kept)
        if data is not None and (digest is None or sha256(data).hexdigest() == digest):
            return data
        data = await self._download(url, max_bytes)
        found = sha256(data).hexdigest()
        if digest is not None and found != digest:
            raise ProviderError(
                f"{url} is not the file that the index names: its SHA-256 is {found}, not {digest}",
                hint="a proxy may have changed it; if it stays so, tell the index's operators",
                url=url,
            )
        await anyio.to_thread.run_sync(_write, kept, data)
        return data

    async def _fresh(self, url: str, accept: str) -> Page:
        async def once() -> Page:
            async with self._answer(url, {"Accept": accept}) as response:
                if response.status_code == 404:
                    return Page(str(response.url), 404, "", b"")
                _check_status(response)
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_PAGE_BYTES:
                        raise ProviderError(f"{url} answers with more than {MAX_PAGE_BYTES} bytes", url=url)
                return Page(str(response.url), 200, response.headers.get("content-type", ""), bytes(body))

        return await self._patiently(url, once)

    async def _download(self, url: str, max_bytes: int) -> bytes:
        """All bytes of a file; a connection that breaks is taken up where it broke."""
        body = bytearray()

        async def once() -> bytes:
            headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={len(body)}-"} if body else {})
            async with self._answer(url, headers) as response:
                _check_status(response)
                if response.headers.get("content-range", "").partition("-")[0] != f"bytes {len(body)}":
                    body.clear()  # the server sends it all again, or something else than asked
                async for chunk in response.aiter_raw():
                    body.extend(chunk)
                    if len(body) > max_bytes:
                        raise Rejection(Reason.UNSAFE_SOURCE, f"{url} is larger than {max_bytes} bytes")
                return bytes(body)

        return await self._patiently(url, once)

    async def _patiently(self, url: str, once: Callable[[], Awaitable[Answer]]) -> Answer:
        """What may pass is tried again, a bounded number of times. Raises ProviderError in the end."""
        connection = self._connection
        for number in range(connection.attempts):
            try:
                return await once()
            except (httpx.TransportError, _Busy) as error:
                if number == connection.attempts - 1:
                    raise ProviderError(
                        f"cannot fetch {url}: {str(error) or type(error).__name__}", hint=OFFLINE_HINT, url=url
                    ) from error
            except (httpx.InvalidURL, httpx.HTTPError) as error:
                raise ProviderError(f"cannot fetch {url}: {error}", url=url) from error
            await anyio.sleep(connection.backoff_seconds * 2**number)
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def _answer(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        async with self._client() as client, client.stream("GET", url, headers=dict(headers)) as response:
            yield response

    def _client(self) -> httpx.AsyncClient:
        if self._tls is None:
            ca_file = self._connection.ca_file
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        return httpx.AsyncClient(
            verify=self._tls,
            proxy=self._connection.proxy,
            trust_env=False,
            timeout=self._connection.timeout_seconds,
            follow_redirects=True,
            max_redirects=5,
            headers={"User-Agent": "swe-assay"},
        )


class _Busy(Exception):
    """The server says: later."""


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == 429 or status >= 500:
        raise _Busy(f"the server answers with status {status}")
    if status >= 300:
        raise ProviderError(
            f"{response.url} answers with status {status}",
            url=str(response.url),
            status=status,
            host=urlsplit(str(response.url)).netloc,
        )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, data: bytes) -> None:
    with _store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


def _read_page(path: Path) -> Page | None:
    data = _read(path)
    try:
        head, _, body = (data or b"").partition(b"\n")
        return Page(**json.loads(head), body=body) if data else None
    except (ValueError, TypeError):
        return None


def _write_page(path: Path, page: Page) -> None:
    head = json.dumps({"url": page.url, "status": page.status, "content_type": page.content_type})
    _write(path, head.encode() + b"\n" + page.body)


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no space left on the disk for {path}", hint="free some space") from error
        raise StoreError(f"cannot keep {path}: {error.strerror or error}") from error
