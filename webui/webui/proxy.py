"""Passes `/api/*` on to the API service: not buffered, abort passed on, the session's key added here."""

import asyncio
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

import aiohttp
import yarl
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from webui.errors import Refusal, send_refusal
from webui.session import ENDED, Session, Sessions
from webui.upstream import Upstream, headers_for

BUFFER_BYTES = 64 * 1024
MOST_COMPRESSED_BYTES = 8_000_000
GZIP = 16 + zlib.MAX_WBITS

_SEGMENT = r"(?!\.{1,2}(?:/|$))[^/]+"
_OBJECTS = "keys|budgets|limits|prices/overrides"
_CONVERSATION = r"/api/conversations/[A-Za-z0-9_-]+"
ALLOWED = (
    ("POST", re.compile(rf"/api/(?:chat|prices/import|prices/recompute|{_OBJECTS})")),
    ("GET", re.compile(r"/api/(?:me|models|stats|usage|usage/export|requests|events)")),
    ("GET", re.compile(r"/api/(?:keys|budgets|limits|prices|providers|routes|audit|alerts|conversations|what-if)")),
    ("GET", re.compile(rf"/api/user/{_SEGMENT}/usage")),
    ("GET", re.compile(r"/api/(?:requests|keys|budgets|limits)/[A-Za-z0-9_-]+")),
    ("POST", re.compile(r"/api/keys/[A-Za-z0-9_-]+/(?:block|unblock|rotate)")),
    ("PATCH", re.compile(r"/api/(?:keys|budgets|limits)/[A-Za-z0-9_-]+")),
    ("PUT", re.compile(r"/api/prices/overrides/[A-Za-z0-9_-]+")),
    ("DELETE", re.compile(rf"/api/(?:{_OBJECTS})/[A-Za-z0-9_-]+|{_CONVERSATION}|/api/prices/maps/{_SEGMENT}")),
    *((verb, re.compile(_CONVERSATION)) for verb in ("GET", "PUT", "PATCH")),
    *((verb, re.compile(rf"{_CONVERSATION}/files/[A-Za-z0-9_-]+")) for verb in ("GET", "PUT")),
    ("GET", re.compile(r"/v1/models|/health|/health/live|/health/ready")),
)
OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
CACHED_PATHS = frozenset({"/api/models", "/v1/models"})
_ENCODED_SLASH = re.compile(r"%(?:2f|5c|2e|00)", re.IGNORECASE)

SENT_ON = ("content-type", "accept", "idempotency-key", "last-event-id")
GIVEN_BACK = ("content-type", "content-disposition", "retry-after", "x-request-id", "x-should-retry")
ATTEMPTS = "x-gateway-attempts"  # on every answer about a call that was admitted
GIVEN_BACK_PREFIXES = ("x-gateway-", "x-ratelimit-")
COMPRESSIBLE = ("application/json", "text/csv", "application/x-ndjson")


