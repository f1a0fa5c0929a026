"""Streams and bodies whose content is unusual; most of them are legal."""

from faultmock import wires
from faultmock.call import Call
from faultmock.faults.shape import Fault, before_role, edited_stream, without_roles
from faultmock.wires import Json, Piece

_TOOL = {"name": "get_weather", "arguments": '{"city":"Paris"}'}


def _chunk(call: Call, delta: Json, finish: str | None = None, tokens: int = 0) -> Piece:
    return Piece("token", wires.dumps(wires.openai_chunk(call.answer, delta, finish)), tokens=tokens)


async def tool_calls(call: Call) -> None:
    """A tool call instead of text."""
    entry = {"id": "call_1", "type": "function", "function": _TOOL}
    if call.ask.stream:
        await call.send_stream(_tool_pieces(call))
        return
    body = wires.body(call.answer)
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [entry]}
    body["choices"][0]["finish_reason"] = "tool_calls"
    await call.send_plain(body)


def _tool_pieces(call: Call) -> list[Piece]:
    pieces = wires.pieces(call.answer)
    opening = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    halves = [{"index": 0, "function": {"arguments": part}} for part in ('{"city":', '"Paris"}')]
    deltas = [_chunk(call, {"tool_calls": [entry]}, tokens=1) for entry in (opening, *halves)]
    finish = _chunk(call, {}, "tool_calls")
    return [pieces[0], *deltas, finish, *(p for p in pieces if p.role in ("usage", "done"))]


async def reasoning(call: Call) -> None:
    """Reasoning content before the text; 4 of the completion tokens are reasoning."""
    details = {"completion_tokens_details": {"reasoning_tokens": 4}}
    usage = {**wires.openai_usage(call.ask.prompt_tokens, call.answer.completion_tokens), **details}
    if call.ask.stream:
        thoughts = [_chunk(call, {"reasoning_content": "hmm "}) for _ in range(4)]
        pieces = before_role(wires.pieces(call.answer), "token", *thoughts)
        ends = [wires.openai_usage_piece(call.answer, usage), Piece("done", "[DONE]")]
        await call.send_stream([*without_roles(pieces, "usage", "done"), *ends])
        return
    body = {**wires.body(call.answer), "usage": usage}
    body["choices"][0]["message"]["reasoning_content"] = "hmm hmm hmm hmm"
    await call.send_plain(body)


async def refusal(call: Call) -> None:
    """The model refuses: `refusal` instead of `content`."""
    if call.ask.stream:
        pieces = without_roles(wires.pieces(call.answer), "token")
        await call.send_stream(before_role(pieces, "finish", _chunk(call, {"refusal": "No."}, tokens=1)))
        return
    body = wires.body(call.answer)
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "No."}
    await call.send_plain(body)


async def no_finish(call: Call) -> None:
    """No finish reason; in a stream `[DONE]` comes all the same."""
    if call.ask.stream:
        await call.send_stream(without_roles(wires.pieces(call.answer), "finish"))
        return
    body = wires.body(call.answer)
    body["choices"][0]["finish_reason"] = None
    await call.send_plain(body)


def _two_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*pieces, pieces[-1]]


def _no_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return without_roles(pieces, "done")


def _no_finish_no_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return without_roles(pieces, "finish", "usage", "done")


def _done_only(call: Call, pieces: list[Piece]) -> list[Piece]:
    return pieces[-1:]


def _after_finish(call: Call, pieces: list[Piece]) -> list[Piece]:
    return before_role(pieces, "done", _chunk(call, {"content": " late"}, tokens=1))


def _after_done(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*pieces, _chunk(call, {"content": " late"}, tokens=1)]


def _empty_choices(call: Call, pieces: list[Piece]) -> list[Piece]:
    empty = {**wires.openai_chunk(call.answer, {}), "choices": [], "prompt_filter_results": []}
    return [Piece("start", wires.dumps(empty)), *pieces]


def _unknown_fields(call: Call, pieces: list[Piece]) -> list[Piece]:
    odd = {**wires.openai_chunk(call.answer, {"content": "", "new_field": {"a": [1]}}), "service_tier": None}
    return before_role(pieces, "token", Piece("token", wires.dumps(odd)))


def _unknown_finish(call: Call, pieces: list[Piece]) -> list[Piece]:
    return [*without_roles(pieces, "finish", "usage", "done"), _chunk(call, {}, "eos"), *_ends(pieces)]


def _ends(pieces: list[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.role in ("usage", "done")]


FAULTS: dict[str, Fault] = {
    "tool-calls": tool_calls,
    "reasoning": reasoning,
    "refusal": refusal,
    "no-finish": no_finish,
    "two-done": edited_stream(_two_done, "`[DONE]` twice."),
    "no-done": edited_stream(_no_done, "No `[DONE]`; the finish reason came."),
    "no-finish-no-done": edited_stream(_no_finish_no_done, "A proper end of HTTP without any end of the answer."),
    "done-only": edited_stream(_done_only, "`[DONE]` and nothing else."),
    "content-after-finish": edited_stream(_after_finish, "Text after the finish reason."),
    "content-after-done": edited_stream(_after_done, "Text after `[DONE]`."),
    "empty-choices": edited_stream(_empty_choices, "A first chunk without choices, as Azure sends."),
    "unknown-fields": edited_stream(_unknown_fields, "Fields that nobody knows."),
    "unknown-finish": edited_stream(_unknown_finish, "A finish reason that nobody knows."),
}
