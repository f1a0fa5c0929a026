"""Query-only connections: whatever is read back from the file."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.domain.administration import AuditEntry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import ToldEvent
from gateway.domain.time import monotonic
from gateway.store.questions import (
    AttemptQuery,
    AuditQuery,
    ConversationQuery,
    ConversationRow,
    EventQuery,
    Filters,
    FullRequest,
    Owner,
    PricedAttempt,
    RequestQuery,
    StoredFile,
    StoredReplay,
    StoredResponse,
    Stretch,
    UsageAnswer,
    UsageQuestion,
    WholeConversation,
)
from gateway.store.sqlite import conversations, events, replays, stored_responses
from gateway.store.sqlite.administration import audit_entries
from gateway.store.sqlite.attempt_reading import attempts
from gateway.store.sqlite.refusal_reading import refusals
from gateway.store.sqlite.request_reading import full_request, list_requests, stretch
from gateway.store.sqlite.usage_reading import answer

T = TypeVar("T")

READERS = 3
BUSY_TIMEOUT_S = 5
DEADLINE_S = 15
INSTRUCTIONS_PER_CHECK = 200_000


class Reader:
    """A few read-only connections used from threads; every answer is of one moment of the database.

    All questions raise `StoreUnavailable`. A reader of another database has the same three and `close`.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._closed = False

    def close(self) -> None:
        """Wait for what runs, then close."""
        self._closed = True
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    async def usage(self, questions: Sequence[UsageQuestion]) -> list[UsageAnswer]:
        """An answer to each question, all of the same moment."""
        return await self._read(lambda connection: [answer(connection, question) for question in questions])

    async def refusals(self, start: int, end: int, filters: Filters) -> list[tuple[str, int]]:
        """Codes and counts of what was refused in a range of quarters of an hour since 1970, the most frequent first."""
        return await self._read(lambda connection: refusals(connection, start, end, filters))

    async def requests(self, query: RequestQuery) -> list[dict[str, Any]]:
        """At most `limit` rows by column (`REQUEST_COLUMNS`), newest first, without any content."""
        return await self._read(lambda connection: list_requests(connection, query))

    async def stretch(self, query: RequestQuery) -> Stretch:
        """Those that match among the next `limit` requests of whomever: all of them, a short reading at a time."""
        return await self._read(lambda connection: stretch(connection, query))

    async def request(self, request_id: str, *, owner: Owner | None = None) -> FullRequest | None:
        """`None` if there is no such request, or it is not the owner's."""
        return await self._read(lambda connection: full_request(connection, request_id, owner))

    async def replay(self, caller: str, name: bytes, since_ms: int) -> StoredReplay | None:
        """How a caller's request with this `Idempotency-Key` (its digest) was answered, if it was since then."""
        return await self._read(lambda connection: replays.find(connection, caller, name, since_ms))

    async def stored_response(self, response_id: str) -> StoredResponse | None:
        """Whose a response is that a provider keeps, and where it lies."""
        return await self._read(lambda connection: stored_responses.find(connection, response_id))

    async def attempts(self, query: AttemptQuery) -> list[PricedAttempt]:
        """The next settled attempts of a range, in the order of their rows."""
        return await self._read(lambda connection: attempts(connection, query))

    async def audit(self, query: AuditQuery) -> list[tuple[int, AuditEntry]]:
        """Changes by administrators with their ids, newest first."""
        return await self._read(lambda connection: audit_entries(connection, query))

    async def events(self, query: EventQuery) -> list[ToldEvent]:
        """What people were to be told of, newest first."""
        return await self._read(lambda connection: events.newest(connection, query))

    async def conversations(self, query: ConversationQuery) -> list[ConversationRow]:
        """A page of somebody's conversations, newest first."""
        return await self._read(lambda connection: conversations.listed(connection, query))

    async def conversation(self, owner: str, name: str, requests_of: Owner | None) -> WholeConversation | None:
        """One of somebody's conversations; `requests_of`: whose requests may be shown with it."""
        return await self._read(lambda connection: conversations.whole(connection, owner, name, requests_of))

    async def conversation_file(self, owner: str, name: str, file_name: str) -> StoredFile | None:
        """A file of one of somebody's conversations."""
        return await self._read(lambda connection: conversations.file(connection, owner, name, file_name))

    async def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreUnavailable("The gateway is stopping; try again shortly.", retry_after_s=2)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, question)

    def _run(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._connection()
            stop_at = monotonic() + DEADLINE_S
            connection.set_progress_handler(lambda: monotonic() > stop_at, INSTRUCTIONS_PER_CHECK)
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.rollback()
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    def _connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = sqlite3.connect(
                self._database,
                isolation_level=None,
                check_same_thread=False,
                timeout=BUSY_TIMEOUT_S,
                cached_statements=64,
            )
            for pragma in ("query_only = ON", "cache_size = -8192", "temp_store = MEMORY"):
                known.execute(f"PRAGMA {pragma}")
            self._local.connection = known
            self._connections.append(known)
        return known


def _unavailable(error: sqlite3.Error) -> StoreUnavailable:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return StoreUnavailable(
            f"This takes longer than {DEADLINE_S} s to look up. Ask for a shorter range (`from`, `to`), or with fewer filters."
        )
    return StoreUnavailable(f"The database cannot be read now: {error}. Try again shortly.", retry_after_s=2)
