"""Faults and oddities that only some wires can have."""

import dataclasses

from faultmock.answering import ToolUse
from faultmock.call import Call
from faultmock.faults.content import other_answer
from faultmock.faults.shape import Fault, after_tokens, before_role, edited_stream, without_roles
from faultmock.faults.sse import cut, error_data
from faultmock.pieces import Json, Piece, json_piece, raw_piece

_BROKEN = ToolUse("1", "get_weather", '{"city":"Par')
_STRANGE: Json = {"type": "hologram", "id": "holo_1", "beams": [1, 2]}
_OPEN_BLOCK = "content_block_start"


def _pings(call: Call, pieces: list[Piece]) -> list[Piece]:
    assert call.wire.filler is not None
    ping = call.wire.filler("")
    return [pieces[0], *(part for piece in pieces[1:] for part in (ping, piece))]


def _overloaded(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*cut(call, pieces), error_data(call, 529, "Overloaded", "overloaded")]


def _unnamed(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [dataclasses.replace(piece, event="") for piece in pieces]


def _unknown_event(call: Call, pieces: list[Piece]) -> list[Piece]:
    name = "response.hologram.delta" if call.ask.wire == "responses" else "content_block_hologram"
    return after_tokens(call, pieces, json_piece("start", {"type": name, "beams": [1]}, name))


def _without_first(call: Call, pieces: list[Piece]) -> list[Piece]:
    return pieces[1:]


def _without_openings(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.event != _OPEN_BLOCK]


def _delta_outputs_only(call: Call, pieces: list[Piece]) -> list[Piece]:
    """The usage that counts is then in two events."""
    return [_with_outputs_only(piece) if piece.event == "message_delta" else piece for piece in pieces]


def _with_outputs_only(piece: Piece) -> Piece:
    usage = {"output_tokens": (piece.usage or {})["output_tokens"]}
    return piece.changed({**(piece.payload or {}), "usage": usage}, piece.usage)


async def unknown_block(call: Call) -> None:
    """A block of content that nobody knows, before the text."""
    if not call.streams:
        await call.send_plain({**(body := call.body()), "content": [_STRANGE, *body["content"]]})
        return
    names = ("content_block_start", "content_block_stop")
    start, stop = ({"type": name, "index": 0} for name in names)
    extra = [json_piece("start", {**start, "content_block": _STRANGE}, names[0]), json_piece("start", stop, names[1])]
    pieces = [_shifted(piece) for piece in call.pieces()]
    await call.send_stream([pieces[0], *extra, *pieces[1:]])


def _shifted(piece: Piece) -> Piece:
    payload = piece.payload or {}
    return piece.changed({**payload, "index": payload["index"] + 1}, piece.usage) if "index" in payload else piece


async def failed(call: Call) -> None:
    """`response.failed` after `after` tokens; a plain response has the status `failed`."""
    error = {"code": "server_error", "message": "The server had an error"}
    response = {**call.body(), "status": "failed", "error": error, "output": [], "usage": None}
    if not call.streams:
        await call.send_json(response)
        return
    fields = {"type": "response.failed", "sequence_number": 99, "response": response}
    await call.send_stream([*cut(call, call.pieces()), json_piece("error", fields, "response.failed")])


def _error_as_in_chat(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*cut(call, pieces), json_piece("error", call.error_body(500, "The server had an error"))]


def _with_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*pieces, Piece("done", "[DONE]")]


async def unknown_item(call: Call) -> None:
    """An output item that nobody knows, before the message."""
    if not call.streams:
        await call.send_plain({**(body := call.body()), "output": [_STRANGE, *body["output"]]})
        return
    name = "response.output_item.added"
    extra = json_piece("start", {"type": name, "sequence_number": 2, "output_index": 0, "item": _STRANGE}, name)
    pieces = call.pieces()
    await call.send_stream([*pieces[:2], extra, *pieces[2:]])


async def prompt_blocked(call: Call) -> None:
    """No candidate: the prompt itself was blocked."""
    rating = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}
    usage = {"promptTokenCount": call.ask.prompt_tokens, "totalTokenCount": call.ask.prompt_tokens}
    body = {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [rating]}, "usageMetadata": usage}
    if call.streams:
        await call.send_stream([json_piece("finish", body, usage=usage)])
        return
    call.usage = usage
    await call.send_json(body)


async def no_content(call: Call) -> None:
    """A candidate with a finish reason and no content at all, as after thoughts that used up the limit."""
    candidate = {"finishReason": "MAX_TOKENS", "index": 0}
    last = call.pieces()[-1]
    body = {**(last.payload or {}), "candidates": [candidate]}
    if call.streams:
        await call.send_stream([last.changed(body, last.usage)])
    else:
        await call.send_plain(body)


