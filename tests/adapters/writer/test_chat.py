"""The chat endpoint: what is sent, and what each kind of answer means."""

from __future__ import annotations

import pytest

from assay.adapters.writer.chat import ChatWriter
from assay.errors import InputError, ProviderError
from assay.ports.writer import Draft
from assay.testing.chat_endpoint import chat_endpoint

pytestmark = pytest.mark.anyio


async def test_a_draft_is_what_the_model_wrote() -> None:
    with chat_endpoint("The words.") as endpoint:
        draft = await ChatWriter("some-model", endpoint.url, key="secret").draft("Be brief.", "It broke.")
    assert draft == Draft("The words.", 7, 3)
    [request] = endpoint.requests
    assert (request["model"], request["temperature"]) == ("some-model", 0)
    assert [m["content"] for m in request["messages"]] == ["Be brief.", "It broke."]
    assert endpoint.keys == ["Bearer secret"]


async def test_without_a_key_none_is_sent_and_a_busy_endpoint_is_asked_again() -> None:
    with chat_endpoint("Words.") as endpoint:
        endpoint.statuses = [503, 429]
        assert (await ChatWriter("m", f"{endpoint.url}/").draft("a", "b")).text == "Words."
    assert endpoint.keys == [None] * 3


async def test_a_wrong_key_is_the_users_and_not_tried_again() -> None:
    with chat_endpoint() as endpoint:
        endpoint.statuses = [401]
        with pytest.raises(InputError, match="refuses the model 'm'") as caught:
            await ChatWriter("m", endpoint.url, key="secret").draft("a", "b")
    assert len(endpoint.requests) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": {}}]}'])
async def test_what_is_no_completion_says_so(raw: bytes) -> None:
    with chat_endpoint() as endpoint:
        endpoint.raw = raw
        with pytest.raises(ProviderError, match="chat completion"):
            await ChatWriter("m", endpoint.url).draft("a", "b")


async def test_a_dead_endpoint_is_the_providers_fault() -> None:
    with chat_endpoint() as endpoint:
        url = endpoint.url
    with pytest.raises(ProviderError, match="does not answer"):
        await ChatWriter("m", url).draft("a", "b")
