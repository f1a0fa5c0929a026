"""LiteLLM's model map in a compact form: facts only, prices as integer pico-USD.

Used when the package is built, and when an operator imports a newer map. The same input gives the same text.
"""

import json
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gateway.domain.price import FALLBACK, FEES

Model = dict[str, Any]
Rates = dict[str, int]

SAMPLE = "sample_spec"
PICO = Decimal(10) ** 12
DAY = 24 * 60
MAX_PICO_PER_UNIT = 10**15  # 1,000 USD: no token or call costs that; larger means a damaged map
RATE_OF_FIELD = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_input",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "output_cost_per_image_token": "image_output",
    "input_cost_per_request": "request",
}
UNITS_OF_MODE = {
    "chat": {"output_cost_per_image": "request"},  # a clip or a song: one an answer
    "image_generation": {"input_cost_per_image": "image", "output_cost_per_image": "image"},
    "video_generation": {"output_cost_per_second": "second"},
    "audio_transcription": {"input_cost_per_second": "second"},
    "audio_speech": {"input_cost_per_character": "character"},
    "rerank": {"input_cost_per_query": "search"},
    "search": {"input_cost_per_query": "search"},
}
CLASSES = ("input", *FALLBACK, "output", *FEES)
ABILITY_OF_FIELD = {
    "supports_vision": "vision",
    "supports_function_calling": "tools",
    "supports_reasoning": "reasoning",
    "supports_response_schema": "json_schema",
    "supports_prompt_caching": "prompt_caching",
    "supports_audio_input": "audio_input",
    "supports_audio_output": "audio_output",
    "supports_pdf_input": "pdf",
    "supports_video_input": "video",
    "supports_web_search": "web_search",
    "supports_computer_use": "computer_use",
}
SUFFIX_OF_TIER = {"priority": "_priority", "flex": "_flex", "batch": "_batches", "ultrafast": "_ultrafast"}
GENERATING = {"chat", "completion", "responses", "realtime"}
BILLED = GENERATING | {"embedding", "moderation"} | UNITS_OF_MODE.keys()
SEARCHES_ALWAYS = re.compile(r"perplexity/.*|openai/.*-search-(preview|api).*")
_TIERED = re.compile(r"(.+)_above_(\d+)k_tokens")


def compact(source: str, version: str, date: str) -> str:
    """The compact map as JSON: one line per model, grouped by LiteLLM's provider, everything sorted."""
    return compacted(json.loads(source, parse_float=Decimal), version, date)


def compacted(rows: Model, version: str, date: str) -> str:
    """The same of rows by model, decimal numbers as `Decimal`; rows that make no sense have no price."""
    groups: dict[str, dict[str, Model]] = {}
    for key, row in rows.items():
        if key != SAMPLE and isinstance(row.get("litellm_provider"), str):
            groups.setdefault(row["litellm_provider"], {})[key] = entry(key, row)
    return "".join(lines(groups, version, date))


def lines(groups: dict[str, dict[str, Model]], version: str, date: str) -> Iterator[str]:
    """Pieces of the JSON text."""
    yield f'{{"litellm_version":{json.dumps(version)},"date":{json.dumps(date)},"groups":{{\n'
    blocks = []
    for provider, models in sorted(groups.items()):
        rows = ",\n".join(f"{json.dumps(key)}:{dense(model)}" for key, model in sorted(models.items()))
        blocks.append(f"{json.dumps(provider)}:{{\n{rows}\n}}")
    yield ",\n".join(blocks)
    yield "\n}}\n"


def dense(value: Model) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


def entry(key: str, row: Model) -> Model:
    """One model: only what is known is present."""
    found: Model = {"mode": row.get("mode") or "other"}
    found |= limits(row)
    if names := [name for field, name in ABILITY_OF_FIELD.items() if row.get(field) is True]:
        found["abilities"] = names
    if found["mode"] in BILLED and (terms := terms_of(key, row)):
        found |= terms
    return found


