"""Usage that is missing, wrong, or in an odd place."""

from collections.abc import Callable
from typing import Any

from faultmock import wires
from faultmock.call import Call
from faultmock.faults.shape import Fault, edited_stream, without_roles
from faultmock.wires import Json, Piece, dumps, openai_usage, openai_usage_piece


def _stated(change: Callable[[Json], Any]) -> Fault:
    """A fault that states another usage than the true one, in a body and in a stream."""

    async def fault(call: Call) -> None:
        """A usage that is not as it should be."""
        usage = change(openai_usage(call.ask.prompt_tokens, call.answer.completion_tokens))
        if not call.ask.stream:
            await call.send_plain({**wires.body(call.answer), "usage": usage})
            return
        pieces = wires.pieces(call.answer)
        await call.send_stream(
            [*without_roles(pieces, "usage", "done"), openai_usage_piece(call.answer, usage), pieces[-1]]
        )

    return fault


async def absent(call: Call) -> None:
    """No usage anywhere."""
    if call.ask.stream:
        await call.send_stream(without_roles(wires.pieces(call.answer), "usage"))
        return
    body = wires.body(call.answer)
    del body["usage"]
    await call.send_plain(body)


def _running(call: Call, pieces: list[Piece], counts: Callable[[int, int], int]) -> list[Piece]:
    """Each token's chunk states a usage; the true one is stated last."""
    sent, total = 0, call.answer.completion_tokens
    out: list[Piece] = []
    for piece in pieces:
        sent += piece.tokens
        usage = openai_usage(call.ask.prompt_tokens, counts(sent, total))
        out.append(_with_usage(call, sent - 1, usage) if piece.role == "token" else piece)
    return out


def _with_usage(call: Call, at: int, usage: Json) -> Piece:
    chunk = wires.openai_chunk(call.answer, {"content": call.answer.tokens[at]})
    return Piece("token", dumps({**chunk, "usage": usage}), tokens=1, usage=usage)


def _cumulative(call: Call, pieces: list[Piece]) -> list[Piece]:
    return _running(call, pieces, lambda sent, total: sent)


def _cumulative_only(call: Call, pieces: list[Piece]) -> list[Piece]:
    return without_roles(_cumulative(call, pieces), "usage")


def _decreasing(call: Call, pieces: list[Piece]) -> list[Piece]:
    return _running(call, pieces, lambda sent, total: total - sent + 1)


def _final(call: Call) -> Piece:
    usage = openai_usage(call.ask.prompt_tokens, call.answer.completion_tokens)
    return openai_usage_piece(call.answer, usage)


def _duplicated(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*without_roles(pieces, "usage", "done"), _final(call), _final(call), pieces[-1]]


def _after_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*without_roles(pieces, "usage"), _final(call)]


def _first(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [_final(call), *without_roles(pieces, "usage")]


def _in_finish(call: Call, pieces: list[Piece]) -> list[Piece]:
    usage = openai_usage(call.ask.prompt_tokens, call.answer.completion_tokens)
    chunk = {**wires.openai_chunk(call.answer, {}, "stop"), "usage": usage}
    return [*without_roles(pieces, "finish", "usage", "done"), Piece("finish", dumps(chunk), usage=usage), pieces[-1]]


def _cached(usage: Json) -> Json:
    cached = usage["prompt_tokens"] // 2
    return {**usage, "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0}}


FAULTS: dict[str, Fault] = {
    "usage-absent": absent,
    "usage-null": _stated(lambda usage: None),
    "usage-zero": _stated(lambda usage: openai_usage(0, 0)),
    "usage-negative": _stated(lambda usage: openai_usage(-5, -7)),
    "usage-huge": _stated(lambda usage: openai_usage(10**15, 10**15)),
    "usage-bigint": _stated(lambda usage: openai_usage(2**70, 2**70)),
    "usage-strings": _stated(lambda usage: {name: str(value) for name, value in usage.items()}),
    "usage-floats": _stated(lambda usage: {name: float(value) for name, value in usage.items()}),
    "usage-list": _stated(lambda usage: [1, 2, 3]),
    "usage-total-only": _stated(lambda usage: {"total_tokens": usage["total_tokens"]}),
    "usage-no-total": _stated(lambda usage: {k: v for k, v in usage.items() if k != "total_tokens"}),
    "usage-cached": _stated(_cached),
    "usage-duplicated": edited_stream(_duplicated, "The final usage twice."),
    "usage-cumulative": edited_stream(_cumulative, "A running usage in each chunk, and the final one."),
    "usage-cumulative-only": edited_stream(_cumulative_only, "A running usage in each chunk and no final one."),
    "usage-decreasing": edited_stream(_decreasing, "Usages that fall from chunk to chunk, and the final one."),
    "usage-after-done": edited_stream(_after_done, "The usage after `[DONE]`."),
    "usage-first": edited_stream(_first, "The usage before the first token."),
    "usage-in-finish": edited_stream(_in_finish, "The usage in the finishing chunk, as some providers do."),
}
