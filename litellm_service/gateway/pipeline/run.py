"""From a parsed request to a settled answer, on one screen."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from gateway.admission.limits import RateLimits
from gateway.caching.answers import Kept
from gateway.domain.entry import Hold, Outcome, Replay, Settlement
from gateway.domain.errors import (
    BudgetExceeded,
    GatewayError,
    InvalidRequest,
    LimitError,
    ModelPriceUnknown,
    NotAllowed,
    Overloaded,
    ProviderError,
    StoreUnavailable,
)
from gateway.domain.failpoint import failpoint
from gateway.domain.scope import Subject
from gateway.domain.time import monotonic, now_ms
from gateway.exchange import ClientLeft, Exchange
from gateway.metering.charge import conversation_of
from gateway.pipeline.holding import Holder
from gateway.pipeline.keeping import Keeping, hit
from gateway.pipeline.settling import Ending, first_token_us, rough_settlement, settlement
from gateway.providers.answers import AnswerReader, Piece
from gateway.providers.reply import Reply
from gateway.providers.upstreams import Upstreams
from gateway.routing.plan import Plan
from gateway.routing.router import Router
from gateway.store.sqlite.store import SqliteStore
from gateway.telemetry.log import RequestLog

log = logging.getLogger(__name__)

AFTER_FINISH_S = 5
AFTER_TERMINATOR_S = 0.5


class Sink(Protocol):
    """The client's side of an answer."""

    async def content(self, exchange: Exchange, piece: Piece) -> None:
        """Send a piece that comes before the end."""

    def replay(self, exchange: Exchange, closing: list[Piece], *, keep_content: bool) -> Replay | None:
        """What a repetition is to be answered with; `None` where the client did not ask for that."""


