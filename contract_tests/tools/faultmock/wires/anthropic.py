"""Anthropic's Messages (platform.claude.com/docs/en/api/messages, …/build-with-claude/streaming) and their token count."""

import json
from collections.abc import Iterable, Iterator, Sequence

from faultmock.answering import Answer, ToolUse, Usage, said_usage
from faultmock.asking import (
    Asked,
    Media,
    Target,
    Tool,
    Turn,
    joined_texts,
    media_by_url,
    media_in_base64,
    media_of,
    parts_of,
)
from faultmock.pieces import Json, Piece, json_piece
from faultmock.wires.wire import Wire

_FINISHES = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_TOO_LONG = "prompt is too long: 208310 tokens > 200000 maximum"


def _media(block: Json) -> Media | None:
    if block.get("type") not in ("image", "document"):
        return None
    source, kind = block["source"], str(block["type"])
    if source["type"] == "base64":
        return media_in_base64(kind, source["media_type"], source["data"])
    if source["type"] == "text":
        return media_of(kind, source["media_type"], source["data"].encode())
    return media_by_url(kind, source.get("url", ""))


def _turn(message: Json) -> Turn:
    blocks = list(parts_of(message.get("content")))
    results = [block for block in blocks if block.get("type") == "tool_result"]
    inner = [part for result in results for part in parts_of(result.get("content"))]
    return Turn(
        str(message.get("role")),
        joined_texts(message.get("content") or "", "text"),
        tuple(joined_texts(result.get("content")) for result in results),
        tuple(found for block in [*blocks, *inner] if (found := _media(block))),
        tuple(
            block.get("signature") or block.get("data", "") for block in blocks if "thinking" in block.get("type", "")
        ),
    )


def _read(body: Json, target: Target) -> Asked:
    for name in ("messages", "max_tokens") if target.wire == "anthropic" else ("messages",):
        if not body.get(name):
            raise ValueError(f"{name}: Field required")
    system = [Turn("system", joined_texts(body["system"]))] if body.get("system") else []
    choice, wanted = (
        body.get("tool_choice") or {},
        (body.get("output_config") or {}).get("format") or body.get("output_format"),
    )
    return Asked(
        body=body,
        model=str(body.get("model", target.model)),
        turns=system + [_turn(message) for message in body["messages"]],
        stream=bool(body.get("stream")) or target.stream,
        max_tokens=body.get("max_tokens"),
        tools=[Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools") or () if "input_schema" in tool],
        tool_choice=str(choice.get("name") or ""),
        thinking=(body.get("thinking") or {}).get("type", "disabled") != "disabled",
        format=wanted.get("schema", {}) if wanted else None,
    )


def _usage(told: Usage) -> Json:
    """Classes that do not overlap: `input_tokens` is what was neither read from the cache nor written to it."""
    written = told.cache_write + told.cache_write_1h
    stated: Json = {
        "input_tokens": told.prompt - told.cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": told.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": told.cache_write,
            "ephemeral_1h_input_tokens": told.cache_write_1h,
        },
        "output_tokens": told.completion,
        "service_tier": "standard",
    }
    return stated | ({"output_tokens_details": {"thinking_tokens": told.reasoning}} if told.reasoning else {})


