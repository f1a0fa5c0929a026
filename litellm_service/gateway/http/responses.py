"""`POST /v1/responses`: the body of OpenAI's Responses, read as far as we must.

Source: https://platform.openai.com/docs/api-reference/responses/create
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


class _Item(msgspec.Struct):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Body(msgspec.Struct):
    model: str
    input: str | list[_Item] | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    user: str | None = None
    service_tier: str | None = None
    background: bool | None = None


_body = msgspec.json.Decoder(_Body)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_content = msgspec.json.Decoder(Message)


def parse(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """Raises `InvalidRequest`. The application is named by `x-application-id`, the user by `x-user-id` or the body's `user`."""
    read = decode(body, _body)
    fields = decode(body, _fields)
    if read.background:
        raise InvalidRequest(
            "background: not offered here: what it used would be known only to who asks for it later. Use a stream instead.",
            param="background",
        )
    messages = _messages(read.input)
    return ModelRequest(
        operation=Operation.CHAT,
        wire="responses",
        model=checked_model(read.model),
        stream=bool(read.stream),
        fields=fields,
        size=len(body),
        query=last_user_text(messages),
        messages=None if is_only_query(messages) else bytes(fields.get("input", b"null")).decode(),
        application_id=checked_name("x-application-id", header_text(headers, b"x-application-id")) or "",
        user_id=checked_name("user", header_text(headers, b"x-user-id") or read.user) or "",
        user_is_hint=not headers.get(b"x-user-id"),
        output_limit=stated_limit(read.max_output_tokens),
        wants_usage=True,
        service_tier=read.service_tier or "",
    )


def _messages(given: str | list[_Item] | None) -> list[Message]:
    """The input's messages, as far as they have words; other items are no messages."""
    if isinstance(given, str):
        return [Message("user", given)]
    return [_message(item) for item in given or () if item.role]


def _message(item: _Item) -> Message:
    try:
        return _content.decode(b'{"role":%s,"content":%s}' % (msgspec.json.encode(item.role), bytes(item.content)))
    except msgspec.DecodeError:
        return Message(item.role)
