"""Conversations in the file: a row for each, for each message, for each attached file."""

import sqlite3
from typing import Any

import msgspec

from gateway.domain.conversation import (
    ConversationSettings,
    ConversationStep,
    DropConversation,
    Message,
    SaveConversation,
    SaveFile,
    searchable,
)
from gateway.domain.errors import InvalidRequest, NotFound
from gateway.domain.time import ms_of_iso
from gateway.store.questions import (
    REQUEST_COLUMNS,
    ConversationQuery,
    ConversationRow,
    Owner,
    StoredFile,
    WholeConversation,
)

MOST_MESSAGES = 5_000
MOST_FILES = 500

_FIND = "SELECT id, title, settings, created_at_ms, updated_at_ms FROM conversations WHERE owner = ? AND name = ?"
_CREATE = """
INSERT INTO conversations (owner, name, title, title_words, settings, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = "UPDATE conversations SET title = ?, title_words = ?, settings = ?, updated_at_ms = ? WHERE id = ?"
_PUT_MESSAGE = """
INSERT INTO conversation_messages (conversation_id, name, request_id, value, text, words) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (conversation_id, name) DO UPDATE SET request_id = excluded.request_id, value = excluded.value,
    text = excluded.text, words = excluded.words
"""
_PUT_FILE = """
INSERT INTO conversation_files (conversation_id, name, media_type, body) VALUES (?, ?, ?, ?)
ON CONFLICT (conversation_id, name) DO UPDATE SET media_type = excluded.media_type, body = excluded.body
"""
_TABLES = ("conversation_messages", "conversation_files")
_PAGE = """
SELECT c.id, c.name, c.title, c.created_at_ms, c.updated_at_ms FROM conversations c
WHERE c.owner = ? AND (c.updated_at_ms, c.id) < (?, ?) {} ORDER BY c.updated_at_ms DESC, c.id DESC LIMIT ?
"""
_HAS = """(
instr(c.title_words, ?)
OR EXISTS (SELECT 1 FROM conversation_messages m WHERE m.conversation_id = c.id AND instr(m.words, ?)))"""
_HIT = "SELECT text FROM conversation_messages WHERE conversation_id = ? AND instr(words, ?) ORDER BY id LIMIT 1"
_COST = """
SELECT count(r.id), count(r.cost_nano_usd), sum(r.cost_nano_usd) FROM conversation_messages m JOIN requests r ON r.id = m.request_id
WHERE m.conversation_id = ? {}
"""
_MESSAGES = "SELECT value, text FROM conversation_messages WHERE conversation_id = ? ORDER BY id"
_RECORDS = f"""
SELECT {", ".join(f"r.{column}" for column in REQUEST_COLUMNS)} FROM conversation_messages m JOIN requests r ON r.id = m.request_id
WHERE m.conversation_id = ? {{}}
"""
_FILE = """
SELECT f.media_type, f.body FROM conversation_files f JOIN conversations c ON c.id = f.conversation_id
WHERE c.owner = ? AND c.name = ? AND f.name = ?
"""


def write(connection: sqlite3.Connection, step: ConversationStep) -> None:
    """One step; raises `NotFound` or `InvalidRequest` before anything of it is written."""
    found = connection.execute(
        _FIND, (step.owner, step.conversation if isinstance(step, SaveFile) else step.name)
    ).fetchone()
    if isinstance(step, DropConversation):
        if found is not None:
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table} WHERE conversation_id = ?", (found[0],))
            connection.execute("DELETE FROM conversations WHERE id = ?", (found[0],))
    elif isinstance(step, SaveFile):
        _put_file(connection, step, found)
    else:
        _save(connection, step, found)


def _save(connection: sqlite3.Connection, step: SaveConversation, found: tuple[Any, ...] | None) -> None:
    if found is None and not step.create:
        raise NotFound(f"There is no conversation {step.name!r}.")
    id_ = None if found is None else int(found[0])
    _check_room(connection, "conversation_messages", id_, {one.id for one in step.messages}, MOST_MESSAGES)
    newest = max((ms_of_iso(message.at) for message in step.messages), default=0)
    if found is None:
        title, settings = step.title or "", step.settings or ConversationSettings()
        row = (step.owner, step.name, title, searchable(title), _json(settings), step.at_ms, newest or step.at_ms)
        id_ = connection.execute(_CREATE, row).lastrowid
    else:
        title = found[1] if step.title is None else step.title
        settings_text = found[2] if step.settings is None else _json(step.settings)
        connection.execute(_UPDATE, (title, searchable(title), settings_text, max(found[4], newest), id_))
    connection.executemany(_PUT_MESSAGE, [(id_, *_message_row(message)) for message in step.messages])


def _put_file(connection: sqlite3.Connection, step: SaveFile, found: tuple[Any, ...] | None) -> None:
    if found is None:
        raise NotFound(f"There is no conversation {step.conversation!r} to keep a file for.")
    _check_room(connection, "conversation_files", found[0], {step.name}, MOST_FILES)
    connection.execute(_PUT_FILE, (found[0], step.name, step.media_type, step.body))


def _check_room(connection: sqlite3.Connection, table: str, id_: int | None, names: set[str], most: int) -> None:
    if id_ is None and len(names) <= most:
        return
    kept = {name for (name,) in connection.execute(f"SELECT name FROM {table} WHERE conversation_id = ?", (id_,))}
    if len(kept | names) > most:
        noun = table.removeprefix("conversation_")
        raise InvalidRequest(f"{noun}: a conversation holds at most {most:,}; begin a new one.", param=noun)


def _message_row(message: Message) -> tuple[object, ...]:
    value = _json(msgspec.structs.replace(message, text=""))
    return message.id, message.request_id, value, message.text, searchable(message.text)


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def listed(connection: sqlite3.Connection, query: ConversationQuery) -> list[ConversationRow]:
    """The newest first, with what they cost by the requests that the asker may see."""
    terms = searchable(query.words).split()
    statement = _PAGE.format("".join(f" AND {_HAS}" for _ in terms))
    before = query.before or (2**62, 2**62)
    values = (query.owner, *before, *(term for term in terms for _ in range(2)), query.limit)
    whose, name = _whose(query.requests_of)
    rows = []
    for id_, name_, title, created, updated in connection.execute(statement, values).fetchall():
        requests, priced, cost = connection.execute(_COST.format(whose), (id_, *name)).fetchone()
        hit = connection.execute(_HIT, (id_, terms[0])).fetchone() if terms else None
        rows.append(
            ConversationRow(
                id_, name_, title, created, updated, requests, requests - priced, cost, hit[0] if hit else None
            )
        )
    return rows


def whole(connection: sqlite3.Connection, owner: str, name: str, requests_of: Owner | None) -> WholeConversation | None:
    """All of one, and the figures of its requests by column."""
    found = connection.execute(_FIND, (owner, name)).fetchone()
    if found is None:
        return None
    messages = [
        msgspec.structs.replace(msgspec.json.decode(value, type=Message), text=text)
        for value, text in connection.execute(_MESSAGES, (found[0],))
    ]
    whose, asker = _whose(requests_of)
    records = [
        dict(zip(REQUEST_COLUMNS, row, strict=True))
        for row in connection.execute(_RECORDS.format(whose), (found[0], *asker))
    ]
    settings = msgspec.json.decode(found[2], type=ConversationSettings)
    return WholeConversation(found[1], settings, found[3], found[4], messages, records)


def file(connection: sqlite3.Connection, owner: str, name: str, file_name: str) -> StoredFile | None:
    """An attached file."""
    row = connection.execute(_FILE, (owner, name, file_name)).fetchone()
    return None if row is None else StoredFile(*row)


def _whose(owner: Owner | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if owner is None else (f"AND r.{owner.by} = ?", (owner.name,))
