"""`POST /v1/chat/completions`: OpenAI's body, read as far as we must.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Iterable

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest
from gateway.http.body import decode

MAX_NAME_LENGTH = 256
MAX_CHOICES = 128


class Part(msgspec.Struct):
    """A content part; only words are read."""

    type: str = "text"
    text: str | None = None


class Message(msgspec.Struct):
    """A message; what is not read here goes upstream untouched."""

    role: str
    content: str | list[Part] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(msgspec.Struct):
    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    user: str | None = None
    service_tier: str | None = None


_body = msgspec.json.Decoder(_Body)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """Raises `InvalidRequest`. The application is named by `x-application-id`, the user by `x-user-id` or the body's `user`."""
    read = decode(body, _body)
    fields = decode(body, _fields)
    if not read.messages:
        raise InvalidRequest("messages: at least one message is needed.", param="messages")
    if read.n is not None and not 1 <= read.n <= MAX_CHOICES:
        raise InvalidRequest(f"n: {read.n} is not between 1 and {MAX_CHOICES}.", param="n")
    query = last_user_text(read.messages)
    return ModelRequest(
        operation=Operation.CHAT,
        model=checked_model(read.model),
        stream=bool(read.stream),
        fields=fields,
        size=len(body),
        query=query,
        messages=None if is_only_query(read.messages) else bytes(fields["messages"]).decode(),
        application_id=checked_name("x-application-id", header_text(headers, b"x-application-id")) or "",
        user_id=checked_name("user", header_text(headers, b"x-user-id") or read.user) or "",
        user_is_hint=not headers.get(b"x-user-id"),
        choices=read.n or 1,
        output_limit=stated_limit(read.max_completion_tokens, read.max_tokens),
        wants_usage=bool(read.stream_options and read.stream_options.include_usage),
        service_tier=read.service_tier or "",
    )


def stated_limit(*limits: int | None) -> int | None:
    """The largest of what a client allows the answer, in tokens; which one counts is the provider's choice."""
    return max((limit for limit in limits if limit is not None and limit > 0), default=None)


def last_user_text(messages: Iterable[Message]) -> str:
    """The words of the last user message; '' where there is none."""
    last = next((message for message in reversed(list(messages)) if message.role == "user"), None)
    if last is None or last.content is None:
        return ""
    return last.content if isinstance(last.content, str) else "\n".join(part.text for part in last.content if part.text)


def is_only_query(messages: list[Message]) -> bool:
    """One user message of plain text: `query` says it all."""
    return len(messages) == 1 and messages[0].role == "user" and isinstance(messages[0].content, str)


def checked_model(model: str) -> str:
    """Raises `InvalidRequest` for what cannot be a model's name."""
    if not model or len(model) > MAX_NAME_LENGTH or not model.isprintable():
        raise InvalidRequest(f"model: a printable name of 1 to {MAX_NAME_LENGTH} characters.", param="model")
    return model


def checked_name(param: str, name: str | None) -> str | None:
    """Raises `InvalidRequest` for an application's or user's name that is too long or has control characters."""
    if name is not None and (len(name) > MAX_NAME_LENGTH or not name.isprintable()):
        raise InvalidRequest(f"{param}: at most {MAX_NAME_LENGTH} printable characters.", param=param)
    return name


def header_text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    """A header's value, stripped; `None` where it is absent."""
    value = headers.get(name)
    return None if value is None else value.decode("utf-8", "replace").strip()
