"""Answers kept for repetitions with the same `Idempotency-Key`."""

import sqlite3

from gateway.domain.entry import REPLAYS_KEPT_MS
from gateway.domain.time import id_text
from gateway.store.questions import StoredReplay
from gateway.store.sqlite import stored_responses

FORGET_EVERY_MS = 60_000

_FIND = "SELECT fingerprint, request_id, headers, body FROM idempotency WHERE caller = ? AND name = ? AND created_at_ms >= ?"
_FORGET = "DELETE FROM idempotency WHERE created_at_ms < ?"


def find(connection: sqlite3.Connection, caller: str, name: bytes, since_ms: int) -> StoredReplay | None:
    """What a caller's key was answered with since then."""
    row = connection.execute(_FIND, (caller, name, since_ms)).fetchone()
    return None if row is None else StoredReplay(row[0], id_text(row[1]), row[2], row[3])


class Forgetting:
    """Deletes answers, and whose responses are, that have been kept long enough, now and then."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next_ms = 0

    def forget_old(self, at_ms: int) -> None:
        """Part of a flush."""
        if at_ms >= self._next_ms:
            self._next_ms = at_ms + FORGET_EVERY_MS
            self._connection.execute(_FORGET, (at_ms - REPLAYS_KEPT_MS,))
            self._connection.execute(stored_responses.FORGET, (at_ms - stored_responses.KEPT_MS,))
