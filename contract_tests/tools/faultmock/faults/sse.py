"""Streams whose bytes are odd: all of these carry a good answer, or say clearly that they do not."""

import dataclasses

from faultmock.call import Call
from faultmock.faults.shape import Fault, after_tokens, edited_stream, without_roles
from faultmock.pieces import Piece, raw_piece
from faultmock.text import accented_tokens


def _accented(call: Call) -> bytes:
    call.answer = dataclasses.replace(call.answer, tokens=accented_tokens(len(call.answer.tokens)))
    return call.framed_whole(call.pieces())


async def _send_bytes(call: Call, data: bytes, size: int) -> None:
    await call.start_stream()
    for at in range(0, len(data), size):
        await call.chunk(data[at : at + size])
    await call.end_stream()


async def split_utf8(call: Call) -> None:
    """Text of many bytes a character, one byte in each HTTP chunk."""
    if call.streams:
        await _send_bytes(call, _accented(call), 1)
    else:
        await call.send_plain()


async def one_write(call: Call) -> None:
    """The whole stream in one HTTP chunk."""
    if not call.streams:
        await call.send_plain()
        return
    data = _accented(call)
    await _send_bytes(call, data, len(data))


async def byte_order_mark(call: Call) -> None:
    """A UTF-8 byte order mark before the first event."""
    if not call.streams:
        await call.send_plain()
        return
    data = b"\xef\xbb\xbf" + _accented(call)
    await _send_bytes(call, data, 64)


def _newlines(newline: str) -> Fault:
    async def fault(call: Call) -> None:
        """Lines that end in another way than LF."""
        if call.streams:
            await call.send_stream(call.pieces(), newline)
        else:
            await call.send_plain()

    return fault


async def mixed_newlines(call: Call) -> None:
    """LF, CRLF and CR in turn, CRLF pairs split between HTTP chunks."""
    if not call.streams:
        await call.send_plain()
        return
    data = b""
    for i, piece in enumerate(call.pieces()):
        call.serve(piece)
        data += piece.sse(("\n", "\r\n", "\r")[i % 3])
    await _send_bytes(call, data, 7)


def _named(piece: Piece) -> str:
    return f"event: {piece.event}\n" if piece.event else ""


def _comments(call: Call, pieces: list[Piece]) -> list[Piece]:
    comment = raw_piece("comment", ": keep-alive\n\n")
    return [part for piece in pieces for part in (comment, piece)]


def _fields(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [piece.as_is(f"id: 7\nretry: 100\nevent: {piece.event or 'x'}\ndata:{piece.data}\n\n") for piece in pieces]


def _many_lines(call: Call, pieces: list[Piece]) -> list[Piece]:
    split = [(piece, piece.data.replace(',"', '\ndata: ,"', 1)) for piece in pieces]
    return [piece.as_is(f"{_named(piece)}data: {data}\n\n") for piece, data in split]


def _long_line(call: Call, pieces: list[Piece]) -> list[Piece]:
    assert call.wire.filler is not None
    size = int((call.ask.script.size or 10) * 1e6)
    return after_tokens(call, pieces, call.wire.filler("x" * size))


def _long_comment(call: Call, pieces: list[Piece]) -> list[Piece]:
    size = int((call.ask.script.size or 10) * 1e6)
    return after_tokens(call, pieces, raw_piece("comment", f": {'x' * size}\n\n"))


def _unended(call: Call, pieces: list[Piece]) -> list[Piece]:
    last = pieces[-1]
    return [*pieces[:-1], last.as_is(f"{_named(last)}data: {last.data}")]


def _invalid_event(call: Call, pieces: list[Piece]) -> list[Piece]:
    names = [piece.event for piece in pieces if piece.role == "token"]
    return after_tokens(call, pieces, Piece("token", '{"choices": [oops', names[0] if names else ""))


def _html_mid(call: Call, pieces: list[Piece]) -> list[Piece]:
    html = raw_piece("token", "<html><body>504 Gateway Time-out</body></html>\n\n")
    return without_roles(after_tokens(call, pieces, html), "finish", "usage", "done")


def error_data(
    call: Call, status: int = 500, message: str = "The server had an error", code: str | None = None
) -> Piece:
    """An error as an event of a stream."""
    assert call.wire.error_piece is not None
    return call.wire.error_piece(call.error_body(status, message, code))


def cut(call: Call, pieces: list[Piece]) -> list[Piece]:
    """The beginning of a stream, up to the script's number of tokens."""
    tokens = [i for i, piece in enumerate(pieces) if piece.role == "token"][: call.ask.script.after]
    return pieces[: tokens[-1] + 1 if tokens else 1]


def _error_event(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*cut(call, pieces), error_data(call)]


def _error_then_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*_error_event(call, pieces), pieces[-1]]


def _error_first(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [error_data(call)]


FAULTS: dict[str, Fault] = {
    "split-utf8": split_utf8,
    "one-write": one_write,
    "bom": byte_order_mark,
    "crlf": _newlines("\r\n"),
    "cr-only": _newlines("\r"),
    "crlf-mixed": mixed_newlines,
    "comments": edited_stream(_comments, "A comment before each event."),
    "sse-fields": edited_stream(_fields, "`id`, `retry` and `event` fields, and no space after `data:`."),
    "many-data-lines": edited_stream(_many_lines, "Each event's JSON spread over two `data:` lines."),
    "long-line": edited_stream(_long_line, "A line of `size` MB (10 unless told)."),
    "long-comment": edited_stream(_long_comment, "A comment of `size` MB (10 unless told)."),
    "unended-done": edited_stream(_unended, "The last event without its empty line."),
    "invalid-event": edited_stream(_invalid_event, "An event of broken JSON after `after` tokens."),
    "html-mid": edited_stream(_html_mid, "HTML after `after` tokens, then the end."),
    "error-event": edited_stream(_error_event, "An error event after `after` tokens, then the end."),
    "error-then-done": edited_stream(_error_then_done, "An error event after `after` tokens, then the terminator."),
    "error-first": edited_stream(_error_first, "An error event instead of any token."),
}
