"""LiteLLM, set up and called: the only module that imports it.

What LiteLLM does by itself and the gateway must not have is switched off in `set_up`: fetching the URLs in a prompt, and
a second request after a connection that broke (which may be billed twice). Where it makes things up at the end of a
stream, a finish reason or counts of its own, `stream` leaves them out.
"""

import asyncio
import contextlib
import gc
import logging
import os
import socket
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", MAX_IMAGE_URL_DOWNLOAD_SIZE_MB="0")
import litellm  # the line above must come first: no network at import
from litellm.litellm_core_utils import url_utils
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from gateway.providers.litellm_worker.arguments import arguments
from gateway.providers.litellm_worker.failure import BrokenOff

CLOSE_S = 1.0
WARM_UP_S = 10.0
WARM_MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash")
COUNTED_BY_LITELLM = ("replicate/",)  # their wire has no usage: LiteLLM fills in counts of its own


def set_up() -> None:
    """Quiet, without network of its own, one request for each call."""
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = False
    litellm.num_retries = 0
    litellm.user_url_validation = True
    url_utils.validate_url = _refuse_to_fetch
    AsyncHTTPHandler.single_connection_post_request = _refuse_a_second_request  # type: ignore[assignment,method-assign]  # it takes anything
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "asyncio", "httpx", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


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
                if _finishes(chunk) and not _was_finished(reply):
                    raise BrokenOff("The provider's answer broke off before it was finished.")
                yield chunk
            elif _was_counted(reply) and not _counts_itself(call):
                yield {**chunk, "choices": [], "usage": usage}
    finally:
        await _hang_up(reply)


def _dump(reply: Any) -> dict[str, Any]:
    """In JSON's types, without what is absent; LiteLLM's own `cost` must not pass for the provider's statement."""
    found: dict[str, Any] = reply.model_dump(mode="json", exclude_none=True, warnings=False)
    if isinstance(usage := found.get("usage"), dict):
        usage.pop("cost", None)
    for choice in found.get("choices", ()):
        choice.setdefault("finish_reason", None)
    return found


def _finishes(chunk: dict[str, Any]) -> bool:
    return any(choice["finish_reason"] for choice in chunk["choices"])


def _was_finished(reply: Any) -> bool:
    """The provider itself said so; LiteLLM says "stop" also after a stream that was cut."""
    given = (getattr(reply, name, None) for name in ("received_finish_reason", "intermittent_finish_reason"))
    return not isinstance(reply, litellm.CustomStreamWrapper) or any(given)


def _was_counted(reply: Any) -> bool:
    """The provider itself gave usage; LiteLLM counts with a tokenizer where it did not."""
    if not isinstance(reply, litellm.CustomStreamWrapper):
        return True
    return any(getattr(chunk, "usage", None) is not None for chunk in reply.chunks)


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


def _refuse_to_fetch(url: str) -> NoReturn:  # noqa: ARG001  # called by this name
    """In the place of LiteLLM's check of an address in a prompt: none is fetched."""
    raise url_utils.SSRFError("URLs are not fetched here; send the content itself as a data: URL.")


async def _refuse_a_second_request(_handler: AsyncHTTPHandler, **_request: object) -> NoReturn:
    """In the place of LiteLLM's own retry, called while the first request's exception is handled: let that one stand."""
    raise  # noqa: PLE0704  # re-raises the exception that the caller is handling