class Pipeline:
    """Routing → hold → provider → settle, for every route, streamed or not."""

    def __init__(
        self, *, router: Router, holder: Holder, limits: RateLimits, store: SqliteStore, upstreams: Upstreams, log: RequestLog,
        status_of: Callable[[BaseException], int], keeping: Keeping,
    ) -> None:  # fmt: skip
        self._router = router
        self._holder = holder
        self._limits = limits
        self._store = store
        self._upstreams = upstreams
        self._log = log
        self._status_of = status_of
        self._keeping = keeping

    async def run(self, exchange: Exchange, sink: Sink) -> list[Piece]:
        """Answer a request: content goes to the sink as it comes; the closing pieces are given back once all is settled.

        Raises `GatewayError` (before a hold only a refusal is counted; after it, the failure is recorded) or `ClientLeft`.
        """
        await self._admit(exchange)
        if exchange.kept is not None:
            await self._answer_from_cache(exchange, exchange.kept, sink)
            return []
        while True:
            try:
                closing = await self._attempt(exchange, sink)
            except ClientLeft:
                _ = self._settle(exchange, Ending.left())
                raise
            except (ProviderError, Overloaded) as error:
                exchange.abort(error)
                pause_s = None if exchange.is_answering else exchange.plan.after(error, monotonic())
                if pause_s is not None:
                    await self._go_on(exchange, error, pause_s)
                    continue
                await self._fail(exchange, error)
                raise
            except BaseException as error:
                exchange.abort(StoreUnavailable("The gateway gave up this request."))
                await self._fail(exchange, error)
                raise
            await self._settle(exchange, Ending(Outcome.COMPLETED, 200), sink, closing)
            return closing

    async def keep(self, exchange: Exchange, body: bytes) -> None:
        """An answer was given; if it may be, it is kept for the next who asks the same."""
        await self._keeping.keep(exchange, body)

    def note_refusal(self, subject: Subject, error: GatewayError) -> None:
        """Count a request of a known key that is not admitted."""
        self._store.note_refusal(subject, error.code, now_ms())
        self._log.refused(subject, error.code)

    async def _admit(self, exchange: Exchange) -> None:
        """Where to, may it, and is there money: all of it before a byte goes upstream."""
        try:
            plan = exchange.plan = self._router.plan(
                exchange.request.model, exchange.steering, lambda: conversation_of(exchange.request), monotonic()
            )
            while not exchange.is_admitted:
                await self._admit_to(exchange, plan)
        except (LimitError, NotAllowed) as error:
            if exchange.is_routed:
                self.note_refusal(exchange.subject, error)
            raise

    async def _admit_to(self, exchange: Exchange, plan: Plan) -> None:
        """Hold what the plan's present way may cost; where it cannot be asked or paid, the plan moves on."""
        try:
            exchange.hold = self._prepared(exchange, plan, attempt=0)
            exchange.taken = self._limits.take(exchange.subject, _tokens_estimate(exchange), monotonic())
            exchange.kept = await self._keeping.recall(exchange)
            if exchange.kept is not None:
                exchange.is_admitted = True
                return
            await self._confirm(exchange, self._store.hold(exchange.hold))
            exchange.is_admitted = True
        except (BudgetExceeded, ModelPriceUnknown):
            exchange.give_back()
            if not plan.go_cheaper():
                raise
        except BaseException:
            exchange.give_back()
            raise

    def _prepared(self, exchange: Exchange, plan: Plan, attempt: int) -> Hold:
        """The hold for one attempt, once it is clear what will be sent; ways that cannot be asked this are passed over."""
        while True:
            deployment = exchange.deployment = plan.way.deployment
            exchange.is_routed = True
            exchange.reason = None if plan.reason is None else f"{plan.way.key}: {plan.reason}"
            try:
                hold = self._holder.hold(exchange, deployment, attempt)
                exchange.prepare(self._upstreams.prepare(exchange.request, deployment, exchange.output_limit))
            except (InvalidRequest, NotAllowed) as error:
                if (isinstance(error, NotAllowed) and plan.way.asked is None) or not plan.skip():
                    raise
            else:
                return hold

    async def _go_on(self, exchange: Exchange, error: ProviderError | Overloaded, pause_s: float) -> None:
        """Another attempt, where the plan says, held in its turn; what failed is absorbed."""
        ending = Ending.failed(exchange, error, self._status_of(error), final=False)
        settled = settlement(exchange, ending, keep_content=self._keeping.keeps_content(exchange))
        failed = exchange.deployment
        try:
            hold = self._prepared(exchange, exchange.plan, exchange.hold.attempt + 1)
        except GatewayError:
            exchange.deployment = failed
            await self._fail(exchange, error)
            raise
        exchange.begin_again(hold)
        self._log.add(settled)
        try:
            await self._confirm(exchange, self._store.hand_over(settled, hold))
        except GatewayError:
            _return_what_was_taken(exchange, settled)
            raise
        await exchange.pause(pause_s)

    async def _confirm(self, exchange: Exchange, held: asyncio.Future[None]) -> None:
        """Wait for a hold; one that may yet be written is settled, whatever made us stop waiting."""
        try:
            await held
        except BaseException as error:
            if not isinstance(error, GatewayError) or getattr(error, "pending", False):
                await self._fail(exchange, error)
            raise

    async def _attempt(self, exchange: Exchange, sink: Sink) -> list[Piece]:
        """One call, and what it tells of the deployment's health."""
        if exchange.call.answer is not None:  # nobody is called
            return await self._call(exchange, sink)
        way, began = exchange.plan.way, monotonic()
        self._router.begin(way, began)
        try:
            closing = await self._call(exchange, sink)
        except BaseException as error:
            self._router.ended(way, monotonic(), error)
            raise
        now = exchange.answered_at or monotonic()
        self._router.answered(way, now, (exchange.first_token_at or now) - began, now - began)
        return closing

    async def _call(self, exchange: Exchange, sink: Sink) -> list[Piece]:
        exchange.check_client()
        reply = await self._upstreams.send(exchange.deployment, exchange.call, exchange.id, exchange.attach)
        stream, as_bytes = exchange.request.stream, exchange.request.as_bytes
        exchange.reader = AnswerReader(reply, exchange.call.decoder, stream=stream, as_bytes=as_bytes)
        closing = []
        while (piece := await self._next(exchange, exchange.reader, reply)) is not None:
            if piece.closing:
                closing.append(piece)
            else:
                exchange.is_answering = True
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
            return await self._rest(exchange, reader, reply)
        piece = await reader.next()
        if exchange.first_token_at is None and reader.heard:
            exchange.first_token_at = monotonic()
            failpoint("first_byte")
        return piece

    @staticmethod
    async def _rest(exchange: Exchange, reader: AnswerReader, reply: Reply) -> Piece | None:
        """After the end only usage and the terminator may come, and not for ever."""
        exchange.finished_at = exchange.finished_at or monotonic()
        left_s = exchange.finished_at + AFTER_FINISH_S - monotonic()
        try:
            async with asyncio.timeout(min(left_s, AFTER_TERMINATOR_S) if reader.terminated else left_s):
                return await reader.next()
        except (TimeoutError, ProviderError):
            reply.abort(ClientLeft())
            return None

    def _note_progress(self, exchange: Exchange) -> None:
        if exchange.progress_is_due(monotonic()):
            self._store.note_progress(exchange.hold, exchange.output_estimate(), first_token_us(exchange))

    async def _answer_from_cache(self, exchange: Exchange, kept: Kept, sink: Sink) -> None:
        """No hold, no call: one row that costs nothing."""
        keep_content = self._keeping.keeps_content(exchange)
        settled = exchange.settlement = hit(exchange, kept, keep_content=keep_content)
        settled.replay = sink.replay(exchange, [], keep_content=keep_content)
        _return_what_was_taken(exchange, settled)
        self._log.add(settled)
        await self._store.settle(settled)

    async def _fail(self, exchange: Exchange, error: BaseException) -> None:
        settled = self._settle(exchange, Ending.failed(exchange, error, self._status_of(error)))
        if isinstance(error, GatewayError):
            await settled

    def _settle(
        self, exchange: Exchange, ending: Ending, sink: Sink | None = None, closing: list[Piece] | None = None
    ) -> asyncio.Future[None]:
        """Hand the outcome to the ledger: a plain call that nothing can cancel."""
        try:
            self._holder.price_as_answered(exchange)
            settled = exchange.settlement = settlement(
                exchange, ending, keep_content=self._keeping.keeps_content(exchange)
            )
            if sink is not None and closing is not None:
                settled.replay = sink.replay(exchange, closing, keep_content=self._keeping.keeps_content(exchange))
        except Exception:  # whatever it is: an attempt that is not settled holds its money for ever
            log.exception("request %s is settled roughly", exchange.id)
            settled = exchange.settlement = rough_settlement(exchange, ending)
        _return_what_was_taken(exchange, settled)
        self._log.add(settled)
        return self._store.settle(settled)


def _tokens_estimate(exchange: Exchange) -> int:
    """What a limit on tokens counts until the truth is known: the input, and the answers as long as they may be."""
    request = exchange.request
    answer = request.output_limit or exchange.output_limit or 0
    return exchange.hold.input_tokens_estimate + answer * request.choices


def _return_what_was_taken(exchange: Exchange, settled: Settlement) -> None:
    if exchange.taken is not None:
        exchange.taken.correct(settled.usage.total_tokens, monotonic())
        exchange.taken.release()
