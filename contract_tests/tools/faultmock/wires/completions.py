"""OpenAI's legacy Completions (platform.openai.com/docs/api-reference/completions)."""

from typing import Any

from faultmock.answering import Answer, said_usage
from faultmock.asking import Asked, Target, Turn
from faultmock.pieces import Json, Piece, json_piece
from faultmock.wires import openai
from faultmock.wires.wire import Wire

_CREATED = 1_762_000_000


def texts_of(given: Any) -> list[str]:
    """A text or several; token ids count one word each."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise ValueError("the input is neither a text nor a list")
    if isinstance(given[0], int):
        return [" ".join(str(number) for number in given)]
    return [text for one in given for text in texts_of(one)]


def asked_texts(fields: Json, target: Target, name: str, **more: Any) -> Asked:
    """A request that is nothing but texts in one of its fields."""
    turns = [Turn("user", text) for text in texts_of(fields.get(name))]
    return Asked(body=fields, model=str(fields.get("model", target.model)), turns=turns, **more)


def _read(fields: Json, target: Target) -> Asked:
    return asked_texts(
        fields,
        target,
        "prompt",
        stream=bool(fields.get("stream")),
        include_usage=bool((fields.get("stream_options") or {}).get("include_usage")),
        max_tokens=fields.get("max_tokens"),
        choices=int(fields.get("n") or 1),
    )


def _frame(answer: Answer, choices: list[Json]) -> Json:
    frame = {"id": f"cmpl-{answer.ask.id}", "object": "text_completion", "created": _CREATED}
    return {**frame, "model": answer.ask.model, "choices": choices}


def _choices(answer: Answer, text: str, finish: str | None) -> list[Json]:
    return [{"text": text, "index": i, "logprobs": None, "finish_reason": finish} for i in range(answer.ask.choices)]


def _body(answer: Answer) -> Json:
    stated = said_usage(answer, "usage", openai.usage(answer.usage))
    return {**_frame(answer, _choices(answer, answer.text, answer.finish)), **stated}


def _pieces(answer: Answer) -> list[Piece]:
    pieces = [
        json_piece("token", _frame(answer, _choices(answer, token, None)), tokens=answer.ask.choices)
        for token in answer.tokens
    ]
    if answer.finish is not None:
        pieces.append(json_piece("finish", _frame(answer, _choices(answer, "", answer.finish))))
    if answer.ask.include_usage:
        pieces += [_usage_piece(answer, told) for told in said_usage(answer, "", openai.usage(answer.usage)).values()]
    return [*pieces, Piece("done", "[DONE]")]


def _usage_piece(answer: Answer, stated: Json) -> Piece:
    return json_piece("usage", {**_frame(answer, []), "usage": stated}, usage=stated)


def _token_piece(answer: Answer, text: str) -> Piece:
    return json_piece("token", _frame(answer, _choices(answer, text, None)), tokens=1)


def _filler(padding: str) -> Piece:
    return json_piece("token", {"choices": [], "padding": padding})


WIRE = Wire(
    name="completions",
    read=_read,
    body=_body,
    pieces=_pieces,
    usage=openai.usage,
    totals=openai.totals,
    error=openai.error,
    error_piece=openai.error_piece,
    token_piece=_token_piece,
    usage_piece=_usage_piece,
    filler=_filler,
    outputs="choices",
)
