"""Any endpoint that speaks OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat).

Asked with temperature 0 and a fixed seed; endpoints may ignore both, so callers keep what they were given.
"""

from __future__ import annotations

from typing import Any

import httpx

from assay.errors import InputError, ProviderError
from assay.ports.writer import Draft

SECONDS = 120.0
MAX_TOKENS = 1200
TRIES = 3
REFUSED = (400, 401, 403, 404, 422)


class ChatWriter:
    """A model by name. `base_url` ends before `/chat/completions`; an empty key sends none."""

    def __init__(self, model: str, base_url: str, *, key: str = "") -> None:
        self.name = model
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def draft(self, instruction: str, material: str) -> Draft:
        """See the port."""
        body = {
            "model": self.name,
            "temperature": 0,
            "seed": 0,
            "max_tokens": MAX_TOKENS,
            "messages": [{"role": "system", "content": instruction}, {"role": "user", "content": material}],
        }
        reason = ""
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            for _ in range(TRIES):
                try:
                    response = await client.post(self._url, json=body, headers=self._headers)
                except httpx.HTTPError as error:
                    reason = str(error) or type(error).__name__
                    continue
                if response.status_code in REFUSED:
                    raise InputError(
                        f"{self._url} refuses the model {self.name!r} (status {response.status_code}): "
                        f"{_said(response)}",
                        hint="check --model, --model-url and the key in ASSAY_MODEL_KEY",
                    )
                if response.is_success:
                    return _draft(response, self._url)
                reason = f"status {response.status_code}: {_said(response)}"
        raise ProviderError(
            f"the model at {self._url} does not answer: {reason}",
            hint="run the same line again later, or leave --model out",
        )


def _draft(response: httpx.Response, url: str) -> Draft:
    try:
        answer: dict[str, Any] = response.json()
        text = answer["choices"][0]["message"]["content"]
        usage = answer.get("usage") or {}
        return Draft(str(text or ""), int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ProviderError(
            f"{url} answers something else than a chat completion: {_said(response)}",
            hint="is --model-url right? It ends before /chat/completions",
        ) from error


def _said(response: httpx.Response) -> str:
    return " ".join(response.text.split())[:200] or "nothing"
