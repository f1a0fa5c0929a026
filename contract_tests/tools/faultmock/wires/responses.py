"""OpenAI's Responses API (platform.openai.com/docs/api-reference/responses): requests, usage, errors."""

from typing import Any

from faultmock.answering import Answer, Usage
from faultmock.asking import Asked, Media, Target, Tool, Turn, joined_texts, media_by_url, media_in_base64, parts_of
from faultmock.pieces import Json, Piece, json_piece
from faultmock.wires import openai
from faultmock.wires.response_events import body, event_pieces, token_event
from faultmock.wires.wire import Wire


def _media(part: Json) -> Media | None:
    if part.get("type") == "input_image":
        return media_by_url("image", part.get("image_url") or "")
    if part.get("type") == "input_file":
        return media_by_url("document", part.get("file_data") or part.get("file_url") or "")
    if part.get("type") == "input_audio":
        return media_in_base64("audio", f"audio/{part['input_audio']['format']}", part["input_audio"]["data"])
    return None


def _turn(item: Json) -> Turn:
    kind = item.get("type") or "message"
    if kind == "function_call_output":
        media = tuple(found for part in parts_of(item["output"]) if (found := _media(part)))
        return Turn("tool", results=(joined_texts(item["output"]),), media=media)
    if kind == "reasoning":
        return Turn("assistant", signatures=(item.get("encrypted_content") or "",))
    if kind != "message":
        return Turn("assistant")
    content = item.get("content") or ""
    media = tuple(found for part in parts_of(content) if (found := _media(part)))
    return Turn(str(item.get("role")), joined_texts(content), media=media)


def items_of(given: Any) -> list[Json]:
    """The input as a list of items."""
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())


def _format(wanted: Json) -> Json | None:
    return {"json_object": {}, "json_schema": wanted.get("schema", {})}.get(str(wanted.get("type")))


def _read(fields: Json, target: Target) -> Asked:
    """`earlier_items` are those of the responses before, which the memory adds."""
    if not fields.get("input"):
        raise ValueError("Missing required parameter: 'input'.")
    system = [Turn("system", fields["instructions"])] if fields.get("instructions") else []
    items = [*fields.get("earlier_items", ()), *items_of(fields["input"])]
    choice = fields.get("tool_choice")
    tools = [tool for tool in fields.get("tools") or () if tool.get("type") == "function"]
    return Asked(
        body=fields,
        model=str(fields.get("model", target.model)),
        turns=system + [_turn(item) for item in items],
        stream=bool(fields.get("stream")),
        max_tokens=fields.get("max_output_tokens"),
        tools=[Tool(tool["name"], tool.get("parameters") or {}) for tool in tools],
        tool_choice=str(choice.get("name") or "") if isinstance(choice, dict) else "",
        thinking=(fields.get("reasoning") or {}).get("effort") not in (None, "none"),
        format=_format((fields.get("text") or {}).get("format") or {}),
    )


def usage(told: Usage) -> Json:
    """`usage` with all its details."""
    written = told.cache_write + told.cache_write_1h
    return {
        "input_tokens": told.prompt,
        "input_tokens_details": {"cached_tokens": told.cached, "cache_write_tokens": written},
        "output_tokens": told.completion,
        "output_tokens_details": {"reasoning_tokens": told.reasoning},
        "total_tokens": told.total,
    }


def _totals(stated: Json) -> Usage:
    details = stated.get("input_tokens_details") or {}
    reasoning = (stated.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    cached, written = details.get("cached_tokens", 0), details.get("cache_write_tokens", 0)
    return Usage(stated["input_tokens"], stated["output_tokens"], cached, written, reasoning=reasoning)


def whole_body(answer: Answer) -> Json:
    """The response once it is there."""
    return body(answer, usage(answer.usage))


def _body(answer: Answer) -> Json:
    """A response in the background is only promised."""
    if answer.ask.body.get("background"):
        return {**whole_body(answer), "status": "queued", "output": [], "usage": None}
    return whole_body(answer)


def _pieces(answer: Answer) -> list[Piece]:
    return event_pieces(answer, usage(answer.usage))


def _error_piece(told: Json) -> Piece:
    error = told["error"]
    fields = {"code": error["code"] or "server_error", "message": error["message"], "param": None}
    return json_piece("error", {"type": "error", **fields, "sequence_number": 99}, "error")


def _usage_piece(answer: Answer, stated: Json) -> Piece:
    """No such event exists; the nearest has the response as it is so far."""
    response = {**whole_body(answer), "status": "in_progress", "output": [], "usage": stated}
    fields = {"type": "response.in_progress", "sequence_number": 99, "response": response}
    return json_piece("usage", fields, "response.in_progress", usage=stated)


def _filler(padding: str) -> Piece:
    fields = {"type": "response.keepalive", "sequence_number": 99, "padding": padding}
    return json_piece("token", fields, "response.keepalive")


WIRE = Wire(
    name="responses",
    read=_read,
    body=_body,
    pieces=_pieces,
    usage=usage,
    totals=_totals,
    error=openai.error,
    error_piece=_error_piece,
    token_piece=token_event,
    usage_piece=_usage_piece,
    filler=_filler,
    outputs="output",
)
