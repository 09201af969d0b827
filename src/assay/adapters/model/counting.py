"""One trial's account with its model: what was used, which limit is reached, and whether the endpoint did its part."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from assay.adapters.model.endpoint import EndpointClient
from assay.adapters.model.records import Exchange, Records
from assay.core.model_calls import usd_of
from assay.errors import AssayError, InputError, ProviderError, RefusedError
from assay.model.agent import ModelSettings, TrialLimits
from assay.model.trial import TrialCost
from assay.ports.agent import ModelAccess

KEPT_BYTES = 256 * 1024 * 1024
"""Of a trial's calls, which are read into memory in the end; 100 calls of half a megabyte are a fifth of it."""
CALLS_AT_ONCE = 8
"""Whose bodies are in memory; further ones wait."""
ENDING_SECONDS = 5.0
"""For calls that are cancelled."""


@dataclass(slots=True)
class Sum:
    """What the calls of a trial have used. `is_known` is False once an endpoint did not say, or was cut short."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    usd: float = 0.0
    is_known: bool = True
    answered: int = 0
    broken: int = 0
    """In a row, the last ones."""
    last_refusal: str = ""
    waited_seconds: float = 0.0


@dataclass(slots=True)
class OpenGate:
    """See the port."""

    outside: ModelAccess
    inside: ModelAccess
    folder: Path
    limits: TrialLimits
    model: ModelSettings
    client: EndpointClient
    records: Records
    limit: str = ""
    sum: Sum = field(default_factory=Sum)
    problem: AssayError | None = None
    _over: anyio.Event = field(default_factory=anyio.Event)
    _calls: set[asyncio.Task[object]] = field(default_factory=set)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))

    @property
    def waited_seconds(self) -> float:
        """See the port."""
        return self.sum.waited_seconds

    async def over(self) -> None:
        """See the port."""
        await self._over.wait()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """While a call is under way; it ends with the gate."""
        task = asyncio.current_task()
        if task is None:
            yield
            return
        self._calls.add(task)
        try:
            yield
        finally:
            self._calls.discard(task)

    async def end_calls(self) -> None:
        """End the calls that are still under way. The server ends those that somebody waits for, without waiting for
        their end, and forgets those whose agent has gone.
        """
        calls = tuple(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls, timeout=ENDING_SECONDS)

    def check(self) -> None:
        """See the port."""
        if self.problem is not None:
            raise self.problem
        if self.sum.broken:
            raise ProviderError(
                f"the last answer of the model at {self.client.endpoint.url} broke off, and no other came after it",
                hint="run the same line again later",
            )
        if self.sum.last_refusal and not self.sum.answered:
            raise RefusedError(
                f"{self.client.endpoint.url} refuses whatever the agent asks: {self.sum.last_refusal}",
                hint="when it is so for every task: is the agent one for this model and endpoint?",
            )

    def cost(self) -> TrialCost:
        """See the port."""
        known = self.sum.is_known
        priced = self.model.input_usd is not None and self.model.output_usd is not None
        return TrialCost(
            usd=self.sum.usd if known and (priced or not self.sum.calls) else None,
            model_call_count=self.sum.calls,
            prompt_tokens=self.sum.prompt if known else None,
            completion_tokens=self.sum.completion if known else None,
            cached_tokens=self.sum.cached if known else None,
        )

    def exchanges(self) -> bytes:
        """See the port."""
        return self.records.read()

    def give_up(self, error: AssayError) -> None:
        """From now on nothing passes."""
        self.problem = self.problem or error
        self._over.set()

    def reached(self) -> tuple[str, str] | None:
        """The limit that the next call would be over, and how to say so."""
        found, limits = None, self.limits
        used = self.sum.prompt + self.sum.completion
        if limits.step_count is not None and self.sum.calls >= limits.step_count:
            found = "limit-steps", f"{limits.step_count} calls of the model"
        elif limits.tokens is not None and used >= limits.tokens:
            found = "limit-tokens", f"{limits.tokens} tokens"
        elif limits.usd is not None and self.sum.usd >= limits.usd:
            found = "limit-usd", f"{limits.usd:g} dollars"
        elif self.records.kept_bytes >= KEPT_BYTES:
            found = "limit-bytes", f"{KEPT_BYTES} bytes of calls"
        if found is not None:
            self.limit = self.limit or found[0]
            self._over.set()
        return found

    def charge(self, exchange: Exchange) -> None:
        """Count a call that has ended, whatever way it went."""
        total = self.sum
        total.waited_seconds += exchange.waited_seconds
        if exchange.tokens is None:
            if exchange.status is None or exchange.status < 300:
                total.is_known = False
            return
        tokens = exchange.tokens
        total.prompt += tokens.prompt
        total.completion += tokens.completion
        total.cached += tokens.cached
        exchange.usd = usd_of(tokens, self.model)
        total.usd += exchange.usd or 0.0

    def demand_usage(self, exchange: Exchange) -> None:
        """Without usage a limit of tokens or dollars cannot be held."""
        if exchange.tokens is None and (self.limits.tokens is not None or self.limits.usd is not None):
            self.give_up(
                InputError(
                    f"{self.client.endpoint.url} does not tell how many tokens an answer took, so that no limit of "
                    "tokens or dollars can be held",
                    hint="limit the steps instead",
                )
            )
