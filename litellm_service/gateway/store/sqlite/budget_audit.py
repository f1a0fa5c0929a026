"""Whether budgets have spent what the ledger says."""

import sqlite3
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from gateway.domain.budget import Budget
from gateway.domain.scope import Scope
from gateway.domain.time import LATEST_MS
from gateway.store.sqlite.dimensions import Dimension

_PERIODS = """
SELECT objects.value, p.budget_id, p.start_ms, p.end_ms, p.spent_nano_usd FROM budget_periods p
LEFT JOIN objects ON objects.kind = 'budget' AND objects.id = p.budget_id
"""
_SPENT = """
SELECT coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE admitted_at_ms >= ? AND admitted_at_ms < ? AND {}
"""
_KINDS = {
    "application": ("application_ref", Dimension.APPLICATION),
    "user": ("user_ref", Dimension.USER),
    "key": ("key_ref", Dimension.KEY),
    "model": ("model_ref", Dimension.MODEL),
}


class PeriodSpending(NamedTuple):
    """What a budget's account says it spent in a period, and what the ledger says (`None`: there is no such budget)."""

    budget_id: str
    start_ms: int
    recorded_nano_usd: int
    true_nano_usd: int | None


def spending(connection: sqlite3.Connection) -> Iterator[PeriodSpending]:
    """Every account, recomputed from the ledger's rows; time grows with the rows stored."""
    for value, budget_id, start_ms, end_ms, recorded in connection.execute(_PERIODS).fetchall():
        if value is None:
            yield PeriodSpending(budget_id, start_ms, recorded, None)
            continue
        scope = msgspec.json.decode(value, type=Budget).scope
        true = _spent(connection, scope, start_ms, LATEST_MS if end_ms is None else end_ms)
        yield PeriodSpending(budget_id, start_ms, recorded, true)


def _spent(connection: sqlite3.Connection, scope: Scope, start_ms: int, end_ms: int) -> int:
    condition, values = _condition(connection, scope)
    return int(connection.execute(_SPENT.format(condition), (start_ms, end_ms, *values)).fetchone()[0])


def _condition(connection: sqlite3.Connection, scope: Scope) -> tuple[str, tuple[str | int, ...]]:
    if scope.kind == "everything":
        return "true", ()
    column, kind = _KINDS[scope.kind]
    names = connection.execute("SELECT id, name FROM dimensions WHERE kind = ?", (kind,))
    fits = fnmatchcase if scope.kind == "model" else str.__eq__
    refs = [ref for ref, name in names if fits(name, scope.name)]
    return f"{column} IN (SELECT value FROM json_each(?))", (msgspec.json.encode(refs).decode(),)
