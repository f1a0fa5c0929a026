"""Events in the file, and whether they were delivered."""

import sqlite3

import msgspec

from gateway.domain.event import Event, ToldEvent
from gateway.store.questions import EventQuery

INSERT = "INSERT INTO events (id, at_ms, kind, subject, body) VALUES (?, ?, ?, ?, ?)"
DELIVERED = "UPDATE events SET delivered_at_ms = ? WHERE id = ?"
_UNDELIVERED = """
SELECT id, at_ms, kind, subject, body FROM events WHERE delivered_at_ms IS NULL AND at_ms >= ? ORDER BY id LIMIT 10000
"""
_NEWEST = """
SELECT id, at_ms, kind, subject, body, delivered_at_ms FROM events WHERE ? = '' OR id < ? ORDER BY id DESC LIMIT ?
"""


def row(event: Event) -> tuple[object, ...]:
    """A row of `events`."""
    return event.id, event.at_ms, event.kind, event.subject, msgspec.json.encode(event.body).decode()


def undelivered(connection: sqlite3.Connection, since_ms: int) -> list[Event]:
    """The oldest first."""
    return [_event(*found) for found in connection.execute(_UNDELIVERED, (since_ms,))]


def newest(connection: sqlite3.Connection, query: EventQuery) -> list[ToldEvent]:
    """The newest first."""
    found = connection.execute(_NEWEST, (query.before_id, query.before_id, query.limit))
    return [ToldEvent(_event(*columns), delivered_at_ms) for *columns, delivered_at_ms in found]


def _event(id_: str, at_ms: int, kind: str, subject: str, body: str) -> Event:
    return Event(id=id_, at_ms=at_ms, kind=kind, subject=subject, body=msgspec.json.decode(body))
