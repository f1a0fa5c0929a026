"""One connection of the mock, framed by hand so that faults are exact."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

_RESET = struct.pack("ii", 1, 0)


class PeerGone(Exception):
    """The caller closed the connection while the mock was answering."""


class Cut(Exception):
    """The mock itself broke the connection, as the fault asks."""


class Request:
    """A request as it came; `reads` has the size of each piece of its body, `spread_ms` the time from first to last."""

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.reads: list[int] = []
        self.spread_ms = 0.0


class _Arriving:
    """The body of a request while it comes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._first_at = 0.0

    def add(self, part: bytes) -> None:
        self._first_at = self._first_at or time.monotonic()
        self._parts.append(part)

    def complete(self, request: Request) -> None:
        request.body = b"".join(self._parts)
        request.reads = [len(part) for part in self._parts]
        request.spread_ms = round((time.monotonic() - self._first_at) * 1000, 1) if self._parts else 0.0


class Connection(asyncio.Protocol):
    """Parses requests, hands each to `handle`, and gives it plain means to send, wait, close and reset."""

    def __init__(self, handle: Callable[["Connection", Request], Awaitable[None]]) -> None:
        self._handle = handle
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._arriving = _Arriving()
        self._waiting: asyncio.Queue[Request | None] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.gone_how: str | None = None
        self.bytes_sent = 0

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=65536)
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._task = asyncio.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.abort()

    def eof_received(self) -> bool:
        self._leave("peer_fin")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave("peer_rst" if exc else "peer_fin")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools
    def on_url(self, url: bytes) -> None:
        self._request.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._request.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._arriving.add(body)

    def on_message_complete(self) -> None:
        self._request.method = self._parser.get_method().decode("latin-1")
        self._arriving.complete(self._request)
        self._waiting.put_nowait(self._request)
        self._request, self._arriving = Request(), _Arriving()

    def _leave(self, how: str) -> None:
        self.gone_how = self.gone_how or how
        self._gone.set()
        self._writable.set()
        self._waiting.put_nowait(None)

    async def _serve(self) -> None:
        try:
            while request := await self._waiting.get():
                await self._handle(self, request)
        finally:
            self._transport.close()

    # for the handler
    async def send(self, data: bytes) -> None:
        """Send bytes as they are; raises `PeerGone` once the caller has left."""
        if self._gone.is_set():
            raise PeerGone
        self._transport.write(data)
        self.bytes_sent += len(data)
        await self._writable.wait()
        if self._gone.is_set():
            raise PeerGone

    async def sleep(self, delay_ms: float) -> None:
        """Wait; raises `PeerGone` as soon as the caller leaves."""
        if delay_ms <= 0:
            return
        try:
            await asyncio.wait_for(self._gone.wait(), delay_ms / 1000)
        except TimeoutError:
            return
        raise PeerGone

    async def wait_until_gone(self) -> None:
        """Keep silent until the caller leaves, then raise `PeerGone`."""
        await self._gone.wait()
        raise PeerGone

    def reset(self) -> None:
        """Break the connection with RST; raises `Cut`. What was sent before may or may not arrive."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
        raise Cut

    def close(self) -> None:
        """Close the connection with FIN once all is sent; raises `Cut`."""
        self._transport.close()
        raise Cut

    def close_after_answer(self) -> None:
        """Close with FIN once all is sent; the answer counts as finished."""
        self._transport.close()
