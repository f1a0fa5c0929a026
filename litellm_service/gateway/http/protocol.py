"""Uvicorn's HTTP protocol with deadlines, strict framing, and a word when the client leaves."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

CONNECTION = "gateway.connection"
HEADERS = "gateway.headers"
_ONCE = {
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"content-type",
    b"authorization",
    b"x-api-key",
    b"x-goog-api-key",
}
_MAX_HEAD_BYTES = 64 * 1024
# A connection closed with bytes unread is reset, and the reply may be lost with it: so they are read and dropped for a while.
LINGER_S = 1.0


class Protocol(HttpToolsProtocol):
    """One client connection.

    Uvicorn alone waits for ever for slow headers and bodies, tolerates repeated framing headers, and tells a handler that its
    client left only if it asks. `on_lost` is called when the connection ends while a handler works.
    """

    header_timeout_s = 10.0
    body_timeout_s = 30.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.on_lost: Callable[[], None] | None = None
        self._waiting_since = time.monotonic()
        self._reading_head = True
        self._reading_body = False
        self._head_bytes = 0
        self._header_bytes = 0
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A silent connection must send its head in time, too."""
        super().connection_made(transport)
        self._waiting_since = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Bound the size of the head."""
        if self._is_refused:
            return
        if self._reading_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES + len(data):
                self._refuse(_TOO_MANY_HEADERS)
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is answered in our own form, and the connection ends."""
        if self._header_bytes > _MAX_HEAD_BYTES:
            self._refuse(_TOO_MANY_HEADERS)
            return
        self._refuse(
            _reply(b"400 Bad Request", b"invalid_request", b"This is not valid HTTP/1.1, or its framing is ambiguous.")
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the handler at once."""
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def on_message_begin(self) -> None:
        """The deadline of the head runs from its first byte."""
        super().on_message_begin()
        self._waiting_since, self._reading_head = time.monotonic(), True
        self._head_bytes = self._header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the head also where all of it comes in one piece."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _MAX_HEAD_BYTES:
            raise httptools.HttpParserInvalidURLError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse what two parsers could read in two ways; then hand the request on."""
        self._reading_head, self._reading_body = False, True
        self._waiting_since = time.monotonic()
        headers = dict(self.headers)
        if len(headers) != len(self.headers) and _repeats(self.headers):
            raise httptools.HttpParserInvalidURLError("ambiguous framing")
        if b"content-length" in headers and b"transfer-encoding" in headers:
            raise httptools.HttpParserInvalidURLError("ambiguous framing")
        super().on_headers_complete()
        scope = cast("dict[str, Any]", self.scope)
        scope[HEADERS] = headers
        scope[CONNECTION] = Client(self, self.cycle)

    def on_message_complete(self) -> None:
        """Nothing more is awaited of this request."""
        self._reading_body = False
        super().on_message_complete()

    def check_deadlines(self, now: float) -> None:
        """Close the connection of a client that is too slow; called about once a second."""
        waited = now - self._waiting_since
        if self._reading_head and waited > self.header_timeout_s:
            self._refuse(_too_slow(b"headers", self.header_timeout_s) if self._head_bytes else b"")
        elif self._reading_body and waited > self.body_timeout_s:
            self._refuse(_too_slow(b"body", self.body_timeout_s))

    def _refuse(self, reply: bytes) -> None:
        if self.transport.is_closing() or self._is_refused:
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if not reply or (cycle is not None and cycle.response_started):
            self.transport.close()
            return
        self.transport.write(reply)
        if not self.transport.can_write_eof():  # TLS ends with an alert of its own
            self.transport.close()
            return
        self._is_refused = True
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


class Client:
    """The client of one request: its leaving, its slowness, and a shorter way to write to it than two ASGI messages."""

    __slots__ = ("_cycle", "_protocol")

    def __init__(self, protocol: Protocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        """Have this called when the connection ends; `None` ends the watch. A client that left already is told of at once."""
        self._protocol.on_lost = on_lost
        if on_lost is not None and self._cycle.disconnected:
            on_lost()

    def is_stalled(self) -> bool:
        """It has not read what was sent before."""
        return self._protocol.flow.write_paused

    def abort(self) -> None:
        """Break the connection off, so that a reply that has begun is seen to be incomplete."""
        self._cycle.transport.abort()

    def serves(self, send: object) -> bool:
        """Whether `send` is this request's own, not wrapped by anybody."""
        return getattr(send, "__self__", None) is self._cycle

    def start(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, more: bool) -> None:
        """Status, headers (clean ones: nothing is checked) and the first or whole body in one write."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        parts = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        cycle.chunked_encoding = more
        if more:
            parts += (b"transfer-encoding: chunked\r\n\r\n", _chunk(body))
        else:
            parts += (b"\r\n", body)
        cycle.transport.write(b"".join(parts))
        if not more:
            self._finish()

    def write(self, body: bytes, *, more: bool) -> None:
        """A piece of a started stream; without `more` the last one."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        cycle.transport.write(_chunk(body) if more else _chunk(body) + b"0\r\n\r\n")
        if not more:
            self._finish()

    def _finish(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body) if body else b""


def _repeats(headers: list[tuple[bytes, bytes]]) -> bool:
    names = [name for name, _ in headers]
    return any(names.count(name) > 1 for name in _ONCE)


def _too_slow(part: bytes, limit_s: float) -> bytes:
    message = b"The request's %s did not arrive within %g s; send it faster." % (part, limit_s)
    return _reply(b"408 Request Timeout", b"request_timeout", message)


def _reply(status: bytes, code: bytes, message: bytes) -> bytes:
    body = b'{"error":{"message":"%s","type":"invalid_request_error","code":"%s","param":null,"request_id":null}}' % (
        message,
        code,
    )
    return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (
        status, len(body), body,
    )  # fmt: skip


_TOO_MANY_HEADERS = _reply(b"431 Request Header Fields Too Large", b"too_large", b"More than 64 KB of headers.")
