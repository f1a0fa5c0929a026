"""One call of LiteLLM, and its answer as the OpenAI wire has it.

Where LiteLLM makes things up, a finish that the provider did not state or counts of its own, they are left out: the
gateway estimates by itself, and says so.
"""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncGenerator
from typing import Any

from gateway.providers.litellm_worker.arguments import arguments
from gateway.providers.litellm_worker.corrections import litellm, was_counted, was_finished
from gateway.providers.litellm_worker.failure import BrokenOff

CLOSE_S = 1.0
WARM_UP_S = 10.0
WARM_MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash")
COUNTED_BY_LITELLM = ("replicate/",)  # their wire has no usage: LiteLLM fills in counts of its own


async def warm_up() -> None:
    """Load what the first calls need, with calls to a port on which nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for model in WARM_MODELS:
            body = {"model": model, "messages": [{"role": "user", "content": "warm up"}], "stream": True}
            with contextlib.suppress(Exception):
                async with asyncio.timeout(WARM_UP_S):
                    await litellm.acompletion(**arguments(body, "", base))
    gc.collect()
    gc.freeze()


async def complete(call: dict[str, Any]) -> dict[str, Any]:
    """A whole answer as OpenAI's `chat.completion`."""
    answer = _dump(await litellm.acompletion(**call))
    usage = answer.get("usage")
    if not usage or not usage.get("prompt_tokens") or _counts_itself(call):
        answer.pop("usage", None)  # no prompt has no tokens: it is LiteLLM's filler, and unknown is not zero
    for choice in answer["choices"]:
        choice.get("message", {}).setdefault("content", None)
    return answer


async def stream(call: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """An answer as OpenAI's `chat.completion.chunk`s, usage last and only if the provider gave it; raises `BrokenOff`."""
    reply = await litellm.acompletion(**call)
    try:
        async for piece in reply:
            chunk = _dump(piece)
            usage = chunk.pop("usage", None)
            if usage is None:
                if _finishes(chunk) and not was_finished(reply):
                    raise BrokenOff("The provider's answer broke off before it was finished.")
                yield chunk
            elif usage.get("prompt_tokens") and was_counted(reply) and not _counts_itself(call):
                yield {**chunk, "choices": [], "usage": usage}
    finally:
        await _hang_up(reply)


def _dump(reply: Any) -> dict[str, Any]:
    """In JSON's types, without what is empty; LiteLLM's own `cost` must not pass for the provider's statement."""
    full: dict[str, Any] = reply.model_dump(mode="json", exclude_none=True, warnings=False)
    found = {name: value for name, value in full.items() if name == "choices" or value not in ([], {})}
    if isinstance(usage := found.get("usage"), dict):
        usage.pop("cost", None)
    for choice in found.setdefault("choices", []):
        choice.setdefault("finish_reason", None)
        if not choice.get("provider_specific_fields", True):
            del choice["provider_specific_fields"]
    return found


def _finishes(chunk: dict[str, Any]) -> bool:
    return any(choice["finish_reason"] for choice in chunk["choices"])


def _counts_itself(call: dict[str, Any]) -> bool:
    return str(call["model"]).startswith(COUNTED_BY_LITELLM)


async def _hang_up(reply: Any) -> None:
    """Close the provider's connection, whatever LiteLLM wrapped its stream in."""
    inner = getattr(reply, "completion_stream", None)
    for wrapped in (inner, getattr(inner, "response", None), getattr(inner, "streaming_response", None), reply):
        close = getattr(wrapped, "aclose", None) or getattr(wrapped, "close", None)
        if close is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_S):
                    closing = close()
                    if closing is not None:
                        await closing
