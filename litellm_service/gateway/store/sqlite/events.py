"""Events in the file, and whether they were delivered."""

import sqlite3

import msgspec

from gateway.domain.event import Event

INSERT = "INSERT INTO events (id, at_ms, kind, subject, body) VALUES (?, ?, ?, ?, ?)"
DELIVERED = "UPDATE events SET delivered_at_ms = ? WHERE id = ?"
_UNDELIVERED = """
SELECT id, at_ms, kind, subject, body FROM events WHERE delivered_at_ms IS NULL AND at_ms >= ? ORDER BY id LIMIT 10000
"""


def row(event: Event) -> tuple[object, ...]:
    """A row of `events`."""
    return event.id, event.at_ms, event.kind, event.subject, msgspec.json.encode(event.body).decode()


def undelivered(connection: sqlite3.Connection, since_ms: int) -> list[Event]:
    """The oldest first."""
    return [
        Event(id=id_, at_ms=at_ms, kind=kind, subject=subject, body=msgspec.json.decode(body))
        for id_, at_ms, kind, subject, body in connection.execute(_UNDELIVERED, (since_ms,))
    ]
