"""Sending one answer to its client, plain or streamed."""

import asyncio
from collections.abc import Sequence

from gateway.caching.answers import MAX_ANSWER_BYTES
from gateway.domain.entry import Operation, Replay
from gateway.domain.failpoint import failpoint
from gateway.domain.time import monotonic, now_ms
from gateway.exchange import ClientLeft, Exchange
from gateway.http.errors import RawHeaders
from gateway.http.idempotency import First
from gateway.http.protocol import Client
from gateway.http.replying import Send, send_bytes, send_error
from gateway.http.wires import Answer, ClientWire
from gateway.providers.answers import Piece
from gateway.providers.deployment import headers_of

KEEP_ALIVE_S = 15
CLIENT_STALL_S = 60
_KEEP_ALIVE = b": keep-alive\n\n"
_JSON = (b"content-type", b"application/json")
_STREAM = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
_ARRAY = ((b"content-type", b"application/json"), (b"cache-control", b"no-cache"))
_BLANK_LINE = b"\n"  # Google's SDKs take comments for an answer


class ClientSink:
    """Sends one answer; `started` once the status has gone out, after which errors are events.

    `client` is `None` under a server that is not ours; then everything goes through ASGI's `send`.
    """

    def __init__(
        self, send: Send, client: Client | None, wire: ClientWire, exchange: Exchange, first: First | None = None
    ) -> None:
        self._send = send
        self._client = client
        self._direct = client if client is not None and client.serves(send) else None
        self._wire = wire
        self._answer: Answer | None = None
        self._end: bytes | None = None
        self._exchange = exchange
        self._first = first
        self._sent: list[bytes] = []
        self._size = 0
        self._sent_at = exchange.received_at
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.Task[None] | None = None
        self.started = False
        if exchange.request.stream and not exchange.request.as_bytes:
            self._timer = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._keep_alive)

    async def content(self, exchange: Exchange, piece: Piece) -> None:
        """Part of a stream, as it comes."""
        answer = self._answer
        if answer is None:
            answer = self._answer = self._wire.answer(exchange)
        data = answer.piece(piece)
        if data:
            if self._first is not None:
                self._first.add(data)
            if exchange.cache_key is not None and self._size <= MAX_ANSWER_BYTES:
                self._sent.append(data)
                self._size += len(data)
            await self._write(data)

    def replay(self, exchange: Exchange, closing: list[Piece], *, keep_content: bool) -> Replay | None:
        """The whole answer, for repetitions with the same `Idempotency-Key`."""
        if self._first is None:
            return None
        if exchange.request.stream:
            head, rest = [*_stream(exchange), *_headers(exchange, settled=False)], self._closed(closing)
        else:
            head, rest = [_content_type(exchange), *_headers(exchange, settled=True)], self._closed(closing)
        return self._first.replay(head, rest, keep_content=keep_content)

    async def finish(self, closing: list[Piece]) -> None:
        """The end of a settled answer."""
        exchange = self._exchange
        await self._stop_beating()
        failpoint("before_last_byte")
        if exchange.request.stream:
            await self._write(self._closed(closing), more=False)
            return
        body, headers = self._closed(closing), _headers(exchange, settled=True)
        if self._direct is not None:
            kind = _content_type(exchange)
            self._direct.start(200, [kind, (b"content-length", b"%d" % len(body)), *headers], body, more=False)
        else:
            await send_bytes(self._send, 200, body, headers, _content_type(exchange)[1])

    async def fail(self, error: BaseException) -> None:
        """An error: a reply of its own, or an event if the stream has begun; a file breaks off."""
        await self._stop_beating()
        if self.started and self._exchange.request.as_bytes:
            if self._client is not None:
                self._client.abort()
        elif self.started:
            answer = self._answer or self._wire.answer(self._exchange)
            await self._write(answer.failure(error, self._exchange.id), more=False)
        else:
            body = self._wire.error(error, self._exchange.id)
            await send_error(self._send, error, self._exchange.id, _route_headers(self._exchange), body)

    def _closed(self, closing: list[Piece]) -> bytes:
        """The bytes that end the answer; written once, also where a repetition keeps them."""
        exchange = self._exchange
        if exchange.kept is not None:
            return exchange.kept.body
        if self._end is None:
            answer = self._answer or self._wire.answer(exchange)
            write = answer.end if exchange.request.stream else answer.whole
            self._end = write(exchange, closing)
        return self._end

    @property
    def body(self) -> bytes:
        """The whole body as it was sent, as long as it may be kept; else nothing."""
        return b"".join([*self._sent, self._end or b""]) if self._size <= MAX_ANSWER_BYTES else b""

    async def close(self) -> None:
        """Nobody listens any more."""
        await self._stop_beating()

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        self._sent_at = monotonic()
        if self._client is not None and self._client.is_stalled():
            await self._send_to_slow_client(data, more=more)
        elif self._direct is None:
            await self._send_messages(data, more=more)
        elif self.started:
            self._direct.write(data, more=more)
        else:
            self.started = True
            self._direct.start(
                200, [*_stream(self._exchange), *_headers(self._exchange, settled=False)], data, more=True
            )
            if not more:
                self._direct.write(b"", more=False)

    async def _send_messages(self, data: bytes, *, more: bool) -> None:
        if not self.started:
            self.started = True
            headers = [*_stream(self._exchange), *_headers(self._exchange, settled=False)]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _send_to_slow_client(self, data: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(CLIENT_STALL_S):
                await self._send_messages(data, more=more)
        except TimeoutError:
            self._exchange.hang_up()
            raise ClientLeft from None

    def _keep_alive(self) -> None:
        loop, silent = asyncio.get_running_loop(), monotonic() - self._sent_at
        if silent >= KEEP_ALIVE_S and not (self._client is not None and self._client.is_stalled()):
            self._beat = loop.create_task(
                self._write(_BLANK_LINE if self._exchange.request.wire == "gemini" else _KEEP_ALIVE)
            )
            silent = 0
        self._timer = loop.call_later(max(1, KEEP_ALIVE_S - silent), self._keep_alive)

    async def _stop_beating(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._beat is not None:
            await self._beat
            self._beat = None


def _content_type(exchange: Exchange) -> tuple[bytes, bytes]:
    """The provider's own where the answer goes on as it came, else JSON."""
    reader = exchange.reader
    if exchange.request.operation is Operation.CHAT or reader is None or not reader.content_type:
        return _JSON
    return (b"content-type", reader.content_type)


def _stream(exchange: Exchange) -> RawHeaders:
    if exchange.request.as_bytes:
        return [_content_type(exchange)]
    return [*(_ARRAY if exchange.request.as_array else _STREAM)]


def _headers(exchange: Exchange, *, settled: bool) -> RawHeaders:
    headers = [(b"x-request-id", exchange.id.encode()), *_route_headers(exchange)]
    settlement = exchange.settlement
    if settled and settlement is not None:
        if settlement.cost_nano_usd is not None:
            headers.append((b"x-gateway-cost-usd", f"{settlement.cost_nano_usd / 1e9:.9f}".encode()))
        headers.append((b"x-gateway-cost-source", settlement.cost_source.name.lower().encode()))
        if settlement.overhead_us is not None:
            headers.append((b"x-gateway-overhead-ms", b"%.3f" % (settlement.overhead_us / 1e3)))
    return headers


def _route_headers(exchange: Exchange) -> RawHeaders:
    if not exchange.is_admitted:
        return []
    limits = exchange.taken.headers(monotonic()) if exchange.taken is not None else ()
    dropped = ((b"x-gateway-dropped", ", ".join(exchange.call.dropped).encode()),) if exchange.call.dropped else ()
    attempts = (b"x-gateway-attempts", b"%d" % exchange.attempts)
    return [*_answered_by(exchange), attempts, *dropped, *limits, *_cache_headers(exchange)]


def _answered_by(exchange: Exchange) -> Sequence[tuple[bytes, bytes]]:
    kept = exchange.kept
    return exchange.deployment.headers if kept is None else headers_of(kept.provider, kept.model)


def _cache_headers(exchange: Exchange) -> RawHeaders:
    if exchange.cache_key is None:
        return []
    if exchange.kept is None:
        return [(b"x-gateway-cache", b"miss")]
    age_s = max(0, now_ms() - exchange.kept.stored_at_ms) // 1000
    return [(b"x-gateway-cache", b"hit"), (b"age", b"%d" % age_s)]
