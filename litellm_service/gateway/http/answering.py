"""From a parsed request to a sent answer: what the calling routes share."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.domain.errors import GatewayError, ShuttingDown
from gateway.domain.request import ModelRequest
from gateway.domain.time import monotonic
from gateway.exchange import ClientLeft, Exchange
from gateway.http.body import read_json
from gateway.http.protocol import CONNECTION, HEADERS, Client
from gateway.http.replying import Receive, Scope, Send, fresh_id, send_error
from gateway.http.sinks import ClientSink, Wire
from gateway.identity import Identity
from gateway.pipeline import Pipeline

Parse = Callable[[bytes, dict[bytes, bytes]], ModelRequest]


class CallingRoute:
    """A route that calls a model: `parse` reads its body, `wire` writes its answer."""

    def __init__(
        self, *, parse: Parse, wire: Wire, pipeline: Pipeline, identity: Identity, max_body_bytes: int
    ) -> None:
        self._parse = parse
        self._wire = wire
        self._pipeline = pipeline
        self._identity = identity
        self._max_body_bytes = max_body_bytes
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        received_at = monotonic()
        headers = scope[HEADERS]
        try:
            if self.draining:
                raise ShuttingDown("The gateway is stopping; try again shortly.", retry_after_s=2)
            caller = self._identity.caller(headers)
            request = self._parse(await read_json(headers, receive, self._max_body_bytes), headers)
        except GatewayError as error:
            await send_error(send, error, fresh_id())
            return
        exchange = Exchange(request, caller, received_at)
        client: Client | None = scope.get(CONNECTION)
        sink = ClientSink(send, client, self._wire, exchange)
        if client is None:
            await _watching(receive, exchange, self._answer(exchange, sink))
            return
        client.watch(exchange.hang_up)
        try:
            await self._answer(exchange, sink)
        finally:
            client.watch(None)

    async def _answer(self, exchange: Exchange, sink: ClientSink) -> None:
        try:
            closing = await self._pipeline.run(exchange, sink)
            await sink.finish(closing)
        except ClientLeft:
            await sink.close()
        except Exception as error:
            await sink.fail(error)
            if not isinstance(error, GatewayError):
                raise


async def _watching(receive: Receive, exchange: Exchange, answer: Awaitable[None]) -> None:
    """For servers that do not tell when a client leaves: ask all the time."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        exchange.hang_up()

    task = asyncio.ensure_future(watch())
    try:
        await answer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
