"""Anthropic's usage as disjoint token classes.

Source: https://platform.claude.com/docs/en/api/messages and https://platform.claude.com/docs/en/build-with-claude/prompt-caching

- `input_tokens` leaves out what was read from the cache and what was written to it; both stand beside it.
- `cache_creation` splits what was written by how long it is kept; what it does not name was written for five minutes.
- `output_tokens` counts thinking too; `output_tokens_details.thinking_tokens` says how much of it, where it is told.
- A stream reports twice: the input first, and with the end what came out. `wires/anthropic/answer_in.py` puts both into one.

Odd data never raises; the rules are those of `metering/usage.py`.
"""

from typing import Any

import msgspec

from gateway.domain.usage import Usage
from gateway.metering.usage import MAX_SEARCHES, MAX_TOKENS

_UNREADABLE = (msgspec.MsgspecError, RecursionError, OverflowError)


class _Creation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Details(msgspec.Struct):
    thinking_tokens: int | None = None


class _ServerTools(msgspec.Struct):
    web_search_requests: int | None = None


class _Wire(msgspec.Struct):
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Creation | None = None
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: _ServerTools | None = None


_WIRE = msgspec.json.Decoder(_Wire)
_FIELDS = msgspec.json.Decoder(dict[str, Any])
_NO_CREATION, _NO_DETAILS, _NO_TOOLS = _Creation(), _Details(), _ServerTools()


class _Cut:
    """Cuts figures to what is possible, and remembers whether it had to."""

    def __init__(self, *, flawed: bool) -> None:
        self.flawed = flawed

    def within(self, count: int | None, room: int = MAX_TOKENS) -> int:
        """A figure from 0 to `room`; what is no count at all is 0."""
        stated = count or 0
        fitting = min(stated, room) if 0 <= stated <= MAX_TOKENS else 0
        self.flawed |= fitting != stated
        return fitting


def usage(raw: bytes) -> Usage | None:
    """The classes of a `usage` object; `None`: it says nothing that can be used."""
    wire, flawed = _decoded(raw)
    if wire is None or not (_is_count(wire.input_tokens) or _is_count(wire.output_tokens)):
        return None
    cut = _Cut(flawed=flawed)
    write, write_1h = _written(wire, cut)
    output = cut.within(wire.output_tokens)
    thinking = cut.within((wire.output_tokens_details or _NO_DETAILS).thinking_tokens, output)
    return Usage(
        input=cut.within(wire.input_tokens),
        cache_read=cut.within(wire.cache_read_input_tokens),
        cache_write=write,
        cache_write_1h=write_1h,
        output=output - thinking,
        reasoning=thinking,
        searches=cut.within((wire.server_tool_use or _NO_TOOLS).web_search_requests, MAX_SEARCHES),
        estimated=cut.flawed,
    )


def _is_count(stated: int | None) -> bool:
    return stated is not None and 0 <= stated <= MAX_TOKENS


def _written(wire: _Wire, cut: _Cut) -> tuple[int, int]:
    """Tokens written for five minutes and for an hour."""
    creation = wire.cache_creation or _NO_CREATION
    short, long = cut.within(creation.ephemeral_5m_input_tokens), cut.within(creation.ephemeral_1h_input_tokens)
    if wire.cache_creation_input_tokens is None:
        return short, long
    total = cut.within(wire.cache_creation_input_tokens)
    long = cut.within(long, total)
    return total - long, long


def _decoded(raw: bytes) -> tuple[_Wire | None, bool]:
    """The object, and whether fields of the wrong type had to be left out."""
    try:
        return _WIRE.decode(raw), False
    except _UNREADABLE:
        return _mended(raw), True


def _mended(raw: bytes) -> _Wire | None:
    try:
        fields = _FIELDS.decode(raw)
    except _UNREADABLE:
        return None
    wire = _Wire()
    for field in msgspec.structs.fields(_Wire):
        try:
            setattr(wire, field.name, msgspec.convert(fields.get(field.name), field.type, strict=False))
        except _UNREADABLE:
            continue
    return wire
