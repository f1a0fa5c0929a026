"""A client's own body for a provider that speaks its wire: untouched but for what the gateway must set."""

from collections.abc import Callable

import msgspec

from gateway.domain.request import ModelRequest
from gateway.wires import foreign

Fields = dict[str, msgspec.Raw]


def openai(
    request: ModelRequest,
    model: str,
    *,
    ask_for_usage: bool,
    is_strict: bool = False,
    output_limit: tuple[str, int] | None = None,
) -> bytes:
    """The upstream's model name, and usage asked for where a stream may leave it out.

    `is_strict`: it takes no thoughts back. `output_limit`: a field and how many tokens the answer may have, where the gateway
    must say so itself.
    """
    fields = _with_model(request, model)
    if is_strict:
        fields = _own(fields, "messages", foreign.from_openai)
    if output_limit is not None:
        fields[output_limit[0]] = _number(output_limit[1])
    if request.stream and ask_for_usage:
        fields["stream_options"] = _with(fields.get("stream_options"), "include_usage", msgspec.Raw(b"true"))
    return msgspec.json.encode(fields)


def responses(request: ModelRequest, model: str, output_limit: int | None) -> bytes:
    """The upstream's model name and, where the gateway must say so itself, how many tokens the answer may have."""
    fields = _own(_with_model(request, model), "input", foreign.from_responses)
    if output_limit is not None:
        fields["max_output_tokens"] = _number(output_limit)
    return msgspec.json.encode(fields)


def anthropic(request: ModelRequest, model: str, output_limit: int | None) -> bytes:
    """The upstream's model name and, where the client left it out, the limit that this wire demands."""
    fields = _own(_with_model(request, model), "messages", foreign.from_anthropic)
    if output_limit is not None:
        fields["max_tokens"] = _number(output_limit)
    return msgspec.json.encode(fields)


def gemini(request: ModelRequest, output_limit: int | None) -> bytes:
    """The model stands in the path; only a limit may have to be set."""
    fields = _own(dict(request.fields), "contents", foreign.from_gemini)
    if output_limit is not None:
        name = "generation_config" if "generation_config" in fields else "generationConfig"
        fields[name] = _with(fields.get(name), "maxOutputTokens", _number(output_limit))
    return msgspec.json.encode(fields)


def _own(fields: Fields, name: str, cleaned: Callable[[msgspec.Raw], msgspec.Raw]) -> Fields:
    """Without what other providers signed."""
    if name in fields:
        fields[name] = cleaned(fields[name])
    return fields


def _with_model(request: ModelRequest, model: str) -> Fields:
    fields = dict(request.fields)
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    return fields


def _with(given: msgspec.Raw | None, name: str, value: msgspec.Raw) -> msgspec.Raw:
    """An object with one more field; what is no object gives way."""
    options = msgspec.json.decode(given) if given is not None else None
    options = options if isinstance(options, dict) else {}
    return msgspec.Raw(msgspec.json.encode({**options, name: value}))


def _number(value: int) -> msgspec.Raw:
    return msgspec.Raw(b"%d" % value)
