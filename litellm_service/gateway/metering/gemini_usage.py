"""Google's usage metadata as disjoint token classes.

Source: https://ai.google.dev/api/generate-content#UsageMetadata and https://ai.google.dev/gemini-api/docs/pricing

- `promptTokenCount` counts cached tokens too; `toolUsePromptTokenCount`, what the provider's own tools put into the prompt, stands
  beside it.
- `candidatesTokenCount` leaves `thoughtsTokenCount` out, unless `totalTokenCount` is exactly prompt and candidates. It is absent
  while nothing was said yet: none, or what the total leaves for it.
- The details by modality are part of the counts; what was cached counts as cached. Films and documents are charged like text.
- `searchQueryCount` is not Google's: `wires/gemini/answer_in.py` adds how often the provider searched, which Google says
  elsewhere in its answer.

Odd data never raises; the rules are those of `metering/usage.py`.
"""

from typing import Any

import msgspec

from gateway.domain.usage import Usage
from gateway.metering.usage import MAX_SEARCHES, MAX_TOKENS

_UNREADABLE = (msgspec.MsgspecError, RecursionError)


class _Modality(msgspec.Struct, rename="camel"):
    modality: str | None = None
    token_count: int | None = None


_Details = list[_Modality] | None


class _Wire(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: _Details = None
    tool_use_prompt_tokens_details: _Details = None
    cache_tokens_details: _Details = None
    candidates_tokens_details: _Details = None
    search_query_count: int | None = None


_WIRE = msgspec.json.Decoder(_Wire)


class _Cut:
    """Cuts figures to what is possible, and remembers whether it had to."""

    def __init__(self, *, flawed: bool) -> None:
        self.flawed = flawed

    def stated(self, count: int | None) -> int | None:
        """A count that is possible at all; else as if it were absent."""
        if count is None or 0 <= count <= MAX_TOKENS:
            return count
        self.flawed = True
        return None

    def within(self, count: int, room: int) -> int:
        """A part of something no larger than `room`."""
        fitting = max(0, min(count, room))
        self.flawed |= fitting != count
        return fitting

    def of(self, details: _Details, modality: str) -> int:
        """What the details say of one modality."""
        counts = [
            self.stated(one.token_count) or 0 for one in details or () if (one.modality or "").upper() == modality
        ]
        return sum(counts)


def usage(raw: bytes) -> Usage | None:
    """The classes of a `usageMetadata` object; `None`: it says nothing that can be used."""
    wire, flawed = _decoded(raw)
    if wire is None:
        return None
    cut = _Cut(flawed=flawed)
    total = cut.stated(wire.total_token_count)
    said = cut.stated(wire.candidates_token_count)
    thoughts = cut.stated(wire.thoughts_token_count) or 0
    tools = cut.stated(wire.tool_use_prompt_token_count) or 0
    prompt = cut.stated(wire.prompt_token_count)
    if prompt is None:
        if total is None or said is None:
            return None
        prompt = max(0, total - said - thoughts - tools)
    candidates = max(0, (total or 0) - prompt - thoughts - tools) if said is None else said
    if said and thoughts and total == prompt + tools + said:
        thoughts = cut.within(thoughts, said)
        candidates = said - thoughts
    return _classified(wire, prompt + tools, (candidates, thoughts), cut)


def _classified(wire: _Wire, prompt: int, completion: tuple[int, int], cut: _Cut) -> Usage:
    candidates, thoughts = completion
    read = cut.within(cut.stated(wire.cached_content_token_count) or 0, prompt)
    audio_input, image_input = (_heard(wire, modality, cut) for modality in ("AUDIO", "IMAGE"))
    audio_input = cut.within(audio_input, prompt - read)
    image_input = cut.within(image_input, prompt - read - audio_input)
    audio_output = cut.within(cut.of(wire.candidates_tokens_details, "AUDIO"), candidates)
    image_output = cut.within(cut.of(wire.candidates_tokens_details, "IMAGE"), candidates - audio_output)
    searches = cut.within(wire.search_query_count or 0, MAX_SEARCHES)
    return Usage(
        input=prompt - read - audio_input - image_input,
        cache_read=read,
        audio_input=audio_input,
        image_input=image_input,
        output=candidates - audio_output - image_output,
        reasoning=thoughts,
        audio_output=audio_output,
        image_output=image_output,
        searches=searches,
        estimated=cut.flawed,
    )


def _heard(wire: _Wire, modality: str, cut: _Cut) -> int:
    """Tokens of one modality that went in and were not cached."""
    went_in = cut.of(wire.prompt_tokens_details, modality) + cut.of(wire.tool_use_prompt_tokens_details, modality)
    return max(0, went_in - cut.of(wire.cache_tokens_details, modality))


def _decoded(raw: bytes) -> tuple[_Wire | None, bool]:
    """The object, and whether fields of the wrong type had to be left out."""
    try:
        return _WIRE.decode(raw), False
    except _UNREADABLE:
        return _mended(raw), True


def _mended(raw: bytes) -> _Wire | None:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except _UNREADABLE:
        return None
    wire = _Wire()
    for field in msgspec.structs.fields(_Wire):
        try:
            setattr(wire, field.name, msgspec.convert(fields.get(field.encode_name), field.type, strict=False))
        except _UNREADABLE:
            continue
    return wire
