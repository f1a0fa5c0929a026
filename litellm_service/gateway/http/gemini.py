"""`POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`: Google's body, read as far as we must.

Source: https://ai.google.dev/api/generate-content
"""

import re
from urllib.parse import parse_qs, unquote

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest, NotFound
from gateway.domain.request import ModelRequest
from gateway.http.body import decode
from gateway.http.openai import MAX_CHOICES, checked_model, checked_name, header_text, stated_limit

_PATH = re.compile(r"/(?:v1|v1beta|v1alpha)/models/(?P<model>.+):(?P<method>generateContent|streamGenerateContent)")
ROUTE = "/v1beta/models/{model}:generateContent"


class _Part(msgspec.Struct):
    text: str | None = None


class _Content(msgspec.Struct):
    role: str = "user"
    parts: list[_Part] = []


class _Generation(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: int | None = None


class _SnakeGeneration(msgspec.Struct):
    max_output_tokens: int | None = None
    candidate_count: int | None = None


class _Body(msgspec.Struct):
    contents: list[_Content] | _Content
    camel: _Generation | None = msgspec.field(default=None, name="generationConfig")
    snake: _SnakeGeneration | None = msgspec.field(default=None, name="generation_config")


_body = msgspec.json.Decoder(_Body)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(body: bytes, headers: dict[bytes, bytes], target: str = "") -> ModelRequest:
    """Raises `InvalidRequest`. The model and whether it streams stand in the path; `x-user-id` names the user."""
    read = decode(body, _body)
    contents = read.contents if isinstance(read.contents, list) else [read.contents]
    if not contents:
        raise InvalidRequest("contents: at least one content is needed.", param="contents")
    path, _, query = target.partition("?")
    model, stream = _named(path)
    generation = read.camel or read.snake or _Generation()
    choices = generation.candidate_count or 1
    if not 1 <= choices <= MAX_CHOICES:
        raise InvalidRequest(f"candidateCount: {choices} is not between 1 and {MAX_CHOICES}.", param="candidateCount")
    fields = decode(body, _fields)
    words = _last_words(contents)
    return ModelRequest(
        operation=Operation.CHAT,
        wire="gemini",
        model=checked_model(model),
        stream=stream,
        fields=fields,
        size=len(body),
        query=words,
        messages=None if _is_only_query(contents) else bytes(fields["contents"]).decode(),
        application_id=checked_name("x-application-id", header_text(headers, b"x-application-id")) or "",
        user_id=checked_name("x-user-id", header_text(headers, b"x-user-id")) or "",
        choices=choices,
        output_limit=stated_limit(generation.max_output_tokens),
        wants_usage=True,
        as_array=stream and parse_qs(query).get("alt") != ["sse"],
    )


def is_call(path: str) -> bool:
    """Whether a path calls a model."""
    return path.endswith("enerateContent") and _PATH.fullmatch(path) is not None


def _named(path: str) -> tuple[str, bool]:
    """The model, and whether the answer is to be streamed."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise NotFound(f"There is no model in {path[:200]}.")
    return unquote(found["model"]), found["method"].startswith("stream")


def _last_words(contents: list[_Content]) -> str:
    last = next((content for content in reversed(contents) if content.role == "user"), None)
    return "" if last is None else "\n".join(part.text for part in last.parts if part.text)


def _is_only_query(contents: list[_Content]) -> bool:
    """One user message of plain text: `query` says it all."""
    return len(contents) == 1 and contents[0].role == "user" and all(part.text for part in contents[0].parts)