def _totals(stated: Json) -> Usage:
    cached, written = stated.get("cache_read_input_tokens", 0), stated.get("cache_creation_input_tokens", 0)
    hour = (stated.get("cache_creation") or {}).get("ephemeral_1h_input_tokens", 0)
    thinking = (stated.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    prompt = stated["input_tokens"] + cached + written
    return Usage(prompt, stated["output_tokens"], cached, written - hour, hour, thinking)


def _call(use: ToolUse, arguments: Json) -> Json:
    return {"type": "tool_use", "id": f"toolu_{use.id}", "name": use.name, "input": arguments}


def _thoughts(answer: Answer) -> Sequence[str]:
    """The words of the thinking, none where the request wants them left out."""
    return () if (answer.ask.body.get("thinking") or {}).get("display") == "omitted" else answer.shown_thoughts


def _blocks(answer: Answer) -> Iterator[Json]:
    if answer.thoughts and answer.ask.script.hidden:
        yield {"type": "redacted_thinking", "data": answer.signature}
    elif answer.thoughts:
        yield {"type": "thinking", "thinking": "".join(_thoughts(answer)), "signature": answer.signature}
    if answer.has_text:
        yield {"type": "text", "text": answer.text}
    yield from (_call(use, json.loads(use.arguments)) for use in answer.calls)


def _stop(answer: Answer) -> Json:
    reason = _FINISHES.get(answer.finish or "", answer.finish)
    asked = answer.ask.body.get("stop_sequences") or [None]
    stop: Json = {"stop_reason": reason, "stop_sequence": asked[0] if reason == "stop_sequence" else None}
    return stop | (
        {"stop_details": {"type": "refusal", "category": None, "explanation": None}} if reason == "refusal" else {}
    )


def _message(answer: Answer, content: Iterable[Json], stop: Json, stated: Json) -> Json:
    frame = {"id": f"msg_{answer.ask.id}", "type": "message", "role": "assistant", "model": answer.ask.model}
    return {**frame, "content": list(content), **stop, **stated}


def _body(answer: Answer) -> Json:
    return _message(answer, _blocks(answer), _stop(answer), said_usage(answer, "usage", _usage(answer.usage)))


def _piece(role: str, name: str, fields: Json, tokens: int = 0, usage: Json | None = None) -> Piece:
    return json_piece(role, {"type": name, **fields}, event=name, tokens=tokens, usage=usage)


def _block_pieces(index: int, opening: Json, deltas: Iterable[tuple[Json, int]]) -> list[Piece]:
    """One block of content; each delta comes with its tokens."""
    events = [
        _piece("token" if tokens else "close", "content_block_delta", {"index": index, "delta": delta}, tokens)
        for delta, tokens in deltas
    ]
    start = _piece("start", "content_block_start", {"index": index, "content_block": opening})
    return [start, *events, _piece("close", "content_block_stop", {"index": index})]


def _text_delta(text: str) -> Json:
    return {"type": "text_delta", "text": text}


def _deltas(answer: Answer, block: Json, use: ToolUse | None) -> tuple[Json, list[tuple[Json, int]]]:
    """How a block opens, and what follows."""
    if use is not None:
        parts = ["", *use.halves]
        return _call(use, {}), [({"type": "input_json_delta", "partial_json": part}, 1) for part in parts]
    if block["type"] == "text":
        return {**block, "text": ""}, [(_text_delta(token), 1) for token in answer.tokens]
    if block["type"] == "redacted_thinking":
        return block, []
    thoughts = [({"type": "thinking_delta", "thinking": token}, 1) for token in _thoughts(answer)]
    signature = {"type": "signature_delta", "signature": answer.signature}
    return {**block, "thinking": "", "signature": ""}, [*thoughts, (signature, 0)]


def _pieces(answer: Answer) -> list[Piece]:
    uses = {f"toolu_{use.id}": use for use in answer.calls}
    begun = said_usage(answer, "usage", {**_usage(answer.usage), "output_tokens": 1})
    nothing = {"stop_reason": None, "stop_sequence": None}
    pieces = [
        _piece("start", "message_start", {"message": _message(answer, [], nothing, begun)}, usage=begun.get("usage"))
    ]
    for i, block in enumerate(_blocks(answer)):
        pieces += _block_pieces(i, *_deltas(answer, block, uses.get(block.get("id", ""))))
    ended = said_usage(answer, "usage", _usage(answer.usage))
    pieces.append(_piece("finish", "message_delta", {"delta": _stop(answer), **ended}, usage=ended.get("usage")))
    return [*pieces, _piece("done", "message_stop", {})]


def _usage_piece(answer: Answer, stated: Json) -> Piece:
    """More than one such event may come; the counts are cumulative."""
    delta = {"stop_reason": None, "stop_sequence": None}
    return _piece("usage", "message_delta", {"delta": delta, "usage": stated}, usage=stated)


def _token_piece(answer: Answer, text: str) -> Piece:
    index = sum(1 for block in _blocks(answer) if "thinking" in block["type"])
    return _piece("token", "content_block_delta", {"index": index, "delta": _text_delta(text)}, 1)


def _error(status: int, message: str, code: str | None = None) -> Json:
    told = _TOO_LONG if code == "context_length_exceeded" else message
    kind = "overloaded_error" if code == "overloaded" else _KINDS.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": told}, "request_id": "req_mock"}


def _error_piece(body: Json) -> Piece:
    return json_piece("error", body, "error")


def _filler(padding: str) -> Piece:
    return _piece("token", "ping", {"padding": padding} if padding else {})


def _count(answer: Answer) -> Json:
    return {"input_tokens": answer.ask.prompt_tokens}


WIRE = Wire(
    name="anthropic",
    read=_read,
    body=_body,
    pieces=_pieces,
    usage=_usage,
    totals=_totals,
    error=_error,
    error_piece=_error_piece,
    token_piece=_token_piece,
    usage_piece=_usage_piece,
    filler=_filler,
    outputs="content",
)
COUNT = Wire(name="anthropic-count", read=_read, body=_count, error=_error)
