"""OpenAI's Chat Completions (platform.openai.com/docs/api-reference/chat), with `reasoning_content` as DeepSeek has it."""

from typing import Any

from faultmock.answering import Answer, ToolUse, Usage, said_usage
from faultmock.asking import Asked, Media, Target, Tool, Turn, joined_texts, media_by_url, media_in_base64, parts_of
from faultmock.pieces import Json, Piece, dumps, json_piece
from faultmock.wires.wire import Wire

_CREATED = 1_762_000_000
_FINISHES = {"refusal": "stop", "pause": "stop"}
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}


def media_in(part: Json) -> Media | None:
    """What is to be seen or heard in one part of a message."""
    if part.get("type") == "image_url":
        return media_by_url("image", part["image_url"]["url"])
    if part.get("type") == "input_audio":
        return media_in_base64("audio", f"audio/{part['input_audio']['format']}", part["input_audio"]["data"])
    if part.get("type") == "file":
        return media_by_url("document", part["file"].get("file_data", ""))
    return None


def _turn(message: Json) -> Turn:
    content = message.get("content") or ""
    text = joined_texts(content)
    if message.get("role") == "tool":
        return Turn("tool", results=(text,))
    media = [found for part in parts_of(content) if (found := media_in(part))]
    return Turn(str(message.get("role")), text, media=tuple(media))


def _format(wanted: Any) -> Json | None:
    kind, schema = (wanted or {}).get("type"), (wanted or {}).get("json_schema") or {}
    return {"json_object": {}, "json_schema": schema.get("schema", {})}.get(str(kind))


def _read(body: Json, target: Target) -> Asked:
    tools = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    system = [Turn("system", joined_texts(body["system"]))] if body.get("system") else []
    return Asked(
        body=body,
        model=str(body.get("model", target.model)),
        turns=system + [_turn(message) for message in body.get("messages") or ()],
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        choices=int(body.get("n") or 1),
        tools=[Tool(tool["name"], tool.get("parameters") or {}) for tool in tools],
        tool_choice=choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else "",
        thinking=body.get("reasoning_effort") not in (None, "none") or bool(body.get("reasoning")),
        format=_format(body.get("response_format")),
    )


def usage(told: Usage) -> Json:
    """`usage` as the Chat Completions API states it; details only where there are some."""
    stated: Json = {"prompt_tokens": told.prompt, "completion_tokens": told.completion, "total_tokens": told.total}
    details: Json = {"cached_tokens": told.cached, "audio_tokens": 0}
    if written := told.cache_write + told.cache_write_1h:
        details["cache_write_tokens"] = written
    if told.cached or written:
        stated["prompt_tokens_details"] = details
    if told.reasoning:
        stated["completion_tokens_details"] = {"reasoning_tokens": told.reasoning}
    return stated


def totals(stated: Json) -> Usage:
    """The counts of a `usage` object."""
    details = stated.get("prompt_tokens_details") or {}
    reasoning = (stated.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    cached, written = details.get("cached_tokens", 0), details.get("cache_write_tokens", 0)
    return Usage(stated["prompt_tokens"], stated["completion_tokens"], cached, written, reasoning=reasoning)


def _frame(answer: Answer, object_name: str, choices: list[Json]) -> Json:
    frame = {"id": f"chatcmpl-{answer.ask.id}", "object": object_name, "created": _CREATED}
    return {**frame, "model": answer.ask.model, "choices": choices}


def _chunk(answer: Answer, delta: Json, finish: str | None = None, index: int = 0) -> Json:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _frame(answer, "chat.completion.chunk", [choice])


def _finish(answer: Answer) -> str | None:
    return _FINISHES.get(answer.finish or "", answer.finish)


def _call(use: ToolUse, arguments: str) -> Json:
    function = {"name": use.name, "arguments": arguments}
    return {"id": f"call_{use.id}", "type": "function", "function": function}


def _message(answer: Answer) -> Json:
    refused = answer.finish == "refusal"
    text = answer.text if answer.has_text else None
    message: Json = {"role": "assistant", "content": None if refused else text, "refusal": text if refused else None}
    if answer.thought:
        message["reasoning_content"] = answer.thought
    if answer.calls:
        message["tool_calls"] = [_call(use, use.arguments) for use in answer.calls]
    return message


def _body(answer: Answer) -> Json:
    message, finish = _message(answer), _finish(answer)
    choices = [
        {"index": i, "message": message, "logprobs": None, "finish_reason": finish} for i in range(answer.ask.choices)
    ]
    return {**_frame(answer, "chat.completion", choices), **said_usage(answer, "usage", usage(answer.usage))}


def _deltas(answer: Answer) -> list[tuple[Json, int]]:
    """What is said piece by piece, and the tokens of each."""
    thoughts = [({"reasoning_content": token}, 1) for token in answer.shown_thoughts]
    word = "refusal" if answer.finish == "refusal" else "content"
    return [*thoughts, *(({word: token}, 1) for token in answer.tokens), *_call_deltas(answer)]


def _call_deltas(answer: Answer) -> list[tuple[Json, int]]:
    deltas: list[tuple[Json, int]] = []
    for i, use in enumerate(answer.calls):
        halves = [{"index": i, "function": {"arguments": half}} for half in use.halves]
        deltas += [({"tool_calls": [entry]}, 1) for entry in ({"index": i, **_call(use, "")}, *halves)]
    return deltas


def _pieces(answer: Answer) -> list[Piece]:
    indexes = range(answer.ask.choices)
    opening: Json = {"role": "assistant", "content": "" if answer.has_text else None}
    pieces = [json_piece("start", _chunk(answer, opening, None, i)) for i in indexes]
    for delta, tokens in _deltas(answer):
        pieces += [json_piece("token", _chunk(answer, delta, None, i), tokens=tokens) for i in indexes]
    if answer.finish is not None:
        pieces += [json_piece("finish", _chunk(answer, {}, _finish(answer), i)) for i in indexes]
    if answer.ask.include_usage:
        pieces += [_usage_piece(answer, stated) for stated in said_usage(answer, "", usage(answer.usage)).values()]
    return [*pieces, Piece("done", "[DONE]")]


def _usage_piece(answer: Answer, stated: Json) -> Piece:
    """The chunk without choices that carries the usage."""
    frame = _frame(answer, "chat.completion.chunk", [])
    return json_piece("usage", {**frame, "usage": stated}, usage=stated)


def _token_piece(answer: Answer, text: str) -> Piece:
    return json_piece("token", _chunk(answer, {"content": text}), tokens=1)


def error(status: int, message: str, code: str | None = None) -> Json:
    """A provider's error object."""
    return {"error": {"message": message, "type": _KINDS.get(status, "api_error"), "param": None, "code": code}}


def error_piece(body: Json) -> Piece:
    """An error in a stream."""
    return json_piece("error", body)


def _filler(padding: str) -> Piece:
    return Piece("token", f'{{"choices":[],"padding":{dumps(padding)}}}')


WIRE = Wire(
    name="openai",
    read=_read,
    body=_body,
    pieces=_pieces,
    usage=usage,
    totals=totals,
    error=error,
    error_piece=error_piece,
    token_piece=_token_piece,
    usage_piece=_usage_piece,
    filler=_filler,
    outputs="choices",
)
