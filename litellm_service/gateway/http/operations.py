"""The routes beside chat whose bodies are JSON: read as far as we must, passed on as they came.

Sources: https://platform.openai.com/docs/api-reference/embeddings, …/completions, …/images, …/audio, …/moderations;
https://docs.cohere.com/reference/rerank; https://docs.claude.com/en/api/messages-count-tokens.
"""

from collections.abc import Callable

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest
from gateway.http import anthropic
from gateway.http.body import decode
from gateway.http.openai import MAX_CHOICES, checked_model, checked_name, header_text, stated_limit

MAX_SHOWN = 10_000
MODERATION_MODEL = "omni-moderation-latest"
_NOTHING = msgspec.Raw()


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(msgspec.Struct):
    model: str | None = None
    input: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING
    query: msgspec.Raw = _NOTHING
    documents: msgspec.Raw = _NOTHING
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    stream_format: str | None = None
    n: int | None = None
    best_of: int | None = None
    max_tokens: int | None = None
    user: str | None = None
    service_tier: str | None = None


class _Part(msgspec.Struct):
    text: str = ""


_Parse = Callable[[bytes, dict[bytes, bytes], str], ModelRequest]
_body = msgspec.json.Decoder(_Body)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_shown = msgspec.json.Decoder(str | list[str | int | list[int] | _Part] | _Part)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def embeddings(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/embeddings`; raises `InvalidRequest`, as all of these do."""
    read, request = _parsed(Operation.EMBEDDINGS, body, headers)
    request.query = _shown_of("input", read.input)
    return request


def completions(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/completions`: `n` answers to each prompt, out of `best_of` that are charged."""
    read, request = _parsed(Operation.COMPLETIONS, body, headers)
    request.query = _shown_of("prompt", read.prompt)
    request.stream = bool(read.stream)
    request.choices = max(_choices("n", read.n), _choices("best_of", read.best_of)) * _prompts(read.prompt)
    request.output_limit = stated_limit(read.max_tokens)
    request.wants_usage = bool(read.stream_options and read.stream_options.include_usage)
    return request


def images(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/images/generations`."""
    read, request = _parsed(Operation.IMAGES, body, headers)
    request.query = _shown_of("prompt", read.prompt)
    request.stream = bool(read.stream)
    request.choices = _choices("n", read.n)
    return request


def speech(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/audio/speech`: a stream always, of bytes or, if asked for, of events."""
    read, request = _parsed(Operation.SPEECH, body, headers)
    text = decode(bytes(read.input) or b"null", _text)
    if not text:
        raise InvalidRequest("input: the text to be spoken is needed.", param="input")
    request.query, request.characters = text[:MAX_SHOWN], len(text)
    request.stream, request.as_bytes = True, read.stream_format != "sse"
    return request


def moderations(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/moderations`: `model` may be left out."""
    read, request = _parsed(Operation.MODERATIONS, body, headers, MODERATION_MODEL)
    request.query = _shown_of("input", read.input)
    return request


def rerank(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/rerank`."""
    read, request = _parsed(Operation.RERANK, body, headers)
    request.query = _shown_of("query", read.query)
    if not bytes(read.documents):
        raise InvalidRequest("documents: a list of texts is needed.", param="documents")
    return request


def token_count(body: bytes, headers: dict[bytes, bytes], target: str = "") -> ModelRequest:
    """`POST /v1/messages/count_tokens`."""
    request = anthropic.parse(body, headers, target)
    request.operation, request.stream, request.output_limit = Operation.TOKEN_COUNT, False, None
    request.query, request.messages = request.query[:MAX_SHOWN], None
    return request


def _parsed(
    operation: Operation, body: bytes, headers: dict[bytes, bytes], default_model: str = ""
) -> tuple[_Body, ModelRequest]:
    read = decode(body, _body)
    request = ModelRequest(
        operation=operation,
        model=checked_model(read.model or default_model),
        stream=False,
        fields=decode(body, _fields),
        size=len(body),
        query="",
        messages=None,
        application_id=checked_name("x-application-id", header_text(headers, b"x-application-id")) or "",
        user_id=checked_name("user", header_text(headers, b"x-user-id") or read.user) or "",
        user_is_hint=not headers.get(b"x-user-id"),
        service_tier=read.service_tier or "",
    )
    return read, request


_text = msgspec.json.Decoder(str | None)


def _shown_of(name: str, raw: msgspec.Raw) -> str:
    """The words of a field or of the first of its list, as far as they are shown; raises `InvalidRequest` where it is absent."""
    if bytes(raw) in {b"", b"null", b"[]"}:
        raise InvalidRequest(f"{name}: this is needed, and not empty.", param=name)
    try:
        said = _shown.decode(raw)
    except _UNREADABLE:
        return ""
    first = said[0] if isinstance(said, list) else said
    words = first.text if isinstance(first, _Part) else first
    return words[:MAX_SHOWN] if isinstance(words, str) else ""


def _choices(name: str, stated: int | None) -> int:
    if stated is not None and not 1 <= stated <= MAX_CHOICES:
        raise InvalidRequest(f"{name}: {stated} is not between 1 and {MAX_CHOICES}.", param=name)
    return stated or 1


def _prompts(raw: msgspec.Raw) -> int:
    """How many there are: a list of token ids is one."""
    try:
        given = _list.decode(raw)
    except _UNREADABLE:
        return 1
    is_ids = bytes(given[0])[:1].isdigit() if given else True
    return 1 if is_ids else len(given)
