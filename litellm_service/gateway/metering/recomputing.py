"""What a settled attempt should have cost by the price book of today."""

from gateway.domain.entry import Correction, CostSource
from gateway.domain.price import Price
from gateway.domain.usage import NO_USAGE
from gateway.metering.prices import TIERS, PriceBook, cost_nano_usd
from gateway.store.questions import PricedAttempt

_KEPT = frozenset((CostSource.PROVIDER, CostSource.CACHE))


def repriced(book: PriceBook, attempt: PricedAttempt) -> Correction | None:
    """The correction that an attempt needs; `None`: it costs what it should.

    Left as they are: costs that the provider stated, what was free because it never ran, what the book has no price for, and the
    whole of a hold that a crash left behind. The price is that of the moment of admission, at the service tier that was charged.
    """
    if attempt.source in _KEPT or attempt.usage == NO_USAGE:
        return None
    tier = tier_of(attempt.price)
    price = book.price(attempt.provider, attempt.upstream_model, tier, at_ms=attempt.admitted_at_ms)
    if price is None:
        return None
    cost = cost_nano_usd(price, attempt.usage)
    source = CostSource.COMPUTED
    if attempt.usage.estimated:
        if attempt.held_nano_usd:
            if attempt.settled_nano_usd == attempt.held_nano_usd:
                return None
            cost = min(cost, attempt.held_nano_usd)
        source = CostSource.ESTIMATED
    if cost == attempt.cost_nano_usd:
        return None
    return Correction(
        request_id=attempt.request_id, attempt=attempt.attempt, cost_nano_usd=cost, price=price, source=source
    )


def tier_of(price: Price | None) -> str:
    """The service tier that a price is of, as its name says; empty: the usual one."""
    tier = "" if price is None else price.name.rpartition("@")[2]
    return tier if tier in TIERS else ""
