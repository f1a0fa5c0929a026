"""The OpenAI and Anthropic wire formats: bodies, and streams as lists of pieces."""

import dataclasses
import json
from typing import Any

from faultmock.script import Ask
from faultmock.text import word_tokens

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Piece:
    """One event of a stream. `role`: start, token, finish, usage or done; `data` is sent as it is."""

    role: str
    data: str
    event: str = ""
    tokens: int = 0
    usage: Json | None = None

    def sse(self, newline: str = "\n") -> bytes:
        """The event as bytes, ended by an empty line."""
        name = f"event: {self.event}{newline}" if self.event else ""
        return f"{name}data: {self.data}{newline}{newline}".encode()


def dumps(value: Any) -> str:
    """Compact JSON with characters as themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the mock says: its tokens, and why it stopped there."""

    ask: Ask
    tokens: list[str]
    stopped: bool

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)

    @property
    def completion_tokens(self) -> int:
        """What is billed for all choices."""
        return len(self.tokens) * self.ask.choices


def make_answer(ask: Ask) -> Answer:
    """The answer that follows from the request alone."""
    wanted = 12 if ask.script.tokens is None else ask.script.tokens
    count = min(wanted, ask.max_tokens) if ask.max_tokens else wanted
    return Answer(ask, word_tokens(count, ask.prompt), stopped=count == wanted)


def openai_usage(prompt_tokens: int, completion_tokens: int) -> Json:
    """`usage` as the Chat Completions API states it."""
    total = prompt_tokens + completion_tokens
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total}


def _openai_frame(answer: Answer, object_name: str, choices: list[Json]) -> Json:
    ask = answer.ask
    frame = {"id": f"chatcmpl-{ask.marker or 'mock'}", "object": object_name, "created": 1_762_000_000}
    return {**frame, "model": ask.model, "choices": choices}


def openai_chunk(answer: Answer, delta: Json, finish: str | None = None, index: int = 0) -> Json:
    """One `chat.completion.chunk`."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _openai_frame(answer, "chat.completion.chunk", [choice])


def _openai_body(answer: Answer) -> Json:
    finish = "stop" if answer.stopped else "length"
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choices = [
        {"index": i, "message": message, "logprobs": None, "finish_reason": finish} for i in range(answer.ask.choices)
    ]
    frame = _openai_frame(answer, "chat.completion", choices)
    return {**frame, "usage": openai_usage(answer.ask.prompt_tokens, answer.completion_tokens)}


def _openai_pieces(answer: Answer) -> list[Piece]:
    ask, finish = answer.ask, "stop" if answer.stopped else "length"
    indexes = range(ask.choices)
    pieces = [
        Piece("start", dumps(openai_chunk(answer, {"role": "assistant", "content": ""}, None, i))) for i in indexes
    ]
    for token in answer.tokens:
        pieces += [Piece("token", dumps(openai_chunk(answer, {"content": token}, None, i)), tokens=1) for i in indexes]
    pieces += [Piece("finish", dumps(openai_chunk(answer, {}, finish, i))) for i in indexes]
    if ask.include_usage:
        pieces.append(openai_usage_piece(answer, openai_usage(ask.prompt_tokens, answer.completion_tokens)))
    return [*pieces, Piece("done", "[DONE]")]


def openai_usage_piece(answer: Answer, usage: Any) -> Piece:
    """The chunk without choices that carries the usage."""
    frame = _openai_frame(answer, "chat.completion.chunk", [])
    return Piece("usage", dumps({**frame, "usage": usage}), usage=usage)


def _anthropic_message(answer: Answer, content: list[Json], stop_reason: str | None, output_tokens: int) -> Json:
    ask = answer.ask
    message = {"id": f"msg_{ask.marker or 'mock'}", "type": "message", "role": "assistant", "model": ask.model}
    usage = {"input_tokens": ask.prompt_tokens, "output_tokens": output_tokens}
    return {**message, "content": content, "stop_reason": stop_reason, "stop_sequence": None, "usage": usage}


def _anthropic_body(answer: Answer) -> Json:
    stop = "end_turn" if answer.stopped else "max_tokens"
    return _anthropic_message(answer, [{"type": "text", "text": answer.text}], stop, len(answer.tokens))


def _anthropic_piece(role: str, name: str, fields: Json, tokens: int = 0, usage: Json | None = None) -> Piece:
    return Piece(role, dumps({"type": name, **fields}), event=name, tokens=tokens, usage=usage)


def _anthropic_pieces(answer: Answer) -> list[Piece]:
    usage = {"output_tokens": len(answer.tokens)}
    stated = {"input_tokens": answer.ask.prompt_tokens, **usage}
    delta = {"stop_reason": "end_turn" if answer.stopped else "max_tokens", "stop_sequence": None}
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    start = {"message": _anthropic_message(answer, [], None, 1)}
    deltas = [{"index": 0, "delta": {"type": "text_delta", "text": token}} for token in answer.tokens]
    return [
        _anthropic_piece("start", "message_start", start),
        _anthropic_piece("start", "content_block_start", block),
        *(_anthropic_piece("token", "content_block_delta", fields, tokens=1) for fields in deltas),
        _anthropic_piece("finish", "content_block_stop", {"index": 0}),
        _anthropic_piece("finish", "message_delta", {"delta": delta, "usage": usage}, usage=stated),
        _anthropic_piece("done", "message_stop", {}),
    ]


def body(answer: Answer) -> Json:
    """The plain answer on the wire of the request."""
    return _openai_body(answer) if answer.ask.wire == "openai" else _anthropic_body(answer)


def pieces(answer: Answer) -> list[Piece]:
    """The streamed answer on the wire of the request."""
    return _openai_pieces(answer) if answer.ask.wire == "openai" else _anthropic_pieces(answer)


def error_body(wire: str, status: int, message: str, code: str | None = None) -> Json:
    """A provider's error object on its wire."""
    kind = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}.get(status, "api_error")
    if wire == "openai":
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return {"type": "error", "error": {"type": kind, "message": message}}
