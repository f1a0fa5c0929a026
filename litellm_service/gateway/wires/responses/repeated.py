"""What a response repeats of its request, in the form that its readers rely on.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from typing import Any

import msgspec

Json = dict[str, Any]

# What stands there where the request said nothing.
_UNSTATED: Json = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {}, "parallel_tool_calls": True,
    "previous_response_id": None, "prompt_cache_key": None, "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None, "service_tier": "default", "temperature": 1.0, "text": {"format": {"type": "text"}},
    "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "user": None,
}  # fmt: skip
_UNSTATED_OF_FUNCTION: Json = {"description": None, "parameters": None, "strict": None}
_Fields = dict[str, msgspec.Raw]
_fields = msgspec.json.Decoder(_Fields)
_tools = msgspec.json.Decoder(list[_Fields])


def repeated(fields: _Fields) -> Json:
    """The request's fields; null and what was left out as they hold without being said."""
    stated = {name: fields[name] for name in _UNSTATED if name in fields and bytes(fields[name]) != b"null"}
    told: Json = _UNSTATED | stated
    for name in ("reasoning", "text"):
        if name in stated:
            given = {inner: value for inner, value in _fields.decode(stated[name]).items() if bytes(value) != b"null"}
            told[name] = _UNSTATED[name] | given
    if "tools" in stated:
        told["tools"] = [_UNSTATED_OF_FUNCTION | tool for tool in _tools.decode(stated["tools"])]
    return told
