"""Usage objects of the OpenAI wire format as disjoint token classes.

What each provider's numbers mean, by the rule that its row in `catalog.toml` names:

- `openai`: cached and audio tokens are part of `prompt_tokens`, reasoning and audio part of `completion_tokens`
  (platform.openai.com/docs/api-reference/chat/object). DeepSeek names cache hits `prompt_cache_hit_tokens`
  (api-docs.deepseek.com/guides/kv_cache), Moonshot `cached_tokens` beside the totals
  (platform.moonshot.ai/docs/api/chat); where both spellings come, they say the same.
- `xai`: `completion_tokens` leaves reasoning out, `total_tokens` counts it; `cost_in_usd_ticks` is the cost in
  10⁻¹⁰ USD (docs.x.ai/docs/api-reference).
- `openrouter`: `cost` is the charge in credits of 1 USD, cache writes are part of `prompt_tokens`; with a key of one's
  own at the vendor (`is_byok`) the vendor bills `cost_details.upstream_inference_cost` besides
  (openrouter.ai/docs/use-cases/usage-accounting).
- `perplexity`: `cost.total_cost` is the charge in USD, search fees included (docs.perplexity.ai/api-reference).
- `litellm`: LiteLLM adds Anthropic's cache reads and writes and Gemini's thoughts into the totals, and hands on a
  provider's `cost` (litellm/types/utils.py, `Usage`; litellm/llms/anthropic/chat/transformation.py, `calculate_usage`).

Any provider's reasoning counts as apart when `total_tokens` is exactly prompt + completion + reasoning.

Odd data never raises. A count that is negative, over 2**40 or no whole number is treated as absent. Without a prompt
or a completion count (one of them may follow from the total) there is no usage: `None`, and the caller estimates. A
detail larger than its total is cut down to it. Whatever was repaired is marked `estimated`.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from gateway.domain.money import NANO_PER_USD
from gateway.domain.usage import Usage
from gateway.providers.catalog import UsageRule

MAX_TOKENS = 2**40
MAX_STATED_USD = 10_000
_TICKS_PER_USD = 10**10
_UNREADABLE = (msgspec.MsgspecError, RecursionError)


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: int | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_tokens: int | None = None
    cache_creation_token_details: _CacheCreation | None = None
    audio_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class _Cost(msgspec.Struct):
    total_cost: Decimal | None = None


class _CostDetails(msgspec.Struct):
    upstream_inference_cost: Decimal | None = None


class _Wire(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cost: Decimal | _Cost | None = None
    cost_details: _CostDetails | None = None
    cost_in_usd_ticks: int | None = None
    is_byok: bool | None = None


_WIRE = msgspec.json.Decoder(_Wire)
_NO_PROMPT_DETAILS = _PromptDetails()
_NO_COMPLETION_DETAILS = _CompletionDetails()


class _Counts:
    """Reads counts and remembers whether one of them made no sense."""

    def __init__(self, *, flawed: bool) -> None:
        self.flawed = flawed

    def sane(self, *stated: int | None) -> int | None:
        """The first count that is stated, `None` if it is out of range or none is."""
        for count in stated:
            if count is not None:
                if 0 <= count <= MAX_TOKENS:
                    return count
                self.flawed = True
        return None

    def part(self, stated: int | None, room: int) -> int:
        """A detail, cut down to what is left of its total."""
        if stated is None:
            return 0
        self.flawed |= stated > room
        return min(stated, room)


def normalise(raw: bytes | msgspec.Raw | None, rule: UsageRule) -> Usage | None:
    """The classes of a usage object under its provider's rule; `None`: it says nothing that can be used."""
    if raw is None:
        return None
    wire, flawed = _decoded(raw)
    if wire is None:
        return None
    counts = _Counts(flawed=flawed)
    totals = _totals(wire, counts)
    if totals is None:
        return None
    cost = _stated_nano_usd(wire, rule)
    classes = _prompt_classes(wire, totals[0], counts) | _completion_classes(wire, totals, rule, counts)
    return Usage(**classes, stated_cost_nano_usd=cost, estimated=counts.flawed)


def last(previous: Usage | None, new: Usage | None) -> Usage | None:
    """What holds after another cumulative report: the last one; where it says less than before, the greater stays."""
    if previous is None or new is None:
        return new or previous
    prompt = new if new.prompt_tokens >= previous.prompt_tokens else previous
    completion = new if new.completion_tokens >= previous.completion_tokens else previous
    if prompt is new and completion is new and new.stated_cost_nano_usd is not None:
        return new
    return _joined(prompt, completion, _greater(previous.stated_cost_nano_usd, new.stated_cost_nano_usd))


