"""`POST /v1/messages`: Anthropic's body, read as far as we must.

Source: https://docs.claude.com/en/api/messages
"""

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest
from gateway.http.body import decode
from gateway.http.openai import (
    Message,
    checked_model,
    checked_name,
    header_text,
    is_only_query,
    last_user_text,
    stated_limit,
)

VERSION = b"2023-06-01"
MAX_END_USER_LENGTH = 64


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Body(msgspec.Struct):
    model: str
    messages: list[Message]
    max_tokens: int | None = None
    stream: bool | None = None
    metadata: _Metadata | None = None


_body = msgspec.json.Decoder(_Body)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """Raises `InvalidRequest`. `x-user-id` names the user, or a short `metadata.user_id`; tools put long ids of theirs there."""
    read = decode(body, _body)
    fields = decode(body, _fields)
    if not read.messages:
        raise InvalidRequest("messages: at least one message is needed.", param="messages")
    stated = read.metadata.user_id if read.metadata is not None else None
    hint = stated if stated is not None and len(stated) <= MAX_END_USER_LENGTH else None
    return ModelRequest(
        operation=Operation.CHAT,
        wire="anthropic",
        model=checked_model(read.model),
        stream=bool(read.stream),
        fields=fields,
        size=len(body),
        query=last_user_text(read.messages),
        messages=None if is_only_query(read.messages) else bytes(fields["messages"]).decode(),
        application_id=checked_name("x-application-id", header_text(headers, b"x-application-id")) or "",
        user_id=checked_name("metadata.user_id", header_text(headers, b"x-user-id") or hint) or "",
        user_is_hint=not headers.get(b"x-user-id"),
        output_limit=stated_limit(read.max_tokens),
        wants_usage=True,
        headers=_passed_on(headers),
    )


def _passed_on(headers: dict[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """The version and the betas that the client asks for."""
    version = (b"anthropic-version", headers.get(b"anthropic-version", VERSION))
    beta = headers.get(b"anthropic-beta")
    return (version,) if beta is None else (version, (b"anthropic-beta", beta))
