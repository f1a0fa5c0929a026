"""What traffic would have cost on another model, and what such a comparison cannot know."""

from collections.abc import Iterable

import msgspec

from gateway.domain.price import Price
from gateway.domain.usage import Usage
from gateway.metering.models import ModelInfo
from gateway.metering.prices import traffic_cost_nano_usd

TALKING = frozenset({"chat", "completion", "responses"})
# What a request may have needed; the ledger does not say which requests did.
NEEDED = ("vision", "tools", "json_schema", "pdf", "audio_input", "video")


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of one model; `info` is what the map knows of it."""

    model: str
    info: ModelInfo | None
    requests: int
    usage: Usage


class Note(msgspec.Struct, frozen=True):
    """A reason why the figure is not what it would have been; `code` for programs, `text` for people."""

    code: str
    text: str


def is_comparable(info: ModelInfo | None) -> bool:
    """Whether a chat model could have answered; what the map does not know is taken to be one."""
    return info is None or info.mode in TALKING


def cost_instead(price: Price, used: Used) -> int:
    """Nano-USD, at the price of today and of usual prompts."""
    return traffic_cost_nano_usd(price, used.usage, used.requests)


def notes(candidate: ModelInfo | None, price: Price | None, used: Iterable[Used]) -> list[Note]:
    """What is not the same on this model, plainly."""
    all_used = list(used)
    if price is None:
        return [Note("not_priced", "The price book has no price for it.")]
    found = _price_notes(price, all_used)
    return found if candidate is None else [*found, *_ability_notes(candidate, all_used)]


def _price_notes(price: Price, used: list[Used]) -> list[Note]:
    found = []
    cached = sum(one.usage.cache_read for one in used)
    if cached and price.rates.cache_read is None:
        found.append(
            Note("no_cache_price", f"It has no price for cached input: {cached:,} tokens cost what others do.")
        )
    elif cached:
        found.append(Note("cache", f"As if its cache had hit as often: {cached:,} tokens were read from caches."))
    if price.tiers:
        above = price.tiers[0].above_prompt_tokens
        found.append(Note("long_context", f"Prompts above {above:,} tokens cost more there; that is not counted."))
    return found


def _ability_notes(candidate: ModelInfo, used: list[Used]) -> list[Note]:
    found = []
    reasoning = sum(one.usage.reasoning for one in used)
    if reasoning and "reasoning" not in candidate.abilities:
        found.append(Note("no_reasoning", f"It does not reason: {reasoning:,} tokens of thoughts would not be there."))
    if not reasoning and "reasoning" in candidate.abilities:
        found.append(
            Note("reasoning", "It reasons: its thoughts would cost output tokens that are not in these figures.")
        )
    known = [one.info for one in used if one.info is not None]
    lacking = [name for name in NEEDED if name not in candidate.abilities and any(name in i.abilities for i in known)]
    if lacking:
        words = ", ".join(name.replace("_", " ") for name in lacking)
        found.append(
            Note("abilities", f"It lacks what models in use can do ({words}); whether it was used is not known.")
        )
    windows = [info.context_window for info in known if info.context_window]
    if candidate.context_window and any(window > candidate.context_window for window in windows):
        found.append(Note("context_window", f"Prompts above {candidate.context_window:,} tokens would not fit."))
    return found
