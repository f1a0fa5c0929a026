"""Counts of requests that were refused before they were admitted."""

import sqlite3

from gateway.store.questions import Filters
from gateway.store.sqlite.matching import matching

# A refused request never had a provider or an outcome.
_KNOWN = {"application_id", "user_id", "key_id", "model"}


def refusals(connection: sqlite3.Connection, start: int, end: int, filters: Filters) -> list[tuple[str, int]]:
    """Error codes and counts in quarters of an hour since 1970, the most frequent first."""
    match = matching(connection, filters)
    if match.never or not match.names <= _KNOWN:
        return []
    statement = (
        f"SELECT code, sum(count) AS refused FROM refusals WHERE quarter >= ? AND quarter < ? {match.where} "
        "GROUP BY code ORDER BY refused DESC, code"
    )
    return connection.execute(statement, (start, end, *match.values)).fetchall()
