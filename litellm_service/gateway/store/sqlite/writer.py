"""The writer thread: natural batching, and what to do when a commit fails."""

import logging
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum

import msgspec

from gateway.domain.entry import Handover, Hold, Settlement
from gateway.domain.errors import GatewayError, StoreUnavailable
from gateway.domain.event import Event
from gateway.domain.time import id_text
from gateway.store.sqlite.ballast import Ballast
from gateway.store.sqlite.batch import BatchWriter, Operation, Progress, Written
from gateway.store.sqlite.refusals import RefusalKey

log = logging.getLogger(__name__)

MAX_BATCH = 256
FLUSH_INTERVAL_S = 0.5
RETRY_INTERVAL_S = 0.25
RETRY_AFTER_S = 2

Done = Callable[[GatewayError | None], None]
Item = tuple[Operation, Done]
Report = tuple[Done, GatewayError | None]
Resolve = Callable[[list[Report], list[Event]], None]

# The database's word on an operation that no retry can write, against a file that cannot be written now.
_UNWRITABLE = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


class _Signal(Enum):
    """What may be in the queue besides operations."""

    WAKE = 1
    STOP = 2


class Writer:
    """Takes operations from any thread, commits what waits in one transaction, then reports back.

    `resolve` is called from the writer's thread, once per commit, with every operation's callback and its error or `None`,
    and with the events that the commit raised.
    Settlements are never dropped: while the file cannot be written they wait, and `fault` says why holds are refused.
    """

    def __init__(self, batch: BatchWriter, ballast: Ballast, resolve: Resolve) -> None:
        self._batch = batch
        self._ballast = ballast
        self._resolve = resolve
        self._queue: queue.SimpleQueue[Item | RefusalKey | _Signal] = queue.SimpleQueue()
        self._progress: dict[int, Progress] = {}
        self._refused: Counter[RefusalKey] = Counter()
        self._waiting: list[Item] = []
        self._last_flush = time.monotonic()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self.fault: str | None = None
        self.commits = 0
        self.operations = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, operation: Operation, done: Done) -> None:
        """Hand an operation in; it cannot be taken back."""
        self._queue.put((operation, done))

    def note_progress(self, hold_id: int, output_tokens: int, first_token_us: int | None) -> None:
        """Remember how far a stream has come; it rides along with the next commit, which comes within half a second."""
        if not self._progress:
            self._queue.put(_Signal.WAKE)
        self._progress[hold_id] = (hold_id, output_tokens, first_token_us)

    def note_refusal(self, key: RefusalKey) -> None:
        """Count a request that was refused; written with the next flush."""
        self._queue.put(key)

    def stop(self) -> None:
        """Commit what waits and flush; blocks until that is done."""
        self._queue.put(_Signal.STOP)
        self._thread.join()

    @property
    def queue_length(self) -> int:
        """Operations that wait for a commit."""
        return self._queue.qsize() + len(self._waiting)

    def _run(self) -> None:
        while not self._stopping:
            self._take()
            self._step(flush=time.monotonic() - self._last_flush >= FLUSH_INTERVAL_S)
        self._step(flush=True)
        if self._waiting:
            log.critical("%d operations could not be written before the stop: %s", len(self._waiting), self.fault)

    def _take(self) -> None:
        """Wait for work or for the next flush; then drain what is there."""
        waiting = self._waiting
        try:
            item = self._queue.get(timeout=self._patience_s())
            while item is not _Signal.STOP:
                self._sort(item)
                if len(waiting) >= MAX_BATCH:
                    return
                item = self._queue.get_nowait()
            self._stopping = True
        except queue.Empty:
            return

    def _sort(self, item: Item | RefusalKey | _Signal) -> None:
        if isinstance(item, _Signal):
            return
        if len(item) == 2:
            self._waiting.append(item)
        else:
            self._refused[item] += 1

    def _patience_s(self) -> float | None:
        if self.fault is not None:
            return RETRY_INTERVAL_S
        if self._batch.has_unflushed or self._progress or self._refused:
            return max(0.001, self._last_flush + FLUSH_INTERVAL_S - time.monotonic())
        return None

    def _step(self, *, flush: bool) -> None:
        if self.fault is not None:
            self._refuse_waiting_holds()
            if not self._waiting:
                self._try_to_resume()
                return
        if self._waiting or (flush and (self._progress or self._refused or self._batch.has_unflushed)):
            self._commit(flush=flush)

    def _commit(self, *, flush: bool) -> None:
        items, progress, self._progress = self._waiting, self._progress, {}
        refused = self._refused if flush else None
        try:
            written = self._batch.write(
                [operation for operation, _ in items], list(progress.values()), refused, flush=flush
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, the writer must live on: nobody else settles
            self._progress = progress | self._progress
            self._recover(error)
            return
        self.commits += 1
        self.operations += len(items)
        self._waiting = []
        self._report(items, written)
        if flush:
            self._refused.clear()
            self._last_flush = time.monotonic()

    def _report(self, items: list[Item], written: Written) -> None:
        if items:
            refused = written.refused
            reports = [(done, refused.get(position)) for position, (_, done) in enumerate(items)]
            self._resolve(reports, written.events)

    def _refuse(self, done: Done, error: GatewayError) -> None:
        self._resolve([(done, error)], [])

    def _recover(self, error: Exception) -> None:
        log.warning("a commit of %d operations failed: %s", len(self._waiting), error)
        if not self._rebuilt():
            self._enter_fault(error)
        elif _is_unwritable(error):
            items, self._waiting = self._waiting, []
            for item in items:
                self._write_alone(item)
        else:
            if _disk_is_full(error) and self._ballast.release():
                log.warning("the disk is full: the ballast file was given up so that open requests can be settled")
            self._enter_fault(error)

    def _write_alone(self, item: Item) -> None:
        try:
            written = Written() if self._batch.has(item[0]) else self._batch.write([item[0]])
            self._report([item], written)
        except Exception as error:  # noqa: BLE001  # as in _commit
            self._rebuilt()
            if _is_unwritable(error):
                self._write_without_content(item, error)
            else:
                self._enter_fault(error)
                self._waiting.append(item)

    def _write_without_content(self, item: Item, error: Exception) -> None:
        """The figures count more than the text that may have been what could not be written."""
        operation, done = item
        log.error("%s cannot be written as it is: %s", _named(operation), error, exc_info=error)
        bare = _without_content(operation)
        if bare is not None:
            self._write_alone((bare, done))
        else:
            self._refuse(done, StoreUnavailable("This request could not be recorded; the service's log says why."))

    def _rebuilt(self) -> bool:
        try:
            self._batch.rebuild()
        except sqlite3.Error as error:
            log.warning("the database cannot be read: %s", error)
            return False
        return True

    def _enter_fault(self, error: Exception) -> None:
        if self.fault is None:
            log.error("new requests are refused until the database can be written again: %s", error)
        self.fault = str(error)

    def _refuse_waiting_holds(self) -> None:
        """Only settlements wait for better times; of a handover, the settlement."""
        items, self._waiting = self._waiting, []
        for operation, done in items:
            if isinstance(operation, Settlement):
                self._waiting.append((operation, done))
                continue
            if isinstance(operation, Handover):
                operation.settlement.final = True
                self._waiting.append((operation.settlement, _nobody))
            self._refuse(done, unwritable(self.fault))

    def _try_to_resume(self) -> None:
        if not self._ballast.restore() or not self._rebuilt():
            return
        try:
            self._batch.write([], flush=True)
        except sqlite3.Error as error:
            self.fault = str(error)
            self._rebuilt()
        else:
            log.warning("the database can be written again")
            self.fault = None


def _nobody(_error: GatewayError | None) -> None:
    """Whoever waited has been told already."""


def _without_content(operation: Operation) -> Operation | None:
    """The same facts without the texts; `None` if there are none to leave out."""
    if isinstance(operation, Handover):
        bare = _without_content(operation.settlement)
        return Handover(bare, operation.hold) if isinstance(bare, Settlement) else None
    if not isinstance(operation, Settlement) or not (operation.query or operation.response or operation.messages):
        return None
    return msgspec.structs.replace(operation, query="", response=None, messages=None, error_message=None, replay=None)


def unwritable(fault: str | None) -> StoreUnavailable:
    """The refusal of a hold while the file cannot be written."""
    return StoreUnavailable(
        f"The database cannot be written now ({fault}). Nothing was sent to the provider; try again shortly.",
        retry_after_s=RETRY_AFTER_S,
    )


def _named(operation: Operation) -> str:
    """What it is, without what people wrote."""
    hold = operation.hold if isinstance(operation, Settlement | Handover) else operation
    of = f" of request {id_text(hold.request_id)}" if isinstance(hold, Hold) else ""
    return f"a {type(operation).__name__.lower()}{of}"


def _is_unwritable(error: Exception) -> bool:
    """The operation is at fault (a value out of range, text that is no Unicode, a bug of ours), not the file."""
    return isinstance(error, _UNWRITABLE) or not isinstance(error, sqlite3.Error)


def _disk_is_full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
