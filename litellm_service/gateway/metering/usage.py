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

- Searches that the provider ran: Anthropic's `server_tool_use.web_search_requests`, which LiteLLM hands on; for Gemini and
  Perplexity it puts them into `prompt_tokens_details.web_search_requests`; xAI's `server_side_tool_usage_details`.
- Transcriptions billed by duration have `seconds` instead of tokens
  (platform.openai.com/docs/api-reference/audio/createTranscription).

Any provider's reasoning counts as apart when `total_tokens` is exactly prompt + completion + reasoning.

Odd data never raises. A total that is negative, over 2**40 or no whole number is treated as absent. Without a prompt
or a completion count (one of them may follow from the total) there is no usage: `None`, and the caller estimates. A
detail that is negative or larger than its total is cut to fit. Whatever was repaired is marked `estimated`.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from gateway.domain.money import NANO_PER_USD
from gateway.domain.usage import Usage
from gateway.providers.catalog import UsageRule

MAX_TOKENS = 2**40
MAX_STATED_USD = 10_000
MAX_SEARCHES = 10_000
MAX_SECONDS = 10**7
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
    image_tokens: int | None = None
    web_search_requests: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _ServerTools(msgspec.Struct):
    web_search_requests: int | None = None
    web_search_calls: int | None = None


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
    server_tool_use: _ServerTools | None = None
    server_side_tool_usage_details: _ServerTools | None = None
    seconds: float | None = None


_WIRE = msgspec.json.Decoder(_Wire)
_NO_PROMPT_DETAILS = _PromptDetails()
_NO_COMPLETION_DETAILS = _CompletionDetails()


def normalise(raw: bytes | msgspec.Raw | None, rule: UsageRule) -> Usage | None:
    """The classes of a usage object under its provider's rule; `None`: it says nothing that can be used."""
    if raw is None:
        return None
    wire, flawed = _decoded(raw)
    if wire is None:
        return None
    reported = (_sane(wire.prompt_tokens), _sane(wire.completion_tokens), _sane(wire.total_tokens))
    totals = _totals(*reported)
    if totals is None:
        return _duration(wire, flawed=flawed)
    flawed |= reported != (wire.prompt_tokens, wire.completion_tokens, wire.total_tokens)
    return _classified(wire, totals, rule, flawed=flawed)


def _classified(wire: _Wire, totals: tuple[int, int, int | None], rule: UsageRule, *, flawed: bool) -> Usage:
    """Cached and written tokens come first, audio and images that were cached count as cached."""
    prompt, completion, total = totals
    stated_read, stated_write, stated_1h, stated_audio, stated_images = _prompt_details(wire)
    read = _within(stated_read, prompt)
    write = _within(stated_write, prompt - read)
    write_1h = _within(stated_1h, write)
    audio = _within(stated_audio, prompt)
    images = _within(stated_images, prompt - audio)
    audio_input = min(audio, prompt - read - write)
    image_input = min(images, prompt - read - write - audio_input)
    details = wire.completion_tokens_details or _NO_COMPLETION_DETAILS
    stated_reasoning, stated_voice = details.reasoning_tokens or 0, details.audio_tokens or 0
    stated_made = details.image_tokens or 0
    if total == prompt + completion + stated_reasoning or (total is None and rule == "xai"):
        completion += max(stated_reasoning, 0)
    reasoning = _within(stated_reasoning, completion)
    voice = _within(stated_voice, completion - reasoning)
    made = _within(stated_made, completion - reasoning - voice)
    searches, searches_flawed = _searches(wire)
    repaired = (
        read != stated_read or write != stated_write or write_1h != stated_1h or audio != stated_audio or images != stated_images
        or reasoning != stated_reasoning or voice != stated_voice or made != stated_made or searches_flawed
    )  # fmt: skip
    return Usage(
        input=prompt - read - write - audio_input - image_input,
        cache_read=read,
        cache_write=write - write_1h,
        cache_write_1h=write_1h,
        audio_input=audio_input,
        image_input=image_input,
        output=completion - reasoning - voice - made,
        reasoning=reasoning,
        audio_output=voice,
        image_output=made,
        searches=searches,
        stated_cost_nano_usd=None if rule == "openai" else _stated_nano_usd(wire, rule),
        estimated=flawed or repaired,
    )


def _prompt_details(wire: _Wire) -> tuple[int, int, int, int, int]:
    """Read from the cache, written to it, written for an hour (part of the former), audio, images: as stated, 0 if not."""
    details = wire.prompt_tokens_details or _NO_PROMPT_DETAILS
    read = details.cached_tokens or wire.prompt_cache_hit_tokens or wire.cached_tokens or wire.cache_read_input_tokens
    write = details.cache_write_tokens or details.cache_creation_tokens or wire.cache_creation_input_tokens
    creation = details.cache_creation_token_details
    write_1h = creation.ephemeral_1h_input_tokens if creation else 0
    return read or 0, write or 0, write_1h or 0, details.audio_tokens or 0, details.image_tokens or 0


def _searches(wire: _Wire) -> tuple[int, bool]:
    """How often the provider searched, and whether what it says is impossible."""
    tools = wire.server_tool_use or wire.server_side_tool_usage_details
    details = wire.prompt_tokens_details
    stated = (tools.web_search_requests or tools.web_search_calls) if tools is not None else None
    stated = stated or (details.web_search_requests if details is not None else None) or 0
    return (stated, False) if 0 <= stated <= MAX_SEARCHES else (0, True)


def _duration(wire: _Wire, *, flawed: bool) -> Usage | None:
    """Whole seconds, begun ones counted."""
    if wire.seconds is None or not 0 <= wire.seconds <= MAX_SECONDS:
        return None
    return Usage(seconds=math.ceil(wire.seconds), estimated=flawed)


def _within(stated: int, room: int) -> int:
    return stated if 0 <= stated <= room else max(0, min(stated, room))


def _sane(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= MAX_TOKENS else None


def _totals(prompt: int | None, completion: int | None, total: int | None) -> tuple[int, int, int | None] | None:
    """Prompt, completion and total; the total stands in for one that is absent."""
    if total is not None and prompt is None and completion is not None:
        prompt = max(0, total - completion)
    if total is not None and completion is None and prompt is not None:
        completion = max(0, total - prompt)
    return None if prompt is None or completion is None else (prompt, completion, total)


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
    return msgspec.structs.replace(
        completion,
        input=prompt.input,
        cache_read=prompt.cache_read,
        cache_write=prompt.cache_write,
        cache_write_1h=prompt.cache_write_1h,
        audio_input=prompt.audio_input,
        image_input=prompt.image_input,
        searches=max(prompt.searches, completion.searches),
        seconds=max(prompt.seconds, completion.seconds),
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


def _stated_nano_usd(wire: _Wire, rule: UsageRule) -> int | None:
    """The provider's own cost, if it states one and the figure is possible."""
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
