"""Usage that is missing, wrong, or in an odd place."""

import dataclasses
from collections.abc import Callable
from typing import Any

from faultmock.answering import NO_USAGE, Usage
from faultmock.call import Call
from faultmock.faults.shape import Fault, edited_stream, without_roles
from faultmock.pieces import Json, Piece

_BY_ITSELF = ("openai", "completions")  # their streams state the usage in a chunk of its own, if asked to


def _true(call: Call) -> Json:
    assert call.wire.usage is not None
    return call.wire.usage(call.answer.usage)


def _of(call: Call, told: Usage) -> Json:
    assert call.wire.usage is not None
    return call.wire.usage(told)


def _by_itself(call: Call, stated: Json) -> Piece:
    assert call.wire.usage_piece is not None
    return call.wire.usage_piece(call.answer, stated)


def _stated(change: Callable[[Call], Any]) -> Fault:
    """A fault that states another usage than the true one, in a body and in a stream, asked for or not."""

    async def fault(call: Call) -> None:
        """A usage that is not as it should be."""
        ask = dataclasses.replace(call.answer.ask, include_usage=True)
        call.answer = dataclasses.replace(call.answer, ask=ask, stated=change(call))
        await call.send_answer()

    return fault


async def absent(call: Call) -> None:
    """No usage anywhere."""
    call.answer = dataclasses.replace(call.answer, stated=NO_USAGE)
    await call.send_answer()


def _leaves(value: Any, change: Callable[[int], Any]) -> Any:
    """The value with each of its numbers changed."""
    if isinstance(value, dict):
        return {name: _leaves(one, change) for name, one in value.items()}
    if isinstance(value, list):
        return [_leaves(one, change) for one in value]
    return change(value) if isinstance(value, int) else value


def _totals(usage: Json, *, kept: bool) -> Json:
    return {name: count for name, count in usage.items() if ("total" in name) == kept}


def _cached(call: Call) -> Json:
    return _of(call, dataclasses.replace(call.answer.usage, cached=call.answer.usage.prompt // 2))


def _holder(payload: Json) -> str:
    """The key under which an event has what the usage stands in."""
    return next((name for name in ("message", "response") if name in payload), "")


def _with(call: Call, piece: Piece, stated: Json) -> Piece:
    """The event with a usage in it."""
    payload = piece.payload or {}
    key, holder = call.wire.usage_key, _holder(payload)
    inner = {holder: {**payload[holder], key: stated}} if holder else {key: stated}
    return piece.changed({**payload, **inner}, stated)


def _without(call: Call, piece: Piece) -> Piece:
    """The event without the usage in it; those that open the stream keep theirs."""
    if piece.payload is None or piece.role == "start":
        return piece
    payload, holder = piece.payload, _holder(piece.payload)
    inner = {name: one for name, one in (payload[holder] if holder else payload).items() if name != call.wire.usage_key}
    return piece.changed({**payload, holder: inner} if holder else inner)


def _silent(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [_without(call, piece) for piece in without_roles(pieces, "usage")]


def _running(call: Call, pieces: list[Piece], counts: Callable[[int, int], int]) -> list[Piece]:
    """A usage with each token; the true one is stated last."""
    sent, total, out = 0, call.answer.completion_tokens, list[Piece]()
    for piece in pieces:
        if piece.role != "token":
            out.append(piece)
            continue
        sent += piece.tokens
        stated = _of(call, dataclasses.replace(call.answer.usage, completion=counts(sent, total), reasoning=0))
        if call.ask.wire == "anthropic":
            out += [piece, dataclasses.replace(_by_itself(call, stated), role="token")]
        else:
            out.append(_with(call, piece, stated))
    return out


def _cumulative(call: Call, pieces: list[Piece]) -> list[Piece]:
    return _running(call, pieces, lambda sent, total: sent)


def _cumulative_only(call: Call, pieces: list[Piece]) -> list[Piece]:
    told = without_roles(_cumulative(call, pieces), "usage")
    return [_without(call, piece) if piece.role == "finish" else piece for piece in told]


def _decreasing(call: Call, pieces: list[Piece]) -> list[Piece]:
    return _running(call, pieces, lambda sent, total: total - sent + 1)


def _duplicated(call: Call, pieces: list[Piece]) -> list[Piece]:
    final = _by_itself(call, _true(call))
    again = [final, final] if call.ask.wire in _BY_ITSELF else [final]
    return [*without_roles(pieces, "usage", "done"), *again, *(piece for piece in pieces if piece.role == "done")]


def _after_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*_silent(call, pieces), _by_itself(call, _true(call))]


def _first(call: Call, pieces: list[Piece]) -> list[Piece]:
    silent = _silent(call, pieces)
    if call.ask.wire in _BY_ITSELF:
        return [_by_itself(call, _true(call)), *silent]
    return [_with(call, silent[0], _true(call)), *silent[1:]]


def _in_finish(call: Call, pieces: list[Piece]) -> list[Piece]:
    stated = without_roles(pieces, "usage")
    return [_with(call, piece, _true(call)) if piece.role == "finish" else piece for piece in stated]


FAULTS: dict[str, Fault] = {
    "usage-absent": absent,
    "usage-null": _stated(lambda call: None),
    "usage-zero": _stated(lambda call: _of(call, Usage(0, 0))),
    "usage-negative": _stated(lambda call: _of(call, Usage(-5, -7))),
    "usage-huge": _stated(lambda call: _of(call, Usage(10**15, 10**15))),
    "usage-bigint": _stated(lambda call: _of(call, Usage(2**70, 2**70))),
    "usage-strings": _stated(lambda call: _leaves(_true(call), str)),
    "usage-floats": _stated(lambda call: _leaves(_true(call), float)),
    "usage-list": _stated(lambda call: [1, 2, 3]),
    "usage-total-only": _stated(lambda call: _totals(_true(call), kept=True)),
    "usage-no-total": _stated(lambda call: _totals(_true(call), kept=False)),
    "usage-cached": _stated(_cached),
    "usage-duplicated": edited_stream(_duplicated, "The final usage twice."),
    "usage-cumulative": edited_stream(_cumulative, "A running usage in each chunk, and the final one."),
    "usage-cumulative-only": edited_stream(_cumulative_only, "A running usage in each chunk and no final one."),
    "usage-decreasing": edited_stream(_decreasing, "Usages that fall from chunk to chunk, and the final one."),
    "usage-after-done": edited_stream(_after_done, "The usage after the end of the answer."),
    "usage-first": edited_stream(_first, "The usage before the first token."),
    "usage-in-finish": edited_stream(_in_finish, "The usage in the finishing chunk, as some providers do."),
}
