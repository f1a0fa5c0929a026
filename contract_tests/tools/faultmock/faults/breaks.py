"""Connections that break, hang or crawl."""

from faultmock.call import Call, head
from faultmock.faults.shape import Fault, send_part

_HEAD = [("content-type", "application/json"), ("content-length", "500")]
_DRIP_MS = 1000


async def black_hole(call: Call) -> None:
    """Never answer."""
    await call.connection.wait_until_gone()


async def reset_on_request(call: Call) -> None:
    """RST instead of an answer."""
    call.connection.reset()


async def close_on_request(call: Call) -> None:
    """FIN instead of an answer."""
    call.connection.close()


async def reset_in_head(call: Call) -> None:
    """RST in the middle of the head."""
    await call.connection.send(head(200, _HEAD)[:30])
    await call.connection.sleep(20)
    call.connection.reset()


async def close_in_head(call: Call) -> None:
    """FIN in the middle of the head."""
    await call.connection.send(head(200, _HEAD)[:30])
    call.connection.close()


async def _send_only_head(call: Call) -> None:
    if call.streams:
        await call.start_stream()
    else:
        await call.send_head(200, _HEAD)


async def reset_after_head(call: Call) -> None:
    """RST after a good head."""
    await _send_only_head(call)
    await call.connection.sleep(20)
    call.connection.reset()


async def close_after_head(call: Call) -> None:
    """FIN after a good head."""
    await _send_only_head(call)
    call.connection.close()


async def reset_mid(call: Call) -> None:
    """RST after `after` tokens, or in half of the body."""
    await send_part(call)
    await call.connection.sleep(20)
    call.connection.reset()


async def close_mid(call: Call) -> None:
    """FIN after `after` tokens, or in half of the body."""
    await send_part(call)
    call.connection.close()


async def reset_before_end(call: Call) -> None:
    """RST when only the last HTTP chunk, or the last byte, is missing."""
    if call.streams:
        await call.start_stream()
        for piece in call.pieces():
            await call.send_piece(piece)
    else:
        body = call.plain()[0]
        await call.send_head(200, [("content-length", str(len(body)))])
        await call.connection.send(body[:-1])
        call.tokens_sent = call.answer.completion_tokens
    await call.connection.sleep(20)
    call.connection.reset()


async def reset_after_end(call: Call) -> None:
    """A good answer, then RST."""
    await call.send_answer()
    await call.connection.sleep(20)
    call.connection.reset()


async def close_after_end(call: Call) -> None:
    """A good answer, then FIN although the connection was to be kept."""
    await call.send_answer()
    call.connection.close_after_answer()


async def stall(call: Call) -> None:
    """Silence after `after` tokens, or in half of the body."""
    await send_part(call)
    await call.connection.wait_until_gone()


async def stall_after_head(call: Call) -> None:
    """Silence after a good head."""
    await _send_only_head(call)
    await call.connection.wait_until_gone()


async def stall_after_finish(call: Call) -> None:
    """Silence after the finishing event; a plain call stalls before its last byte."""
    if not call.streams:
        body = call.plain()[0]
        await call.send_head(200, [("content-length", str(len(body)))])
        await call.connection.send(body[:-1])
        call.tokens_sent = call.answer.completion_tokens
        await call.connection.wait_until_gone()
    await call.start_stream()
    for piece in call.pieces():
        await call.send_piece(piece)
        if piece.role == "finish":
            break
    await call.connection.wait_until_gone()


async def drip(call: Call) -> None:
    """One byte each `delay_ms` (1 s unless told)."""
    delay_ms = call.ask.script.delay_ms or _DRIP_MS
    body, kind = call.plain()
    if call.streams:
        body, kind = b"".join(map(call.framed, call.pieces())) + call.closing, call.stream_type
    await call.send_head(200, [("content-type", kind), ("content-length", str(len(body)))])
    for i in range(len(body)):
        await call.connection.send(body[i : i + 1])
        await call.connection.sleep(delay_ms)
    call.tokens_sent = call.answer.completion_tokens


async def endless(call: Call) -> None:
    """Tokens, or spaces before the JSON, without end (bounded at 100,000)."""
    delay_ms = call.ask.script.delay_ms or 1
    await call.start_stream()
    if not call.streams:
        await _spaces_without_end(call, delay_ms)
    pieces = call.pieces()
    tokens = [piece for piece in pieces if piece.role == "token"] or pieces
    for i in range(100_000):
        await call.connection.sleep(delay_ms)
        call.serve(tokens[i % len(tokens)])
        await call.chunk(call.framed(tokens[i % len(tokens)]))


async def _spaces_without_end(call: Call, delay_ms: float) -> None:
    for _ in range(100_000):
        await call.connection.sleep(delay_ms)
        await call.chunk(b" " * 4096)


FAULTS: dict[str, Fault] = {
    "black-hole": black_hole,
    "reset-on-request": reset_on_request,
    "close-on-request": close_on_request,
    "reset-in-head": reset_in_head,
    "close-in-head": close_in_head,
    "reset-after-head": reset_after_head,
    "close-after-head": close_after_head,
    "reset-mid": reset_mid,
    "close-mid": close_mid,
    "reset-before-end": reset_before_end,
    "reset-after-end": reset_after_end,
    "close-after-end": close_after_end,
    "stall": stall,
    "stall-after-head": stall_after_head,
    "stall-after-finish": stall_after_finish,
    "drip": drip,
    "endless": endless,
}
