"""Streams and bodies whose content is unusual; most of them are legal."""

import dataclasses
from typing import Any

from faultmock.answering import Answer, ToolUse, billed
from faultmock.call import Call
from faultmock.faults.shape import Fault, before_role, edited_stream, without_roles
from faultmock.pieces import Json, Piece, json_piece

_WEATHER = ToolUse("1", "get_weather", '{"city":"Paris"}')


def other_answer(description: str, **changes: Any) -> Fault:
    """A fault that answers properly, but something else."""

    async def fault(call: Call) -> None:
        changed: Answer = dataclasses.replace(call.answer, **changes)
        call.answer = dataclasses.replace(changed, usage=billed(changed))
        await call.send_answer()

    fault.__doc__ = description
    return fault


def _two_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*pieces, pieces[-1]]


def _no_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return without_roles(pieces, "done")


def _no_finish_no_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return without_roles(pieces, "finish", "usage", "done")


def _done_only(call: Call, pieces: list[Piece]) -> list[Piece]:
    return pieces[-1:]


def _late(call: Call) -> Piece:
    assert call.wire.token_piece is not None
    return call.wire.token_piece(call.answer, " late")


def _after_finish(call: Call, pieces: list[Piece]) -> list[Piece]:
    return before_role(pieces, "done", _late(call))


def _after_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*pieces, _late(call)]


def _empty_choices(call: Call, pieces: list[Piece]) -> list[Piece]:
    empty = {**(pieces[0].payload or {}), call.wire.outputs: [], "prompt_filter_results": []}
    return [json_piece("start", empty), *pieces]


def _strange(value: Any) -> Any:
    """The value with a field that nobody knows in each of its objects."""
    if isinstance(value, list):
        return [_strange(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {**{name: _strange(one) for name, one in value.items()}, "new_field": {"a": [1]}}


def _unknown_fields(call: Call, pieces: list[Piece]) -> list[Piece]:
    assert call.wire.token_piece is not None
    empty = call.wire.token_piece(call.answer, "")
    payload: Json = {**_strange(empty.payload), "service_tier": None}
    return before_role(pieces, "token", dataclasses.replace(empty.changed(payload), tokens=0))


_THOUGHTS = ("hmm", " hmm", " hmm", " hmm")

FAULTS: dict[str, Fault] = {
    "tool-calls": other_answer("A tool call instead of text.", tokens=(), calls=(_WEATHER,), finish="tool_calls"),
    "reasoning": other_answer("Four tokens of reasoning before the text.", thoughts=_THOUGHTS),
    "refusal": other_answer("The model refuses.", tokens=("No.",), finish="refusal"),
    "no-finish": other_answer("No finish reason; in a stream the end comes all the same.", finish=None),
    "two-done": edited_stream(_two_done, "The terminator, `[DONE]` or the last event, twice."),
    "no-done": edited_stream(_no_done, "No terminator; the finish reason came."),
    "no-finish-no-done": edited_stream(_no_finish_no_done, "A proper end of HTTP without any end of the answer."),
    "done-only": edited_stream(_done_only, "The terminator and nothing else."),
    "content-after-finish": edited_stream(_after_finish, "Text after the finish reason."),
    "content-after-done": edited_stream(_after_done, "Text after the terminator."),
    "empty-choices": edited_stream(_empty_choices, "A first chunk without choices, as Azure sends."),
    "unknown-fields": edited_stream(_unknown_fields, "Fields that nobody knows."),
    "unknown-finish": other_answer("A finish reason that nobody knows.", finish="eos"),
}
