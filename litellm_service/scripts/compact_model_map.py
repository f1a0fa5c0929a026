"""Make `gateway/metering/model_map.json` from the installed LiteLLM package.

    python litellm_service/scripts/compact_model_map.py [--date 2026-11-23] [--output FILE]

LiteLLM is located, never imported. Facts only: provider, mode, limits, abilities, and prices as integer pico-USD read
from the decimal text. The same input gives the same bytes; `--date` says when, and an unchanged file keeps its date.
Not taken over: discounts for batches, and prices per image, second, character or page (a
model that is billed only so stays without a price).
"""

import argparse
import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

Model = dict[str, Any]
Rates = dict[str, int]

OUTPUT = Path(__file__).parents[1] / "gateway" / "metering" / "model_map.json"
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
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_request": "request",
}
FALLBACK = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "reasoning": "output",
    "audio_output": "output",
}
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
SERVICE_TIERS = ("priority", "flex")
BILLED_BY_TOKEN = {"chat", "completion", "responses", "embedding", "moderation", "rerank"}
_TIERED = re.compile(r"(.+)_above_(\d+)k_tokens")


def main() -> None:
    """Write the compact map."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--date")
    arguments.add_argument("--output", type=Path, default=OUTPUT)
    given = arguments.parse_args()
    text = compact(source_text(), litellm_version(), given.date or "")
    if not given.date:
        text = with_date(text, given.output)
    given.output.write_text(text, "utf-8")


def with_date(text: str, output: Path) -> str:
    """The text with the date of the file it replaces if nothing else differs, else with today's."""
    today = datetime.now(UTC).date().isoformat()
    kept = json.loads(output.read_text("utf-8"))["date"] if output.exists() else today
    same = output.exists() and output.read_text("utf-8") == text.replace('"date":""', f'"date":"{kept}"', 1)
    return text.replace('"date":""', f'"date":"{kept if same else today}"', 1)


def litellm_version() -> str:
    """Version of the installed distribution."""
    return importlib.metadata.version("litellm")


def source_text() -> str:
    """The model map inside the installed package; raises `SystemExit` where there is none."""
    spec = importlib.util.find_spec("litellm")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.glob("model_prices_and_context_window*.json")) if folder else []
    if not found:
        raise SystemExit("litellm's model map was not found: pip install litellm, in this environment, and try again")
    return found[0].read_text("utf-8")


def compact(source: str, version: str, date: str) -> str:
    """The compact map as JSON: one line per model, grouped by LiteLLM's provider, everything sorted."""
    groups: dict[str, dict[str, Model]] = {}
    for key, row in json.loads(source, parse_float=Decimal).items():
        if key != "sample_spec" and isinstance(row.get("litellm_provider"), str):
            groups.setdefault(row["litellm_provider"], {})[key] = entry(row)
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


def entry(row: Model) -> Model:
    """One model: only what is known is present."""
    found: Model = {"mode": row.get("mode") or "other"}
    found |= limits(row)
    if names := [name for field, name in ABILITY_OF_FIELD.items() if row.get(field) is True]:
        found["abilities"] = names
    if (search := search_fee(row)) is not None:
        found["search"] = search
    if found["mode"] in BILLED_BY_TOKEN and (terms := terms_of(row)):
        found |= terms
    return found


def limits(row: Model) -> Model:
    """Context window (what may go in) and the most that may come out."""
    window = whole(row.get("max_input_tokens")) or whole(row.get("max_tokens"))
    most = whole(row.get("max_output_tokens"))
    return {name: value for name, value in (("context", window), ("max_output", most)) if value}


def terms_of(row: Model) -> Model:
    """Rates, long-context tiers, service tiers; empty where input or output has no price per token."""
    if brackets := bracketed(row):
        return brackets
    base = rates_with(row, "")
    if "input" not in base or ("output" not in base and row["mode"] in ("chat", "completion", "responses")):
        return {}
    base.setdefault("output", 0)
    if row["litellm_provider"] == "perplexity" and (fee := search_fee(row)):
        base["request"] = base.get("request", 0) + fee  # every call searches
    tiers = tiers_with(row, "", base)
    terms: Model = {"rates": plain(base)}
    if tiers:
        terms["tiers"] = shown(tiers)
    if off_peak := off_peak_of(row, base):
        terms["off_peak"] = off_peak
    variants = {name: variant for name in SERVICE_TIERS if (variant := variant_of(row, name, base, tiers))}
    return terms | ({"service_tiers": variants} if variants else {})


def variant_of(row: Model, name: str, base: Rates, tiers: dict[int, Rates]) -> Model:
    """Terms under a service tier; a long-context tier without a price of its own gets the dearer one of each class."""
    own = rates_with(row, f"_{name}")
    if not own:
        return {}
    rates = base | own
    stated = tiers_with(row, f"_{name}", rates)
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


def bracketed(row: Model) -> Model:
    """Terms from `tiered_pricing`: a list of rates with the range of prompt tokens that each covers."""
    brackets = row.get("tiered_pricing")
    if not isinstance(brackets, list):
        return {}
    tiers = {int(bracket["range"][0]): rates_with(bracket, "") for bracket in brackets}
    if 0 not in tiers or not all({"input", "output"} <= tier.keys() for tier in tiers.values()):
        return {}
    base = tiers.pop(0)
    return {"rates": plain(base)} | ({"tiers": shown(tiers)} if tiers else {})


def shown(tiers: dict[int, Rates]) -> list[Model]:
    """Tiers in ascending order."""
    return [{"above_prompt_tokens": above, "rates": plain(rates)} for above, rates in sorted(tiers.items())]


def plain(rates: Rates) -> Rates:
    """Without what says the same as its fallback, in a fixed order."""
    kept = [name for name in RATE_OF_FIELD.values() if name in rates]
    return {name: rates[name] for name in kept if rates[name] != implied(rates, name)}


def implied(rates: Rates, name: str) -> int | None:
    """The rate a class has when it is not stated."""
    if name == "request":
        return 0
    return rate(rates, FALLBACK[name]) if name in FALLBACK else None


def search_fee(row: Model) -> int | None:
    """Dearest price of one web search."""
    fees = row.get("search_context_cost_per_query")
    stated = [pico(fee) for fee in fees.values() if priced(fee)] if isinstance(fees, dict) else []
    return max(stated, default=None)


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


if __name__ == "__main__":
    main()
