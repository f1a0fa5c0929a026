"""What administrators set: objects as JSON, and the append-only record of their changes."""

import sqlite3
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.domain.administration import AuditEntry, Change, ObjectKind, Put
from gateway.domain.budget import Budget
from gateway.store.questions import AuditQuery
from gateway.store.sqlite import rows
from gateway.store.sqlite.budgets import BudgetAccounts
from gateway.store.sqlite.opening import connect

T = TypeVar("T")

_PUT = "INSERT OR REPLACE INTO objects (kind, id, value) VALUES (?, ?, ?)"
_DROP = "DELETE FROM objects WHERE kind = ? AND id = ?"
_OF_KIND = "SELECT value FROM objects WHERE kind = ? ORDER BY id"
_OLD_BUDGET = "SELECT value FROM objects WHERE kind = 'budget' AND id = ?"
_AUDIT = """
SELECT id, at_ms, actor, action, object_kind, object_id, before, after FROM audit
WHERE id < ? AND (? = '' OR object_kind = ?) AND (? = '' OR object_id = ?) AND (? = '' OR actor = ?) ORDER BY id DESC LIMIT ?
"""


def write(connection: sqlite3.Connection, accounts: BudgetAccounts, change: Change, at_ms: int) -> bool:
    """Write a change; says whether budgets are among it, so that the accounts must be taken anew from the file."""
    budgets = False
    for step in change.steps:
        if step.kind == "budget":
            budgets = True
            _write_budget(connection, accounts, step.id, step.value if isinstance(step, Put) else None, at_ms)
        if isinstance(step, Put):
            connection.execute(_PUT, (step.kind, step.id, msgspec.json.encode(step.value).decode()))
        else:
            connection.execute(_DROP, (step.kind, step.id))
    connection.executemany(rows.INSERT_AUDIT, map(rows.audit_row, change.audit))
    return budgets


def objects(connection: sqlite3.Connection, kind: ObjectKind, type_: type[T]) -> list[T]:
    """Every object of a kind, by id."""
    return [msgspec.json.decode(value, type=type_) for (value,) in connection.execute(_OF_KIND, (kind,))]


def stored(database: Path, kind: ObjectKind, type_: type[T]) -> list[T]:
    """Every object of a kind in a file, also while a service has it; none where there is no such file, or an older one."""
    if not database.exists():
        return []
    connection = connect(database)
    try:
        return objects(connection, kind, type_)
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def audit_entries(connection: sqlite3.Connection, query: AuditQuery) -> list[tuple[int, AuditEntry]]:
    """The newest entries with their ids."""
    kind, id_, actor = query.object_kind, query.object_id, query.actor
    values = (query.before_id, kind, kind, id_, id_, actor, actor, query.limit)
    return [
        (row[0], AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row[1:], strict=True))))
        for row in connection.execute(_AUDIT, values)
    ]


def _write_budget(
    connection: sqlite3.Connection, accounts: BudgetAccounts, id_: str, budget: msgspec.Struct | None, at_ms: int
) -> None:
    """What is spent stays where scope and period stay; else it is summed up anew."""
    if not isinstance(budget, Budget):
        accounts.forget(id_)
        return
    row = connection.execute(_OLD_BUDGET, (id_,)).fetchone()
    old = None if row is None else msgspec.json.decode(row[0], type=Budget)
    if old is None or (old.scope, old.period, old.tz) != (budget.scope, budget.period, budget.tz):
        accounts.start(budget, at_ms)
    elif budget.limit_nano_usd(at_ms) != old.limit_nano_usd(at_ms):
        accounts.change_limit(budget, at_ms)