def limits(row: Model) -> Model:
    """Context window (what may go in) and the most that may come out."""
    window = whole(row.get("max_input_tokens")) or whole(row.get("max_tokens"))
    most = whole(row.get("max_output_tokens"))
    return {name: value for name, value in (("context", window), ("max_output", most)) if value}


def terms_of(key: str, row: Model) -> Model:
    """Rates, long-context tiers, service tiers; empty where nothing that the model is billed by has a price."""
    if brackets := bracketed(key, row):
        return brackets
    base = base_rates(key, row)
    if not base:
        return {}
    tiers = tiers_with(row, "", base)
    terms: Model = {"rates": plain(base)}
    if tiers:
        terms["tiers"] = shown(tiers)
    if off_peak := off_peak_of(row, base):
        terms["off_peak"] = off_peak
    variants = {
        name: found for name, suffix in SUFFIX_OF_TIER.items() if (found := variant_of(row, suffix, base, tiers))
    }
    return terms | ({"service_tiers": variants} if variants else {})


def base_rates(key: str, row: Model) -> Rates:
    """Rates of the usual tier, fees included; empty without a price. A generating model needs a price for both directions."""
    rates = rates_with(row, "")
    units = unit_rates(row, rates)
    if "input" not in rates or (row["mode"] in GENERATING and "output" not in rates):
        if not units or row["mode"] in GENERATING:
            return {}
        rates.setdefault("input", 0)
    rates.setdefault("output", rates.get("image_output", 0))
    for name, pico_usd in (units | search_rate(key, row)).items():
        rates[name] = rates.get(name, 0) + pico_usd
    return rates


def unit_rates(row: Model, rates: Rates) -> Rates:
    """Prices of what is not counted in tokens, where its tokens have no price: nothing is charged twice."""
    if rates.get("image_output") or (row["mode"] in GENERATING and any(rates.values())):
        return {}
    units = UNITS_OF_MODE.get(row["mode"], {})
    return {name: pico(row[field]) for field, name in units.items() if priced(row.get(field))}


def search_rate(key: str, row: Model) -> Rates:
    """The dearest price of a search.

    It is part of every call where the model always searches. Google charges older models by the call that searched, newer ones
    (`per_query`) by the search (ai.google.dev/gemini-api/docs/pricing).
    """
    fees = row.get("search_context_cost_per_query")
    stated = [pico(fee) for fee in fees.values() if priced(fee)] if isinstance(fees, dict) else []
    if not any(stated):
        return {}
    if SEARCHES_ALWAYS.fullmatch(f"{row['litellm_provider']}/{key}"):
        return {"request": max(stated)}
    by_call = row["litellm_provider"] == "gemini" and row.get("web_search_billing_unit") != "per_query"
    return {"searching" if by_call else "search": max(stated)}


def variant_of(row: Model, suffix: str, base: Rates, tiers: dict[int, Rates]) -> Model:
    """Terms under a service tier; a long-context tier without a price of its own gets the dearer one of each class."""
    own = rates_with(row, suffix)
    if not own:
        return {}
    rates = base | own
    stated = tiers_with(row, suffix, rates)
    merged = {above: stated.get(above) or dearer(rates, tier) for above, tier in tiers.items()} | stated
    return {"rates": plain(rates)} | ({"tiers": shown(merged)} if merged else {})


def off_peak_of(row: Model, base: Rates) -> Model:
    """Rates that replace the usual ones at some times, as spans of minutes since Monday 00:00 UTC."""
    stated = row.get("off_peak_pricing")
    if not isinstance(stated, dict) or "weekday_timezone" in stated:
        return {}
    spans = [span for rule in stated.get("windows") or [stated] for span in spans_of(rule)]
    return {"rates": plain(base | rates_with(stated, "")), "minutes_of_week": sorted(spans)} if spans else {}


