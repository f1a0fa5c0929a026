"""What every request must pass: Host, Origin, CORS; and errors as replies."""

import logging
from collections.abc import Iterable, MutableMapping
from typing import Any

from gateway.domain.errors import GatewayError, InvalidRequest, NotAllowed
from gateway.http.protocol import HEADERS
from gateway.http.replying import App, Receive, Scope, Send, fresh_id, send_error
from gateway.http.wires import error_body, wire_of

log = logging.getLogger(__name__)

_PREFLIGHT_AGE_S = b"600"
_EXPOSED = (
    b"x-request-id, x-gateway-cost-usd, x-gateway-cost-source, x-gateway-provider, x-gateway-model, retry-after, "
    b"x-gateway-attempts, idempotent-replayed, "
    b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    b"x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)


class Guard:
    """Wraps the whole application; `scope["gateway.headers"]` is a dict of the headers from here on."""

    def __init__(self, app: App, *, allowed_hosts: Iterable[str], cors_origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(allowed_hosts)
        self._origins = frozenset(origin.encode() for origin in cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope.get(HEADERS)
        if headers is None:
            headers = scope[HEADERS] = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is not None:
            send = _with_cors(send, origin) if origin in self._origins else send
        try:
            self._check(headers, origin)
            if origin is not None and scope["method"] == "OPTIONS":
                await _answer_preflight(headers, send)
            else:
                await self._app(scope, receive, send)
        except Exception as error:
            if not isinstance(error, GatewayError):
                log.exception("unexpected failure on %s %s", scope["method"], scope["path"])
            request_id = fresh_id()
            await send_error(send, error, request_id, body=error_body(wire_of(scope["path"]), error, request_id))

    def _check(self, headers: dict[bytes, bytes], origin: bytes | None) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        if name not in self._hosts and "*" not in self._hosts:
            raise InvalidRequest(
                f"The Host header {name[:100]!r} is not served here. Add it to ALLOWED_HOSTS if it should be."
            )
        if origin is not None and origin not in self._origins:
            shown = origin[:100].decode("latin-1")
            raise NotAllowed(
                f"Web pages from {shown} may not call this service. Add that origin to CORS_ORIGINS if they should."
            )


def _with_cors(send: Send, origin: bytes) -> Send:
    extra = [
        (b"access-control-allow-origin", origin),
        (b"vary", b"origin"),
        (b"access-control-expose-headers", _EXPOSED),
    ]

    async def send_with_cors(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return send_with_cors


async def _answer_preflight(headers: dict[bytes, bytes], send: Send) -> None:
    allowed = [
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        (
            b"access-control-allow-headers",
            headers.get(b"access-control-request-headers", b"content-type, authorization"),
        ),
        (b"access-control-max-age", _PREFLIGHT_AGE_S),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})
