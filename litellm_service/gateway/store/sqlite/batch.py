"""One batch of holds and settlements as one transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.domain.entry import Hold, Settlement
from gateway.domain.failpoint import failpoint
from gateway.domain.time import now_ms
from gateway.store.sqlite import rows
from gateway.store.sqlite.dimensions import Interner, Refs
from gateway.store.sqlite.rollups import Facts, PendingRollups
from gateway.store.sqlite.rows import Row

# Settled holds lie about until every older one is settled too; past this many they are deleted one by one.
SETTLED_BACKLOG = 10_000

Operation = Hold | Settlement
Progress = tuple[int, int, int | None]


@dataclass(slots=True)
class _Rows:
    holds: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)
    requests: list[Row] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    opened: dict[int, tuple[Refs, int | None]] = field(default_factory=dict)
    closed: list[int] = field(default_factory=list)


class BatchWriter:
    """The only read-write connection: turns operations into rows and commits them.

    Its memory (interned names, open holds, pending rollups) mirrors the file; `rebuild` makes it so again after a rollback.
    """

    def __init__(self, connection: sqlite3.Connection, boot_id: int) -> None:
        self._connection = connection
        self._boot_id = boot_id
        self._interner = Interner(connection)
        self._rollups = PendingRollups(connection)
        self._requests = rows.RequestRows()
        self._open: dict[int, tuple[Refs, int | None]] = {}
        self._settled: list[int] = []
        self._next_ledger_id = 1
        self.rebuild()

    @property
    def has_unflushed(self) -> bool:
        """Sums or settled holds wait for a flush."""
        return bool(self._rollups) or bool(self._settled)

    def rebuild(self) -> None:
        """Roll back what is open and take the state from the file."""
        if self._connection.in_transaction:
            self._connection.rollback()
        self._interner.forget()
        self._rollups.reload()
        row = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM ledger").fetchone()
        self._next_ledger_id = row[0]

    def write(self, operations: Sequence[Operation], progress: Sequence[Progress] = (), *, flush: bool = False) -> None:
        """Commit all of it or nothing; raises `sqlite3.Error` after which `rebuild` is due."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        batch = self._rows(operations)
        if batch.holds:
            connection.executemany(rows.INSERT_HOLD, batch.holds)
        if batch.ledger:
            connection.executemany(rows.INSERT_LEDGER, batch.ledger)
            connection.executemany(rows.INSERT_REQUEST, batch.requests)
        if progress:
            connection.executemany(rows.PUT_PROGRESS, progress)
        self._rollups.count(batch.facts)
        if flush:
            self._rollups.flush()
            self._delete_settled_holds(batch)
        self._commit(batch)
        self._remember(batch, flushed=flush)

    def has(self, operation: Operation) -> bool:
        """Whether the file already holds this very fact (an earlier try committed it after all)."""
        if isinstance(operation, Hold):
            found = self._connection.execute("SELECT 1 FROM holds WHERE id = ?", (operation.id,))
        else:
            hold = operation.hold
            found = self._connection.execute(
                "SELECT 1 FROM ledger WHERE request_id = ? AND attempt = ? AND kind = ? AND seq = 0",
                (hold.request_id, hold.attempt, operation.kind),
            )
        return found.fetchone() is not None

    def _rows(self, operations: Sequence[Operation]) -> _Rows:
        batch, at_ms = _Rows(), now_ms()
        for operation in operations:
            if isinstance(operation, Hold):
                refs, price_id = self._interner.refs(operation), self._interner.price_id(operation.price)
                batch.opened[operation.id] = (refs, price_id)
                batch.holds.append(rows.hold_row(operation, self._boot_id, refs, price_id))
            else:
                self._settlement_rows(batch, operation, at_ms)
        return batch

    def _settlement_rows(self, batch: _Rows, settlement: Settlement, at_ms: int) -> None:
        hold = settlement.hold
        known = self._open.get(hold.id) or batch.opened.get(hold.id)
        refs, price_id = known or (self._interner.refs(hold), self._interner.price_id(hold.price))
        row = rows.ledger_row(self._next_ledger_id + len(batch.ledger), settlement, refs, price_id, at_ms)
        batch.ledger.append(row)
        batch.facts.append(rows.facts(row))
        batch.closed.append(hold.id)
        if settlement.final:
            batch.requests.append(self._requests.row(settlement, refs))

    def _delete_settled_holds(self, batch: _Rows) -> None:
        closed = set(batch.closed)
        still_open = [hold_id for ids in (self._open, batch.opened) for hold_id in ids if hold_id not in closed]
        settled = self._settled + batch.closed
        below = min(still_open, default=max(settled, default=0) + 1)
        self._connection.execute("DELETE FROM holds WHERE id < ?", (below,))
        self._connection.execute("DELETE FROM progress WHERE hold_id < ?", (below,))
        left = [hold_id for hold_id in settled if hold_id >= below]
        if len(left) > SETTLED_BACKLOG:
            self._connection.executemany("DELETE FROM holds WHERE id = ?", [(hold_id,) for hold_id in left])
            self._connection.executemany("DELETE FROM progress WHERE hold_id = ?", [(hold_id,) for hold_id in left])
            left = []
        self._settled = left

    def _commit(self, batch: _Rows) -> None:
        if batch.holds:
            failpoint("before_hold_commit")
        if batch.ledger:
            failpoint("in_settle")
        self._connection.commit()
        if batch.holds:
            failpoint("after_hold_commit")
        if batch.ledger:
            failpoint("after_settle_commit")

    def _remember(self, batch: _Rows, *, flushed: bool) -> None:
        self._open.update(batch.opened)
        for hold_id in batch.closed:
            self._open.pop(hold_id, None)
        self._next_ledger_id += len(batch.ledger)
        if flushed:
            self._rollups.flushed()
        else:
            self._settled += batch.closed
