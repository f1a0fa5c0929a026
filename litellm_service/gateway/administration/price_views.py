"""Prices, imported maps and recomputations as JSON."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from gateway.administration.pricing import Imported, Pricing
from gateway.administration.recomputation import ModelChange, Recomputed
from gateway.domain.money import PICO_PER_MILLION_USD, PICO_PER_USD, usd
from gateway.domain.price import FEES, Price, PriceMap, PriceOverride, Rates, Tier
from gateway.domain.time import iso_z
from gateway.metering.importing import ChangedPrice
from gateway.metering.models import ModelInfo
from gateway.metering.prices import TIERS

View = dict[str, Any]


def price_list(pricing: Pricing, pattern: str, provider: str, at_ms: int) -> Iterator[View]:
    """Every model that the maps know at these providers, by name, with its prices of that moment; not priced: `price` is null."""
    known = pricing.models.catalog.providers
    for name in sorted([provider] if provider else known):
        infos = pricing.models.all_models(name) or {info.canonical: info for info in pricing.models.chat_models(name)}
        for canonical, info in sorted(infos.items()):
            if fnmatchcase(canonical.lower(), pattern.lower()):
                yield _row(pricing, info, at_ms)


def override_view(override: PriceOverride) -> View:
    """One override."""
    return {
        "id": override.id,
        "model": override.model,
        "provider": override.provider,
        "effective_from": iso_z(override.effective_from_ms),
        "created_at": iso_z(override.created_at_ms),
        "note": override.note,
        **_terms(override.rates, override.tiers),
        "service_tiers": {name: _terms(terms.rates, terms.tiers) for name, terms in override.service_tiers.items()},
    }


def map_view(price_map: PriceMap) -> View:
    """One imported map, without its prices."""
    return {
        "version": price_map.version,
        "effective_from": iso_z(price_map.effective_from_ms),
        "imported_at": iso_z(price_map.imported_at_ms),
        "models": price_map.models,
    }


def imported_view(imported: Imported) -> View:
    """What an import changes."""
    found = imported.differences
    return {
        "applied": imported.applied,
        "map": map_view(imported.price_map),
        "new": found.new,
        "gone": found.gone,
        "changed": [_changed(change) for change in found.changed],
        "suspects": found.suspects,
    }


def recomputed_view(found: Recomputed, *, applied: bool) -> View:
    """What a recomputation changes."""
    return {
        "applied": applied,
        "attempts": found.attempts,
        "corrections": found.corrections,
        **_money("difference", found.difference_nano_usd),
        "models": [_model(change) for change in found.models.values()],
        "examples": [
            {
                "request_id": example.request_id, "attempt": example.attempt, "model": example.model,
                **_money("before", example.before_nano_usd), **_money("after", example.after_nano_usd),
                "price": example.price, "version": example.version,
            }
            for example in found.examples
        ],
    }  # fmt: skip


def rates_view(rates: Rates) -> View:
    """The classes that have a rate of their own in USD per million tokens, and the fees in USD."""
    stated = {name: getattr(rates, name) for name in rates.__struct_fields__}
    tokens = {
        f"{name}_usd_per_million": value for name, value in stated.items() if value is not None and name not in FEES
    }
    fees = {f"{name}_usd": stated[name] / PICO_PER_USD for name in FEES if stated[name]}
    return {name: value / PICO_PER_MILLION_USD for name, value in tokens.items()} | fees


def _row(pricing: Pricing, info: ModelInfo, at_ms: int) -> View:
    usual = pricing.book.usual_price(info.provider, info.name, at_ms)
    tiers = {}
    for tier in sorted(set(TIERS.values())):
        price = pricing.book.usual_price(info.provider, info.name, at_ms, service_tier=tier)
        if price is not None and price != usual:
            tiers[tier] = _price(price)
    return {
        "model": info.canonical,
        "mode": info.mode,
        "context_window": info.context_window,
        "price": None if usual is None else _price(usual),
        "service_tiers": tiers,
    }


def _price(price: Price) -> View:
    return {
        "name": price.name,
        "source": price.source,
        "version": price.version,
        **_terms(price.rates, price.tiers),
    }


def _terms(rates: Rates, tiers: Iterable[Tier]) -> View:
    long = [{"above_prompt_tokens": tier.above_prompt_tokens, "rates": rates_view(tier.rates)} for tier in tiers]
    return {"rates": rates_view(rates), "long_context": long}


def _changed(change: ChangedPrice) -> View:
    return {
        "model": change.model,
        "item": change.item,
        "before": _unit(change.item, change.before_pico_usd),
        "after": _unit(change.item, change.after_pico_usd),
        "ratio": change.ratio,
        "is_suspect": change.is_suspect,
    }


def _unit(item: str, pico_usd: int | None) -> float | None:
    """USD per million tokens, or USD for a fee."""
    if pico_usd is None:
        return None
    return pico_usd / (PICO_PER_USD if item.rpartition(".")[2] in FEES else PICO_PER_MILLION_USD)


def _model(change: ModelChange) -> View:
    return {
        "model": change.model,
        "corrections": change.corrections,
        "newly_priced": change.newly_priced,
        **_money("before", change.before_nano_usd),
        **_money("after", change.after_nano_usd),
    }


def _money(name: str, nano_usd: int | None) -> View:
    return {f"{name}_usd": usd(nano_usd), f"{name}_nano_usd": nano_usd}
