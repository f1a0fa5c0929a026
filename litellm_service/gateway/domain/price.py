"""Unit prices of one model, and the cost of a usage by them."""

from fnmatch import fnmatchcase

import msgspec

from gateway.domain.usage import Usage

FALLBACK = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "image_input": "input",
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
}
FEES = ("request", "search", "searching", "second", "character", "image")


class Rates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Integer pico-USD per token; `None` means: charged like the class it falls back to.

    Falls back: cache_read, cache_write, audio_input, image_input → input; cache_write_1h → cache_write; reasoning, audio_output,
    image_output → output. The last six (`FEES`) are not per token: per call, per search that the provider ran, per call in which it
    searched however often, per second of audio or video, per character of a text to be spoken, per image that was made.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    audio_input: int | None = None
    image_input: int | None = None
    reasoning: int | None = None
    audio_output: int | None = None
    image_output: int | None = None
    request: int = 0
    search: int = 0
    searching: int = 0
    second: int = 0
    character: int = 0
    image: int = 0

    @property
    def dearest_input(self) -> int:
        """The most that a token that goes in can cost."""
        stated = (self.cache_read, self.cache_write, self.cache_write_1h, self.audio_input, self.image_input)
        return max(self.input, *(_or(rate, 0) for rate in stated))

    @property
    def dearest_output(self) -> int:
        """The most that a token that comes out can cost."""
        stated = (self.reasoning, self.audio_output, self.image_output)
        return max(self.output, *(_or(rate, 0) for rate in stated))


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Rates that apply to the whole call when its prompt has more than `above_prompt_tokens`."""

    above_prompt_tokens: int
    rates: Rates


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rates and long-context tiers (ascending) under one service tier."""

    rates: Rates
    tiers: tuple[Tier, ...] = ()


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs at one provider: base rates, long-context tiers (ascending), where it comes from."""

    name: str
    version: str
    source: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()

    def rates_for(self, prompt_tokens: int) -> Rates:
        """The rates that a call with so large a prompt is charged at."""
        found = self.rates
        for tier in self.tiers:
            if prompt_tokens > tier.above_prompt_tokens:
                found = tier.rates
        return found


class PriceOverride(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A price that an administrator sets, instead of all that the maps say of these models, from a moment on.

    `model` is a name or a glob: `openai/gpt-4o` or `openai/*` at that provider, `gpt-4o` at any (or at `provider`, if given).
    `service_tiers` holds what `priority`, `flex` and others cost instead; a tier that is not in it costs the usual.
    """

    id: str
    model: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()
    service_tiers: dict[str, Terms] = {}
    provider: str = ""
    effective_from_ms: int = 0
    created_at_ms: int = 0
    note: str = ""

    def covers(self, provider: str, upstream_model: str) -> bool:
        """Whether it is the price of this model at this provider."""
        if self.provider and self.provider != provider:
            return False
        return fnmatchcase(f"{provider}/{upstream_model}", self.model) or fnmatchcase(upstream_model, self.model)

    @property
    def rank(self) -> tuple[bool, bool, int, int, int]:
        """The greatest wins: a name before a glob, a provider before none, the longer, the later, the newer."""
        is_name = not any(sign in self.model for sign in "*?[")
        named = bool(self.provider) or "/" in self.model
        return is_name, named, len(self.model), self.effective_from_ms, self.created_at_ms


class PriceMap(msgspec.Struct, frozen=True, kw_only=True):
    """An imported map: LiteLLM's, compacted and compressed, in force from a moment on; `date` is the day it was imported."""

    version: str
    date: str
    effective_from_ms: int
    imported_at_ms: int
    models: int
    compact_gz: bytes

    @property
    def id(self) -> str:
        """Its version."""
        return self.version

    @property
    def created_at_ms(self) -> int:
        """When it was imported."""
        return self.imported_at_ms


class Line(msgspec.Struct, frozen=True):
    """One line of a receipt: so many tokens (or calls, searches, seconds…) of a class, at so many pico-USD each."""

    item: str
    quantity: int
    unit_pico_usd: int


def receipt_lines(price: Price, usage: Usage) -> list[Line]:
    """What a usage is charged for, line by line, empty classes left out; the amounts add up to its cost."""
    rates = price.rates_for(usage.prompt_tokens)
    cache_write = _or(rates.cache_write, rates.input)
    lines = (
        Line("call", 1 if rates.request else 0, rates.request),
        Line("input", usage.input, rates.input),
        Line("input_cached", usage.cache_read, _or(rates.cache_read, rates.input)),
        Line("cache_write", usage.cache_write, cache_write),
        Line("cache_write_1h", usage.cache_write_1h, _or(rates.cache_write_1h, cache_write)),
        Line("input_audio", usage.audio_input, _or(rates.audio_input, rates.input)),
        Line("input_image", usage.image_input, _or(rates.image_input, rates.input)),
        Line("output", usage.output, rates.output),
        Line("reasoning", usage.reasoning, _or(rates.reasoning, rates.output)),
        Line("output_audio", usage.audio_output, _or(rates.audio_output, rates.output)),
        Line("output_image", usage.image_output, _or(rates.image_output, rates.output)),
        Line("search", usage.searches if rates.search else 0, rates.search),
        Line("searching", 1 if usage.searches and rates.searching else 0, rates.searching),
        Line("second", usage.seconds, rates.second),
        Line("character", usage.characters, rates.character),
        Line("image", usage.images, rates.image),
    )
    return [line for line in lines if line.quantity]


def _or(rate: int | None, fallback: int) -> int:
    return fallback if rate is None else rate
