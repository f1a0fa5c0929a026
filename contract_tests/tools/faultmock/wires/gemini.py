"""Google's generateContent and countTokens (ai.google.dev/api/generate-content, …/gemini-api/docs/thinking)."""

import json
from collections.abc import Sequence
from typing import Any

from faultmock.answering import Answer, ToolUse, Usage, said_usage
from faultmock.asking import Asked, Media, Target, Tool, Turn, media_by_url, media_in_base64, parts_of
from faultmock.pieces import Json, Piece, dumps, json_piece
from faultmock.wires.wire import Wire

_FINISHES = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TOO_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
_SAFETY = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}]
_EITHER_ALPHABET = str.maketrans("-_", "+/")  # Google takes both of base64's
_KINDS = ("image", "audio", "video")


def _got(fields: Json, name: str) -> Any:
    """A field by its JSON name or by its proto name, as the API takes both."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return fields.get(name, fields.get(snake))


def _media(part: Json) -> Media | None:
    found = _got(part, "inlineData") or _got(part, "fileData")
    if not found:
        return None
    mime = str(_got(found, "mimeType") or "")
    kind = mime.partition("/")[0] if mime.startswith(_KINDS) else "document"
    if "data" not in found:
        return media_by_url(kind, _got(found, "fileUri"))
    return media_in_base64(kind, mime, str(found["data"]).translate(_EITHER_ALPHABET))


def _result(part: Json) -> str | None:
    found = _got(part, "functionResponse")
    if found is None:
        return None
    said = found.get("response") or {}
    return next((str(said[name]) for name in ("output", "result", "error") if name in said), dumps(said))


def _turn(content: Json, role: str = "user") -> Turn:
    parts = list(parts_of(content.get("parts")))
    return Turn(
        str(content.get("role") or role),
        " ".join(str(part["text"]) for part in parts if part.get("text") and not part.get("thought")),
        tuple(found for part in parts if (found := _result(part)) is not None),
        tuple(media for part in parts if (media := _media(part))),
        tuple(found for part in parts if (found := _got(part, "thoughtSignature"))),
    )


def _tools(body: Json) -> list[Tool]:
    declared = [one for tool in body.get("tools") or () for one in _got(tool, "functionDeclarations") or ()]
    return [Tool(one["name"], _got(one, "parametersJsonSchema") or one.get("parameters") or {}) for one in declared]


def _format(config: Json) -> Json | None:
    wanted = _got(config, "responseJsonSchema") or _got(config, "responseSchema")
    return wanted or ({} if _got(config, "responseMimeType") == "application/json" else None)


def _read(body: Json, target: Target) -> Asked:
    if target.wire == "gemini-count":
        body = _got(body, "generateContentRequest") or body
    if not body.get("contents"):
        raise ValueError("GenerateContentRequest.contents: contents is not specified")
    config: Json = _got(body, "generationConfig") or {}
    thinking: Json = _got(config, "thinkingConfig") or {}
    calling = _got(_got(body, "toolConfig") or {}, "functionCallingConfig") or {}
    system = _got(body, "systemInstruction")
    return Asked(
        body=body,
        model=target.model,
        turns=[*([_turn(system, "system")] if system else []), *(_turn(content) for content in body["contents"])],
        stream=target.stream,
        array=target.array,
        max_tokens=_got(config, "maxOutputTokens"),
        choices=int(_got(config, "candidateCount") or 1),
        tools=_tools(body),
        tool_choice=next(iter(_got(calling, "allowedFunctionNames") or ()), ""),
        thinking=_thinks(thinking),
        format=_format(config),
    )


def _thinks(config: Json) -> bool:
    return bool(_got(config, "includeThoughts") or _got(config, "thinkingBudget") or _got(config, "thinkingLevel"))


def _usage(told: Usage) -> Json:
    """`candidatesTokenCount` leaves the thoughts out; the total has everything."""
    stated: Json = {"promptTokenCount": told.prompt, "candidatesTokenCount": told.completion - told.reasoning}
    stated |= {"totalTokenCount": told.total}
    stated |= {"thoughtsTokenCount": told.reasoning} if told.reasoning else {}
    stated |= {"cachedContentTokenCount": told.cached} if told.cached else {}
    return stated | {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": told.prompt}]}


def _totals(stated: Json) -> Usage:
    thoughts = stated.get("thoughtsTokenCount", 0)
    completion = stated.get("candidatesTokenCount", 0) + thoughts
    return Usage(stated["promptTokenCount"], completion, stated.get("cachedContentTokenCount", 0), reasoning=thoughts)


def _call(answer: Answer, at: int, use: ToolUse) -> Json:
    """Gemini 3 names its calls; a signature stands with the first."""
    call: Json = {"name": use.name, "args": json.loads(use.arguments)}
    call |= {"id": f"call_{use.id}"} if "gemini-3" in answer.ask.model else {}
    return {"functionCall": call, **(_signed(answer) if at == 0 else {})}


def _signed(answer: Answer) -> Json:
    return {"thoughtSignature": answer.signature} if answer.thoughts else {}


def _calls(answer: Answer) -> list[Json]:
    return [_call(answer, i, use) for i, use in enumerate(answer.calls)]


def _parts(answer: Answer) -> list[Json]:
    thoughts = [{"text": answer.thought, "thought": True}] if answer.thought else []
    signed = {} if answer.calls else _signed(answer)
    return [*thoughts, *([{"text": answer.text, **signed}] if answer.has_text else []), *_calls(answer)]


def _finish(answer: Answer) -> Json:
    if answer.finish is None:
        return {}
    reason = _FINISHES.get(answer.finish, answer.finish)
    return {"finishReason": reason, **({"safetyRatings": _SAFETY} if reason == "SAFETY" else {})}


def _frame(answer: Answer, parts: Sequence[Json], more: Json, stated: Json) -> Json:
    content = {**({"parts": parts} if parts else {}), "role": "model"}
    candidates = [{"content": content, **more, "index": i} for i in range(answer.ask.choices)]
    return {"candidates": candidates, **stated, "modelVersion": answer.ask.model, "responseId": f"r-{answer.ask.id}"}


def _body(answer: Answer) -> Json:
    return _frame(answer, _parts(answer), _finish(answer), said_usage(answer, "usageMetadata", _usage(answer.usage)))


def _stream_parts(answer: Answer) -> list[tuple[Json, int]]:
    """Each chunk's part with its tokens."""
    thoughts = [({"text": token, "thought": True}, 1) for token in answer.shown_thoughts]
    calls = [(part, use.tokens) for part, use in zip(_calls(answer), answer.calls, strict=True)]
    return [*thoughts, *(({"text": token}, 1) for token in answer.tokens), *calls]


