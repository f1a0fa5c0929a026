"""One HTTP/1.1 connection to an upstream, driven by the httptools parser (RFC 9112)."""

import asyncio
from collections import deque
from collections.abc import Callable

import httptools
import msgspec

from gateway.domain.errors import ProviderTimeout, ProviderUnavailable
from gateway.providers.reply import Headers

HIGH_WATER_BYTES = 256 * 1024
LOW_WATER_BYTES = 64 * 1024
MAX_HEAD_BYTES = 64 * 1024


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds a call may take to connect, to its first byte, between bytes, and in total."""

    connect_s: float = 10
    first_byte_s: float = 300
    silence_s: float = 120
    total_s: float = 1800


class Connection(asyncio.Protocol):
    """A connection and the one reply that is being read from it; itself the `Reply`.

    `release` is called once when a reply is over: with `True` if the connection may serve another call.
    """

    def __init__(self, release: Callable[["Connection", bool], None], clock: Callable[[], float]) -> None:
        self._release = release
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._paused = False
        self._error: Exception | None = None
        self._head_bytes = 0
        self._interim = False
        self._keeps_alive = False
        self._timeouts = Timeouts()
        self._sent_at = 0.0
        self._heard_at = 0.0
        self.calls = 0
        self.is_local = False
        self.busy = False
        self.lost = False
        self.complete = False
        self.has_head = False
        self.heard = False
        self.status = 0
        self.headers: Headers = []

    def begin(self, data: bytes, timeouts: Timeouts) -> None:
        """Send a whole request; then await `head`."""
        self._error = None
        self._head_bytes = 0
        self._timeouts = timeouts
        self._sent_at = self._heard_at = self._clock()
        self.busy, self.complete, self.has_head, self.heard = True, False, False, False
        self.headers = []
        self.calls += 1
        if self._transport is not None:
            self._transport.write(data)

    async def head(self) -> None:
        """Wait for status and headers.

        Raises `ProviderUnavailable` (`is_stale`: a kept-alive connection that was closed already) or `ProviderTimeout`.
        """
        while not self.has_head:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read(self) -> bytes:
        """The next piece of the body, `b""` at its end."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.complete:
                self._finish()
                return b""
            await self._wait()
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._paused and self._buffered < LOW_WATER_BYTES:
            self._paused = False
            if self._transport is not None and not self.lost:
                self._transport.resume_reading()
        return chunk

    def abort(self, reason: Exception) -> None:
        """Hang up now; whoever reads gets `reason`."""
        if not self.busy:
            return
        self._chunks.clear()
        self._buffered = 0
        self._fail(reason)

    def close(self) -> None:
        """Close an idle connection."""
        if self._transport is not None:
            self._transport.close()

    def check_deadlines(self, now: float) -> None:
        """Fail the reply if it is too slow; called now and then by the pool."""
        if not self.busy or self._paused or self.complete:
            return
        limits = self._timeouts
        if now - self._sent_at > limits.total_s:
            self._fail(ProviderTimeout(f"The provider's answer took longer than {limits.total_s:g} s in all."))
        elif not self.heard and now - self._sent_at > limits.first_byte_s:
            self._fail(ProviderTimeout(f"The provider sent nothing for {limits.first_byte_s:g} s."))
        elif self.heard and now - self._heard_at > limits.silence_s:
            self._fail(
                ProviderTimeout(f"The provider went silent for {limits.silence_s:g} s in the middle of its answer.")
            )

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # always a stream transport here

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bytes that nobody asked for end the connection."""
        is_awaited = self.busy and not self.complete
        if not is_awaited:
            self.close()
            return
        self._heard_at = self._clock()
        self.heard = True
        if not self.has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(ProviderUnavailable("The provider tried to switch protocols."))
            return
        except httptools.HttpParserError as error:
            if self.complete:
                self._keeps_alive = False
                self._wake()
            elif self.busy:
                self._fail(ProviderUnavailable(f"The provider's answer is not valid HTTP: {error}."))
            return
        if not self.has_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(ProviderUnavailable("The provider's answer has more than 64 KB of headers."))
        else:
            self._wake()

    def eof_received(self) -> bool:
        """Let the transport close; `connection_lost` follows."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the body where nothing else marks it, else a failure."""
        self.lost = True
        if not self.busy:
            self._release(self, False)
        elif self.complete or (self.has_head and exc is None and self._ends_with_connection()):
            self.complete = True
            self._wake()
        else:
            where = "in the middle of its answer" if self.heard else "before it answered"
            # a Unix socket is reset, not ended, if and only if the other process died with some of our bytes unread
            unread = self.is_local and isinstance(exc, ConnectionError)
            stale = not self.heard and (self.calls > 1 or unread)
            self._fail(ProviderUnavailable(f"The provider closed the connection {where}.", is_stale=stale))

    # httptools callbacks

    def on_message_begin(self) -> None:
        """Nobody asked for a second answer behind the first."""
        if self.complete:
            raise httptools.HttpParserError("surplus answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Interim answers (1xx) are skipped."""
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self._interim = True
            self.headers = []
        else:
            self.has_head = True

    def on_body(self, body: bytes) -> None:
        """Queue a piece; stop reading while too much waits."""
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > HIGH_WATER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._interim:
            self._interim = False
        else:
            self.complete = True
            self._keeps_alive = self._parser.should_keep_alive()

    # inside

    def _ends_with_connection(self) -> bool:
        names = {name for name, _ in self.headers}
        return b"content-length" not in names and b"transfer-encoding" not in names

    def _finish(self) -> None:
        """Everything was read: the connection may serve another call."""
        if not self.busy:
            return
        self.busy = False
        reusable = not self.lost and self._keeps_alive
        if not reusable:
            self.close()
        self._release(self, reusable)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.busy = False
        if self._transport is not None and not self.lost:
            self._transport.abort()
        self._wake()
        self._release(self, False)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
