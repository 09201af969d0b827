"""The gate, against a scripted endpoint: what passes, what is counted, what is refused, and whose fault it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from assay.adapters.model import counting
from assay.adapters.model.counting import OpenGate
from assay.adapters.model.endpoint import Endpoint, Patience
from assay.adapters.model.gate import SOCKET, LoopbackGate
from assay.errors import InputError, ProviderError, RefusedError
from assay.model.agent import ModelSettings, TrialLimits
from assay.testing.scripted_model import KEY, Refusal, ScriptedModel, scripted_model

pytestmark = pytest.mark.anyio

PRICES = ModelSettings(input_usd=8, cached_input_usd=0, output_usd=16)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "bash",
            "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
        },
    }
]


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model("sed -i s/1/2/ a.py") as made:
        yield made


class Pauses:
    """How long the gate would have slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def opened(
    model: ScriptedModel, folder: Path, limits: TrialLimits | None = None, **more: Any
) -> AsyncIterator[OpenGate]:
    settings = more.pop("settings", PRICES)
    patience = Patience(**{"sleep": Pauses(), **more})
    gate = LoopbackGate(Endpoint("scripted", model.url, KEY), settings, folder / "gates", patience=patience)
    async with gate.open(limits or TrialLimits()) as one:
        yield one
    assert not list((folder / "gates").iterdir())


def asking(**more: Any) -> bytes:
    request = {"model": "scripted", "messages": [{"role": "user", "content": "caf\u00e9"}], "seed": 1, **more}
    return json.dumps(request, indent=1).encode()


async def post(
    gate: OpenGate, body: bytes, *, token: str = "", path: str = "/chat/completions", unix: bool = False
) -> tuple[int, bytes]:
    descriptor = os.open(gate.folder, os.O_RDONLY)  # the socket's own name may be too long to connect to
    connector = aiohttp.UnixConnector(f"/proc/self/fd/{descriptor}/{SOCKET}") if unix else None
    headers = {"Authorization": f"Bearer {token or gate.outside.token}", "X-Mine": "1"}
    url = ("http://gate/v1" if unix else gate.outside.url) + path
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(url, data=body, headers=headers) as r,
        ):
            return r.status, await r.read()
    finally:
        os.close(descriptor)


