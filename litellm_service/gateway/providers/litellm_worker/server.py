"""The OpenAI wire in front of LiteLLM, on a Unix socket."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import metadata
from typing import Any

import uvicorn

from gateway.providers.litellm_worker import calling, operations
from gateway.providers.litellm_worker.arguments import BadCall, arguments
from gateway.providers.litellm_worker.corrections import set_up
from gateway.providers.litellm_worker.failure import Headers, body_of, headers_of, status_of
from gateway.providers.litellm_worker.scrubbing import Keys

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS = ("/v1/chat/completions", *operations.FIELDS)
DONE = b"data: [DONE]\n\n"
STOP_S = 2
KEEP_ALIVE_S = 3600
CANCEL_AGAIN_S = 0.2

log = logging.getLogger(__name__)


async def serve(socket: str, keys: Keys) -> None:
    """Serve on a Unix socket until SIGTERM."""
    set_up()
    await calling.warm_up()
    config = uvicorn.Config(
        Worker(keys), uds=socket, log_level="warning", access_log=False, lifespan="off", ws="none",
        server_header=False, timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=STOP_S,
    )  # fmt: skip
    await uvicorn.Server(config).serve()


class Worker:
    """ASGI: `GET /health`, `POST /v1/chat/completions`, `/v1/embeddings` and `/v1/rerank`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; it is given up as soon as the client hangs up."""
        if scope["path"] == "/health":
            await _send_json(send, 200, {"status": "ok", "litellm": metadata.version("litellm")})
        elif scope["path"] in PATHS and scope["method"] == "POST":
            body = await _body(receive)
            if body is not None:
                answer = self._answer(scope["path"], body, dict(scope["headers"]), send)
                await _while_connected(answer, receive)
        else:
            message = f"Only POST to {', '.join(PATHS)}."
            await _send_json(send, 404, {"error": {"message": message, "code": "not_found"}})

    async def _answer(self, path: str, body: bytes, headers: dict[bytes, bytes], send: Send) -> None:
        key = headers.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ").strip()
        self._keys.add(key)
        given = headers.get(b"x-gateway-api-base")
        base = None if given is None else given.decode("latin-1")
        try:
            if path in operations.FIELDS:
                await _send_json(send, 200, await operations.answer(path, _decoded(body), key, base))
                return
            call = arguments(_decoded(body), key, base)
            if call["stream"]:
                await _stream(call, key, send)
            else:
                await _send_json(send, 200, await calling.complete(call))
        except BadCall as error:
            problem = {"message": str(error), "type": "invalid_request_error", "code": None, "param": error.param}
            await _send_json(send, 400, {"error": problem})
        except Exception as error:  # LiteLLM raises its own errors and those of any provider's library  # noqa: BLE001
            await _send_json(send, status_of(error), body_of(error, key), headers_of(error))


async def _stream(call: dict[str, Any], key: str, send: Send) -> None:
    """The first chunk is awaited before the status goes out, so that a failure until then is a status of its own."""
    async with contextlib.aclosing(calling.stream(call)) as chunks:
        first = await anext(chunks, None)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        try:
            if first is not None:
                await _send_event(send, first)
            async for chunk in chunks:
                await _send_event(send, chunk)
        except Exception as error:  # as above  # noqa: BLE001
            await _send_event(send, body_of(error, key))
            await send({"type": "http.response.body", "body": b""})
            return
    await send({"type": "http.response.body", "body": DONE})


async def _while_connected(answering: Awaitable[None], receive: Receive) -> None:
    """Run to the end, or until the client hangs up: then cancel, again if need be, until it is over."""
    answer = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(_until_disconnect(receive))
    await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
    while not answer.done():
        answer.cancel()
        await asyncio.wait({answer}, timeout=CANCEL_AGAIN_S)
    leaving.cancel()
    for outcome in await asyncio.gather(answer, leaving, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("a call failed within the worker: %s", type(outcome).__name__)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes | None:
    """The whole body; `None` if the client left before its end."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadCall(f"The body is not valid JSON: {error}.") from None


async def _send_event(send: Send, value: dict[str, Any]) -> None:
    data = json.dumps(value, separators=(",", ":")).encode()
    await send({"type": "http.response.body", "body": b"data: %s\n\n" % data, "more_body": True})


async def _send_json(send: Send, status: int, value: dict[str, Any], headers: Headers | None = None) -> None:
    body = json.dumps(value).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