def _joined(prompt: Usage, completion: Usage, cost: int | None) -> Usage:
    return Usage(
        input=prompt.input,
        cache_read=prompt.cache_read,
        cache_write=prompt.cache_write,
        cache_write_1h=prompt.cache_write_1h,
        audio_input=prompt.audio_input,
        output=completion.output,
        reasoning=completion.reasoning,
        audio_output=completion.audio_output,
        stated_cost_nano_usd=cost,
        estimated=prompt.estimated or completion.estimated,
    )


def _greater(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _decoded(raw: bytes | msgspec.Raw) -> tuple[_Wire | None, bool]:
    """The object, and whether fields of the wrong type had to be left out."""
    try:
        return _WIRE.decode(raw), False
    except _UNREADABLE:
        return _mended(raw), True


def _mended(raw: bytes | msgspec.Raw) -> _Wire | None:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except _UNREADABLE:
        return None
    wire = _Wire()
    for field in msgspec.structs.fields(_Wire):
        try:
            setattr(wire, field.name, msgspec.convert(fields.get(field.name), field.type, strict=False))
        except _UNREADABLE:
            continue
    return wire


def _totals(wire: _Wire, counts: _Counts) -> tuple[int, int, int | None] | None:
    """Prompt, completion and total; the total stands in for one that is absent."""
    prompt, completion = counts.sane(wire.prompt_tokens), counts.sane(wire.completion_tokens)
    total = counts.sane(wire.total_tokens)
    if total is not None and prompt is None and completion is not None:
        prompt = max(0, total - completion)
    if total is not None and completion is None and prompt is not None:
        completion = max(0, total - prompt)
    return None if prompt is None or completion is None else (prompt, completion, total)


def _prompt_classes(wire: _Wire, prompt: int, counts: _Counts) -> dict[str, int]:
    """Cached and written first; audio that was cached counts as cached."""
    details = wire.prompt_tokens_details or _NO_PROMPT_DETAILS
    hit = (details.cached_tokens, wire.prompt_cache_hit_tokens, wire.cached_tokens, wire.cache_read_input_tokens)
    written = (details.cache_write_tokens, details.cache_creation_tokens, wire.cache_creation_input_tokens)
    creation = details.cache_creation_token_details or _CacheCreation()
    read = counts.part(counts.sane(*hit), prompt)
    write = counts.part(counts.sane(*written), prompt - read)
    write_1h = counts.part(counts.sane(creation.ephemeral_1h_input_tokens), write)
    audio = min(counts.part(counts.sane(details.audio_tokens), prompt), prompt - read - write)
    return {
        "input": prompt - read - write - audio,
        "cache_read": read,
        "cache_write": write - write_1h,
        "cache_write_1h": write_1h,
        "audio_input": audio,
    }


def _completion_classes(
    wire: _Wire, totals: tuple[int, int, int | None], rule: UsageRule, counts: _Counts
) -> dict[str, int]:
    prompt, completion, total = totals
    details = wire.completion_tokens_details or _NO_COMPLETION_DETAILS
    reasoning = counts.sane(details.reasoning_tokens) or 0
    apart = total == prompt + completion + reasoning or (total is None and rule == "xai")
    room = completion + reasoning if apart else completion
    reasoning = counts.part(reasoning, room)
    audio = counts.part(counts.sane(details.audio_tokens), room - reasoning)
    return {"output": room - reasoning - audio, "reasoning": reasoning, "audio_output": audio}


def _stated_nano_usd(wire: _Wire, rule: UsageRule) -> int | None:
    """The provider's own cost, where its rule says that it states one and the figure is possible."""
    if rule == "openai":
        return None
    if rule == "xai":
        return _nano_of_usd(
            None if wire.cost_in_usd_ticks is None else Decimal(wire.cost_in_usd_ticks) / _TICKS_PER_USD
        )
    cost = wire.cost.total_cost if isinstance(wire.cost, _Cost) else wire.cost
    if rule == "openrouter" and wire.is_byok and wire.cost_details and cost is not None:
        return _nano_usd_sum(cost, wire.cost_details.upstream_inference_cost)
    return _nano_of_usd(cost)


def _nano_usd_sum(fee: Decimal, upstream: Decimal | None) -> int | None:
    fee_nano, upstream_nano = _nano_of_usd(fee), _nano_of_usd(upstream)
    return None if fee_nano is None or upstream_nano is None else fee_nano + upstream_nano


def _nano_of_usd(usd: Decimal | None) -> int | None:
    if usd is None or not usd.is_finite() or not 0 <= usd <= MAX_STATED_USD:
        return None
    return int((usd * NANO_PER_USD).to_integral_value(ROUND_HALF_UP))
