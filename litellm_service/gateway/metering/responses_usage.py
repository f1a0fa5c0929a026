"""Usage of OpenAI's Responses as disjoint token classes: the same figures as chat completions' under other names.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

import msgspec

from gateway.domain.usage import Usage
from gateway.metering.usage import normalise


class _Input(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Output(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Wire(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _Input | None = None
    output_tokens_details: _Output | None = None


_wire = msgspec.json.Decoder(_Wire)


def usage(raw: bytes) -> Usage | None:
    """The classes of a usage object; `None`: it says nothing that can be used. Odd data never raises."""
    try:
        wire = _wire.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    said = {
        "prompt_tokens": wire.input_tokens,
        "completion_tokens": wire.output_tokens,
        "total_tokens": wire.total_tokens,
        "prompt_tokens_details": wire.input_tokens_details,
        "completion_tokens_details": wire.output_tokens_details,
    }
    return normalise(msgspec.json.encode(said), "openai")