class Proxy:
    """An ASGI application for the paths of `ALLOWED`; `version` names the static tree, so that old tabs notice a new one."""

    def __init__(self, upstream: Upstream, sessions: Sessions, max_body_bytes: int, version: Callable[[], str]) -> None:
        self._upstream = upstream
        self._sessions = sessions
        self._max_body_bytes = max_body_bytes
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request; a client that leaves cancels the call to the API at once."""
        body = await self._body(scope, receive)
        if body is None:
            return
        left = asyncio.create_task(_left(receive))
        relay = asyncio.create_task(self._relay(scope, body, send))
        try:
            await asyncio.wait({left, relay}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            relay.cancel()
            outcome = (await asyncio.gather(relay, left, return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            raise outcome

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; `None` if the client left before its end."""
        most = self._max_body_bytes
        too_large = Refusal(
            413,
            "too_large",
            f"This is over {most:,} bytes. Shorten the conversation, or raise MAX_BODY_BYTES here and there.",
        )
        if int(Headers(scope=scope).get("content-length") or 0) > most:
            raise too_large
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise too_large
            if not message.get("more_body"):
                return b"".join(parts)

    async def _relay(self, scope: Scope, body: bytes, send: Send) -> None:
        target = self._upstream.url + scope["raw_path"].decode("ascii")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("ascii")
        url = yarl.URL(target, encoded=True)
        session: Session | None = scope.get("session")
        given = Headers(scope=scope)
        headers = {name: given[name] for name in SENT_ON if name in given}
        headers |= headers_for(None if session is None else session.key)
        began = False
        try:
            async with self._upstream.client.request(
                scope["method"], url, data=body or None, headers=headers, allow_redirects=False
            ) as reply:
                try:
                    self._check_key(reply, session)
                    began = True
                    await self._answer(scope, reply, send)
                finally:
                    if not reply.content.at_eof():
                        reply.close()
        except Refusal as refusal:
            await send_refusal(refusal, send)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # An answer that has begun is left without its end: the connection is closed, and the browser sees a cut.
            if not began:
                await send_refusal(Refusal(502, "api_unreachable", self._upstream.unreachable(error)), send)

    def _check_key(self, reply: aiohttp.ClientResponse, session: Session | None) -> None:
        """A key that the API refuses ends its sessions; a 401 of a provider is passed on like any other answer."""
        if reply.status != 401 or ATTEMPTS in reply.headers:
            return
        if session is None:
            raise Refusal(401, "signed_out", "The API service asks for a key. Sign in with yours.")
        self._sessions.refuse(session.key)
        raise Refusal(401, "signed_out", ENDED)

    async def _answer(self, scope: Scope, reply: aiohttp.ClientResponse, send: Send) -> None:
        headers = _reply_headers(reply)
        headers["x-webui-assets"] = self._version()
        request = Headers(scope=scope)
        if scope["path"] in CACHED_PATHS and reply.status == 200:
            await _send_cached(await reply.read(), headers, request, send)
            return
        headers["cache-control"] = "no-store"
        chunks: AsyncIterator[bytes] = reply.content.iter_any()
        length = reply.content_length
        if _worth_compressing(reply, request):
            headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
            chunks = _compressed(chunks)
        elif length is not None:
            headers["content-length"] = str(length)
        await _start(send, reply.status, headers)
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def allowed(method: str, raw_path: bytes) -> bool:
    """Whether the proxy serves this; the path is taken as it was sent, not decoded."""
    try:
        path = raw_path.decode("ascii")
    except UnicodeDecodeError:
        return False
    if _ENCODED_SLASH.search(path):
        return False
    return any(verb == method and pattern.fullmatch(path) for verb, pattern in ALLOWED)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _reply_headers(reply: aiohttp.ClientResponse) -> dict[str, str]:
    return {
        name: value
        for name, value in ((name.lower(), value) for name, value in reply.headers.items())
        if name in GIVEN_BACK or name.startswith(GIVEN_BACK_PREFIXES)
    }


def _worth_compressing(reply: aiohttp.ClientResponse, request: Headers) -> bool:
    small = reply.content_length is not None and reply.content_length < 1024
    return reply.content_type in COMPRESSIBLE and not small and "gzip" in request.get("accept-encoding", "")


async def _compressed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(5, zlib.DEFLATED, GZIP)
    async for chunk in chunks:
        packed = packer.compress(chunk)
        if packed:
            yield packed
    yield packer.flush()


async def _send_cached(body: bytes, headers: dict[str, str], request: Headers, send: Send) -> None:
    """A whole body that the browser keeps and asks about again; nothing is sent if it has it already."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers |= {"cache-control": "private, no-cache", "etag": etag, "vary": "accept-encoding"}
    if etag in request.get("if-none-match", ""):
        await _start(send, 304, headers)
        await send({"type": "http.response.body", "body": b""})
        return
    if "gzip" in request.get("accept-encoding", "") and len(body) <= MOST_COMPRESSED_BYTES:
        packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        body = packer.compress(body) + packer.flush()
        headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    await _start(send, 200, headers)
    await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    message: MutableMapping[str, Any] = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }
    await send(message)
