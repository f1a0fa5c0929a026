"""The ledger's file as the rest of the gateway sees it."""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway.domain.administration import Change, ObjectKind
from gateway.domain.conversation import ConversationStep
from gateway.domain.entry import Correction, Handover, Hold, Operation, Settlement
from gateway.domain.errors import GatewayError, Overloaded, StoreUnavailable
from gateway.domain.event import Delivered, Event
from gateway.domain.price import Price
from gateway.domain.scope import Subject
from gateway.domain.time import now_ms
from gateway.store.sqlite import opening
from gateway.store.sqlite.administration import objects
from gateway.store.sqlite.ballast import Ballast
from gateway.store.sqlite.batch import BatchWriter
from gateway.store.sqlite.batch import Operation as Written
from gateway.store.sqlite.budget_account import Account
from gateway.store.sqlite.events import undelivered
from gateway.store.sqlite.rollups import QUARTER_MS
from gateway.store.sqlite.writer import Done, Report, Writer, unwritable

T = TypeVar("T")

MAX_WAITING_HOLDS = 4_096
COMMIT_PATIENCE_S = 5.0
PATIENCE_CHECK_S = 0.25

_ORPHANS = """
SELECT h.id, h.request_id, h.attempt, h.admitted_at_ms, h.amount_nano_usd, a.name, u.name, k.name, m.name, p.name, um.name,
    h.operation, h.stream, h.input_tokens_estimate, prices.terms, progress.output_tokens, progress.first_token_us
FROM holds h
JOIN dimensions a ON a.id = h.application_ref JOIN dimensions u ON u.id = h.user_ref JOIN dimensions k ON k.id = h.key_ref
JOIN dimensions m ON m.id = h.model_ref JOIN dimensions p ON p.id = h.provider_ref
JOIN dimensions um ON um.id = h.upstream_model_ref
LEFT JOIN prices ON prices.id = h.price_id LEFT JOIN progress ON progress.hold_id = h.id
WHERE h.boot_id < ? AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.request_id = h.request_id AND l.attempt = h.attempt)
ORDER BY h.id
"""


class Orphan(msgspec.Struct, frozen=True):
    """A hold that a process left behind when it died, and how far its stream had come (`None`: nothing was noted)."""

    hold: Hold
    output_tokens: int | None
    first_token_us: int | None


