"""What faults are made of."""

from collections.abc import Awaitable, Callable

from faultmock.call import Call
from faultmock.pieces import Piece

Fault = Callable[[Call], Awaitable[None]]
Edit = Callable[[Call, list[Piece]], list[Piece]]


def edited_stream(edit: Edit, description: str) -> Fault:
    """A fault that changes the events of a stream; a plain call is answered well."""

    async def fault(call: Call) -> None:
        if call.streams:
            await call.send_stream(edit(call, call.pieces()))
        else:
            await call.send_answer()

    fault.__doc__ = description
    return fault


async def send_part(call: Call) -> None:
    """Send the head and `after` tokens of a stream, or half of a plain body."""
    if not call.streams:
        body, kind = call.plain()
        await call.send_head(200, [("content-type", kind), ("content-length", str(len(body)))])
        await call.connection.send(body[: len(body) // 2])
        call.tokens_sent = call.answer.completion_tokens
        return
    await call.start_stream()
    for piece in call.pieces():
        if piece.role != "start" and call.tokens_sent >= call.ask.script.after:
            return
        await call.send_piece(piece)


def before_role(pieces: list[Piece], role: str, *extra: Piece) -> list[Piece]:
    """The pieces with `extra` before the first of a role."""
    at = next((i for i, piece in enumerate(pieces) if piece.role == role), len(pieces))
    return [*pieces[:at], *extra, *pieces[at:]]


def after_tokens(call: Call, pieces: list[Piece], *extra: Piece) -> list[Piece]:
    """The pieces with `extra` after the script's number of tokens."""
    at = [i for i, piece in enumerate(pieces) if piece.role == "token"][: call.ask.script.after]
    cut = at[-1] + 1 if at else 0
    return [*pieces[:cut], *extra, *pieces[cut:]]


def without_roles(pieces: list[Piece], *roles: str) -> list[Piece]:
    """The pieces but those of these roles."""
    return [piece for piece in pieces if piece.role not in roles]
