"""Prices that an administrator sends, and what becomes of them."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.administration import checks
from gateway.administration.input import Input
from gateway.domain.errors import InvalidRequest
from gateway.domain.money import PICO_PER_MILLION_USD, PICO_PER_USD
from gateway.domain.price import FEES, PriceOverride, Rates, Terms, Tier
from gateway.metering.prices import TIERS

MAX_USD_PER_MILLION = 10_000
MAX_FEE_USD = 1_000
MAX_TIERS = 10
_PER_MILLION = "_usd_per_million"


class RateFields(Input, kw_only=True, frozen=True):
    """USD per million tokens by class, and fees in USD: for each call, search, call with a search, second, character, image."""

    input_usd_per_million: Decimal
    output_usd_per_million: Decimal
    cache_read_usd_per_million: Decimal | None = None
    cache_write_usd_per_million: Decimal | None = None
    cache_write_1h_usd_per_million: Decimal | None = None
    audio_input_usd_per_million: Decimal | None = None
    image_input_usd_per_million: Decimal | None = None
    reasoning_usd_per_million: Decimal | None = None
    audio_output_usd_per_million: Decimal | None = None
    image_output_usd_per_million: Decimal | None = None
    request_usd: Decimal | None = None
    search_usd: Decimal | None = None
    searching_usd: Decimal | None = None
    second_usd: Decimal | None = None
    character_usd: Decimal | None = None
    image_usd: Decimal | None = None


class LongContext(Input, kw_only=True, frozen=True):
    """Rates of calls whose prompt has more tokens than this."""

    above_prompt_tokens: int
    rates: RateFields


class TermFields(Input, kw_only=True, frozen=True):
    """Rates, and those of long prompts."""

    rates: RateFields
    long_context: tuple[LongContext, ...] = ()


class NewOverride(TermFields, kw_only=True, frozen=True):
    """The price of a model, or of all that a glob matches; without `effective_from` from now on."""

    model: str
    provider: str = ""
    effective_from: str | UnsetType = UNSET
    service_tiers: dict[str, TermFields] = msgspec.field(default_factory=dict)
    note: str = ""


class MapImport(Input, kw_only=True, frozen=True):
    """LiteLLM's `model_prices_and_context_window.json` as it is, in force from `effective_from` (default: now).

    Nothing is changed without `apply`; where the differences are suspect, not without `confirm` either.
    """

    map: msgspec.Raw
    version: str = ""
    effective_from: str | UnsetType = UNSET
    apply: bool = False
    confirm: bool = False


class Recomputation(Input, kw_only=True, frozen=True):
    """Which requests are to be priced anew, by when they were admitted; nothing is changed without `apply`."""

    from_: str = msgspec.field(name="from")
    to: str
    apply: bool = False


def override_of(id_: str, given: NewOverride, providers: Mapping[str, object], at_ms: int) -> PriceOverride:
    """Raises `InvalidRequest`."""
    if given.provider and given.provider not in providers:
        raise InvalidRequest(
            f"provider: {given.provider[:60]!r} is none; GET /api/providers lists them.", param="provider"
        )
    unknown = given.service_tiers.keys() - set(TIERS.values())
    if unknown:
        allowed = ", ".join(sorted(set(TIERS.values())))
        raise InvalidRequest(f"service_tiers: {min(unknown)[:60]!r} is none of {allowed}.", param="service_tiers")
    terms = _terms(given, "")
    return PriceOverride(
        id=id_,
        model=checks.name("model", given.model),
        provider=given.provider,
        rates=terms.rates,
        tiers=terms.tiers,
        service_tiers={name: _terms(tier, f"service_tiers.{name}.") for name, tier in given.service_tiers.items()},
        effective_from_ms=effective_from_ms(given.effective_from, at_ms),
        created_at_ms=at_ms,
        note=checks.name("note", given.note) if given.note else "",
    )


def effective_from_ms(given: str | UnsetType, at_ms: int) -> int:
    """A moment, now where none was given."""
    return at_ms if given is UNSET else checks.moment_ms("effective_from", given)


def _terms(given: TermFields, at: str) -> Terms:
    if len(given.long_context) > MAX_TIERS:
        raise InvalidRequest(f"{at}long_context: at most {MAX_TIERS} are allowed.", param=f"{at}long_context")
    tiers = {}
    for number, tier in enumerate(given.long_context):
        place = f"{at}long_context[{number}]."
        above = checks.count(f"{place}above_prompt_tokens", tier.above_prompt_tokens)
        tiers[above] = Tier(above_prompt_tokens=above, rates=_rates(tier.rates, f"{place}rates."))
    return Terms(rates=_rates(given.rates, f"{at}rates."), tiers=tuple(tiers[above] for above in sorted(tiers)))


def _rates(given: RateFields, at: str) -> Rates:
    stated = {}
    for field in given.__struct_fields__:
        value = getattr(given, field)
        if value is not None:
            name = field.removesuffix(_PER_MILLION) if field.endswith(_PER_MILLION) else field.removesuffix("_usd")
            stated[name] = _pico_usd(f"{at}{field}", value, is_fee=name in FEES)
    return Rates(**stated)


def _pico_usd(param: str, amount: Decimal, *, is_fee: bool) -> int:
    most = MAX_FEE_USD if is_fee else MAX_USD_PER_MILLION
    if not amount.is_finite() or not 0 <= amount <= most:
        raise InvalidRequest(f"{param}: an amount of USD from 0 to {most:,} is allowed.", param=param)
    exact = amount * (PICO_PER_USD if is_fee else PICO_PER_MILLION_USD)
    if exact != int(exact):
        digits = 12 if is_fee else 6
        raise InvalidRequest(f"{param}: at most {digits} digits after the point are allowed.", param=param)
    return int(exact)
