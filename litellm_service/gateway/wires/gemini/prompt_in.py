"""A generateContent request in the neutral form.

Source: https://ai.google.dev/api/generate-content
"""

from typing import get_args

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.gemini.contents_in import Conversation
from gateway.wires.gemini.objects import FLAG, NUMBER, TEXT, TEXTS, WHOLE, Object, json_object
from gateway.wires.gemini.schemas import json_schema
from gateway.wires.neutral import Effort, Format, Prompt, Reasoning, Text, Tool, ToolChoice, Turn, Unsaid

_HARMLESS = {
    "labels",
    "store",
    "model",
    "mediaResolution",
    "response",
    "responseJsonSchema",
    "enableEnhancedCivicAnswers",
}
_OFF = {"OFF", "BLOCK_NONE", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"}
_TIERS = {"standard": "default", "unspecified": "default"}
_MODES = {"AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"}
_JSON, _PLAIN = "application/json", "text/plain"


def read(fields: dict[str, msgspec.Raw], *, stream: bool) -> Prompt:
    """Raises `InvalidRequest` that names the field."""
    body, unsaid = Object(fields), list[Unsaid]()
    prompt = Prompt(turns=_turns(body, unsaid), system=_system(body, unsaid), stream=stream, unsaid=unsaid)
    prompt.tools = _tools(body, unsaid)
    _choose(prompt, body.object("toolConfig"))
    generation = body.object("generationConfig")
    if generation is not None:
        _generate(prompt, generation)
    prompt.service_tier = _tier(body.take("serviceTier", TEXT))
    _judge_safety(body, unsaid)
    _note(unsaid, body)
    return prompt


def _turns(body: Object, unsaid: list[Unsaid]) -> list[Turn]:
    conversation = Conversation(unsaid)
    turns = [conversation.turn(content) for content in body.objects("contents")]
    said = [turn for turn in turns if turn.parts]
    if not said:
        raise InvalidRequest("contents: at least one content with a part is needed.", param="contents")
    return said


def _system(body: Object, unsaid: list[Unsaid]) -> list[Text]:
    content = body.object("systemInstruction")
    if content is None:
        return []
    content.take("role", TEXT)
    words = []
    for part in content.objects("parts"):
        text = part.take("text", TEXT)
        if text is None:
            raise InvalidRequest(f"{part.at}: Instructions can be text only.", param=part.at)
        words += [Text(text=text)] if text else []
        _note(unsaid, part)
    _note(unsaid, content)
    return words


def _tools(body: Object, unsaid: list[Unsaid]) -> list[Tool]:
    tools = []
    for given in body.objects("tools"):
        tools += [_tool(one, unsaid) for one in given.objects("functionDeclarations")]
        unsaid += [Unsaid(f"tools.{name}") for name in given.present()]
    return tools


def _tool(given: Object, unsaid: list[Unsaid]) -> Tool:
    name = given.take("name", TEXT)
    if not name:
        raise InvalidRequest(f"{given.at}: The function's name is needed.", param=given.path("name"))
    tool = Tool(name=name, description=given.take("description", TEXT))
    at = given.path("parameters")
    parameters, schema = given.raw("parameters"), given.raw("parametersJsonSchema")
    if schema is not None:
        json_object(schema, given.path("parametersJsonSchema"))
        tool.schema = schema
    elif parameters is not None:
        tool.schema = json_schema(parameters, at)
    if (given.take("behavior", TEXT) or "BLOCKING") not in {"BLOCKING", "UNSPECIFIED"}:
        unsaid.append(Unsaid("tools.functionDeclarations.behavior"))
    _note(unsaid, given)
    return tool


def _choose(prompt: Prompt, config: Object | None) -> None:
    """Of several allowed functions any may be called: the others are as good as not there."""
    calling = config.object("functionCallingConfig") if config is not None else None
    if calling is not None:
        mode = (calling.take("mode", TEXT) or "MODE_UNSPECIFIED").upper()
        if mode not in _MODES:
            raise InvalidRequest(
                f"{calling.path('mode')}: {mode!r} is not one of AUTO, ANY, NONE and VALIDATED.",
                param=calling.path("mode"),
            )
        allowed = calling.take("allowedFunctionNames", TEXTS) or []
        if len(allowed) > 1 and mode in {"ANY", "VALIDATED"}:
            prompt.tools = [tool for tool in prompt.tools if tool.name in allowed]
        prompt.tool_choice = _choice(mode, allowed)
        if mode == "VALIDATED":
            prompt.unsaid.append(Unsaid("toolConfig.functionCallingConfig.mode", harmless=True))
        _note(prompt.unsaid, calling)
    if config is not None:
        _note(prompt.unsaid, config)


def _choice(mode: str, allowed: list[str]) -> ToolChoice | None:
    if mode == "ANY":
        return ToolChoice(mode="tool", name=allowed[0]) if len(allowed) == 1 else ToolChoice(mode="any")
    if mode == "NONE":
        return ToolChoice(mode="none")
    return None if mode == "MODE_UNSPECIFIED" else ToolChoice(mode="auto")


def _generate(prompt: Prompt, config: Object) -> None:
    prompt.temperature, prompt.top_p = config.take("temperature", NUMBER), config.take("topP", NUMBER)
    prompt.top_k = config.take("topK", WHOLE) or None
    prompt.output_limit = config.take("maxOutputTokens", WHOLE) or None
    prompt.stop = config.take("stopSequences", TEXTS) or []
    prompt.seed = config.take("seed", WHOLE)
    prompt.frequency_penalty = config.take("frequencyPenalty", NUMBER) or None
    prompt.presence_penalty = config.take("presencePenalty", NUMBER) or None
    prompt.choices = config.take("candidateCount", WHOLE) or 1
    prompt.logprobs = config.take("responseLogprobs", FLAG) or False
    prompt.top_logprobs = config.take("logprobs", WHOLE) or None
    prompt.reasoning = _reasoning(config.object("thinkingConfig"), prompt.unsaid)
    prompt.format = _format(config)
    modalities = {one.upper() for one in config.take("responseModalities", TEXTS) or []}
    if modalities - {"TEXT", "MODALITY_UNSPECIFIED"}:
        prompt.unsaid.append(Unsaid("generationConfig.responseModalities"))
    _note(prompt.unsaid, config)


def _reasoning(config: Object | None, unsaid: list[Unsaid]) -> Reasoning | None:
    """A budget of -1 leaves it to the model."""
    if config is None:
        return None
    level = (config.take("thinkingLevel", TEXT) or "").lower()
    efforts: dict[str, Effort] = {effort: effort for effort in get_args(Effort)}
    if level and level not in efforts and level != "thinking_level_unspecified":
        at = config.path("thinkingLevel")
        raise InvalidRequest(f"{at}: {level!r} is not one of minimal, low, medium and high.", param=at)
    budget, shown = config.take("thinkingBudget", WHOLE), config.take("includeThoughts", FLAG)
    _note(unsaid, config)
    reasoning = Reasoning(effort=efforts.get(level), budget=None if budget == -1 else budget, shown=shown)
    return None if reasoning == Reasoning() else reasoning


def _format(config: Object) -> Format | None:
    mime_type = (config.take("responseMimeType", TEXT) or "").lower()
    openapi, schema = config.raw("responseSchema"), config.raw("responseJsonSchema")
    if mime_type not in {"", _JSON, _PLAIN}:
        at = config.path("responseMimeType")
        raise InvalidRequest(f"{at}: No other provider can be asked for {mime_type!r}. Ask for {_JSON}.", param=at)
    if schema is not None:
        json_object(schema, config.path("responseJsonSchema"))
    elif openapi is not None:
        schema = json_schema(openapi, config.path("responseSchema"))
    return Format(schema=schema) if schema is not None or mime_type == _JSON else None


def _tier(stated: str | None) -> str | None:
    if stated is None:
        return None
    tier = stated.lower().removeprefix("service_tier_")
    return _TIERS.get(tier, tier)


def _judge_safety(body: Object, unsaid: list[Unsaid]) -> None:
    """Filters can be asked of Google only; to have them off means nothing elsewhere."""
    settings = body.objects("safetySettings")
    thresholds = {(one.take("threshold", TEXT) or "").upper() for one in settings}
    if settings:
        unsaid.append(Unsaid("safetySettings", harmless=thresholds <= _OFF))


def _note(unsaid: list[Unsaid], given: Object) -> None:
    unsaid += [Unsaid(given.path(name), harmless=name in _HARMLESS) for name in given.left()]
