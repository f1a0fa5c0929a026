"""Embeddings and rankings through LiteLLM: what may be asked, and the answer as OpenAI and Cohere have it.

Sources: https://platform.openai.com/docs/api-reference/embeddings; https://docs.cohere.com/reference/rerank.
"""

import base64
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.providers.litellm_worker.arguments import OURS, checked
from gateway.providers.litellm_worker.corrections import litellm

FIELDS = {
    "/v1/embeddings": frozenset({"model", "input", "dimensions", "encoding_format", "input_type", "user"}),
    "/v1/rerank": frozenset({"model", "query", "documents", "top_n", "return_documents", "rank_fields"}),
}
# What LiteLLM takes for the whole address.
_WHOLE_BASE = {("/v1/embeddings", "cohere"): "/v2/embed"}


async def answer(path: str, body: object, key: str, api_base: str | None) -> dict[str, Any]:
    """Raises `BadCall`, and whatever LiteLLM raises."""
    given = checked(body, FIELDS[path])
    call = {**given, **OURS, "api_key": key or "none"}
    if api_base is not None:
        provider = str(given["model"]).partition("/")[0]
        call["api_base"] = api_base.rstrip("/") + _WHOLE_BASE.get((path, provider), "")
    return await _CALLS[path](call)


async def _embed(call: dict[str, Any]) -> dict[str, Any]:
    """As numbers, or packed as OpenAI does where that is asked for: most providers know numbers only."""
    is_packed = call.pop("encoding_format", "float") == "base64"
    reply = _dump(await litellm.aembedding(**call))
    for one in reply.get("data", []):
        if is_packed and isinstance(one.get("embedding"), list):
            numbers = one["embedding"]
            one["embedding"] = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    return reply


async def _rank(call: dict[str, Any]) -> dict[str, Any]:
    return _dump(await litellm.arerank(**call))


def _dump(reply: Any) -> dict[str, Any]:
    """In JSON's types, without what is empty."""
    full: dict[str, Any] = reply.model_dump(mode="json", exclude_none=True, warnings=False)
    return full


_CALLS: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "/v1/embeddings": _embed,
    "/v1/rerank": _rank,
}
