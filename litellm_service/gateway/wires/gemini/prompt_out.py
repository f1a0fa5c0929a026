"""A generateContent request from the neutral form.

Source: https://ai.google.dev/api/generate-content; a function's and an answer's JSON Schema go as they are
(https://ai.google.dev/gemini-api/docs/structured-output).
"""

from collections.abc import Iterator

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.codec import Written
from gateway.wires.gemini.contents_out import Contents
from gateway.wires.gemini.families import Family, family
from gateway.wires.gemini.media import Json
from gateway.wires.gemini.thinking import thinking_config
from gateway.wires.neutral import Format, Prompt, Tool, ToolChoice, ToolResult, Unsaid

_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "tool": "ANY"}
_TIERS = {
    "default": "standard",
    "standard": "standard",
    "standard_only": "standard",
    "flex": "flex",
    "priority": "priority",
}
_SEEDS = 2**31
_SCHEMA = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write(prompt: Prompt, model: str) -> Written:
    """The body; the model stands in the path, its family decides what may be said. Raises `InvalidRequest`."""
    unsaid = list(_without_words(prompt))
    kin = family(model)
    body: Json = {"contents": Contents(kin, unsaid).written(prompt)}
    if words := [{"text": part.text} for part in prompt.system if part.text and prompt.turns]:
        body["systemInstruction"] = {"parts": words}
    if prompt.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in prompt.tools]}]
    if calling := _calling(prompt):
        body["toolConfig"] = {"functionCallingConfig": calling}
    if config := _generation(prompt, kin, unsaid):
        body["generationConfig"] = config
    if tier := _TIERS.get(prompt.service_tier or ""):
        body["serviceTier"] = tier
    return Written(_encoded(body), unsaid)


def _without_words(prompt: Prompt) -> Iterator[Unsaid]:
    if prompt.choices > 1:
        yield Unsaid("n")
    if prompt.logprobs:
        yield Unsaid("logprobs")
    if prompt.parallel_tool_calls is False and prompt.tools:
        yield Unsaid("parallel_tool_calls")
    if prompt.user:
        yield Unsaid("user", harmless=True)
    if prompt.service_tier and prompt.service_tier not in {*_TIERS, "auto"}:
        yield Unsaid("service_tier", harmless=True)
    if any(tool.strict for tool in prompt.tools):
        yield Unsaid("tools.strict", harmless=True)
    if _has_cache_marks(prompt):
        yield Unsaid("cache_control", harmless=True)


def _has_cache_marks(prompt: Prompt) -> bool:
    marked = [*prompt.system, *prompt.tools, *(part for turn in prompt.turns for part in turn.parts)]
    inner = [part for result in marked if isinstance(result, ToolResult) for part in result.content]
    return any(getattr(part, "cache", None) for part in (*marked, *inner))


def _declaration(tool: Tool) -> Json:
    declared: Json = {"name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    if _fields(tool.schema):
        declared["parametersJsonSchema"] = tool.schema
    return declared


def _calling(prompt: Prompt) -> Json | None:
    choice = prompt.tool_choice
    if choice is None:
        return None
    if not prompt.tools:
        if choice.mode in {"any", "tool"}:
            raise InvalidRequest("tool_choice: A tool must be called, but there are no tools.", param="tool_choice")
        return None
    return _config(choice)


def _config(choice: ToolChoice) -> Json:
    mode = _MODES[choice.mode]
    named = choice.mode == "tool" and choice.name
    return {"mode": mode, "allowedFunctionNames": [choice.name]} if named else {"mode": mode}


def _generation(prompt: Prompt, kin: Family, unsaid: list[Unsaid]) -> Json:
    stated: Json = {
        "temperature": prompt.temperature,
        "topP": prompt.top_p,
        "topK": prompt.top_k,
        "maxOutputTokens": prompt.output_limit,
        "stopSequences": prompt.stop or None,
        "seed": _seed(prompt.seed),
        "frequencyPenalty": prompt.frequency_penalty or None,
        "presencePenalty": prompt.presence_penalty or None,
        "thinkingConfig": thinking_config(prompt.reasoning, kin, unsaid),
    }
    config = {name: value for name, value in stated.items() if value is not None}
    return config | _answer_format(prompt.format) if prompt.format is not None else config


def _seed(seed: int | None) -> int | None:
    """Google's seeds have 32 bits; the same larger one still gives the same."""
    return seed if seed is None or -_SEEDS <= seed < _SEEDS else seed % _SEEDS


def _answer_format(wanted: Format) -> Json:
    """A name and a description find their place in the schema."""
    fields = _fields(wanted.schema) if wanted.schema is not None else {}
    if not fields:
        return {"responseMimeType": "application/json"}
    for field, words in (("title", wanted.name), ("description", wanted.description)):
        if words:
            fields.setdefault(field, msgspec.Raw(msgspec.json.encode(words)))
    return {"responseMimeType": "application/json", "responseJsonSchema": fields}


def _fields(schema: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _SCHEMA.decode(schema)
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidRequest("A JSON Schema must be a JSON object.", param="tools") from None


def _encoded(body: Json) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, RecursionError) as error:
        raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from None
