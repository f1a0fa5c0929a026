"""The price list that `gateway prices` prints."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from gateway.domain.money import PICO_PER_USD
from gateway.domain.price import Price
from gateway.metering.models import ModelInfo, ModelMap
from gateway.metering.prices import PriceBook

_PER_MILLION = 1_000_000


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the list; prices in USD per million tokens, `None` where the model is not priced."""

    model: str
    input: float | None
    output: float | None
    cached: float | None
    context: int | None
    source: str
    version: str


def price_rows(
    book: PriceBook, models: ModelMap, providers: Iterable[str], pattern: str = "*", *, at_ms: int
) -> list[PriceRow]:
    """Chat models of these providers whose canonical name matches a glob (`openai/*`, `*sonnet*`), at that moment's prices."""
    known = (info for provider in providers for info in models.chat_models(provider))
    return [
        _row(info, book.usual_price(info.provider, info.name, at_ms))
        for info in known
        if fnmatchcase(info.canonical.lower(), pattern.lower())
    ]


def usd_per_million(pico_usd: int) -> float:
    """A unit price as people quote it."""
    return pico_usd * _PER_MILLION / PICO_PER_USD


def _row(info: ModelInfo, price: Price | None) -> PriceRow:
    if price is None:
        return PriceRow(model=info.canonical, context=info.context_window, source="", version="", **_NOT_PRICED)
    return PriceRow(
        model=info.canonical,
        input=usd_per_million(price.rates.input),
        output=usd_per_million(price.rates.output),
        cached=usd_per_million(_cached(price)),
        context=info.context_window,
        source=price.source,
        version=price.version,
    )


_NOT_PRICED: dict[str, None] = {"input": None, "output": None, "cached": None}


def _cached(price: Price) -> int:
    return price.rates.input if price.rates.cache_read is None else price.rates.cache_read
