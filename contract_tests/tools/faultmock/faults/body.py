"""Answers of status 200 that are no answer."""

import dataclasses
import json
from collections.abc import Callable

from faultmock.call import Call
from faultmock.faults.shape import Fault
from faultmock.pieces import Json, Piece, dumps

_HTML = b"<!doctype html><html><body>Please log in</body></html>"
_SENTINEL = "@@"  # stands where the text is to be, until something else takes its place


def _body(data: Callable[[Call], bytes] | bytes, content_type: str = "application/json") -> Fault:
    async def fault(call: Call) -> None:
        """200 with a body that is none."""
        await call.send_body(data if isinstance(data, bytes) else data(call), content_type=content_type)

    return fault


async def error_in_200(call: Call) -> None:
    """200 with an error object as its JSON body, streamed or not."""
    await call.send_json(call.error_body(500, "The server had an error"))


async def truncated_json(call: Call) -> None:
    """200 with the right length of a JSON body that stops in the middle."""
    body = call.plain()[0]
    await call.send_body(body[: len(body) // 2])


def _odd_bytes(call: Call) -> bytes:
    """A good answer but for its text, which is no UTF-8."""
    _say(call, [_SENTINEL])
    return dumps(call.body()).encode().replace(_SENTINEL.encode(), b"\xff\xfe\xc3")


def _deep(call: Call) -> bytes:
    return b'{"%b":' % call.wire.outputs.encode() + b"[" * 100_000 + b"]" * 100_000 + b"}"


async def plain_for_stream(call: Call) -> None:
    """A plain JSON answer although a stream was asked for."""
    await call.send_plain()


async def stream_for_plain(call: Call) -> None:
    """A stream although a plain answer was asked for."""
    await call.send_stream(call.pieces())


def _say(call: Call, tokens: list[str]) -> None:
    call.answer = dataclasses.replace(call.answer, tokens=tokens, thoughts=(), calls=())


def _nulled(piece: Piece) -> Piece:
    if _SENTINEL not in piece.data:
        return piece
    return dataclasses.replace(piece, data=piece.data.replace(f'"{_SENTINEL}"', "null"), tokens=0)


async def null_content(call: Call) -> None:
    """An answer whose text is null."""
    _say(call, [_SENTINEL])
    if call.streams:
        await call.send_stream([_nulled(piece) for piece in call.pieces()])
    else:
        await call.send_plain(json.loads(dumps(call.body()).replace(f'"{_SENTINEL}"', "null")))


def _hollow(call: Call) -> list[Piece]:
    """The events of a stream that belong to no choice, block, item or candidate."""
    pieces, last = call.pieces(), call.pieces()[-1]
    if call.ask.wire == "anthropic":
        return [piece for piece in pieces if piece.event.startswith("message_")]
    if call.ask.wire == "responses":
        payload: Json = last.payload or {}
        empty = {**payload, "response": {**payload["response"], "output": []}}
        return [*pieces[:2], last.changed(empty, last.usage)]
    if call.ask.wire == "gemini":
        return [last.changed({**(last.payload or {}), "candidates": []}, last.usage)]
    return pieces[-2:]


async def no_choices(call: Call) -> None:
    """An answer with nothing in it: no choice, block, item or candidate."""
    if call.streams:
        await call.send_stream(_hollow(call))
    else:
        await call.send_plain({**call.body(), call.wire.outputs: []})


async def big_answer(call: Call) -> None:
    """A good answer of `size` MB (10 unless told); in a stream one event has it all."""
    megabytes = call.ask.script.size or 10
    text, tokens, after = "long " * int(megabytes * 200_000), list(call.answer.tokens), call.ask.script.after
    _say(call, [*tokens[:after], text, *tokens[after:]] if call.streams else [text])
    await call.send_answer()


FAULTS: dict[str, Fault] = {
    "error-in-200": error_in_200,
    "html-200": _body(_HTML, "text/html"),
    "html-as-json": _body(_HTML),
    "truncated-json": truncated_json,
    "invalid-json": _body(b'{"choices": [oops]}'),
    "invalid-utf8": _body(_odd_bytes),
    "empty-body": _body(b""),
    "empty-stream": _body(b"", "text/event-stream"),
    "empty-object": _body(b"{}"),
    "json-array": _body(b"[1,2,3]"),
    "json-null": _body(b"null"),
    "deep-json": _body(_deep),
    "plain-for-stream": plain_for_stream,
    "stream-for-plain": stream_for_plain,
    "null-content": null_content,
    "no-choices": no_choices,
    "big-answer": big_answer,
}
