"""What a scope has spent in a period, summed up from rollups and the ledger's tail."""

import sqlite3
from fnmatch import fnmatchcase

from gateway.domain.budget import Period
from gateway.domain.scope import Scope
from gateway.domain.time import LATEST_MS
from gateway.store.questions import ENDLESS_S, Filters, Part
from gateway.store.sqlite.dimensions import Dimension
from gateway.store.sqlite.usage_reading import cost_nano_usd

QUARTER_MS = 900_000


def spent_nano_usd(connection: sqlite3.Connection, scope: Scope, period: Period) -> int:
    """Cost of all that is settled; time grows with the hours in the period, not with the requests."""
    filters = _filters(connection, scope)
    if filters is None:
        return 0
    end_ms = LATEST_MS if period.end_ms is None else period.end_ms
    part = Part(period.start_ms // QUARTER_MS, -(-end_ms // QUARTER_MS), 0, ENDLESS_S)
    return cost_nano_usd(connection, part, filters)


def _filters(connection: sqlite3.Connection, scope: Scope) -> Filters | None:
    if scope.kind == "everything":
        return Filters()
    if scope.kind == "application":
        return Filters(application_id=(scope.name,))
    if scope.kind == "user":
        return Filters(user_id=(scope.name,))
    if scope.kind == "key":
        return Filters(key_id=(scope.name,))
    names = connection.execute("SELECT name FROM dimensions WHERE kind = ?", (Dimension.MODEL,))
    models = tuple(name for (name,) in names if fnmatchcase(name, scope.name))
    return Filters(model=models) if models else None
