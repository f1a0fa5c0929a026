"""Conversations that the console keeps for whoever had them."""

from typing import Any, Literal

import msgspec


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A file of a message; its bytes lie beside the conversation under `id`."""

    id: str
    name: str = ""
    media_type: str
    size: int


class ToolUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A call of a tool that an answer asks for; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A question or an answer. `parent` is the message that it follows: several that follow the same one are branches.

    `at` is ISO 8601. `error` is what the page shows of a failure; `models` are those that a question was put to at once.
    """

    id: str
    parent: str | None = None
    role: Literal["user", "assistant"]
    text: str = ""
    at: str
    model: str | None = None
    models: tuple[str, ...] = ()
    request_id: str | None = None
    state: Literal["done", "live", "stopped", "failed"] = "done"
    error: dict[str, Any] | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolUse, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class ConversationSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a conversation goes on with; `leaf` is the message at the end of the branch that is shown."""

    model: str | None = None
    models: tuple[str, ...] = ()
    system: str = ""
    parameters: dict[str, str | int | float | bool] = {}
    leaf: str | None = None


class SaveConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Create it, or add to it: messages of the same id are replaced, others stay. `None` leaves a field as it is.

    `create`: whether there may be none of this name yet.
    """

    owner: str
    name: str
    title: str | None = None
    settings: ConversationSettings | None = None
    messages: tuple[Message, ...] = ()
    at_ms: int
    create: bool = True


class DropConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Delete it with its messages and files; deleting what is not there is no error."""

    owner: str
    name: str


class SaveFile(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a file for messages of a conversation, which must exist."""

    owner: str
    conversation: str
    name: str
    media_type: str
    body: bytes


ConversationStep = SaveConversation | DropConversation | SaveFile


def searchable(text: str) -> str:
    """How text is compared when it is searched for."""
    return text.casefold()
