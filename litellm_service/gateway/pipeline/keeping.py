"""What is kept of answers: their content in the ledger, and whole ones in the response cache."""

import msgspec

from gateway.caching.answers import AnswerCache, Kept, key_of, may_be_kept
from gateway.domain.entry import CostSource, Operation, Outcome, Settlement
from gateway.domain.time import monotonic, now_ms
from gateway.exchange import Exchange
from gateway.metering.surcharges import server_tools

# Its answers hold the request's own id and cost.
NOT_CACHED = "/api/chat"


class Keeping:
    """`cache` is `None` where none is set up."""

    def __init__(self, *, store_content: bool, cache: AnswerCache | None) -> None:
        self._store_content = store_content
        self._cache = cache

    def keeps_content(self, exchange: Exchange) -> bool:
        """Whether this request's words may be stored."""
        key = exchange.caller.key
        return self._store_content and (key is None or key.store_content)

    async def recall(self, exchange: Exchange) -> Kept | None:
        """The answer that this caller was given to the same request, if it is kept; notes the key to keep a new one under."""
        cache, request = self._cache, exchange.request
        if cache is None or exchange.cache_wish == "off" or exchange.route == NOT_CACHED:
            return None
        if request.operation is not Operation.CHAT or request.choices > 1 or not self.keeps_content(exchange):
            return None
        if server_tools(request):
            return None
        exchange.cache_key = key_of(request, exchange.subject, exchange.route, exchange.plan.scope)
        if exchange.cache_key is None or exchange.cache_wish == "renew":
            return None
        return await cache.find(exchange.cache_key)

    async def keep(self, exchange: Exchange, body: bytes) -> None:
        """Keep an answer that was given and settled whole."""
        settled, reader = exchange.settlement, exchange.reader
        if self._cache is None or exchange.cache_key is None or settled is None or reader is None:
            return
        if settled.outcome is not Outcome.COMPLETED or settled.http_status != 200:
            return
        if may_be_kept(settled.finish_reason, body, refused=reader.refused):
            hold = settled.hold
            kept = Kept(
                model=hold.model, provider=hold.provider, upstream_model=hold.upstream_model, body=body,
                text=reader.full_text, finish_reason=settled.finish_reason, cost_nano_usd=settled.cost_nano_usd,
                stored_at_ms=now_ms(),
            )  # fmt: skip
            await self._cache.keep(exchange.cache_key, kept)


def hit(exchange: Exchange, kept: Kept, *, keep_content: bool) -> Settlement:
    """What the ledger is told of an answer from the cache: nothing was used, it costs nothing, and so much was saved."""
    request, took_us = exchange.request, int((monotonic() - exchange.received_at) * 1e6)
    exchange.hold = msgspec.structs.replace(
        exchange.hold, amount_nano_usd=0, price=None,
        model=kept.model, provider=kept.provider, upstream_model=kept.upstream_model,
    )  # fmt: skip
    return Settlement(
        hold=exchange.hold,
        outcome=Outcome.COMPLETED,
        http_status=200,
        cost_nano_usd=0,
        cost_source=CostSource.CACHE,
        saved_nano_usd=kept.cost_nano_usd,
        duration_us=took_us,
        first_token_us=took_us if request.stream else None,
        overhead_us=took_us,
        query=request.query if keep_content else "",
        response=kept.text if keep_content else None,
        messages=request.messages if keep_content else None,
        finish_reason=kept.finish_reason,
        reason="from the cache",
    )
