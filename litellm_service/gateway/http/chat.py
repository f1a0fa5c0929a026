"""`POST /api/chat`: the seed's own route."""

from typing import Literal

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest
from gateway.http.body import decode
from gateway.http.openai import (
    Message,
    checked_model,
    checked_name,
    is_only_query,
    last_user_text,
    stated_limit,
)

_NOTHING = msgspec.Raw()


class ChatBody(msgspec.Struct, forbid_unknown_fields=True):
    """`model` and one of `query` and `messages` are needed; parameters are passed on as they are.

    `include`: what is wanted of the answer beside its words.
    """

    model: str
    query: str | None = None
    messages: msgspec.Raw = _NOTHING
    system: str | None = None
    application_id: str | None = None
    user_id: str | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: msgspec.Raw = _NOTHING
    parallel_tool_calls: bool | None = None
    response_format: msgspec.Raw = _NOTHING
    reasoning_effort: str | None = None
    include: list[Literal["reasoning", "tool_calls"]] | None = None


PARAMETERS = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "seed", "stop",
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
)  # fmt: skip

_body = msgspec.json.Decoder(ChatBody)
_messages = msgspec.json.Decoder(list[Message])


def parse(body: bytes, _headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """Raises `InvalidRequest`, naming the field."""
    read = decode(body, _body)
    messages, raw = _conversation(read)
    fields = {"messages": raw}
    for name in PARAMETERS:
        value = getattr(read, name)
        if value is not None and value is not _NOTHING:
            fields[name] = value if isinstance(value, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(value))
    if read.stream:
        fields["stream"] = msgspec.Raw(b"true")
    return ModelRequest(
        operation=Operation.CHAT,
        model=checked_model(read.model),
        stream=bool(read.stream),
        fields=fields,
        size=len(body),
        query=last_user_text(messages),
        messages=None if is_only_query(messages) else bytes(raw).decode(),
        application_id=checked_name("application_id", read.application_id) or "",
        user_id=checked_name("user_id", read.user_id) or "",
        output_limit=stated_limit(read.max_completion_tokens, read.max_tokens),
        wants_usage=True,
        wants_parts=bool(read.include),
    )


def _conversation(read: ChatBody) -> tuple[list[Message], msgspec.Raw]:
    """The messages as read, and as the JSON that goes upstream."""
    if bool(read.query) == (read.messages is not _NOTHING):
        raise InvalidRequest("query: send either `query` (a text that is not empty) or `messages`.", param="query")
    raw = bytes(read.messages) if not read.query else msgspec.json.encode([{"role": "user", "content": read.query}])
    messages = decode(raw, _messages)
    if not messages:
        raise InvalidRequest("messages: at least one message is needed.", param="messages")
    if read.system:
        system = msgspec.json.encode({"role": "system", "content": read.system})
        raw = b"[" + system + b"," + raw.strip()[1:]
        messages = [Message("system", read.system), *messages]
    return messages, msgspec.Raw(raw)
