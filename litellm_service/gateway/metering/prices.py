"""Prices of models, and what a usage costs by them."""

from typing import NamedTuple

from gateway.domain.entry import CostSource
from gateway.domain.money import nano_from_pico
from gateway.domain.price import Price, Rates
from gateway.domain.usage import Usage
from gateway.metering.models import ModelInfo, ModelMap, OffPeak

_SERVICE_TIERS = ("priority", "flex")
_USUAL_TIERS = ("", "default", "standard")
_KEPT = 4096
DEMO_VERSION = "1"


class _Entry(NamedTuple):
    usual: Price | None
    at_some_hours: tuple[OffPeak, Price] | None


class PriceBook:
    """What each model costs; answers are kept, so ask as often as you like."""

    def __init__(self, model_map: ModelMap) -> None:
        self._map = model_map
        self._known: dict[tuple[str, str, str], _Entry] = {}

    @property
    def version(self) -> str:
        """Where the prices come from, as every price and ledger row repeats it."""
        return self._map.version

    def price(
        self, provider: str, upstream_model: str, service_tier: str = "", *, at_ms: int | None = None
    ) -> Price | None:
        """The price at a provider of the catalog; `None`: not priced.

        `service_tier` is the request's own field: `priority` and `flex` have prices of their own at some models.
        `at_ms` is the moment of admission: some models cost less at some hours; `None` gives the usual price.
        """
        asked = (provider, upstream_model, service_tier if service_tier in _SERVICE_TIERS else "")
        entry = self._known.get(asked) or self._looked_up(asked)
        if entry.at_some_hours and at_ms is not None and entry.at_some_hours[0].open_at(at_ms):
            return entry.at_some_hours[1]
        return entry.usual

    def chargeable(
        self, provider: str, upstream_model: str, service_tier: str = "", *, at_ms: int | None = None
    ) -> list[Price]:
        """Every price that a request for this service tier may end up being charged at; empty: not priced.

        A provider may serve a tier as the usual one, and `auto` as any (platform.openai.com/docs/api-reference/chat); a
        request that names none is taken to get the usual one.
        """
        if service_tier in _USUAL_TIERS:
            usual = self.price(provider, upstream_model, at_ms=at_ms)
            return [] if usual is None else [usual]
        tiers = ("", service_tier) if service_tier in _SERVICE_TIERS else ("", *_SERVICE_TIERS)
        prices = (self.price(provider, upstream_model, tier, at_ms=at_ms) for tier in tiers)
        return [price for price in prices if price is not None]

    def _looked_up(self, asked: tuple[str, str, str]) -> _Entry:
        provider, upstream_model, service_tier = asked
        if len(self._known) >= _KEPT:  # names are the clients' choice
            self._known.clear()
        info = self._map.find(provider, upstream_model)
        self._known[asked] = _entry(info, self.version, service_tier) if info else _NOT_PRICED
        return self._known[asked]


_NOT_PRICED = _Entry(None, None)


def price_of(info: ModelInfo, version: str, service_tier: str = "") -> Price | None:
    """The usual price that a row of the map states, `None` where it states none."""
    return _entry(info, version, service_tier).usual


def _entry(info: ModelInfo, version: str, service_tier: str) -> _Entry:
    own = info.service_tiers.get(service_tier)
    terms = own or info.terms
    if terms is None:
        return _NOT_PRICED
    if info.provider == "demo":
        return _Entry(Price(name=info.key, version=DEMO_VERSION, source="demo", rates=terms.rates), None)
    name = f"{info.key}@{service_tier}" if own else info.key
    usual = Price(name=name, version=version, source="litellm", rates=terms.rates, tiers=terms.tiers)
    if own or info.off_peak is None:
        return _Entry(usual, None)
    cheaper = Price(name=f"{info.key}@off_peak", version=version, source="litellm", rates=info.off_peak.rates)
    return _Entry(usual, (info.off_peak, cheaper))


def priced(price: Price | None, usage: Usage) -> tuple[int | None, CostSource]:
    """Cost in nano-USD and where it comes from: the provider's own statement, then the price; `None` without either."""
    if usage.stated_cost_nano_usd is not None:
        return usage.stated_cost_nano_usd, CostSource.PROVIDER
    if price is None:
        return None, CostSource.NONE
    return cost_nano_usd(price, usage), CostSource.ESTIMATED if usage.estimated else CostSource.COMPUTED


def cost_nano_usd(price: Price, usage: Usage) -> int:
    """Exact cost of a usage, rounded once."""
    return nano_from_pico(_cost_pico_usd(_rates(price, usage.prompt_tokens), usage))


def _rates(price: Price, prompt_tokens: int) -> Rates:
    found = price.rates
    for tier in price.tiers:
        if prompt_tokens > tier.above_prompt_tokens:
            found = tier.rates
    return found


def _cost_pico_usd(rates: Rates, usage: Usage) -> int:
    cache_write = _or(rates.cache_write, rates.input)
    return (
        rates.request
        + usage.input * rates.input
        + usage.cache_read * _or(rates.cache_read, rates.input)
        + usage.cache_write * cache_write
        + usage.cache_write_1h * _or(rates.cache_write_1h, cache_write)
        + usage.audio_input * _or(rates.audio_input, rates.input)
        + usage.output * rates.output
        + usage.reasoning * _or(rates.reasoning, rates.output)
        + usage.audio_output * _or(rates.audio_output, rates.output)
        + _rare_pico_usd(rates, usage)
    )


def _rare_pico_usd(rates: Rates, usage: Usage) -> int:
    return (
        usage.image_input * _or(rates.image_input, rates.input)
        + usage.image_output * _or(rates.image_output, rates.output)
        + (usage.searches * rates.search + rates.searching if usage.searches else 0)
        + usage.seconds * rates.second
        + usage.characters * rates.character
        + usage.images * rates.image
    )


def _or(rate: int | None, fallback: int) -> int:
    return fallback if rate is None else rate
