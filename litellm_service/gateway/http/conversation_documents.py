"""The conversations' routes, as they are documented."""

from typing import Any

import msgspec

from gateway.http.conversations import Conversation, File
from gateway.http.doc import Doc

_ROW = {
    "id": "string", "title": "string", "created_at": "string", "updated_at": "string", "requests": "integer",
    "unpriced_requests": "integer", "cost_usd": "number?", "cost_nano_usd": "integer?", "snippet?": "string?",
}  # fmt: skip
SHAPES: dict[str, Any] = {
    "ConversationList": {"conversations": [_ROW], "next_cursor": "string?", "store_content": "boolean"},
    "ConversationWhole": {
        "id": "string", "title": "string", "created_at": "string", "updated_at": "string", "settings": "object",
        "messages": ["object"], "requests": {"*": "@Request"},
    },
    "ConversationSaved": {"id": "string", "saved": "integer"},
    "FileSaved": {"id": "string", "size": "integer"},
}  # fmt: skip

_PATH = "/api/conversations/{conversation_id}"
_EXAMPLE = {
    "title": "Back-off",
    "messages": [{"id": "q1", "role": "user", "text": "What is a 429?", "at": "2026-11-23T12:00:00Z"}],
}

DOCS = (
    Doc(
        method="GET",
        path="/api/conversations",
        reply="ConversationList",
        title="Conversations",
        about="What the console has kept for the caller, newest first; all keys of a user share theirs. The cost is that of the "
        "requests behind the answers. With `q` those that have all of its words, in a message or the title.",
        parameters={
            "q": "words to find",
            "limit": "1 to 200 (default 50)",
            "cursor": "`next_cursor` of the page before",
        },
    ),
    Doc(
        method="GET",
        path=_PATH,
        reply="ConversationWhole",
        title="One conversation",
        about="Its messages, oldest first (`parent` says which message each one follows), and the figures of its requests.",
    ),
    Doc(
        method="PUT",
        path=_PATH,
        reply="ConversationSaved",
        title="Keep a conversation",
        about="Creates it or adds to it: messages of an id that is there are replaced, the others stay. Refused where content is "
        "not stored.",
        schema="Conversation",
        body=_EXAMPLE,
    ),
    Doc(
        method="PATCH",
        path=_PATH,
        reply="ConversationSaved",
        title="Change a conversation",
        about="The same for one that must be there: a new title, for example.",
        schema="Conversation",
        body={"title": "How to back off"},
    ),
    Doc(
        method="DELETE",
        path=_PATH,
        reply="Deleted",
        title="Delete a conversation",
        about="The requests stay in the ledger.",
    ),
    Doc(
        method="PUT",
        path=f"{_PATH}/files/{{file_id}}",
        reply="FileSaved",
        title="Keep an attached file",
        schema="File",
        body={"media_type": "text/plain", "data": "SGVsbG8="},
    ),
    Doc(
        method="GET",
        path=f"{_PATH}/files/{{file_id}}",
        title="An attached file",
        about="Its bytes.",
        gives="application/octet-stream",
    ),
)


def input_schemas() -> dict[str, Any]:
    """The bodies as JSON Schema."""
    _, found = msgspec.json.schema_components((Conversation, File), ref_template="#/components/schemas/{name}")
    return found
