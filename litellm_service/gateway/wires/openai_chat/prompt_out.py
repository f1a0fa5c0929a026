"""A chat completion request from the neutral form.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Iterator

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.codec import Written
from gateway.wires.neutral import Effort, Format, Prompt, Reasoning, Tool, ToolChoice, ToolResult, Unsaid
from gateway.wires.openai_chat.messages_out import Json, Messages, cache_mark

_MODES = {"auto": "auto", "none": "none", "any": "required"}
_TIERS = {"standard": "default", "standard_only": "default"}
_EFFORTS: dict[Effort, str] = {
    "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high",
}  # fmt: skip
LOW_BUDGET, MEDIUM_BUDGET = 2_048, 8_192


class Dialect(msgspec.Struct, kw_only=True, frozen=True):
    """What vendors of this wire do differently.

    `output_limit_field` is where the limit of the answer stands; `asks_for_usage`: a stream gives it only if asked;
    `reasons`: the model may be told how much to think; `takes_cache_marks`: `cache_control` means something there;
    `takes_signatures`: its models' signatures come back to it in `extra_content`.
    """

    output_limit_field: str = "max_completion_tokens"
    asks_for_usage: bool = True
    reasons: bool = True
    takes_cache_marks: bool = False
    takes_signatures: bool = True


def write(prompt: Prompt, model: str, dialect: Dialect) -> Written:
    """The body; raises `InvalidRequest` for a conversation that this wire cannot carry."""
    unsaid = list(_without_words(prompt, dialect))
    messages = Messages(unsaid, marks=dialect.takes_cache_marks, signatures=dialect.takes_signatures)
    body: Json = {"model": model, "messages": messages.written(prompt)}
    if prompt.tools:
        body["tools"] = [_tool(tool, marks=dialect.takes_cache_marks) for tool in prompt.tools]
        body |= _stated({"tool_choice": _choice(prompt.tool_choice), "parallel_tool_calls": prompt.parallel_tool_calls})
    body |= _stated({
        dialect.output_limit_field: prompt.output_limit,
        "temperature": prompt.temperature,
        "top_p": prompt.top_p,
        "stop": prompt.stop or None,
        "seed": prompt.seed,
        "frequency_penalty": prompt.frequency_penalty,
        "presence_penalty": prompt.presence_penalty,
        "reasoning_effort": _effort(prompt.reasoning) if dialect.reasons else None,
        "response_format": _format(prompt.format),
        "user": prompt.user,
        "service_tier": _TIERS.get(prompt.service_tier or "", prompt.service_tier),
    })  # fmt: skip
    if prompt.stream:
        body["stream"] = True
        if dialect.asks_for_usage:
            body["stream_options"] = {"include_usage": True}
    return Written(_encoded(body), unsaid)


def _without_words(prompt: Prompt, dialect: Dialect) -> Iterator[Unsaid]:
    if prompt.top_k is not None:
        yield Unsaid("top_k", harmless=True)
    if _wants_thought(prompt.reasoning) and not dialect.reasons:
        yield Unsaid("reasoning", harmless=True)
    if not dialect.takes_cache_marks and _is_marked(prompt):
        yield Unsaid("cache_control", harmless=True)


def _wants_thought(reasoning: Reasoning | None) -> bool:
    return reasoning is not None and (reasoning.effort not in {None, "none"} or bool(reasoning.budget))


def _is_marked(prompt: Prompt) -> bool:
    marked = [*prompt.system, *prompt.tools, *(part for turn in prompt.turns for part in turn.parts)]
    inner = [part for result in marked if isinstance(result, ToolResult) for part in result.content]
    return any(getattr(part, "cache", None) for part in (*marked, *inner))


def _effort(reasoning: Reasoning | None) -> str | None:
    """No thought at all is what most models do unasked, and few can be told."""
    if reasoning is None:
        return None
    if reasoning.effort is not None:
        return _EFFORTS.get(reasoning.effort)
    if not reasoning.budget or reasoning.budget < 0:
        return None
    if reasoning.budget <= LOW_BUDGET:
        return "low"
    return "medium" if reasoning.budget <= MEDIUM_BUDGET else "high"


def _tool(tool: Tool, *, marks: bool) -> Json:
    function: Json = {"name": tool.name, "parameters": tool.schema}
    if bytes(tool.schema) == b"{}":
        function["parameters"] = {"type": "object", "properties": {}}
    function |= _stated({"description": tool.description, "strict": tool.strict})
    return {"type": "function", "function": function} | cache_mark(tool.cache if marks else None)


def _choice(choice: ToolChoice | None) -> object:
    if choice is None:
        return None
    if choice.mode == "tool" and choice.name:
        return {"type": "function", "function": {"name": choice.name}}
    return _MODES.get(choice.mode, "required")


def _format(wanted: Format | None) -> Json | None:
    if wanted is None:
        return None
    if wanted.schema is None:
        return {"type": "json_object"}
    schema: Json = {"name": wanted.name or "answer", "schema": wanted.schema}
    schema |= _stated({"description": wanted.description, "strict": wanted.strict})
    return {"type": "json_schema", "json_schema": schema}


def _stated(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _encoded(body: Json) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, RecursionError) as error:
        raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from None
