"""A chat completion request in the neutral form.

Sources: https://platform.openai.com/docs/api-reference/chat/create; `thinking`, `top_k` and `cache_control` as LiteLLM and
OpenRouter take them (https://docs.litellm.ai/docs/reasoning_content, https://openrouter.ai/docs/use-cases/reasoning-tokens).
"""

from typing import Any, Literal

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import Effort, Format, Prompt, Reasoning, Tool, ToolChoice, Unsaid
from gateway.wires.openai_chat.messages_in import CacheControl, Message, conversation
from gateway.wires.reading import is_given, says_nothing, typed

# Which model answers, and where: the gateway's own business.
STEERING = {"model", "models", "route", "provider", "preset", "fallbacks"}
_HARMLESS = {
    "metadata", "store", "prompt_cache_key", "prompt_cache_retention", "prediction", "verbosity", "stream_options", "audio",
    "safety_identifier", "usage", "transforms",
}  # fmt: skip


_NOTHING = msgspec.Raw()


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str = "function"
    function: _Function | None = None
    cache_control: CacheControl | None = None


class _Named(msgspec.Struct):
    name: str


class _Allowed(msgspec.Struct):
    mode: Literal["auto", "required"]
    tools: list["_Choice"] = []


class _Choice(msgspec.Struct):
    type: str
    function: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Schema(msgspec.Struct):
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Thinking(msgspec.Struct):
    type: str = "enabled"
    budget_tokens: int | None = None


class _Reasoning(msgspec.Struct):
    effort: Effort | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class _Body(msgspec.Struct):
    messages: list[Message]
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    functions: list[_Function] | None = None
    function_call: str | _Named | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: Effort | None = None
    reasoning: _Reasoning | None = None
    thinking: _Thinking | None = None
    response_format: _Format | None = None
    user: str | None = None
    service_tier: str | None = None
    stream: bool | None = None
    modalities: list[str] | None = None


_body = msgspec.json.Decoder(_Body)
_READ = set(_Body.__struct_fields__) | STEERING


def read(fields: dict[str, msgspec.Raw]) -> Prompt:
    """Raises `InvalidRequest` that names the field."""
    body = typed(msgspec.json.encode(fields), _body)
    unsaid = [
        Unsaid(name, harmless=name in _HARMLESS)
        for name in fields
        if name not in _READ and not says_nothing(fields[name])
    ]
    system, turns = conversation(body.messages, unsaid)
    if set(body.modalities or ()) - {"text"}:
        unsaid.append(Unsaid("modalities"))
    prompt = Prompt(
        turns=turns,
        system=system,
        tools=_tools(body, unsaid),
        parallel_tool_calls=body.parallel_tool_calls,
        output_limit=body.max_completion_tokens or body.max_tokens or None,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k or None,
        stop=[body.stop] if isinstance(body.stop, str) else body.stop or [],
        seed=body.seed,
        frequency_penalty=body.frequency_penalty or None,
        presence_penalty=body.presence_penalty or None,
        choices=body.n or 1,
        logprobs=bool(body.logprobs),
        top_logprobs=body.top_logprobs or None,
        reasoning=_reasoning(body),
        format=_format(body.response_format),
        user=body.user or None,
        service_tier=body.service_tier,
        stream=bool(body.stream),
        unsaid=unsaid,
    )
    _choose(prompt, body)
    return prompt


def _tools(body: _Body, unsaid: list[Unsaid]) -> list[Tool]:
    tools = [_tool(function, None) for function in body.functions or ()]
    for place, given in enumerate(body.tools or ()):
        if given.function is None:
            unsaid.append(Unsaid(f"tools[{place}].type"))
        else:
            tools.append(_tool(given.function, given.cache_control))
    return tools


def _tool(function: _Function, mark: CacheControl | None) -> Tool:
    tool = Tool(name=function.name, description=function.description, strict=function.strict)
    if is_given(function.parameters):
        tool.schema = function.parameters
    if mark is not None:
        tool.cache = mark.ttl
    return tool


def _choose(prompt: Prompt, body: _Body) -> None:
    given: Any = body.tool_choice if body.tool_choice is not None else body.function_call
    if isinstance(given, _Choice) and given.allowed_tools is not None:
        allowed = {choice.function.name for choice in given.allowed_tools.tools if choice.function is not None}
        prompt.tools = [tool for tool in prompt.tools if tool.name in allowed]
        given = given.allowed_tools.mode
    if isinstance(given, _Choice):
        if given.function is None:
            raise InvalidRequest(
                f"tool_choice.type: {given.type!r} can be asked of OpenAI only.", param="tool_choice.type"
            )
        given = given.function
    if isinstance(given, _Named):
        prompt.tool_choice = ToolChoice(mode="tool", name=given.name)
    elif given is not None:
        prompt.tool_choice = _mode(given)


def _mode(stated: str) -> ToolChoice:
    if stated not in {"auto", "none", "required"}:
        raise InvalidRequest(f"tool_choice: {stated!r} is not one of auto, none and required.", param="tool_choice")
    return ToolChoice(mode="any") if stated == "required" else ToolChoice(mode="auto" if stated == "auto" else "none")


def _reasoning(body: _Body) -> Reasoning | None:
    """OpenAI's effort first, then OpenRouter's object, then Anthropic's."""
    if body.reasoning_effort is not None:
        return Reasoning(effort=body.reasoning_effort)
    given = body.reasoning
    if given is not None:
        off: Effort | None = "none" if given.enabled is False else None
        shown = None if given.exclude is None else not given.exclude
        reasoning = Reasoning(effort=given.effort or off, budget=given.max_tokens, shown=shown)
        return None if reasoning == Reasoning() else reasoning
    if body.thinking is None:
        return None
    if body.thinking.type == "disabled":
        return Reasoning(budget=0)
    return Reasoning(budget=body.thinking.budget_tokens, shown=True)


def _format(given: _Format | None) -> Format | None:
    if given is None or given.type == "text":
        return None
    schema = given.json_schema
    if given.type == "json_object" or schema is None:
        return Format()
    schema_given = schema.schema if is_given(schema.schema) else None
    return Format(schema=schema_given, name=schema.name, description=schema.description, strict=schema.strict)