def _pieces(answer: Answer) -> list[Piece]:
    """Every chunk states the usage so far."""
    pieces, sent, thought, total = [], 0, 0, answer.usage
    for part, tokens in _stream_parts(answer):
        sent += tokens * answer.ask.choices
        thought += answer.ask.choices if part.get("thought") else 0
        so_far = Usage(total.prompt, sent, total.cached, reasoning=thought)
        pieces.append(_chunk(answer, "token", [part], {}, so_far, tokens * answer.ask.choices))
    last = [] if answer.calls else [{"text": "", **_signed(answer)}]
    pieces.append(_chunk(answer, "finish", last, _finish(answer), total))
    return pieces


def _chunk(answer: Answer, role: str, parts: list[Json], more: Json, told: Usage, tokens: int = 0) -> Piece:
    stated = said_usage(answer, "usageMetadata", _usage(told))
    return json_piece(role, _frame(answer, parts, more, stated), tokens=tokens, usage=stated.get("usageMetadata"))


def _usage_piece(answer: Answer, stated: Json) -> Piece:
    frame = {"candidates": [], "usageMetadata": stated, "modelVersion": answer.ask.model}
    return json_piece("usage", frame, usage=stated)


def _token_piece(answer: Answer, text: str) -> Piece:
    return json_piece("token", _frame(answer, [{"text": text}], {}, {}), tokens=1)


def _error(status: int, message: str, code: str | None = None) -> Json:
    told = _TOO_LONG if code == "context_length_exceeded" else message
    return {"error": {"code": status, "message": told, "status": _STATUSES.get(status, "UNKNOWN")}}


def _error_piece(body: Json) -> Piece:
    return json_piece("error", body)


def _filler(padding: str) -> Piece:
    return json_piece("token", {"candidates": [], "padding": padding})


def _count(answer: Answer) -> Json:
    count = answer.ask.prompt_tokens
    return {"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]}


WIRE = Wire(
    name="gemini",
    read=_read,
    body=_body,
    pieces=_pieces,
    usage=_usage,
    totals=_totals,
    usage_key="usageMetadata",
    error=_error,
    error_piece=_error_piece,
    token_piece=_token_piece,
    usage_piece=_usage_piece,
    filler=_filler,
    outputs="candidates",
)
COUNT = Wire(name="gemini-count", read=_read, body=_count, error=_error)
