"""Answers of the Responses API, whole and as events (platform.openai.com/docs/api-reference/responses-streaming)."""

from collections.abc import Iterator
from typing import Any

from faultmock.answering import Answer, ToolUse, said_usage
from faultmock.pieces import Json, Piece, json_piece

_CREATED = 1_762_000_000
_INCOMPLETE = {"length": "max_output_tokens", "pause": "max_output_tokens"}
_COMPLETE = ("stop", "tool_calls", "refusal")
_ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
Event = tuple[str, str, Json, int]


def _reasoning(answer: Answer) -> Json:
    summary = [{"type": "summary_text", "text": answer.thought}] if answer.thought else []
    item = {"id": f"rs_{answer.ask.id}_{answer.ask.serial}", "type": "reasoning", "summary": summary}
    secret = "reasoning.encrypted_content" in (answer.ask.body.get("include") or ())
    return item | ({"encrypted_content": answer.signature} if secret else {})


def _part(answer: Answer, text: str) -> Json:
    if answer.finish == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(answer: Answer, status: str, content: list[Json]) -> Json:
    item = {"id": f"msg_{answer.ask.id}_{answer.ask.serial}", "type": "message", "status": status}
    return {**item, "role": "assistant", "content": content}


def _call(use: ToolUse, status: str, arguments: str) -> Json:
    item = {"id": f"fc_{use.id}", "type": "function_call", "status": status, "call_id": f"call_{use.id}"}
    return {**item, "name": use.name, "arguments": arguments}


def _ended(answer: Answer) -> str:
    return "completed" if answer.finish in _COMPLETE else "incomplete"


def _items(answer: Answer) -> Iterator[Json]:
    if answer.thoughts:
        yield _reasoning(answer)
    if answer.has_text:
        yield _message(answer, _ended(answer), [_part(answer, answer.text)])
    yield from (_call(use, "completed", use.arguments) for use in answer.calls)


def _frame(answer: Answer, status: str, **more: Any) -> Json:
    ask = answer.ask
    echoed = {name: ask.body.get(name, default) for name, default in _ECHOED.items()}
    frame = {"id": f"resp_{ask.id}_{ask.serial}", "object": "response", "created_at": _CREATED, "status": status}
    return {**frame, "error": None, "incomplete_details": None, "model": ask.model, "output": [], **echoed, **more}


def body(answer: Answer, usage: Json) -> Json:
    """The whole response."""
    if answer.finish is None:
        return _frame(answer, "in_progress", output=list(_items(answer)), **said_usage(answer, "usage", usage))
    reason = _INCOMPLETE.get(answer.finish, answer.finish)
    details = {"reason": reason} if _ended(answer) == "incomplete" else None
    more = {"incomplete_details": details, "output": list(_items(answer)), **said_usage(answer, "usage", usage)}
    return _frame(answer, _ended(answer), **more)


def _summary_events(answer: Answer, item: Json) -> Iterator[Event]:
    """Reasoning in words: one part of a summary."""
    if not item["summary"]:
        return
    at, part = {"item_id": item["id"], "summary_index": 0}, item["summary"][0]
    prefix = "response.reasoning_summary"
    yield "start", f"{prefix}_part.added", {**at, "part": {**part, "text": ""}}, 0
    for token in answer.thoughts:
        yield "token", f"{prefix}_text.delta", {**at, "delta": token}, 1
    yield "close", f"{prefix}_text.done", {**at, "text": part["text"]}, 0
    yield "close", f"{prefix}_part.done", {**at, "part": part}, 0


def _text_events(answer: Answer, item: Json) -> Iterator[Event]:
    at, part = {"item_id": item["id"], "content_index": 0}, item["content"][0]
    refused = part["type"] == "refusal"
    word, more = "refusal" if refused else "text", Json() if refused else {"logprobs": []}
    name = "response.refusal" if refused else "response.output_text"
    yield "start", "response.content_part.added", {**at, "part": _part(answer, "")}, 0
    for token in answer.tokens:
        yield "token", f"{name}.delta", {**at, "delta": token, **more}, 1
    yield "close", f"{name}.done", {**at, word: part[word], **more}, 0
    yield "close", "response.content_part.done", {**at, "part": part}, 0


def _call_events(answer: Answer, item: Json) -> Iterator[Event]:
    use = next(use for use in answer.calls if f"fc_{use.id}" == item["id"])
    name = "response.function_call_arguments"
    for half in use.halves:
        yield "token", f"{name}.delta", {"item_id": item["id"], "delta": half}, 1
    yield "close", f"{name}.done", {"item_id": item["id"], "name": use.name, "arguments": use.arguments}, 0


_INSIDE = {"reasoning": _summary_events, "message": _text_events, "function_call": _call_events}
_OPEN: dict[str, Json] = {
    "reasoning": {"summary": []},
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
}


def _events(answer: Answer) -> Iterator[Event]:
    yield "start", "response.created", {"response": _frame(answer, "in_progress", usage=None)}, 0
    yield "start", "response.in_progress", {"response": _frame(answer, "in_progress", usage=None)}, 0
    for i, item in enumerate(_items(answer)):
        billed = 1 if item["type"] == "function_call" else 0
        opening = {**item, **_OPEN[item["type"]]}
        yield "token" if billed else "start", "response.output_item.added", {"output_index": i, "item": opening}, billed
        for role, name, fields, tokens in _INSIDE[item["type"]](answer, item):
            yield role, name, {**fields, "output_index": i}, tokens
        yield "close", "response.output_item.done", {"output_index": i, "item": item}, 0


def event_pieces(answer: Answer, usage: Json) -> list[Piece]:
    """The whole stream; its last event has the whole response."""
    last = body(answer, usage)
    pieces = [
        json_piece(role, {"type": name, "sequence_number": i, **fields}, name, tokens)
        for i, (role, name, fields, tokens) in enumerate(_events(answer))
    ]
    name = "response.incomplete" if last["status"] == "incomplete" else "response.completed"
    payload = {"type": name, "sequence_number": len(pieces), "response": last}
    return [*pieces, json_piece("finish", payload, name, usage=last.get("usage"))]


def token_event(answer: Answer, text: str) -> Piece:
    """One more text."""
    item = f"msg_{answer.ask.id}_{answer.ask.serial}"
    at = {"item_id": item, "output_index": int(bool(answer.thoughts)), "content_index": 0, "sequence_number": 99}
    fields = {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []}
    return json_piece("token", fields, "response.output_text.delta", 1)