async def unknown_part(call: Call) -> None:
    """A part that nobody knows, before the text."""
    body = call.body()
    content = body["candidates"][0]["content"]
    odd = {**content, "parts": [{"hologram": _STRANGE}, *content["parts"]]}
    if not call.streams:
        await call.send_plain({**body, "candidates": [{**body["candidates"][0], "content": odd}]})
        return
    pieces = call.pieces()
    first = {**(pieces[0].payload or {}), "candidates": [{"content": {**odd, "parts": odd["parts"][:1]}, "index": 0}]}
    await call.send_stream([pieces[0].changed(first, pieces[0].usage), *pieces])


async def limited_in_body(call: Call) -> None:
    """429 that says in its body when to come back, and not in a header."""
    body = call.error_body(429, "You exceeded your current quota")
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
    await call.send_json({"error": {**body["error"], "details": [info]}}, 429)


async def bad_key(call: Call) -> None:
    """400 for a key that is not valid, as Google says it."""
    body = call.error_body(400, "API key not valid. Please pass a valid API key.")
    reason = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason}]
    await call.send_json({"error": {**body["error"], "details": details}}, 400)


async def error_in_array(call: Call) -> None:
    """503 whose error object stands in an array, as a stream that is no events says it."""
    await call.send_json([call.error_body(503, "The model is overloaded. Please try again later.")], 503)


def _usage_last(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [_bare(piece) if piece.role == "token" else piece for piece in pieces]


def _bare(piece: Piece) -> Piece:
    return piece.changed({name: one for name, one in (piece.payload or {}).items() if name != "usageMetadata"})


def _comment_first(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [raw_piece("comment", ": OPENROUTER PROCESSING\n\n"), *pieces]


def _finish_with_text(call: Call, pieces: list[Piece]) -> list[Piece]:
    """The last token and the finish reason in one event."""
    last = [piece for piece in pieces if piece.role == "token"][-1]
    finish = next(piece for piece in pieces if piece.role == "finish")
    ended = {"finish_reason": (finish.payload or {})["choices"][0]["finish_reason"]}
    choices = [{**choice, **ended} for choice in (last.payload or {})["choices"]]
    both = dataclasses.replace(last.changed({**(last.payload or {}), "choices": choices}), role="finish")
    kept = [piece for piece in without_roles(pieces, "finish") if piece is not last]
    return (
        before_role(kept, "usage", both)
        if any(piece.role == "usage" for piece in kept)
        else before_role(kept, "done", both)
    )


_BROKEN_ARGUMENTS = other_answer(
    "A tool call whose arguments are no JSON.", tokens=(), calls=(_BROKEN,), finish="tool_calls"
)

OWN: dict[str, dict[str, Fault]] = {
    "openai": {
        "broken-arguments": _BROKEN_ARGUMENTS,
        "comment-first": edited_stream(_comment_first, "A comment before the first event, as OpenRouter sends."),
        "finish-with-text": edited_stream(_finish_with_text, "The finish reason in the event of the last token."),
    },
    "responses": {
        "broken-arguments": _BROKEN_ARGUMENTS,
        "failed-event": failed,
        "unknown-event": edited_stream(_unknown_event, "An event that nobody knows."),
        "unnamed-events": edited_stream(_unnamed, "Events without `event:`; their data says what they are."),
        "no-created": edited_stream(_without_first, "No `response.created`."),
        "error-as-in-chat": edited_stream(_error_as_in_chat, "An error event in the form of Chat Completions."),
        "with-done": edited_stream(_with_done, "`[DONE]` after the last event."),
        "unknown-item": unknown_item,
    },
    "anthropic": {
        "pings": edited_stream(_pings, "A ping before each event."),
        "overloaded-event": edited_stream(_overloaded, "`overloaded_error` after `after` tokens."),
        "unknown-event": edited_stream(_unknown_event, "An event that nobody knows."),
        "unnamed-events": edited_stream(_unnamed, "Events without `event:`; their data says what they are."),
        "no-message-start": edited_stream(_without_first, "No `message_start`, and with it no prompt's usage."),
        "no-block-start": edited_stream(_without_openings, "Deltas of a block that never began."),
        "delta-outputs-only": edited_stream(
            _delta_outputs_only, "A last usage with output tokens only, which is legal."
        ),
        "unknown-block": unknown_block,
    },
    "gemini": {
        "prompt-blocked": prompt_blocked,
        "no-content": no_content,
        "unknown-part": unknown_part,
        "429-in-body": limited_in_body,
        "400-key": bad_key,
        "503-array": error_in_array,
        "malformed-call": other_answer("A call that the model got wrong.", tokens=(), finish="MALFORMED_FUNCTION_CALL"),
        "usage-last": edited_stream(_usage_last, "The usage in the last chunk only."),
        "with-done": edited_stream(_with_done, "`[DONE]` after the last event."),
    },
}
