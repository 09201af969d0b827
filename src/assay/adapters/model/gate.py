"""A gate on loopback and on a socket: the way of one trial to its model.

It asks for the trial's token and shows the endpoint the key instead. What passes is not changed, with two exceptions.
`stream_options.include_usage` is added to a stream's request that does not speak about it, since nothing else tells
what a stream has cost, and the event that comes for it is kept from the agent, which did not ask. And the key, should
an endpoint repeat it, is struck out.

At a limit the answer has status 402, because the agents' libraries (OpenAI's among them) ask again after 429 and 5xx,
and not after 402; and `over` tells whoever waits for the agent.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from assay.adapters.model.counting import OpenGate
from assay.adapters.model.endpoint import Endpoint, Patience, client
from assay.adapters.model.records import Records
from assay.adapters.sandbox import sessions
from assay.errors import InputError
from assay.model.agent import ModelSettings, TrialLimits
from assay.ports.agent import ModelAccess

SOCKET = "model.sock"
PLACE = "/assay/model"
"""Where the sandbox shows the folder of the socket."""
PORT = 4141
"""Of the forwarder inside, in a network of the sandbox's own."""


class LoopbackGate:
    """See the port. Its folders are made below `folder`, and those of the dead removed."""

    def __init__(
        self, endpoint: Endpoint, model: ModelSettings, folder: Path, *, patience: Patience | None = None
    ) -> None:
        self._endpoint, self._model, self._state = endpoint, model, folder
        self._patience = patience or Patience()

    @asynccontextmanager
    async def open(self, limits: TrialLimits) -> AsyncIterator[OpenGate]:
        """See the port."""
        if limits.usd is not None and (self._model.input_usd is None or self._model.output_usd is None):
            raise InputError(
                f"no price is known for the model {self._endpoint.model!r}, so a limit of dollars cannot be held",
                hint=f'give input_usd and output_usd in assay.toml below [models."{self._endpoint.model}"]',
            )
        from aiohttp import web

        from assay.adapters.model.passing import application

        place = await anyio.to_thread.run_sync(self._make_folder)
        token = f"assay-{secrets.token_urlsafe(24)}"
        name = self._endpoint.model
        inside = ModelAccess(name, f"http://127.0.0.1:{PORT}/v1", token, PLACE)
        try:
            async with client(self._endpoint, self._patience) as asking:
                gate = OpenGate(
                    ModelAccess(name, "", token), inside, place / "door", limits, self._model, asking,
                    Records(place / "exchanges.jsonl"),
                )  # fmt: skip
                runner = web.AppRunner(application(gate), access_log=None, handle_signals=False, shutdown_timeout=0.1)
                await runner.setup()
                try:
                    tcp = socket.create_server(("127.0.0.1", 0))
                    gate.outside = ModelAccess(name, f"http://127.0.0.1:{tcp.getsockname()[1]}/v1", token)
                    await web.SockSite(runner, tcp).start()
                    await web.SockSite(runner, _unix_socket(gate.folder)).start()
                    yield gate
                finally:
                    with anyio.CancelScope(shield=True):
                        await runner.cleanup()
                        await gate.end_calls()
        finally:
            sessions.forget(place)

    def _make_folder(self) -> Path:
        for left, _ in list(sessions.abandoned(self._state, frozenset())):
            sessions.forget(left)
        place = sessions.create(self._state, sessions.owner_now(""))
        sessions.remember(place)
        (place / "door").mkdir(mode=0o755)
        (place / "door").chmod(0o755)
        return place


def _unix_socket(folder: Path) -> socket.socket:
    """A listening socket, by a name that is short however long the folder's is (a socket's has 107 bytes)."""
    listening = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listening.bind(f"/proc/self/fd/{descriptor}/{SOCKET}")
    finally:
        os.close(descriptor)
    # The sandbox's user is another one. On the host nobody else can enter the folder above.
    (folder / SOCKET).chmod(0o666)
    listening.listen(128)
    return listening
