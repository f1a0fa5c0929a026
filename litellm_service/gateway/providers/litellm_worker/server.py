"""The OpenAI wire in front of LiteLLM: the only module that imports it."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # the line above must come first: no network at import

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DONE = b"data: [DONE]\n\n"
UNKNOWN_STATUS = 502
CALL_TIMEOUT_S = 1800


def serve(socket: str) -> None:
    """Serve on a Unix socket until SIGTERM."""
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = False
    litellm.num_retries = 0
    logging.getLogger("LiteLLM").setLevel(logging.WARNING)
    uvicorn.run(app, uds=socket, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI: `GET /health` and `POST /v1/chat/completions`."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/health":
        await _send_json(send, 200, {"status": "ok", "litellm": litellm.__name__})
        return
    if scope["path"] != "/v1/chat/completions" or scope["method"] != "POST":
        await _send_json(send, 404, {"error": {"message": "Only POST /v1/chat/completions.", "code": "not_found"}})
        return
    headers = dict(scope["headers"])
    body = json.loads(await _body(receive))
    answer = asyncio.ensure_future(_answer(body, headers, send))
    leaving = asyncio.ensure_future(_until_disconnect(receive))
    await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (answer, leaving):
        task.cancel()
    await asyncio.gather(answer, leaving, return_exceptions=True)


async def _answer(body: dict[str, Any], headers: dict[bytes, bytes], send: Send) -> None:
    try:
        reply = await litellm.acompletion(**_arguments(body, headers))
    except Exception as error:  # LiteLLM raises its own errors and those of any provider's library  # noqa: BLE001
        await _send_json(send, _status(error), _error(error), _retry_after(error))
        return
    if body.get("stream"):
        await _stream(reply, send)
    else:
        await _send_json(send, 200, _plain(reply))


def _arguments(body: dict[str, Any], headers: dict[bytes, bytes]) -> dict[str, Any]:
    key = headers.get(b"authorization", b"").decode().removeprefix("Bearer ").strip()
    arguments = {**body, "api_key": key or "none", "num_retries": 0, "max_retries": 0, "timeout": CALL_TIMEOUT_S}
    base = headers.get(b"x-gateway-api-base")
    if base is not None:
        arguments["api_base"] = _api_base(str(body.get("model", "")), base.decode())
    if body.get("stream"):
        arguments["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return arguments


def _api_base(model: str, base: str) -> str:
    """Each provider's own form: Gemini's paths begin after the API version, Anthropic's are completed by LiteLLM."""
    base = base.rstrip("/")
    if model.startswith("gemini/") and not base.endswith(("/v1", "/v1beta")):
        return base + "/v1beta"
    if model.startswith("anthropic/"):
        return base.removesuffix("/v1")
    return base


async def _stream(reply: AsyncIterator[Any], send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    try:
        async for chunk in reply:
            data = json.dumps(_plain(chunk), separators=(",", ":")).encode()
            await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})
    except Exception as error:  # as above  # noqa: BLE001
        data = json.dumps(_error(error)).encode()
        await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n"})
        return
    finally:
        await _close(reply)
    await send({"type": "http.response.body", "body": DONE})


async def _close(reply: Any) -> None:
    """Hang up on the provider, whatever LiteLLM wrapped its stream in."""
    inner = getattr(reply, "completion_stream", None)
    for stream in (inner, getattr(inner, "response", None), getattr(inner, "streaming_response", None), reply):
        close = getattr(stream, "aclose", None)
        if close is not None:
            await asyncio.gather(asyncio.ensure_future(close()), return_exceptions=True)


def _plain(reply: Any) -> dict[str, Any]:
    found: dict[str, Any] = reply.model_dump(exclude_none=False)
    usage = found.get("usage")
    if isinstance(usage, dict):
        usage.pop("cost", None)  # LiteLLM's own sum, which must not pass for the provider's statement
    return found


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _status(error: Exception) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 600 else UNKNOWN_STATUS


def _error(error: Exception) -> dict[str, Any]:
    message = getattr(error, "message", None) or str(error)
    kind = getattr(error, "type", None) or type(error).__name__
    return {"error": {"message": str(message), "type": str(kind), "code": getattr(error, "code", None), "param": None}}


def _retry_after(error: Exception) -> list[tuple[bytes, bytes]]:
    response = getattr(error, "response", None)
    value = response.headers.get("retry-after") if response is not None and getattr(response, "headers", None) else None
    return [] if value is None else [(b"retry-after", str(value).encode())]


async def _send_json(send: Send, status: int, value: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps(value).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
