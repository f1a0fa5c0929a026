"""`/api/conversations`: what the console keeps for whoever chats, and finds again."""

import base64
import binascii
import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.conversation import (
    ConversationSettings,
    ConversationStep,
    DropConversation,
    Message,
    SaveConversation,
    SaveFile,
    searchable,
)
from gateway.domain.errors import InvalidRequest, NotAllowed, NotFound
from gateway.domain.money import usd
from gateway.domain.time import iso_z, ms_of_iso, now_ms
from gateway.http import parameters as p
from gateway.http.admin.wire import answer, read
from gateway.identity import Caller
from gateway.reports.requests import listed as request_view
from gateway.store.questions import ConversationQuery, ConversationRow

MOST_TITLE = 200
SNIPPET_BEFORE, SNIPPET = 40, 160
# What a browser may show as it is; all else is given as bytes to save.
SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "text/plain"})
NOT_KEPT = (
    "Conversations are not kept here: this service, or this key, stores no content (STORE_CONTENT, `store_content`)."
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")


class Conversation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is sent is kept; what is left out stays as it was."""

    title: str | None = None
    settings: ConversationSettings | None = None
    messages: tuple[Message, ...] = ()


class File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file's bytes as base64."""

    media_type: str
    data: str


_conversation = msgspec.json.Decoder(Conversation)
_file = msgspec.json.Decoder(File)


async def listed(request: Request) -> Response:
    """The caller's own, newest first; with `q` those that have all of its words."""
    given = request.query_params
    p.refuse_unknown(given, ("q", "limit", "cursor"))
    limit = p.limit(given, default=50, most=200)
    query = ConversationQuery(
        owner=_owner(request),
        words=given.get("q", "")[:200],
        before=_cursor(given.get("cursor")),
        limit=limit + 1,
        requests_of=p.owner(request),
    )
    found = await request.app.state.reader.conversations(query)
    last = found[limit - 1] if len(found) > limit else None
    return answer(
        {
            "conversations": [_row(row, query.words) for row in found[:limit]],
            "next_cursor": None if last is None else f"{last.updated_at_ms}-{last.number}",
            "store_content": _may_keep(request),
        }
    )


async def shown(request: Request) -> Response:
    """One with its messages, and the figures of the requests behind its answers."""
    name = _id(request, "conversation_id")
    found = await request.app.state.reader.conversation(_owner(request), name, p.owner(request))
    if found is None:
        raise NotFound(f"There is no conversation {name!r}.")
    return answer(
        {
            "id": name,
            "title": found.title,
            "created_at": iso_z(found.created_at_ms),
            "updated_at": iso_z(found.updated_at_ms),
            "settings": found.settings,
            "messages": found.messages,
            "requests": {row["id"]: request_view(row) for row in found.requests},
        }
    )


async def saved(request: Request) -> Response:
    """Created or added to; messages of an id that is there are replaced."""
    return await _save(request, create=True)


async def changed(request: Request) -> Response:
    """The same for one that must exist."""
    return await _save(request, create=False)


async def deleted(request: Request) -> Response:
    """It is gone with its messages and files; the requests stay in the ledger."""
    name = _id(request, "conversation_id")
    await _write(request, DropConversation(owner=_owner(request), name=name))
    return answer({"id": name, "deleted": True})


async def file_saved(request: Request) -> Response:
    """A file that a message names among its attachments."""
    _check_may_keep(request)
    name, file_name = _id(request, "conversation_id"), _id(request, "file_id")
    given = await read(request, _file)
    if _TYPE.fullmatch(given.media_type) is None:
        raise InvalidRequest("media_type: a type such as image/png.", param="media_type")
    try:
        body = base64.b64decode(given.data, validate=True)
    except binascii.Error:
        raise InvalidRequest("data: the file's bytes as base64.", param="data") from None
    step = SaveFile(owner=_owner(request), conversation=name, name=file_name, media_type=given.media_type, body=body)
    await _write(request, step)
    return answer({"id": file_name, "size": len(body)})


async def file_shown(request: Request) -> Response:
    """The bytes as they were; what a browser should not show comes as a download."""
    name, file_name = _id(request, "conversation_id"), _id(request, "file_id")
    found = await request.app.state.reader.conversation_file(_owner(request), name, file_name)
    if found is None:
        raise NotFound(f"There is no file {file_name!r} in the conversation {name!r}.")
    is_shown = found.media_type in SHOWN_TYPES
    headers = {
        "cache-control": "private, max-age=31536000, immutable",
        "content-disposition": "inline" if is_shown else "attachment",
        "x-content-type-options": "nosniff",
    }
    return Response(
        found.body, media_type=found.media_type if is_shown else "application/octet-stream", headers=headers
    )


async def _save(request: Request, *, create: bool) -> Response:
    _check_may_keep(request)
    name = _id(request, "conversation_id")
    given = await read(request, _conversation)
    if given.title is not None and len(given.title) > MOST_TITLE:
        raise InvalidRequest(f"title: at most {MOST_TITLE} characters.", param="title")
    for message in given.messages:
        _check_message(message)
    step = SaveConversation(
        owner=_owner(request),
        name=name,
        title=given.title,
        settings=given.settings,
        messages=given.messages,
        at_ms=now_ms(),
        create=create,
    )
    await _write(request, step)
    return answer({"id": name, "saved": len(given.messages)})


def _check_message(message: Message) -> None:
    for field in ("id", "parent", "request_id"):
        value = getattr(message, field)
        if value is not None and _ID.fullmatch(value) is None:
            raise InvalidRequest(f"messages: {field} has 1 to 64 letters, digits, - and _.", param="messages")
    try:
        ms_of_iso(message.at)
    except ValueError:
        raise InvalidRequest("messages: at is a time such as 2026-11-23T12:00:00Z.", param="messages") from None


async def _write(request: Request, step: ConversationStep) -> None:
    await request.app.state.converse(step)


def _row(row: ConversationRow, words: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": row.name,
        "title": row.title,
        "created_at": iso_z(row.created_at_ms),
        "updated_at": iso_z(row.updated_at_ms),
        "requests": row.requests,
        "unpriced_requests": row.unpriced_requests,
        "cost_usd": usd(row.cost_nano_usd),
        "cost_nano_usd": row.cost_nano_usd,
    }
    if words.strip():
        found["snippet"] = None if row.hit is None else _snippet(row.hit, words.split(maxsplit=1)[0])
    return found


def _snippet(text: str, word: str) -> str:
    start = max(0, searchable(text).find(searchable(word)) - SNIPPET_BEFORE)
    part = " ".join(text[start : start + SNIPPET].split())
    return ("…" if start else "") + part + ("…" if start + SNIPPET < len(text) else "")


def _owner(request: Request) -> str:
    """Whose it is: all keys of a user share theirs; another key has its own, and where no key is needed all share."""
    caller: Caller = request.scope["caller"]
    user_id = caller.key.user_id if caller.key is not None else None
    return f"key:{caller.key_id}" if user_id is None else f"user:{user_id}"


def _may_keep(request: Request) -> bool:
    caller: Caller = request.scope["caller"]
    return request.app.state.store_content and (caller.key is None or caller.key.store_content)


def _check_may_keep(request: Request) -> None:
    if not _may_keep(request):
        raise NotAllowed(NOT_KEPT)


def _id(request: Request, parameter: str) -> str:
    text: str = request.path_params[parameter]
    if _ID.fullmatch(text) is None:
        raise InvalidRequest(f"{parameter}: 1 to 64 letters, digits, - and _.", param=parameter)
    return text


def _cursor(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 17 for part in parts):
        raise InvalidRequest("cursor: take it from `next_cursor` of the page before.", param="cursor")
    return int(parts[0]), int(parts[1])
