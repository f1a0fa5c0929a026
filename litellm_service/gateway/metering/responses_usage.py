"""Usage of OpenAI's Responses as disjoint token classes: the same figures as chat completions' under other names.

Source: https://platform.openai.com/docs/api-reference/responses/object; odd data is mended as `metering/usage.py` says.
"""

import msgspec

from gateway.domain.usage import Usage
from gateway.metering.usage import normalise

_NAMES = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "total_tokens": "total_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def usage(raw: bytes) -> Usage | None:
    """The classes of a usage object; `None`: it says nothing that can be used. Odd data never raises."""
    try:
        fields = _fields.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    said = {name: fields[given] for given, name in _NAMES.items() if given in fields}
    return normalise(msgspec.json.encode(said), "openai")
