"""Sending whole replies: the few lines around ASGI's `send`."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from gateway.domain.errors import RequestTimeout
from gateway.domain.time import id_text, new_request_id, now_ms
from gateway.http.errors import RawHeaders, body_of, headers_of, status_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"


def fresh_id() -> str:
    """An id for a reply to a request that never was admitted."""
    return id_text(new_request_id(now_ms()))


async def send_json(send: Send, status: int, value: object, headers: RawHeaders) -> None:
    """Encode and send."""
    await send_bytes(send, status, msgspec.json.encode(value), headers)


async def send_bytes(send: Send, status: int, body: bytes, headers: RawHeaders, content_type: bytes = JSON) -> None:
    """A whole reply in two messages, as ASGI wants it."""
    head = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def send_stored(send: Send, body: bytes, headers: RawHeaders) -> None:
    """An answer as it was given before, `content-type` included."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [*headers, (b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


async def send_error(
    send: Send, error: BaseException, request_id: str, headers: RawHeaders | None = None, body: bytes | None = None
) -> None:
    """An error with its status and headers; `body` is in the form of the client's wire, `None`: the gateway's own."""
    own = [(b"x-request-id", request_id.encode()), *headers_of(error), *(headers or [])]
    if isinstance(error, RequestTimeout):
        own.append((b"connection", b"close"))
    await send_bytes(send, status_of(error), body or msgspec.json.encode(body_of(error, request_id)), own)
