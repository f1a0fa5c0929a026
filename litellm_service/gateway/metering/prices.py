"""Prices of models, and what a usage costs by them."""

from gateway.domain.entry import CostSource
from gateway.domain.money import nano_from_pico
from gateway.domain.price import Price, Rates
from gateway.domain.usage import Usage
from gateway.metering.models import ModelInfo, ModelMap

_SERVICE_TIERS = ("priority", "flex")
_KEPT = 4096
DEMO_VERSION = "1"


class PriceBook:
    """What each model costs; answers are kept, so ask as often as you like."""

    def __init__(self, model_map: ModelMap) -> None:
        self._map = model_map
        self._known: dict[tuple[str, str, str], Price | None] = {}

    @property
    def version(self) -> str:
        """Where the prices come from, as every price and ledger row repeats it."""
        return self._map.version

    def price(self, provider: str, upstream_model: str, service_tier: str = "") -> Price | None:
        """The price at a provider of the catalog; `None`: not priced.

        `service_tier` is the request's own field: `priority` and `flex` have prices of their own at some models.
        """
        asked = (provider, upstream_model, service_tier if service_tier in _SERVICE_TIERS else "")
        try:
            return self._known[asked]
        except KeyError:
            return self._looked_up(asked)

    def _looked_up(self, asked: tuple[str, str, str]) -> Price | None:
        provider, upstream_model, service_tier = asked
        if len(self._known) >= _KEPT:  # names are the clients' choice
            self._known.clear()
        info = self._map.find(provider, upstream_model)
        self._known[asked] = price_of(info, self.version, service_tier) if info else None
        return self._known[asked]


def price_of(info: ModelInfo, version: str, service_tier: str = "") -> Price | None:
    """The price that a row of the map states, `None` where it states none."""
    own = info.service_tiers.get(service_tier)
    terms = own or info.terms
    if terms is None:
        return None
    name = f"{info.key}@{service_tier}" if own else info.key
    if info.provider == "demo":
        return Price(name=name, version=DEMO_VERSION, source="demo", rates=terms.rates)
    return Price(name=name, version=version, source="litellm", rates=terms.rates, tiers=terms.tiers)


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


def worst_case_nano_usd(price: Price, input_bound: int, output_bound: int, n: int = 1) -> int:
    """The most that a call can cost with at most so many tokens in, and so many out for each of `n` answers."""
    reachable = [price.rates, *(tier.rates for tier in price.tiers if tier.above_prompt_tokens < input_bound)]
    return max(
        nano_from_pico(rates.request + input_bound * _dearest_input(rates) + n * output_bound * _dearest_output(rates))
        for rates in reachable
    )


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
    )


def _or(rate: int | None, fallback: int) -> int:
    return fallback if rate is None else rate


def _dearest_input(rates: Rates) -> int:
    stated = (rates.cache_read, rates.cache_write, rates.cache_write_1h, rates.audio_input)
    return max(rates.input, *(_or(rate, 0) for rate in stated))


def _dearest_output(rates: Rates) -> int:
    return max(rates.output, _or(rates.reasoning, 0), _or(rates.audio_output, 0))
