"""Prices of models, and what a usage costs by them."""

import copy
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from gateway.domain.entry import CostSource, Hold
from gateway.domain.money import nano_from_pico
from gateway.domain.price import Price, PriceMap, PriceOverride, Rates
from gateway.domain.time import ms_of_iso
from gateway.domain.usage import Usage
from gateway.metering.models import ModelInfo, ModelMap, OffPeak

DEMO_VERSION = "1"
_USUAL = frozenset(("", "default", "standard", "standard_only", "on_demand"))
TIERS = {"priority": "priority", "fast": "priority", "flex": "flex", "ultrafast": "ultrafast", "batch": "batch"}
_LIVE_TIERS = ("priority", "flex", "ultrafast")
_KEPT = 4096


class _Entry(NamedTuple):
    usual: Price | None
    at_some_hours: tuple[OffPeak, Price] | None


class _Layer(NamedTuple):
    effective_from_ms: int
    models: ModelMap


class PriceBook:
    """What each model cost when: the map that comes with the package, imported ones, and overrides.

    Answers are kept, so ask as often as you like. `replace` may be called at any time; whoever asks later gets the new prices.
    The models of `model_map` follow the imported maps.
    """

    def __init__(self, model_map: ModelMap) -> None:
        self._models = model_map
        self._built_in = copy.copy(model_map)
        self._known: dict[tuple[str, str, str, int], _Entry] = {}
        self._infos: dict[tuple[str, str], ModelInfo | None] = {}
        self._changes = 0
        self.replace((), ())

    def replace(self, maps: Iterable[PriceMap], overrides: Iterable[PriceOverride]) -> None:
        """From now on these imported maps and overrides hold, and no others."""
        imported = sorted(maps, key=lambda found: (found.effective_from_ms, found.imported_at_ms))
        layers = [
            _Layer(found.effective_from_ms, ModelMap.imported(found, self._built_in.catalog)) for found in imported
        ]
        if starts := _later_start_of_built_in(self._built_in, imported):
            layers.append(_Layer(starts, self._built_in))
        self._layers = [_Layer(0, self._built_in), *sorted(layers, key=lambda layer: layer.effective_from_ms)]
        self._overrides = sorted(overrides, key=lambda override: override.rank, reverse=True)
        begins = {layer.effective_from_ms for layer in self._layers} | {
            one.effective_from_ms for one in self._overrides
        }
        self._starts = sorted(begin for begin in begins if begin > 0)
        self._models.follow(layer.models for layer in self._layers)
        self._known.clear()
        self._infos.clear()
        self._changes += 1

    @property
    def version(self) -> str:
        """The newest map's, as its prices and the ledger's rows repeat it."""
        return self._models.version

    @property
    def overrides(self) -> list[PriceOverride]:
        """Every override, the strongest first, whether in force yet or not."""
        return list(self._overrides)

    def revision(self, at_ms: int) -> tuple[int, int]:
        """Differs whenever prices at this moment may differ from those at an earlier one."""
        return self._changes, bisect_right(self._starts, at_ms)

    def model(self, provider: str, upstream_model: str) -> ModelInfo | None:
        """What the newest map that knows this model says of it."""
        asked = (provider, upstream_model)
        if asked not in self._infos:
            if len(self._infos) >= _KEPT:  # names are the clients' choice
                self._infos.clear()
            self._infos[asked] = self._models.find(provider, upstream_model)
        return self._infos[asked]

    def price(
        self, provider: str, upstream_model: str, service_tier: str = "", *, at_ms: int | None = None
    ) -> Price | None:
        """The price at a provider of the catalog; `None`: not priced.

        `service_tier` is the request's own field: `priority`, `flex` and others have prices of their own at some models.
        `at_ms` is the moment of admission: prices change, and some models cost less at some hours. `None` gives the newest price
        at usual hours.
        """
        era = len(self._starts) if at_ms is None or not self._starts else bisect_right(self._starts, at_ms)
        asked = (provider, upstream_model, TIERS.get(service_tier, ""), era)
        entry = self._known.get(asked) or self._looked_up(asked)
        if entry.at_some_hours and at_ms is not None and entry.at_some_hours[0].open_at(at_ms):
            return entry.at_some_hours[1]
        return entry.usual

    def usual_price(self, provider: str, upstream_model: str, at_ms: int, *, service_tier: str = "") -> Price | None:
        """As `price`, whatever the hour: what a price list shows on that day."""
        era = bisect_right(self._starts, at_ms)
        asked = (provider, upstream_model, TIERS.get(service_tier, ""), era)
        return (self._known.get(asked) or self._looked_up(asked)).usual

    def chargeable(
        self, provider: str, upstream_model: str, service_tier: str = "", *, at_ms: int | None = None
    ) -> list[Price]:
        """Every price that a request for this service tier may end up being charged at; empty: not priced.

        A provider may serve a tier as the usual one, and `auto` as any (platform.openai.com/docs/api-reference/chat); a
        request that names none is taken to get the usual one.
        """
        usual = self.price(provider, upstream_model, at_ms=at_ms)
        if service_tier in _USUAL:
            return [] if usual is None else [usual]
        named = (service_tier,) if service_tier in TIERS else _LIVE_TIERS
        prices = [usual, *(self.price(provider, upstream_model, tier, at_ms=at_ms) for tier in named)]
        return [price for place, price in enumerate(prices) if price is not None and price not in prices[:place]]

    def price_as_answered(self, hold: Hold, asked: str, answered: str | None) -> Price | None:
        """The price to settle with: the hold's, unless the answer names another service tier than the request asked for.

        Providers charge by the tier that they state (platform.openai.com/docs/guides/priority-processing).
        """
        if answered is None or TIERS.get(answered, "") == TIERS.get(asked, ""):
            return hold.price
        return self.price(hold.provider, hold.upstream_model, answered, at_ms=hold.admitted_at_ms) or hold.price

    def _looked_up(self, asked: tuple[str, str, str, int]) -> _Entry:
        if len(self._known) >= _KEPT:  # names are the clients' choice
            self._known.clear()
        self._known[asked] = entry = self._entry(*asked)
        return entry

    def _entry(self, provider: str, upstream_model: str, service_tier: str, era: int) -> _Entry:
        now_ms = self._starts[era - 1] if era else 0
        for override in self._overrides:
            if override.effective_from_ms <= now_ms and override.covers(provider, upstream_model):
                return _Entry(_overridden(override, provider, upstream_model, service_tier), None)
        for layer in reversed(self._layers):
            info = layer.models.find(provider, upstream_model) if layer.effective_from_ms <= now_ms else None
            if info is not None:
                return _entry(info, layer.models.version, service_tier)
        return _NOT_PRICED


_NOT_PRICED = _Entry(None, None)


def _later_start_of_built_in(built_in: ModelMap, imported: list[PriceMap]) -> int | None:
    """When a newer package brought it after the last import, it takes over again on the day that it was made."""
    made_ms = ms_of_iso(built_in.date)
    return made_ms if imported and all(found.imported_at_ms < made_ms for found in imported) else None


def _overridden(override: PriceOverride, provider: str, upstream_model: str, service_tier: str) -> Price:
    own = override.service_tiers.get(service_tier)
    rates, tiers = (own.rates, own.tiers) if own else (override.rates, override.tiers)
    name = f"{provider}/{upstream_model}" + (f"@{service_tier}" if own else "")
    return Price(name=name, version=f"override {override.id}", source="override", rates=rates, tiers=tiers)


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


def traffic_cost_nano_usd(price: Price, usage: Usage, requests: int) -> int:
    """What this many calls cost together at the usual rates: where a prompt was long, nobody knows of a sum."""
    return nano_from_pico(_cost_pico_usd(price.rates, usage) + (requests - 1) * price.rates.request)


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
