"""A Responses request in the neutral form.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import Effort, Format, Prompt, Reasoning, Text, Tool, ToolChoice, Unsaid
from gateway.wires.reading import is_given, says_nothing, typed
from gateway.wires.responses.items_in import Item, conversation

_NOTHING = msgspec.Raw()
_STEERING = {"model", "models", "provider", "route", "preset", "fallbacks"}
_HARMLESS = {
    "metadata", "store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "safety_identifier",
    "stream_options", "max_tool_calls", "client_metadata",
}  # fmt: skip


class _Tool(msgspec.Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Choice(msgspec.Struct):
    type: str
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list["_Choice"] = []


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Text(msgspec.Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class _Body(msgspec.Struct):
    input: str | list[Item] | None = None
    instructions: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    reasoning: _Reasoning | None = None
    text: _Text | None = None
    user: str | None = None
    service_tier: str | None = None
    stream: bool | None = None
    truncation: str | None = None
    include: list[str] | None = None


_body = msgspec.json.Decoder(_Body)
_READ = set(_Body.__struct_fields__) | _STEERING


def read(fields: dict[str, msgspec.Raw]) -> Prompt:
    """Raises `InvalidRequest` that names the field."""
    body = typed(msgspec.json.encode(fields), _body)
    unsaid = [
        Unsaid(name, harmless=name in _HARMLESS)
        for name in fields
        if name not in _READ and not says_nothing(fields[name])
    ]
    system, turns = conversation(body.input or "", unsaid)
    if body.instructions:
        system.insert(0, Text(text=body.instructions))
    if not turns and not system:
        raise InvalidRequest("input: at least one message with words in it is needed.", param="input")
    unsaid += _unsaid_details(body)
    prompt = Prompt(
        turns=turns,
        system=system,
        tools=_tools(body, unsaid),
        parallel_tool_calls=body.parallel_tool_calls,
        output_limit=body.max_output_tokens or None,
        temperature=body.temperature,
        top_p=body.top_p,
        logprobs=bool(body.top_logprobs),
        top_logprobs=body.top_logprobs or None,
        reasoning=_reasoning(body.reasoning),
        format=_format(body.text),
        user=body.user or None,
        service_tier=body.service_tier,
        stream=bool(body.stream),
        unsaid=unsaid,
    )
    _choose(prompt, body)
    return prompt


def _unsaid_details(body: _Body) -> Iterator[Unsaid]:
    """Reasoning that must come back is always included; other providers' answers have none of the rest."""
    if body.truncation not in {None, "disabled"}:
        yield Unsaid("truncation")
    if set(body.include or ()) - {"reasoning.encrypted_content"}:
        yield Unsaid("include", harmless=True)
    if body.text is not None and body.text.verbosity not in {None, "medium"}:
        yield Unsaid("text.verbosity", harmless=True)
    if body.reasoning is not None and body.reasoning.context not in {None, "auto"}:
        yield Unsaid("reasoning.context", harmless=True)
    if body.reasoning is not None and body.reasoning.mode not in {None, "standard"}:
        yield Unsaid("reasoning.mode")


def _tools(body: _Body, unsaid: list[Unsaid]) -> list[Tool]:
    tools = []
    for place, given in enumerate(body.tools or ()):
        if given.type != "function" or not given.name:
            unsaid.append(Unsaid(f"tools[{place}].type"))
            continue
        tool = Tool(name=given.name, description=given.description, strict=given.strict)
        if is_given(given.parameters):
            tool.schema = given.parameters
        tools.append(tool)
    return tools


def _choose(prompt: Prompt, body: _Body) -> None:
    given = body.tool_choice
    if isinstance(given, _Choice) and given.type == "allowed_tools":
        allowed = {choice.name for choice in given.tools}
        prompt.tools = [tool for tool in prompt.tools if tool.name in allowed]
        given = given.mode or "auto"
    if isinstance(given, _Choice):
        if given.type != "function" or not given.name:
            raise InvalidRequest(
                f"tool_choice.type: {given.type!r} can be asked of OpenAI only.", param="tool_choice.type"
            )
        prompt.tool_choice = ToolChoice(mode="tool", name=given.name)
    elif given is not None:
        modes: dict[str, Literal["auto", "none", "any"]] = {"auto": "auto", "none": "none", "required": "any"}
        if given not in modes:
            raise InvalidRequest(f"tool_choice: {given!r} is not one of auto, none and required.", param="tool_choice")
        prompt.tool_choice = ToolChoice(mode=modes[given])


def _reasoning(given: _Reasoning | None) -> Reasoning | None:
    if given is None:
        return None
    shown = True if given.summary or given.generate_summary else None
    reasoning = Reasoning(effort=given.effort, shown=shown)
    return None if reasoning == Reasoning() else reasoning


def _format(text: _Text | None) -> Format | None:
    given = text.format if text is not None else None
    if given is None or given.type == "text":
        return None
    schema = given.schema if given.type == "json_schema" and is_given(given.schema) else None
    return Format(schema=schema, name=given.name, description=given.description, strict=given.strict)
