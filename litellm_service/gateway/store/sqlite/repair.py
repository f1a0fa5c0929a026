"""Rollups and budget accounts made anew from the ledger, which is the truth."""

import sqlite3
from pathlib import Path

from gateway.store.sqlite.budget_audit import spending
from gateway.store.sqlite.coarse import TABLES
from gateway.store.sqlite.opening import connect
from gateway.store.sqlite.rollups import PendingRollups


def repair(database: Path, *, apply: bool) -> list[str]:
    """Write them anew in one transaction and say what that changes; without `apply` it is taken back.

    The service must not run. May be repeated.
    """
    connection = connect(database)
    try:
        connection.execute("BEGIN IMMEDIATE")
        done = [_rebuild_rollups(connection), _correct_budgets(connection)]
        if apply:
            connection.commit()
        else:
            connection.rollback()
        return done
    finally:
        connection.close()


def _rebuild_rollups(connection: sqlite3.Connection) -> str:
    before = _digest(connection)
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}")
    connection.execute("DELETE FROM meta WHERE name = 'rollup_watermark'")
    rollups = PendingRollups(connection)
    rollups.reload()
    rollups.flush()
    after = _digest(connection)
    return f"rollups: {len(before ^ after)} quarter-hour sums differ from the ledger, of {len(after)}"


def _digest(connection: sqlite3.Connection) -> set[int]:
    return {hash(row) for row in connection.execute("SELECT * FROM rollups")}


def _correct_budgets(connection: sqlite3.Connection) -> str:
    wrong = [period for period in spending(connection) if period.recorded_nano_usd != period.true_nano_usd]
    for period in wrong:
        where = (period.budget_id, period.start_ms)
        if period.true_nano_usd is None:
            connection.execute("DELETE FROM budget_periods WHERE budget_id = ? AND start_ms = ?", where)
        else:
            connection.execute(
                "UPDATE budget_periods SET spent_nano_usd = ? WHERE budget_id = ? AND start_ms = ?",
                (period.true_nano_usd, *where),
            )
    return f"budgets: {len(wrong)} accounts differ from the ledger"
