"""Unit prices of one model, and the cost of a usage by them."""

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Integer pico-USD per token (per call for `request`); `None` means: charged like the class it falls back to.

    Falls back: cache_read, cache_write, audio_input → input; cache_write_1h → cache_write; reasoning, audio_output → output.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    audio_input: int | None = None
    reasoning: int | None = None
    audio_output: int | None = None
    request: int = 0


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Rates that apply to the whole call when its prompt has more than `above_prompt_tokens`."""

    above_prompt_tokens: int
    rates: Rates


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs at one provider: base rates, long-context tiers (ascending), where it comes from."""

    name: str
    version: str
    source: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()
