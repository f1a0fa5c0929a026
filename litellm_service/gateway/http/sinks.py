"""The client's side of an answer: OpenAI's wire and the seed's, plain and streamed."""

import asyncio
from typing import Protocol

import msgspec

from gateway.domain.entry import Replay
from gateway.domain.errors import StoreUnavailable
from gateway.domain.failpoint import failpoint
from gateway.domain.money import usd
from gateway.domain.time import iso_seed, monotonic
from gateway.exchange import ClientLeft, Exchange
from gateway.http.errors import RawHeaders, body_of
from gateway.http.idempotency import First
from gateway.http.protocol import Client
from gateway.http.replying import Send, send_bytes, send_error
from gateway.providers.openai import Piece

KEEP_ALIVE_S = 15
CLIENT_STALL_S = 60
_KEEP_ALIVE = b": keep-alive\n\n"
_DONE = b"data: [DONE]\n\n"
_JSON = (b"content-type", b"application/json")
_STREAM = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


class Wire(Protocol):
    """How one route writes an answer."""

    def piece(self, piece: Piece) -> bytes:
        """An event stream's bytes for some content; may be empty."""

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The bytes that finish an event stream."""

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """The event that tells of an error in mid-stream."""

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """A plain reply."""


class OpenAIWire:
    """Passes the upstream's bytes on."""

    def piece(self, piece: Piece) -> bytes:
        """As it came."""
        return piece.raw

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """Usage only for those who asked, and one `[DONE]`, last."""
        asked = exchange.request.wants_usage
        wanted = [piece.raw for piece in closing if not piece.terminator and (asked or not piece.usage_only)]
        return b"".join([*wanted, _DONE])

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """An `error` object, which the SDKs raise."""
        return b"data: %s\n\n" % msgspec.json.encode(body_of(error, request_id))

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came."""
        return closing[0].raw


class SeedWire:
    """`/api/chat`: chunks of text, and the metadata object at the end."""

    def piece(self, piece: Piece) -> bytes:
        """The words only."""
        return _event({"type": "chunk", "delta": piece.text}) if piece.text else b""

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """Last words, then `done`."""
        words = b"".join(self.piece(piece) for piece in closing)
        return words + _event({"type": "done", "request_id": exchange.id, "metadata": metadata(exchange)})

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """One `error` event."""
        return _event({"type": "error", **body_of(error, request_id)})

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The seed's reply."""
        text = exchange.reader.full_text if exchange.reader is not None else ""
        return msgspec.json.encode({"request_id": exchange.id, "response": text, "metadata": metadata(exchange)})


class ClientSink:
    """Sends one answer; `started` once the status has gone out, after which errors are events.

    `client` is `None` under a server that is not ours; then everything goes through ASGI's `send`.
    """

    def __init__(
        self, send: Send, client: Client | None, wire: Wire, exchange: Exchange, first: First | None = None
    ) -> None:
        self._send = send
        self._client = client
        self._direct = client if client is not None and client.serves(send) else None
        self._wire = wire
        self._exchange = exchange
        self._first = first
        self._sent_at = exchange.received_at
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.Task[None] | None = None
        self.started = False
        if exchange.request.stream:
            self._timer = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._keep_alive)

    async def content(self, exchange: Exchange, piece: Piece) -> None:
        """Part of a stream, as it comes."""
        data = self._wire.piece(piece)
        if data:
            if self._first is not None:
                self._first.add(data)
            await self._write(data)

    def replay(self, exchange: Exchange, closing: list[Piece], *, keep_content: bool) -> Replay | None:
        """The whole answer, for repetitions with the same `Idempotency-Key`."""
        if self._first is None:
            return None
        if exchange.request.stream:
            head, rest = [*_STREAM, *_headers(exchange, settled=False)], self._wire.end(exchange, closing)
        else:
            head, rest = [_JSON, *_headers(exchange, settled=True)], self._wire.whole(exchange, closing)
        return self._first.replay(head, rest, keep_content=keep_content)

    async def finish(self, closing: list[Piece]) -> None:
        """The end of a settled answer."""
        exchange = self._exchange
        await self._stop_beating()
        failpoint("before_last_byte")
        if exchange.request.stream:
            await self._write(self._wire.end(exchange, closing), more=False)
            return
        body, headers = self._wire.whole(exchange, closing), _headers(exchange, settled=True)
        if self._direct is not None:
            self._direct.start(200, [_JSON, (b"content-length", b"%d" % len(body)), *headers], body, more=False)
        else:
            await send_bytes(self._send, 200, body, headers)

    async def fail(self, error: BaseException) -> None:
        """An error: a reply of its own, or an event if the stream has begun."""
        await self._stop_beating()
        if self.started:
            await self._write(self._wire.failure(error, self._exchange.id), more=False)
        else:
            await send_error(self._send, error, self._exchange.id, _route_headers(self._exchange))

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
            self._direct.start(200, [*_STREAM, *_headers(self._exchange, settled=False)], data, more=True)
            if not more:
                self._direct.write(b"", more=False)

    async def _send_messages(self, data: bytes, *, more: bool) -> None:
        if not self.started:
            self.started = True
            headers = [*_STREAM, *_headers(self._exchange, settled=False)]
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
            self._beat = loop.create_task(self._write(_KEEP_ALIVE))
            silent = 0
        self._timer = loop.call_later(max(1, KEEP_ALIVE_S - silent), self._keep_alive)

    async def _stop_beating(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._beat is not None:
            await self._beat
            self._beat = None


def metadata(exchange: Exchange) -> dict[str, object]:
    """The seed's object, with the figures as they were settled and our additions."""
    settlement, request = exchange.settlement, exchange.request
    if settlement is None:
        raise StoreUnavailable("This answer was not settled.")
    usage = settlement.usage
    first = settlement.first_token_us
    return {
        "response_time": settlement.duration_us / 1e6,
        "tokens": {
            "prompt": usage.prompt_tokens,
            "completion": usage.completion_tokens,
            "total": usage.total_tokens,
            "cached": usage.cache_read,
            "cache_write": usage.cache_write + usage.cache_write_1h,
            "reasoning": usage.reasoning,
        },
        "cost_usd": usd(settlement.cost_nano_usd),
        "cost_nano_usd": settlement.cost_nano_usd,
        "cost_source": settlement.cost_source.name.lower(),
        "timestamp": iso_seed(exchange.admitted_at_ms),
        "model": request.model,
        "provider": exchange.deployment.provider.name,
        "upstream_model": exchange.deployment.upstream_model,
        "application_id": request.application_id,
        "user_id": request.user_id,
        "time_to_first_token": None if first is None else first / 1e6,
        "finish_reason": settlement.finish_reason,
        "estimated": usage.estimated,
    }


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
    return [*exchange.deployment.headers, (b"x-gateway-attempts", b"%d" % exchange.attempts), *limits]


def _event(value: object) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(value)
