"""One batch of operations as one transaction."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.domain.administration import Change
from gateway.domain.conversation import ConversationStep
from gateway.domain.entry import Correction, Handover, Hold, Settlement
from gateway.domain.errors import GatewayError
from gateway.domain.event import Delivered, Event
from gateway.domain.failpoint import failpoint
from gateway.domain.time import now_ms
from gateway.store.sqlite import administration, conversations, corrections, events, refusals, rows, stored_responses
from gateway.store.sqlite.budgets import Accounts, BudgetAccounts
from gateway.store.sqlite.dimensions import Interner, Refs
from gateway.store.sqlite.refusals import RefusalKey
from gateway.store.sqlite.replays import Forgetting
from gateway.store.sqlite.rollups import Facts, PendingRollups
from gateway.store.sqlite.rows import Row

# Settled holds lie about until every older one is settled too; past this many they are deleted one by one.
SETTLED_BACKLOG = 10_000

Operation = Hold | Settlement | Handover | Correction | Change | Delivered | ConversationStep
Progress = tuple[int, int, int | None]


@dataclass(slots=True)
class _Open:
    """A hold that is not settled yet, and where it counts."""

    hold: Hold
    refs: Refs
    accounts: Accounts


@dataclass(slots=True)
class _Rows:
    holds: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)
    requests: list[Row] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    replays: list[Row] = field(default_factory=list)
    stored_responses: list[Row] = field(default_factory=list)
    opened: dict[int, _Open] = field(default_factory=dict)
    closed: list[int] = field(default_factory=list)
    next_ledger_id: int = 0
    has_holds: bool = False
    has_settlements: bool = False


class Written:
    """What a committed batch has to tell: refusals by position of the operation, and events."""

    __slots__ = ("events", "refused")

    def __init__(self) -> None:
        self.refused: dict[int, GatewayError] = {}
        self.events: list[Event] = []


class BatchWriter:
    """The only read-write connection: turns operations into rows and commits them.

    Its memory (interned names, open holds, budget accounts, pending rollups) mirrors the file; `rebuild` makes it so again
    after a rollback.
    """

    def __init__(self, connection: sqlite3.Connection, boot_id: int) -> None:
        self._connection = connection
        self._boot_id = boot_id
        self._interner = Interner(connection)
        self._rollups = PendingRollups(connection)
        self._requests = rows.RequestRows()
        self.accounts = BudgetAccounts(connection)
        self._replays = Forgetting(connection)
        self._open: dict[int, _Open] = {}
        self._settled: list[int] = []
        self._next_ledger_id = 1
        self.rebuild()

    @property
    def has_unflushed(self) -> bool:
        """Sums or settled holds wait for a flush."""
        return bool(self._rollups) or bool(self._settled)

    def open_holds(self) -> list[Hold]:
        """Whatever runs now; may be asked from any thread."""
        return [known.hold for known in list(self._open.values())]

    def rebuild(self) -> None:
        """Roll back what is open and take the state from the file."""
        if self._connection.in_transaction:
            self._connection.rollback()
        self._interner.forget()
        self._rollups.reload()
        self._reload_accounts(self._open)
        row = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM ledger").fetchone()
        self._next_ledger_id = row[0]

    def write(
        self,
        operations: Sequence[Operation],
        progress: Sequence[Progress] = (),
        refused: Counter[RefusalKey] | None = None,
        *,
        flush: bool = False,
    ) -> Written:
        """Commit all of it or nothing; raises `sqlite3.Error` after which `rebuild` is due."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        batch, written, at_ms = _Rows(next_ledger_id=self._next_ledger_id), Written(), now_ms()
        for position, operation in enumerate(operations):
            try:
                self._take(batch, operation, at_ms, written)
            except GatewayError as error:
                written.refused[position] = error
        self._insert(batch)
        if progress:
            connection.executemany(rows.PUT_PROGRESS, progress)
        if refused:
            refusals.write(connection, self._interner, refused)
        self._write_accounts(at_ms, written)
        if flush:
            self._rollups.flush()
            self._replays.forget_old(at_ms)
            self._delete_settled_holds(batch)
        self._commit(batch)
        self._remember(batch, flushed=flush)
        return written

    def has(self, operation: Operation) -> bool:
        """Whether the file already holds this very fact (an earlier try committed it after all)."""
        if isinstance(operation, Hold):
            found = self._connection.execute("SELECT 1 FROM holds WHERE id = ?", (operation.id,))
        elif isinstance(operation, Handover):
            return self.has(operation.settlement)
        elif isinstance(operation, Settlement):
            hold = operation.hold
            found = self._connection.execute(
                "SELECT 1 FROM ledger WHERE request_id = ? AND attempt = ? AND kind = ? AND seq = 0",
                (hold.request_id, hold.attempt, operation.kind),
            )
        else:
            return False
        return found.fetchone() is not None

    def _take(self, batch: _Rows, operation: Operation, at_ms: int, written: Written) -> None:
        """Raises `GatewayError` for an operation that is refused; nothing of it is written then."""
        if isinstance(operation, Hold):
            self._take_hold(batch, operation)
        elif isinstance(operation, Settlement):
            self._settlement_rows(batch, operation, at_ms, self._close(batch, operation))
        elif isinstance(operation, Handover):
            self._take_handover(batch, operation, at_ms)
        elif isinstance(operation, Correction):
            self._insert(batch)
            self._take_correction(batch, operation, at_ms)
        elif isinstance(operation, Delivered):
            self._connection.execute(events.DELIVERED, (operation.at_ms, operation.event_id))
        elif isinstance(operation, Change):
            self._insert(batch)
            self._write_accounts(at_ms, written)
            self._change(batch, operation, at_ms)
        else:
            conversations.write(self._connection, operation)

    def _take_hold(self, batch: _Rows, hold: Hold) -> None:
        accounts = self.accounts.admit(hold)
        refs, price_id = self._interner.refs(hold), self._interner.price_id(hold.price)
        batch.opened[hold.id] = _Open(hold, refs, accounts)
        batch.holds.append(rows.hold_row(hold, self._boot_id, refs, price_id))
        batch.has_holds = True

    def _take_handover(self, batch: _Rows, handover: Handover, at_ms: int) -> None:
        """The money of the failed attempt is free before the next one asks for its own."""
        settlement = handover.settlement
        known = self._close(batch, settlement)
        settlement.final = False  # an earlier try may have said otherwise
        try:
            self._take_hold(batch, handover.hold)
        except GatewayError:
            settlement.final = True
            raise
        finally:
            self._settlement_rows(batch, settlement, at_ms, known)

    def _close(self, batch: _Rows, settlement: Settlement) -> _Open:
        hold = settlement.hold
        known = self._open.get(hold.id) or batch.opened.get(hold.id)
        if known is None:  # of an earlier process: nothing is held for it any more
            known = _Open(hold, self._interner.refs(hold), self.accounts.of(hold))
            self.accounts.attach(known.accounts, hold.amount_nano_usd)
        if known.accounts:
            self.accounts.settle(known.accounts, hold.amount_nano_usd, settlement.cost_nano_usd)
        batch.closed.append(hold.id)
        return known

    def _settlement_rows(self, batch: _Rows, settlement: Settlement, at_ms: int, known: _Open) -> None:
        price_id = self._interner.price_id(settlement.hold.price)  # the answer may have named another service tier
        row = rows.ledger_row(batch.next_ledger_id, settlement, known.refs, price_id, at_ms)
        batch.next_ledger_id += 1
        batch.ledger.append(row)
        batch.facts.append(rows.facts(row))
        batch.has_settlements = True
        if settlement.final:
            batch.requests.append(self._requests.row(settlement, known.refs))
        if settlement.replay is not None:
            batch.replays.append(rows.replay_row(settlement))
        if settlement.stored_response is not None:
            hold = settlement.hold
            batch.stored_responses.append((settlement.stored_response, hold.key_id, hold.provider, hold.admitted_at_ms))

    def _take_correction(self, batch: _Rows, correction: Correction, at_ms: int) -> None:
        price_id = self._interner.price_id(correction.price)
        corrected = corrections.write(self._connection, correction, price_id, batch.next_ledger_id, at_ms)
        if corrected is None:
            return
        batch.next_ledger_id += 1
        self._rollups.count([corrected.facts])
        accounts = self.accounts.of(corrected.hold)
        self.accounts.correct(accounts, corrected.difference_nano_usd)

    def _change(self, batch: _Rows, change: Change, at_ms: int) -> None:
        if administration.write(self._connection, self.accounts, change, at_ms):
            still_open = {id_: known for id_, known in (self._open | batch.opened).items() if id_ not in batch.closed}
            self._reload_accounts(still_open)

    def _reload_accounts(self, still_open: dict[int, _Open]) -> None:
        self.accounts.reload()
        for known in still_open.values():
            known.accounts = self.accounts.of(known.hold)
            self.accounts.attach(known.accounts, known.hold.amount_nano_usd)
        self.accounts.open_current(now_ms())

    def _insert(self, batch: _Rows) -> None:
        connection = self._connection
        for statement, waiting in (
            (rows.INSERT_HOLD, batch.holds),
            (rows.INSERT_LEDGER, batch.ledger),
            (rows.INSERT_REQUEST, batch.requests),
            (rows.PUT_REPLAY, batch.replays),
            (stored_responses.PUT, batch.stored_responses),
        ):
            if waiting:
                connection.executemany(statement, waiting)
                waiting.clear()
        if batch.facts:
            self._rollups.count(batch.facts)
            batch.facts.clear()

    def _write_accounts(self, at_ms: int, written: Written) -> None:
        raised = self.accounts.write(at_ms)
        if raised:
            self._connection.executemany(events.INSERT, map(events.row, raised))
            written.events += raised

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
        if batch.has_holds:
            failpoint("before_hold_commit")
        if batch.has_settlements:
            failpoint("in_settle")
        self._connection.commit()
        if batch.has_holds:
            failpoint("after_hold_commit")
        if batch.has_settlements:
            failpoint("after_settle_commit")

    def _remember(self, batch: _Rows, *, flushed: bool) -> None:
        self._open.update(batch.opened)
        for hold_id in batch.closed:
            self._open.pop(hold_id, None)
        self._next_ledger_id = batch.next_ledger_id
        if flushed:
            self._rollups.flushed()
        else:
            self._settled += batch.closed
