"""From a parsed request to a sent answer: what the calling routes share."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from gateway.caching.answers import wish_of
from gateway.domain.errors import GatewayError, NotAllowed, NotFound, ShuttingDown
from gateway.domain.request import ModelRequest
from gateway.domain.scope import Subject
from gateway.domain.time import monotonic
from gateway.exchange import ClientLeft, Exchange, Running
from gateway.http.body import Accepted, read_body, text_of
from gateway.http.charging import charge, check_may_call
from gateway.http.idempotency import HEADER as IDEMPOTENCY_KEY
from gateway.http.idempotency import First, Repetitions, raw_headers
from gateway.http.protocol import CONNECTION, HEADERS, Client
from gateway.http.replying import Receive, Scope, Send, fresh_id, send_error, send_stored
from gateway.http.sinks import ClientSink
from gateway.http.wires import ClientWire
from gateway.identity import Caller, Identity
from gateway.pipeline.run import Pipeline
from gateway.routing.steering import Steering, of_body, of_headers, together
from gateway.store.questions import StoredReplay

# So long a key stays in use whose answer the database has not confirmed: it may yet be written.
UNCONFIRMED_S = 60

Parse = Callable[[bytes, dict[bytes, bytes], str], ModelRequest]


class CallingRoute:
    """A route that calls a model: `parse` reads its body, `wire` writes its answer.

    `path` is what keys are limited to, whatever else leads here; `accepts` is what it may be sent.
    """

    def __init__(
        self, path: str, *, parse: Parse, wire: ClientWire, pipeline: Pipeline, identity: Identity, running: Running,
        repetitions: Repetitions, accepts: Accepted,
    ) -> None:  # fmt: skip
        self._path = path
        self._parse = parse
        self._wire = wire
        self._pipeline = pipeline
        self._identity = identity
        self._running = running
        self._repetitions = repetitions
        self._accepts = accepts
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        received_at = monotonic()
        headers = scope[HEADERS]
        try:
            if self.draining:
                raise ShuttingDown("The gateway is stopping; try again shortly.", retry_after_s=2)
            caller = self._identity.caller(headers)
            check_may_call(caller, self._path)
            body = await read_body(headers, receive, self._accepts)
            if not self._identity.is_current(caller):  # the body was slow, and the key is another by now
                caller = self._identity.caller(headers)
                check_may_call(caller, self._path)
            request = self._parse(body, headers, _target(scope))
            charge(request, caller.key)
            steering = _steering(headers, request)
            if request.wire == "responses" and "previous_response_id" in request.fields:
                steering = await self._where_it_lies(request, caller, steering)
            if request.upload is not None and IDEMPOTENCY_KEY in headers:
                body = request.upload.said
            first = await self._repetitions.begin(caller.key_id, headers, scope["path"], body)
        except GatewayError as error:
            if isinstance(error, NotAllowed):
                self._pipeline.note_refusal(Subject("", "", caller.key_id, ""), error)
            request_id = fresh_id()
            await send_error(send, error, request_id, body=self._wire.error(error, request_id))
            return
        if isinstance(first, StoredReplay):
            await send_stored(send, first.body or b"", raw_headers(first))
            return
        exchange = Exchange(request, caller, received_at, self._path)
        exchange.steering, exchange.cache_wish = steering, wish_of(headers)
        self._running.add(exchange)
        if not self._identity.is_current(caller):
            self._running.recheck(caller.key_id, self._identity.keys.get(caller.key_id), exchange.admitted_at_ms)
        try:
            await self._serve(scope, receive, send, exchange, first)
        finally:
            self._running.discard(exchange)
            if first is not None:
                self._repetitions.end(first, after_s=UNCONFIRMED_S if exchange.is_unconfirmed else 0)

    async def _where_it_lies(self, request: ModelRequest, caller: Caller, steering: Steering | None) -> Steering | None:
        """A conversation that a provider keeps goes on there, for its own caller only; who needs no key may name any."""
        previous = text_of(request.fields["previous_response_id"])
        if previous is None:
            return steering
        found = await self._repetitions.reader.stored_response(previous)
        if found is None and caller.key is None:
            return steering
        if found is None or found.caller != caller.key_id:
            raise NotFound(f"There is no response {previous[:80]!r} of this key.", param="previous_response_id")
        return msgspec.structs.replace(steering or Steering(), only=(found.provider,))

    async def _serve(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange, first: First | None) -> None:
        # Taken out: else client, cycle and scope would hold each other and wait for the garbage collector.
        client: Client | None = scope.pop(CONNECTION, None)
        sink = ClientSink(send, client, self._wire, exchange, first)
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
            if exchange.cache_key is not None and exchange.kept is None:
                await self._pipeline.keep(exchange, sink.body)
        except ClientLeft:
            await sink.close()
        except Exception as error:
            exchange.is_unconfirmed = getattr(error, "pending", False)
            await sink.fail(error)
            if not isinstance(error, GatewayError):
                raise


def _steering(headers: dict[bytes, bytes], request: ModelRequest) -> Steering | None:
    """By the headers or the body; what stands in the body is ours, but for OpenRouter, which knows it too."""
    steering = of_headers(headers)
    if ("models" in request.fields or "provider" in request.fields) and not request.model.startswith("openrouter/"):
        steering = together(steering, of_body(request.fields))
        request.fields = {name: value for name, value in request.fields.items() if name not in {"models", "provider"}}
    return steering


def _target(scope: Scope) -> str:
    """The path and the query."""
    query = scope["query_string"]
    path: str = scope["path"]
    return f"{path}?{query.decode('latin-1')}" if query else path


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
