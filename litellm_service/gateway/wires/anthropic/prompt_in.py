"""A Messages request in the neutral form.

Source: https://platform.claude.com/docs/en/api/messages
"""

from typing import get_args

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.anthropic.messages_in import Conversation
from gateway.wires.anthropic.objects import FLAG, NUMBER, TEXT, TEXTS, WHOLE, Object, is_text
from gateway.wires.neutral import Effort, Format, Prompt, Reasoning, Text, Tool, ToolChoice, Turn, Unsaid
from gateway.wires.reading import typed

_HARMLESS = {
    "context_management", "cache_control", "speed", "diagnostics", "anthropic_version", "anthropic_beta", "user_profile_id",
    "workspace_id", "eager_input_streaming", "defer_loading", "allowed_callers",
}  # fmt: skip
_TIERS = {"standard_only": "default"}
_EFFORTS: dict[str, Effort] = {effort: effort for effort in get_args(Effort)}
_SHOWN = {"summarized": True, "omitted": False}


def read(fields: dict[str, msgspec.Raw]) -> Prompt:
    """Raises `InvalidRequest` that names the field."""
    body, unsaid = Object(fields), list[Unsaid]()
    body.raw("model")
    prompt = Prompt(turns=_turns(body, unsaid), system=_system(body, unsaid), unsaid=unsaid)
    prompt.stream = body.take("stream", FLAG) or False
    prompt.tools = [tool for given in body.objects("tools") if (tool := _tool(given, unsaid)) is not None]
    _choose(prompt, body.object("tool_choice"))
    _limit(prompt, body)
    prompt.temperature, prompt.top_p = body.take("temperature", NUMBER), body.take("top_p", NUMBER)
    prompt.top_k = body.take("top_k", WHOLE) or None
    prompt.stop = body.take("stop_sequences", TEXTS) or []
    config = body.object("output_config") or Object({}, "output_config")
    prompt.reasoning = _reasoning(body.object("thinking"), _effort(config), unsaid)
    prompt.format = _format(config.object("format"), unsaid)
    _note(unsaid, config)
    metadata = body.object("metadata")
    if metadata is not None:
        prompt.user = metadata.take("user_id", TEXT) or None
        unsaid += [Unsaid(metadata.path(name), harmless=True) for name in metadata.left()]
    tier = body.take("service_tier", TEXT)
    prompt.service_tier = _TIERS.get(tier or "", tier)
    _note(unsaid, body)
    return prompt


def _turns(body: Object, unsaid: list[Unsaid]) -> list[Turn]:
    conversation = Conversation(unsaid)
    turns = [conversation.turn(message) for message in body.objects("messages")]
    said = [turn for turn in turns if turn.parts]
    if not said:
        raise InvalidRequest("messages: at least one message with words in it is needed.", param="messages")
    return said


def _system(body: Object, unsaid: list[Unsaid]) -> list[Text]:
    raw = body.raw("system")
    if raw is None:
        return []
    if is_text(raw):
        text = typed(raw, TEXT, "system")
        return [Text(text=text)] if text else []
    return Conversation(unsaid).texts(Object({"system": raw}).objects("system"))


def _tool(given: Object, unsaid: list[Unsaid]) -> Tool | None:
    """`None`: a tool that only Anthropic runs or knows the arguments of."""
    if (given.take("type", TEXT) or "custom") != "custom":
        unsaid.append(Unsaid(given.path("type")))
        return None
    tool = Tool(name=given.need("name"), description=given.take("description", TEXT) or None, cache=given.cache())
    schema = given.json_object("input_schema")
    if schema is not None:
        tool.schema = schema
    tool.strict = given.take("strict", FLAG)
    examples = given.raw("input_examples")
    if examples is not None:
        unsaid.append(Unsaid(given.path("input_examples"), harmless=True))
    _note(unsaid, given)
    return tool


def _choose(prompt: Prompt, given: Object | None) -> None:
    if given is None:
        return
    mode, single = given.need("type"), given.take("disable_parallel_tool_use", FLAG)
    if single:
        prompt.parallel_tool_calls = False
    match mode:
        case "auto" | "any" | "none":
            prompt.tool_choice = ToolChoice(mode=mode)
        case "tool":
            prompt.tool_choice = ToolChoice(mode="tool", name=given.need("name"))
        case _:
            at = given.path("type")
            raise InvalidRequest(f"{at}: {mode!r} is not one of auto, any, tool and none.", param=at)
    _note(prompt.unsaid, given)


def _limit(prompt: Prompt, body: Object) -> None:
    """None at all fills a cache and gives no answer, which no other wire can say."""
    limit = body.take("max_tokens", WHOLE)
    if limit is not None and limit < 0:
        raise InvalidRequest("max_tokens: This must be 1 or more.", param="max_tokens")
    if limit == 0:
        prompt.unsaid.append(Unsaid("max_tokens"))
    prompt.output_limit = limit or None


def _effort(config: Object) -> Effort | None:
    stated = config.take("effort", TEXT)
    if stated is None:
        return None
    if stated not in _EFFORTS:
        at = config.path("effort")
        raise InvalidRequest(f"{at}: {stated!r} is not one of low, medium, high, xhigh and max.", param=at)
    return _EFFORTS[stated]


def _reasoning(thinking: Object | None, effort: Effort | None, unsaid: list[Unsaid]) -> Reasoning | None:
    """An adaptive model thinks as much as it likes, within the effort."""
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    kind, budget, shown = thinking.need("type"), thinking.take("budget_tokens", WHOLE), thinking.take("display", TEXT)
    if kind == "disabled":
        if effort is not None:
            unsaid.append(Unsaid("output_config.effort", harmless=True))
        reasoning = Reasoning(effort="none")
    elif kind in {"enabled", "adaptive", "between_tools"}:
        reasoning = Reasoning(effort=effort, budget=budget, shown=_SHOWN.get(shown or ""))
        if kind == "between_tools":
            unsaid.append(Unsaid(thinking.path("type"), harmless=True))
    else:
        at = thinking.path("type")
        raise InvalidRequest(f"{at}: {kind!r} is not one of enabled, adaptive and disabled.", param=at)
    _note(unsaid, thinking)
    return reasoning


def _format(given: Object | None, unsaid: list[Unsaid]) -> Format | None:
    if given is None:
        return None
    kind, schema = given.need("type"), given.json_object("schema")
    if kind != "json_schema" or schema is None:
        at = given.path("type")
        raise InvalidRequest(f"{at}: Ask for json_schema, with a schema.", param=at)
    _note(unsaid, given)
    return Format(schema=schema)


def _note(unsaid: list[Unsaid], given: Object) -> None:
    unsaid += [Unsaid(given.path(name), harmless=name in _HARMLESS) for name in given.left()]
