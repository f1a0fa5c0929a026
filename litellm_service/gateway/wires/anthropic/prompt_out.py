"""A Messages request from the neutral form.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.anthropic.blocks import Json
from gateway.wires.anthropic.families import Family, family
from gateway.wires.anthropic.messages_out import Messages, mark
from gateway.wires.anthropic.thinking import think
from gateway.wires.codec import Written
from gateway.wires.neutral import Prompt, Tool, Unsaid

_TIERS = {"auto": "auto", "default": "standard_only", "standard": "standard_only", "standard_only": "standard_only"}
_SCHEMA = msgspec.json.Decoder(dict[str, Any])
_LEAST_TOP_P = 0.95
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def write(prompt: Prompt, model: str, *, output_limit: int) -> Written:
    """The body; the model's family decides what may be said. Raises `InvalidRequest`.

    `output_limit`: `max_tokens` where the prompt says none; thinking comes on top of it then.
    """
    unsaid = list(_without_words(prompt))
    kin, messages = family(model), Messages(unsaid)
    body: Json = {"model": model, "max_tokens": prompt.output_limit or output_limit}
    body["messages"] = messages.written(prompt)
    if system := messages.system(prompt):
        body["system"] = system
    if prompt.tools:
        body["tools"] = [_tool(tool, kin, unsaid) for tool in prompt.tools]
    if choice := _choice(prompt, kin, unsaid):
        body["tool_choice"] = choice
    thinks = think(prompt, kin, body, unsaid)
    _sample(prompt, kin, body, unsaid, thinks=thinks)
    _format(prompt, kin, body, unsaid)
    _settings(prompt, body)
    return Written(_encoded(body), unsaid)


def _without_words(prompt: Prompt) -> Iterator[Unsaid]:
    asked = {
        "n": prompt.choices > 1,
        "logprobs": prompt.logprobs or prompt.top_logprobs,
        "service_tier": prompt.service_tier and prompt.service_tier not in _TIERS,
        "seed": prompt.seed is not None,
        "frequency_penalty": prompt.frequency_penalty,
        "presence_penalty": prompt.presence_penalty,
    }
    for name, is_asked in asked.items():
        if is_asked:
            yield Unsaid(name, harmless=name not in {"n", "logprobs"})


def _tool(tool: Tool, kin: Family, unsaid: list[Unsaid]) -> Json:
    written: Json = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    schema = _read(tool.schema, "tools")
    written["input_schema"] = tool.schema if "type" in schema else {"type": "object", **schema}
    if tool.strict and kin.formats:
        written["strict"] = True
    elif tool.strict:
        unsaid.append(Unsaid("tools.strict", harmless=True))
    return written | mark(tool.cache)


def _choice(prompt: Prompt, kin: Family, unsaid: list[Unsaid]) -> Json | None:
    choice = prompt.tool_choice
    mode = "auto" if choice is None else choice.mode
    is_forced = mode in {"any", "tool"}
    if not prompt.tools:
        if is_forced:
            raise InvalidRequest("tool_choice: A tool must be called, but there are no tools.", param="tool_choice")
        return None
    single = prompt.parallel_tool_calls is False and mode != "none"
    if choice is None and not single:
        return None
    if is_forced and not kin.may_be_forced:
        unsaid.append(Unsaid("tool_choice"))
        mode = "auto"
    written: Json = {"type": mode}
    if choice is not None and mode == "tool":
        written["name"] = choice.name
    return written | ({"disable_parallel_tool_use": True} if single else {})


def _sample(prompt: Prompt, kin: Family, body: Json, unsaid: list[Unsaid], *, thinks: bool) -> None:
    """A model that thinks chooses its words by itself, and so do the newest always; defaults then go without saying."""
    temperature, top_p = prompt.temperature, prompt.top_p
    if thinks or not kin.samples:
        keeps_top_p = thinks and kin.samples and top_p is not None and top_p >= _LEAST_TOP_P
        dropped = {
            "temperature": temperature not in {None, 1},
            "top_p": not keeps_top_p and top_p not in {None, 1},
            "top_k": prompt.top_k,
        }
        unsaid += [Unsaid(name, harmless=True) for name, is_asked in dropped.items() if is_asked]
        if keeps_top_p:
            body["top_p"] = top_p
        return
    if temperature is not None:
        if temperature > 1:
            unsaid.append(Unsaid("temperature", allowed="It takes 0 to 1."))
        body["temperature"] = min(temperature, 1)
    if top_p is not None and temperature is not None and kin.one_of_both:
        unsaid += [Unsaid("top_p", harmless=True)] if top_p != 1 else []
    elif top_p is not None:
        body["top_p"] = top_p
    if prompt.top_k is not None:
        body["top_k"] = prompt.top_k


def _format(prompt: Prompt, kin: Family, body: Json, unsaid: list[Unsaid]) -> None:
    wanted = prompt.format
    if wanted is None:
        return
    if wanted.schema is None or not kin.formats:
        unsaid.append(Unsaid("response_format"))
        return
    schema = _read(wanted.schema, "response_format")
    try:
        is_changed = _close(schema)
    except RecursionError:
        raise InvalidRequest("response_format: This is nested too deeply.", param="response_format") from None
    if wanted.description and "description" not in schema:
        schema["description"] = wanted.description
        is_changed = True
    form: Json = {"type": "json_schema", "schema": schema if is_changed else wanted.schema}
    config = body.get("output_config")
    body["output_config"] = (config if isinstance(config, dict) else {}) | {"format": form}


def _close(schema: Any) -> bool:
    """Anthropic demands that objects have no other fields than the schema names; says whether it had to be added."""
    if not isinstance(schema, dict | list):
        return False
    is_changed = False
    for inner in schema.values() if isinstance(schema, dict) else schema:
        is_changed |= _close(inner)
    if isinstance(schema, dict) and schema.get("type") == "object" and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
        return True
    return is_changed


def _settings(prompt: Prompt, body: Json) -> None:
    if prompt.stop:
        body["stop_sequences"] = prompt.stop
    if prompt.user:
        body["metadata"] = {"user_id": prompt.user}
    if tier := _TIERS.get(prompt.service_tier or ""):
        body["service_tier"] = tier
    if prompt.stream:
        body["stream"] = True


def _read(schema: msgspec.Raw, param: str) -> dict[str, Any]:
    try:
        return _SCHEMA.decode(schema)
    except _UNREADABLE:
        raise InvalidRequest("A JSON Schema must be a JSON object.", param=param) from None


def _encoded(body: Json) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, RecursionError) as error:
        raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from None
