"""Answers of status 200 that are no answer."""

from faultmock import wires
from faultmock.call import Call
from faultmock.faults.shape import Fault, after_tokens

_HTML = b"<!doctype html><html><body>Please log in</body></html>"


def _body(data: bytes, content_type: str = "application/json") -> Fault:
    async def fault(call: Call) -> None:
        """200 with a body that is none."""
        await call.send_body(data, content_type=content_type)

    return fault


async def error_in_200(call: Call) -> None:
    """200 with an error object as its JSON body, streamed or not."""
    await call.send_json(wires.error_body(call.ask.wire, 500, "The server had an error"))


async def truncated_json(call: Call) -> None:
    """200 with the right length of a JSON body that stops in the middle."""
    body = wires.dumps(wires.body(call.answer)).encode()
    await call.send_body(body[: len(body) // 2])


async def plain_for_stream(call: Call) -> None:
    """A plain JSON answer although a stream was asked for."""
    await call.send_plain()


async def stream_for_plain(call: Call) -> None:
    """A stream although a plain answer was asked for."""
    await call.send_stream(wires.pieces(call.answer))


async def null_content(call: Call) -> None:
    """An answer whose text is null."""
    if call.ask.stream:
        chunk = wires.openai_chunk(call.answer, {"role": "assistant", "content": None})
        await call.send_stream([wires.Piece("token", wires.dumps(chunk)), *wires.pieces(call.answer)[-3:]])
        return
    body = wires.body(call.answer)
    body["choices"][0]["message"]["content"] = None
    await call.send_plain(body)


async def no_choices(call: Call) -> None:
    """An answer with no choice in it."""
    if call.ask.stream:
        await call.send_stream(wires.pieces(call.answer)[-2:])
    else:
        await call.send_plain({**wires.body(call.answer), "choices": []})


async def big_answer(call: Call) -> None:
    """A good answer of `size` MB (10 unless told); in a stream one event has it all."""
    megabytes = call.ask.script.size or 10
    text = "long " * int(megabytes * 200_000)
    if call.ask.stream:
        big = wires.Piece("token", wires.dumps(wires.openai_chunk(call.answer, {"content": text})), tokens=1)
        await call.send_stream(after_tokens(call, wires.pieces(call.answer), big))
        return
    body = wires.body(call.answer)
    body["choices"][0]["message"]["content"] = text
    await call.send_plain(body)


FAULTS: dict[str, Fault] = {
    "error-in-200": error_in_200,
    "html-200": _body(_HTML, "text/html"),
    "html-as-json": _body(_HTML),
    "truncated-json": truncated_json,
    "invalid-json": _body(b'{"choices": [oops]}'),
    "invalid-utf8": _body(b'{"choices":[{"message":{"content":"\xff\xfe\xc3"}}]}'),
    "empty-body": _body(b""),
    "empty-stream": _body(b"", "text/event-stream"),
    "empty-object": _body(b"{}"),
    "json-array": _body(b"[1,2,3]"),
    "json-null": _body(b"null"),
    "deep-json": _body(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "plain-for-stream": plain_for_stream,
    "stream-for-plain": stream_for_plain,
    "null-content": null_content,
    "no-choices": no_choices,
    "big-answer": big_answer,
}