async def test_a_call_passes_as_it_is_and_is_counted_and_kept(model: ScriptedModel, tmp_path: Path) -> None:
    async with opened(model, tmp_path) as gate:
        body = asking(tools=TOOLS, logprobs=True)
        status, answer = await post(gate, body)
        again, _ = await post(gate, body, unix=True)
        cost, lines = gate.cost(), [json.loads(line) for line in gate.exchanges().splitlines()]
        gate.check()
    assert (status, again) == (200, 200)
    assert model.raw == [body, body]
    assert model.keys == [f"Bearer {KEY}"] * 2
    call = json.loads(answer)["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"command": "sed -i s/1/2/ a.py"}
    usage = json.loads(answer)["usage"]
    assert (cost.model_call_count, cost.prompt_tokens) == (2, 2 * usage["prompt_tokens"])
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert cost.usd == pytest.approx(
        2 * ((usage["prompt_tokens"] - cached) * 8 + usage["completion_tokens"] * 16) / 1_000_000
    )
    assert [line["request"].encode() for line in lines] == [body, body]
    assert lines[0]["response"].encode() == answer
    assert lines[0]["request_headers"]["X-Mine"] == "1"
    assert KEY not in str(lines)
    assert gate.outside.token not in str(lines)


async def test_a_stream_passes_event_by_event_and_its_usage_is_asked_for(model: ScriptedModel, tmp_path: Path) -> None:
    body = asking(stream=True, tools=TOOLS)
    async with opened(model, tmp_path) as gate:
        status, answer = await post(gate, body)
        cost, [line] = gate.cost(), [json.loads(line) for line in gate.exchanges().splitlines()]
    assert status == 200
    assert model.raw[0].replace(b'"stream_options":{"include_usage":true},', b"") == body
    assert cost.prompt_tokens and cost.completion_tokens
    assert answer.endswith(b"data: [DONE]\n\n")
    assert b'"usage": {' not in answer  # it was not the agent that asked for it
    assert line["usage_was_asked_for"]
    without = [one for one in line["response"].split("\n\n") if '"usage": {' not in one]
    assert "\n\n".join(without).encode() == answer


async def test_a_stream_that_asks_itself_is_not_touched(model: ScriptedModel, tmp_path: Path) -> None:
    body = asking(stream=True, stream_options={"include_usage": True})
    async with opened(model, tmp_path) as gate:
        _, answer = await post(gate, body)
        [line] = [json.loads(line) for line in gate.exchanges().splitlines()]
    assert model.raw == [body]
    assert line["response"].encode() == answer
    assert b'"usage": {' in answer


async def test_an_endpoint_that_does_not_know_it_is_asked_as_the_agent_did(
    model: ScriptedModel, tmp_path: Path
) -> None:
    model.faults.append(Refusal(400, error={"message": "Unrecognized request argument: stream_options"}))
    body = asking(stream=True)
    async with opened(model, tmp_path) as gate:
        assert (await post(gate, body))[0] == 200
        [line] = [json.loads(line) for line in gate.exchanges().splitlines()]
        assert gate.cost().prompt_tokens is None
        gate.check()
    assert model.raw[1] == body
    assert line["usage_was_asked_for"] is False


async def test_a_wrong_token_another_model_and_another_way_do_not_pass(model: ScriptedModel, tmp_path: Path) -> None:
    async with opened(model, tmp_path) as gate:
        assert (await post(gate, asking(), token="guessed"))[0] == 401
        assert (await post(gate, asking(model="dearer")))[0] == 404
        assert (await post(gate, asking(), path="/files"))[0] == 404
        assert (await post(gate, b"[1"))[0] == 400
        assert gate.cost().model_call_count == 0
    assert model.requests == []


@pytest.mark.parametrize(
    ("limits", "name", "calls"),
    [
        (TrialLimits(step_count=2), "limit-steps", 2),
        (TrialLimits(tokens=1), "limit-tokens", 1),
        (TrialLimits(usd=1e-9), "limit-usd", 1),
    ],
)
async def test_a_limit_is_held_before_a_call_and_ends_the_trial(
    model: ScriptedModel, tmp_path: Path, limits: TrialLimits, name: str, calls: int
) -> None:
    async with opened(model, tmp_path, limits) as gate:
        statuses = [(await post(gate, asking()))[0] for _ in range(calls + 1)]
        await gate.over()
        gate.check()  # the agent's own doing
        assert statuses == [200] * calls + [402]
        assert gate.limit == name
    assert len(model.requests) == calls


async def test_limits_that_cannot_be_held_are_refused(model: ScriptedModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no price is known"):
        async with opened(model, tmp_path, TrialLimits(usd=1), settings=ModelSettings()):
            raise AssertionError
    model.usage = False
    async with opened(model, tmp_path, TrialLimits(tokens=5)) as gate:
        assert (await post(gate, asking()))[0] == 200
        await gate.over()
        with pytest.raises(InputError, match="does not tell how many tokens"):
            gate.check()


async def test_what_is_not_told_is_unknown(model: ScriptedModel, tmp_path: Path) -> None:
    async with opened(model, tmp_path, settings=ModelSettings()) as gate:
        assert gate.cost().usd == 0.0
        await post(gate, asking())
        assert gate.cost().usd is None
        assert gate.cost().prompt_tokens
        model.usage = False
        await post(gate, asking(stream=True))
        assert gate.cost().prompt_tokens is None


async def test_it_asks_again_with_patience(model: ScriptedModel, tmp_path: Path) -> None:
    pauses = Pauses()
    model.faults += [Refusal(429, {"Retry-After": "7"}), Refusal(503), "hang-up", "nonsense"]
    async with opened(model, tmp_path, sleep=pauses) as gate:
        assert (await post(gate, asking()))[0] == 200
        gate.check()
        [line] = [json.loads(line) for line in gate.exchanges().splitlines()]
        assert gate.waited_seconds >= sum(pauses.seconds)
        assert gate.cost().model_call_count == 1
    assert pauses.seconds[0] == 7
    assert 0.7 < pauses.seconds[1] < pauses.seconds[2] < pauses.seconds[3] < 10.1
    assert [one["status"] for one in line["vain"]] == [429, 503, None, None]


@pytest.mark.parametrize("fault", [Refusal(500), Refusal(429, {"Retry-After": "3600"}), "nonsense", "hang-up", "empty"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_endpoint_that_stays_bad_is_given_up(
    model: ScriptedModel, tmp_path: Path, fault: Any, stream: bool
) -> None:
    model.always = fault
    async with opened(model, tmp_path, tries=3) as gate:
        assert (await post(gate, asking(stream=stream)))[0] == 402
        await gate.over()
        with pytest.raises(ProviderError, match="does not answer"):
            gate.check()
        asked = len(model.requests)
        assert (await post(gate, asking()))[0] == 402
        assert len(model.requests) == asked


async def test_stalls_are_given_up(model: ScriptedModel, tmp_path: Path) -> None:
    model.always = "stall"
    async with opened(model, tmp_path, tries=2, first_byte_seconds=0.05) as gate:
        await post(gate, asking(stream=True))
        with pytest.raises(ProviderError, match="not a byte in"):
            gate.check()


@pytest.mark.parametrize("fault", ["cut", "stall-midway"])
async def test_an_answer_that_breaks_off_is_no_answer(model: ScriptedModel, tmp_path: Path, fault: Any) -> None:
    async with opened(model, tmp_path, next_byte_seconds=0.05) as gate:
        model.faults.append(fault)
        with pytest.raises(aiohttp.ClientError):
            await post(gate, asking(stream=True))
        with pytest.raises(ProviderError, match="no other came after it"):
            gate.check()
        assert (await post(gate, asking(stream=True)))[0] == 200
        gate.check()
        assert gate.cost().prompt_tokens is None
        for _ in range(3):
            model.faults.append(fault)
            with pytest.raises(aiohttp.ClientError):
                await post(gate, asking(stream=True))
        await gate.over()


async def test_an_event_that_is_no_json_is_passed_on_and_noted(model: ScriptedModel, tmp_path: Path) -> None:
    model.faults.append("malformed")
    async with opened(model, tmp_path) as gate:
        assert b"this is no JSON" in (await post(gate, asking(stream=True)))[1]
        [line] = [json.loads(line) for line in gate.exchanges().splitlines()]
    assert line["notes"] == ["event 1 is no JSON"]


async def test_a_prompt_that_is_too_long_is_the_agents_own_matter(model: ScriptedModel, tmp_path: Path) -> None:
    model.always = "overflow"
    async with opened(model, tmp_path) as gate:
        status, answer = await post(gate, asking())
        assert (status, json.loads(answer)["error"]["code"]) == (400, "context_length_exceeded")
        gate.check()
        assert gate.cost().prompt_tokens == 0


@pytest.mark.parametrize("status", [401, 402, 403, 404, 307])
async def test_what_somebody_has_to_correct_stops_everything(model: ScriptedModel, tmp_path: Path, status: int) -> None:
    model.always = Refusal(status, error={"message": f"wrong key {KEY}"})
    async with opened(model, tmp_path) as gate:
        _, answer = await post(gate, asking())
        with pytest.raises(InputError, match="refuses the model") as error:
            gate.check()
        assert KEY not in str(error.value) + answer.decode() + gate.exchanges().decode()
    assert len(model.requests) == 1


async def test_an_account_without_credit_is_no_rate_limit(model: ScriptedModel, tmp_path: Path) -> None:
    model.always = Refusal(429, error={"message": "no credit", "code": "insufficient_quota"})
    async with opened(model, tmp_path) as gate:
        await post(gate, asking())
        with pytest.raises(InputError, match="no credit"):
            gate.check()


async def test_an_endpoint_that_refuses_all_gives_no_score(model: ScriptedModel, tmp_path: Path) -> None:
    model.always = Refusal(400, error={"message": "Unsupported parameter: seed"})
    async with opened(model, tmp_path) as gate:
        assert (await post(gate, asking()))[0] == 400
        with pytest.raises(RefusedError, match="Unsupported parameter"):
            gate.check()
        model.always = None
        await post(gate, asking())
        gate.check()


@pytest.mark.parametrize("is_gone", [False, True], ids=["the agent waits", "the agent is gone"])
async def test_a_call_that_is_under_way_when_the_trial_is_over_ends_with_it(
    model: ScriptedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture, is_gone: bool
) -> None:
    model.always = Refusal(500)
    pausing = anyio.Event()

    async def sleep(_: float) -> None:
        pausing.set()
        await anyio.sleep_forever()

    async def ask(gate: OpenGate, scope: anyio.CancelScope) -> None:
        with scope, contextlib.suppress(aiohttp.ClientError):
            await post(gate, asking())

    before = asyncio.all_tasks()
    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        async with opened(model, tmp_path, sleep=sleep) as gate:
            group.start_soon(ask, gate, scope)
            with anyio.fail_after(20):
                await pausing.wait()
            if is_gone:
                scope.cancel()
                await anyio.wait_all_tasks_blocked()
    assert asyncio.all_tasks() <= before
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_agent_cannot_fill_the_disk_or_the_memory_by_its_calls(
    model: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "KEPT_BYTES", 50_000)
    monkeypatch.setattr(counting, "CALLS_AT_ONCE", 2)
    found: list[int] = []

    async def ask(gate: OpenGate) -> None:
        found.append((await post(gate, asking(padding="x" * 20_000)))[0])

    async with opened(model, tmp_path) as gate:
        async with anyio.create_task_group() as group:
            for _ in range(12):
                group.start_soon(ask, gate)
        assert gate.limit == "limit-bytes"
        assert len(gate.exchanges()) < 50_000 + 3 * 25_000
    assert sorted(set(found)) == [200, 402]
    assert found.count(200) <= 5