def spans_of(rule: Model) -> Iterator[tuple[int, int]]:
    """One span for each day and window; a window that ends where it starts is the whole day, one may pass midnight."""
    hours = rule.get("hours_utc") or []
    for day in rule.get("weekdays") or range(1, 8):
        midnight = (day - 1) * DAY
        for window in [hours] if isinstance(hours, str) else hours:
            start, end = (minute_of_day(clock) for clock in window.split("-"))
            if start < end:
                yield midnight + start, midnight + end
                continue
            yield midnight + start, midnight + DAY
            if end:
                yield midnight, midnight + end


def minute_of_day(clock: str) -> int:
    """`16:30` as 990."""
    hour, minute = clock.strip().split(":")
    return int(hour) * 60 + int(minute)


def dearer(one: Rates, other: Rates) -> Rates:
    """The greater rate of each class, fallbacks resolved."""
    return {name: max(rate(one, name), rate(other, name)) for name in one.keys() | other.keys()}


def rate(rates: Rates, name: str) -> int:
    """A class's rate, or that of the class it falls back to."""
    while name not in rates and name in FALLBACK:
        name = FALLBACK[name]
    return rates.get(name, 0)


def rates_with(row: Model, suffix: str) -> Rates:
    """Rates that the fields with this suffix state."""
    return {name: pico(row[field + suffix]) for field, name in RATE_OF_FIELD.items() if priced(row.get(field + suffix))}


def tiers_with(row: Model, suffix: str, base: Rates) -> dict[int, Rates]:
    """Rates by the prompt tokens above which they apply; a class without a price in a tier keeps the base's."""
    tiers: dict[int, Rates] = {}
    for field, value in row.items():
        matched = _TIERED.fullmatch(field.removesuffix(suffix)) if field.endswith(suffix) else None
        name = RATE_OF_FIELD.get(matched[1]) if matched else None
        if matched and name and priced(value):
            tiers.setdefault(int(matched[2]) * 1000, dict(base))[name] = pico(value)
    return tiers


def bracketed(key: str, row: Model) -> Model:
    """Terms from `tiered_pricing`: a list of rates with the range of prompt tokens that each covers."""
    brackets = row.get("tiered_pricing")
    if not isinstance(brackets, list) or not all(isinstance(bracket.get("range"), list) for bracket in brackets):
        return {}
    fee = search_rate(key, row)
    tiers = {int(bracket["range"][0]): rates_with(bracket, "") | fee for bracket in brackets}
    if 0 not in tiers or not all({"input", "output"} <= tier.keys() for tier in tiers.values()):
        return {}
    base = tiers.pop(0)
    return {"rates": plain(base)} | ({"tiers": shown(tiers)} if tiers else {})


def shown(tiers: dict[int, Rates]) -> list[Model]:
    """Tiers in ascending order."""
    return [{"above_prompt_tokens": above, "rates": plain(rates)} for above, rates in sorted(tiers.items())]


def plain(rates: Rates) -> Rates:
    """Without what says the same as its fallback, in a fixed order."""
    return {name: rates[name] for name in CLASSES if name in rates and rates[name] != implied(rates, name)}


def implied(rates: Rates, name: str) -> int | None:
    """The rate a class has when it is not stated."""
    if name in FALLBACK:
        return rate(rates, FALLBACK[name])
    return None if name in {"input", "output"} else 0


def priced(value: object) -> bool:
    """Whether a field holds a usable price: a number, not NaN, not negative, not absurd."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return Decimal(value).is_finite() and 0 <= Decimal(value) * PICO <= MAX_PICO_PER_UNIT


def pico(usd: int | Decimal) -> int:
    """USD as the nearest whole pico-USD (a few prices are written with more digits than that)."""
    return int((Decimal(usd) * PICO).to_integral_value(ROUND_HALF_UP))


def whole(value: object) -> int | None:
    """A positive count, or `None`."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return int(value) if value > 0 else None
