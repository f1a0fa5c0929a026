"""The path of one request."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from gateway.domain.entry import CostSource, Hold, Outcome, Settlement
from gateway.domain.errors import GatewayError, ProviderError, StoreUnavailable
from gateway.domain.failpoint import failpoint
from gateway.domain.time import monotonic
from gateway.domain.usage import NO_USAGE, Usage
from gateway.exchange import ClientLeft, Exchange
from gateway.metering.charge import input_tokens, interrupted_usage, rough_input_tokens
from gateway.metering.prices import PriceBook, priced
from gateway.metering.usage import last, normalise
from gateway.providers.deployment import Deployment
from gateway.providers.openai import AnswerReader, Piece, chat_body
from gateway.providers.reply import Reply
from gateway.providers.upstreams import Upstreams
from gateway.routing.router import Router
from gateway.store.sqlite.store import SqliteStore
from gateway.telemetry.log import RequestLog

AFTER_FINISH_S = 5
AFTER_TERMINATOR_S = 0.5
STALE_RETRIES = 1
CLIENT_LEFT = 499


class Sink(Protocol):
    """The client's side of an answer."""

    async def content(self, exchange: Exchange, piece: Piece) -> None:
        """Send a piece that comes before the end."""


class Pipeline:
    """Routing → hold → provider → settle, for every route, streamed or not."""

    def __init__(
        self, *, router: Router, prices: PriceBook, store: SqliteStore, upstreams: Upstreams, log: RequestLog,
        status_of: Callable[[BaseException], int], store_content: bool,
    ) -> None:  # fmt: skip
        self._router = router
        self._prices = prices
        self._store = store
        self._upstreams = upstreams
        self._log = log
        self._status_of = status_of
        self._store_content = store_content

    async def run(self, exchange: Exchange, sink: Sink) -> list[Piece]:
        """Answer a request: content goes to the sink as it comes; the closing pieces are given back once all is settled.

        Raises `GatewayError` (before a hold nothing is recorded; after it, the failure is) or `ClientLeft`.
        """
        for attempt, deployment in enumerate(self._candidates(exchange)):
            await self._hold(exchange, deployment, attempt)
            try:
                closing = await self._attempt(exchange, sink)
            except ClientLeft:
                _ = self._settle(
                    exchange, Outcome.ABANDONED, CLIENT_LEFT, error_code="client_left", message="The client hung up."
                )
                raise
            except ProviderError as error:
                exchange.abort(error)
                stale = error.never_sent and attempt < STALE_RETRIES and error.retryable and exchange.reader is None
                await self._fail(exchange, error, final=not stale)
                if not stale:
                    raise
                continue
            except BaseException as error:
                exchange.abort(StoreUnavailable("The gateway gave up this request."))
                await self._fail(exchange, error)
                raise
            await self._settle(exchange, Outcome.COMPLETED, 200)
            return closing
        raise AssertionError("the last candidate returns or raises")

    def _candidates(self, exchange: Exchange) -> Iterator[Deployment]:
        """A kept-alive connection may have been closed just as we used it: then the same deployment gets a second attempt."""
        deployment = self._router.deployment(exchange.request.model)
        for _ in range(1 + STALE_RETRIES):
            yield deployment

    async def _hold(self, exchange: Exchange, deployment: Deployment, attempt: int) -> None:
        request, caller = exchange.request, exchange.caller
        exchange.deployment = deployment
        exchange.hold = Hold(
            request_id=exchange.request_id,
            attempt=attempt,
            admitted_at_ms=exchange.admitted_at_ms,
            application_id=request.application_id,
            user_id=request.user_id,
            key_id=caller.key_id,
            model=deployment.model,
            provider=deployment.provider.name,
            upstream_model=deployment.upstream_model,
            operation=request.operation,
            stream=request.stream,
            input_tokens_estimate=rough_input_tokens(request),
            amount_nano_usd=0,
            price=self._prices.price(
                deployment.provider.name, deployment.upstream_model, request.service_tier, at_ms=exchange.admitted_at_ms
            ),
        )
        try:
            await self._store.hold(exchange.hold)
            exchange.is_admitted = True
        except BaseException as error:
            if exchange.hold.id and (not isinstance(error, GatewayError) or getattr(error, "pending", False)):
                await self._fail(exchange, error)
            raise

    async def _attempt(self, exchange: Exchange, sink: Sink) -> list[Piece]:
        request, deployment = exchange.request, exchange.deployment
        exchange.check_client()
        ask_for_usage = deployment.provider.stream_usage or deployment.endpoint.via_litellm
        body = chat_body(request, deployment.wire_model, ask_for_usage=ask_for_usage)
        reply = await self._upstreams.call(deployment, body, exchange.id, exchange.attach)
        exchange.reader = AnswerReader(reply, stream=request.stream, choices=request.choices)
        closing = []
        while (piece := await self._next(exchange, exchange.reader, reply)) is not None:
            if piece.closing:
                closing.append(piece)
            else:
                await sink.content(exchange, piece)
                exchange.check_client()
                self._note_progress(exchange)
                failpoint("mid_stream")
        exchange.detach()
        exchange.answered_at = monotonic()
        failpoint("usage_seen")
        return closing

    async def _next(self, exchange: Exchange, reader: AnswerReader, reply: Reply) -> Piece | None:
        if reader.finished and exchange.request.stream:
            return await self._rest(reader, reply)
        piece = await reader.next()
        if exchange.first_token_at is None and reader.heard:
            exchange.first_token_at = monotonic()
            failpoint("first_byte")
        return piece

    @staticmethod
    async def _rest(reader: AnswerReader, reply: Reply) -> Piece | None:
        """After the end only usage and the terminator may come, and not for ever."""
        try:
            async with asyncio.timeout(AFTER_TERMINATOR_S if reader.terminated else AFTER_FINISH_S):
                return await reader.next()
        except (TimeoutError, ProviderError):
            reply.abort(ClientLeft())
            return None

    def _note_progress(self, exchange: Exchange) -> None:
        if exchange.progress_is_due(monotonic()):
            first_token_us = _micros(exchange.first_token_at, exchange.received_at)
            self._store.note_progress(exchange.hold, exchange.output_estimate(), first_token_us)

    async def _fail(self, exchange: Exchange, error: BaseException, *, final: bool = True) -> None:
        known = isinstance(error, GatewayError)
        settled = self._settle(
            exchange,
            Outcome.FAILED,
            self._status_of(error),
            error_code=error.code if isinstance(error, GatewayError) else "internal_error",
            message=error.message if isinstance(error, GatewayError) else f"Internal error: {type(error).__name__}",
            final=final,
            free=isinstance(error, ProviderError)
            and exchange.reader is None
            and (error.never_sent or error.status is not None),
        )
        if known:
            await settled

    def _settle(
        self, exchange: Exchange, outcome: Outcome, status: int, *,
        error_code: str | None = None, message: str | None = None, final: bool = True, free: bool = False,
    ) -> asyncio.Future[None]:  # fmt: skip
        """Hand the outcome to the ledger: a plain call that nothing can cancel."""
        request, reader, hold = exchange.request, exchange.reader, exchange.hold
        usage = NO_USAGE if free else self._usage(exchange, outcome)
        cost, source = (0, CostSource.NONE) if usage is NO_USAGE else priced(hold.price, usage)
        now = monotonic()
        keep = self._store_content
        settlement = exchange.settlement = Settlement(
            hold=hold,
            outcome=outcome,
            http_status=status,
            usage=usage,
            cost_nano_usd=cost,
            cost_source=source,
            duration_us=_micros(now, exchange.received_at) or 0,
            first_token_us=_micros(exchange.first_token_at, exchange.received_at) if request.stream else None,
            overhead_us=_overhead_us(exchange, now),
            error_code=error_code,
            error_message=message,
            final=final,
            query=request.query if keep else "",
            response="".join(reader.text) if keep and reader is not None else None,
            messages=request.messages if keep else None,
            finish_reason=reader.finish_reason if reader is not None else None,
        )
        self._log.add(settlement)
        return self._store.settle(settlement)

    def _usage(self, exchange: Exchange, outcome: Outcome) -> Usage:
        reader, provider = exchange.reader, exchange.deployment.provider
        usage: Usage | None = None
        if reader is not None and reader.usage_reports and (reader.finished or outcome is Outcome.COMPLETED):
            for report in reader.usage_reports:
                usage = last(usage, normalise(report, exchange.deployment.usage_rule))
        if usage is not None:
            return usage
        if exchange.dispatched_at == exchange.received_at:
            return NO_USAGE
        policy = "estimate" if outcome is Outcome.COMPLETED else provider.interrupted
        return interrupted_usage(policy, input_tokens(exchange.request), exchange.output_estimate())


def _micros(later: float | None, earlier: float) -> int | None:
    return None if later is None else max(0, int((later - earlier) * 1e6))


def _overhead_us(exchange: Exchange, now: float) -> int | None:
    """Our own part: from the request's arrival to the dispatch, and from the end of the answer to the settlement."""
    if exchange.answered_at is None:
        return None
    return int((exchange.dispatched_at - exchange.received_at + now - exchange.answered_at) * 1e6)
