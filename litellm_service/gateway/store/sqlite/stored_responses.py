"""Who made which response that its provider keeps: others may neither read nor go on with it."""

import sqlite3

from gateway.store.questions import StoredResponse

KEPT_MS = 30 * 86_400_000  # so long OpenAI keeps them
FORGET = "DELETE FROM stored_responses WHERE created_at_ms < ?"
PUT = "INSERT OR IGNORE INTO stored_responses (response_id, caller, provider, created_at_ms) VALUES (?, ?, ?, ?)"
_FIND = "SELECT caller, provider FROM stored_responses WHERE response_id = ?"


def find(connection: sqlite3.Connection, response_id: str) -> StoredResponse | None:
    """Whose a response is and where it lies; `None`: it was not made through this gateway, or long ago."""
    row = connection.execute(_FIND, (response_id,)).fetchone()
    return None if row is None else StoredResponse(*row)