class SqliteStore:
    """One process, one file, one writer.

    `open` may take seconds (recovery, migration) and raises `DatabaseUnusable`; `hold` and `settle` are plain calls that
    give a future which is done when the row is on disk. They belong to the loop that `start` was called in.
    """

    def __init__(self, database: Path, version: str) -> None:
        self.database = database
        self._version = version
        self._lock = opening.FileLock(database)
        self._ballast = Ballast(database)
        self._connection: sqlite3.Connection
        self._writer: Writer
        self._loop: asyncio.AbstractEventLoop
        self._boot_id = 0
        self._next_hold_id = 1
        self._waiting_holds = 0
        self._unconfirmed: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._batch: BatchWriter
        self.on_event: Callable[[Event], None] = _nobody_listens
        self._patience: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Lock, check, migrate, and begin a new boot."""
        opening.prepare_folder(self.database)
        self._lock.acquire()
        try:
            opening.check_not_damaged(self.database)
            opening.migrate_if_behind(self.database)
            self._connection = opening.connect(self.database)
            self._begin_boot()
        except BaseException:
            self._lock.release()
            raise
        self._ballast.restore()

    def start(self) -> None:
        """Start the writer; call it inside the running loop."""
        self._loop = asyncio.get_running_loop()
        self._batch = BatchWriter(self._connection, self._boot_id)
        self._writer = Writer(self._batch, self._ballast, self._resolve)
        self._writer.start()
        self._check_patience()

    def close(self) -> None:
        """Commit what waits, note the orderly stop, let the file go. Blocks; the loop must still run or have nothing waiting."""
        if self._patience is not None:
            self._patience.cancel()
        self._writer.stop()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("UPDATE boots SET stopped_at_ms = ? WHERE id = ?", (now_ms(), self._boot_id))
            self._connection.execute("PRAGMA optimize")
        self._connection.close()
        self._lock.release()

    def hold(self, hold: Hold) -> asyncio.Future[None]:
        """Set money aside, durably, before the call.

        Raises `StoreUnavailable` or `Overloaded` at once; the future may raise `BudgetExceeded` or `ModelPriceUnknown`.
        """
        self._check_room()
        self._number(hold)
        future: asyncio.Future[None] = self._loop.create_future()

        def done(error: GatewayError | None) -> None:
            self._waiting_holds -= 1
            _settle_future(future, error)

        self._waiting_holds += 1
        self._writer.put(hold, done)
        self._unconfirmed.append((self._loop.time(), future))
        return future

    def settle(self, settlement: Settlement) -> asyncio.Future[None]:
        """Replace the hold by what the attempt really was; never refused, never lost."""
        return self._put(settlement)

    def hand_over(self, settlement: Settlement, hold: Hold) -> asyncio.Future[None]:
        """Settle a failed attempt and hold for the next one, at once; if that is refused, the first one was the last."""
        self._number(hold)
        return self._put(Handover(settlement, hold))

    def change(self, change: Change, then: Done | None = None) -> asyncio.Future[None]:
        """What an administrator changed, with its audit entries; raises `StoreUnavailable` at once.

        `then` is given the outcome in the loop, also when whoever waits for the future has been told to wait no longer.
        """
        self._check_room()
        return self._put(change, then)

    def converse(self, step: ConversationStep) -> asyncio.Future[None]:
        """Keep or delete somebody's conversation; raises `StoreUnavailable` at once, the future `NotFound` or `InvalidRequest`."""
        self._check_room()
        return self._put(step)

    def correct(self, correction: Correction) -> asyncio.Future[None]:
        """Record what an attempt should have cost; may be repeated."""
        self._check_room()
        return self._put(correction)

    def note_refusal(self, subject: Subject, code: str, at_ms: int) -> None:
        """Count a request that was refused before it was admitted."""
        self._writer.note_refusal((at_ms // QUARTER_MS, subject, code))

    def accounts(self) -> list[Account]:
        """What every budget has spent and holds, as the writer knows it now."""
        return self._batch.accounts.snapshot()

    async def delivered(self, event_id: str) -> None:
        """An event need not be delivered any more."""
        await self._put(Delivered(event_id, now_ms()))

    def undelivered(self, since_ms: int) -> list[Event]:
        """Events since then that nobody was told of; call it after `open` and before `start`."""
        return undelivered(self._connection, since_ms)

    def open_holds(self) -> list[Hold]:
        """The holds of whatever runs now."""
        return self._batch.open_holds()

    def objects(self, kind: ObjectKind, type_: type[T]) -> list[T]:
        """What administrators have set; call it after `open` and before `start`."""
        return objects(self._connection, kind, type_)

    def note_progress(self, hold: Hold, output_tokens: int, first_token_us: int | None) -> None:
        """How far a stream has come, for an estimate should this process die."""
        self._writer.note_progress(hold.id, output_tokens, first_token_us)

    def orphans(self) -> list[Orphan]:
        """Unsettled holds of earlier boots."""
        return [_orphan(row) for row in self._connection.execute(_ORPHANS, (self._boot_id,))]

    @property
    def fault(self) -> str | None:
        """Why holds are refused now; `None` while all is well."""
        return self._writer.fault

    def figures(self) -> dict[str, int]:
        """Commits and operations since the start, and what waits."""
        writer = self._writer
        return {"commits": writer.commits, "operations": writer.operations, "waiting": writer.queue_length}

    def _check_room(self) -> None:
        if self._writer.fault is not None:
            raise unwritable(self._writer.fault)
        if self._waiting_holds >= MAX_WAITING_HOLDS:
            raise Overloaded("Too many requests wait for the database; try again shortly.", retry_after_s=1)

    def _number(self, hold: Hold) -> None:
        hold.id = self._next_hold_id
        self._next_hold_id += 1

    def _put(self, operation: Written, then: Done | None = None) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()

        def done(error: GatewayError | None) -> None:
            if then is not None:
                then(error)
            _settle_future(future, error)

        self._writer.put(operation, done)
        self._unconfirmed.append((self._loop.time(), future))
        return future

    def _check_patience(self) -> None:
        """Whoever has waited 5 s is told so; the operation itself stays queued."""
        waiting, too_old = self._unconfirmed, self._loop.time() - COMMIT_PATIENCE_S
        while waiting and (waiting[0][1].done() or waiting[0][0] < too_old):
            _settle_future(waiting.popleft()[1], _unconfirmed())
        self._patience = self._loop.call_later(PATIENCE_CHECK_S, self._check_patience)

    def _begin_boot(self) -> None:
        cursor = self._connection.execute(
            "INSERT INTO boots (started_at_ms, version) VALUES (?, ?)", (now_ms(), self._version)
        )
        self._boot_id = cursor.lastrowid or 0
        row = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM holds").fetchone()
        self._next_hold_id = row[0]

    def _resolve(self, reports: list[Report], events: list[Event]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._report, reports, events)

    def _report(self, reports: list[Report], events: list[Event]) -> None:
        for done, error in reports:
            done(error)
        for event in events:
            self.on_event(event)


def _nobody_listens(_event: Event) -> None:
    """Until somebody is told of events, they wait in the file."""


def _unconfirmed() -> StoreUnavailable:
    error = StoreUnavailable(
        f"The database did not confirm within {COMMIT_PATIENCE_S:g} s; the request is recorded as soon as it can be.",
        retry_after_s=2,
    )
    error.pending = True
    return error


def _settle_future(future: asyncio.Future[None], error: GatewayError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # a caller that has left need not fetch it


def _orphan(row: tuple[Any, ...]) -> Orphan:
    hold = Hold(
        id=row[0],
        request_id=row[1],
        attempt=row[2],
        admitted_at_ms=row[3],
        amount_nano_usd=row[4],
        application_id=row[5],
        user_id=row[6],
        key_id=row[7],
        model=row[8],
        provider=row[9],
        upstream_model=row[10],
        operation=Operation(row[11]),
        stream=bool(row[12]),
        input_tokens_estimate=row[13],
        price=None if row[14] is None else msgspec.json.decode(row[14], type=Price),
    )
    return Orphan(hold, row[15], row[16])
