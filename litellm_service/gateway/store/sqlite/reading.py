"""Query-only connections, and the sums that reports are made of."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.domain.entry import Kind
from gateway.domain.errors import StoreUnavailable
from gateway.store.sqlite.dimensions import Dimension

T = TypeVar("T")

READERS = 3
BUSY_TIMEOUT_S = 5
HISTOGRAM_DIMENSIONS = ("application_id", "model", "provider")

DIMENSIONS = {
    "application_id": ("application_ref", Dimension.APPLICATION),
    "user_id": ("user_ref", Dimension.USER),
    "key_id": ("key_ref", Dimension.KEY),
    "model": ("model_ref", Dimension.MODEL),
    "provider": ("provider_ref", Dimension.PROVIDER),
}
_ONE = f"(final AND kind != {Kind.CORRECTION:d})"
_SUMS = (
    "requests", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "unpriced_requests", "estimated_requests", "duration_us",
)  # fmt: skip
_TAIL = f"""
SELECT admitted_at_ms / 900000 AS quarter, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status,
    {_ONE} AS requests, {_ONE} AND http_status >= 400 AS errors,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    coalesce(cost_nano_usd, 0) AS cost_nano_usd, {_ONE} AND cost_nano_usd IS NULL AS unpriced_requests,
    estimated AS estimated_requests, CASE WHEN {_ONE} THEN duration_us ELSE 0 END AS duration_us
FROM ledger WHERE id > (SELECT coalesce((SELECT value FROM meta WHERE name = 'rollup_watermark'), 0))
"""
_ALL = (
    f"SELECT quarter, {', '.join(ref for ref, _ in DIMENSIONS.values())}, http_status, {', '.join(_SUMS)} FROM rollups"
)


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Names that a report is narrowed to; an empty tuple narrows nothing. `status` is `success` or `error`."""

    application_id: tuple[str, ...] = ()
    user_id: tuple[str, ...] = ()
    key_id: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    http_status: tuple[int, ...] = ()

    @property
    def has_histogram(self) -> bool:
        """Latencies are kept per application, model and provider only."""
        return not (self.user_id or self.key_id or self.status or self.http_status)


class Sums(msgspec.Struct, frozen=True):
    """One row of `usage_sums`: which unit of time, which group (names, or `success`/`error`), the sums in `_SUMS`' order."""

    unit: int
    group: tuple[str, ...]
    values: tuple[int, ...]


class Part(msgspec.Struct, frozen=True):
    """A range of quarters in which local time is UTC plus one offset; `unit_s`: the size of the units to group by."""

    start: int
    end: int
    offset_s: int
    unit_s: int


class Latencies(msgspec.Struct, frozen=True):
    """One row of `latencies`: the hour, the group, the metric (1 duration, 2 first token, 3 overhead), a packed histogram."""

    hour: int
    group: tuple[str, ...]
    metric: int
    lanes: bytes


class TailLatency(msgspec.Struct, frozen=True):
    """A ledger row that no histogram counts yet; microseconds, `None` where there was none."""

    hour: int
    group: tuple[str, ...]
    values: tuple[int | None, int | None, int | None]


class UsageFacts(msgspec.Struct, frozen=True):
    """Everything one report needs, from one snapshot; `parts[i]` are the sums of the i-th part asked for."""

    parts: list[list[Sums]]
    latencies: list[Latencies]
    tail: list[TailLatency]


class Reader:
    """A few read-only connections used from threads; one report is one snapshot."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    def close(self) -> None:
        """Wait for what runs, then close."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Run a question in one read transaction; raises `StoreUnavailable`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, question)

    async def usage(self, parts: Sequence[Part], filters: Filters, group_by: Sequence[str]) -> UsageFacts:
        """Sums per part, unit and group; latencies too where they are kept for this filter and grouping."""
        with_latencies = filters.has_histogram and set(group_by) <= set(HISTOGRAM_DIMENSIONS)

        def question(connection: sqlite3.Connection) -> UsageFacts:
            where, values = conditions(connection, filters)
            sums = [_sums(connection, part, where, values, group_by) for part in parts]
            if not with_latencies or not parts:
                return UsageFacts(sums, [], [])
            span = (parts[0].start, parts[-1].end)
            return UsageFacts(
                sums,
                _latencies(connection, span, where, values, group_by),
                _tail_latencies(connection, span, where, values, group_by),
            )

        return await self.read(question)

    def _run(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.rollback()
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The database cannot be read now: {error}. Try again shortly.", retry_after_s=2
            ) from error

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
            known.execute("PRAGMA query_only = ON")
            known.execute("PRAGMA cache_size = -8192")
            self._local.connection = known
            self._connections.append(known)
        return known


def conditions(connection: sqlite3.Connection, filters: Filters) -> tuple[str, list[object]]:
    """`AND …` over the dimensions' columns, and its values; a name that was never seen matches nothing."""
    clauses: list[str] = []
    values: list[object] = []
    for name, (column, kind) in DIMENSIONS.items():
        wanted: tuple[str, ...] = getattr(filters, name)
        if wanted:
            refs = [ref for text in wanted if (ref := ref_of(connection, kind, text)) is not None]
            clauses.append(f"AND {column} IN ({_marks(refs)})")
            values += refs
    if filters.http_status:
        clauses.append(f"AND http_status IN ({_marks(filters.http_status)})")
        values += filters.http_status
    if set(filters.status) == {"success"}:
        clauses.append("AND http_status < 400")
    elif set(filters.status) == {"error"}:
        clauses.append("AND http_status >= 400")
    return " ".join(clauses), values


def ref_of(connection: sqlite3.Connection, kind: Dimension, name: str) -> int | None:
    """The id of a name, if it was ever used."""
    row = connection.execute("SELECT id FROM dimensions WHERE kind = ? AND name = ?", (kind, name)).fetchone()
    return None if row is None else int(row[0])


def _sums(
    connection: sqlite3.Connection, part: Part, where: str, values: list[object], group_by: Sequence[str]
) -> list[Sums]:
    groups = "".join(f", {_group_column(name)}" for name in group_by)
    totals = ", ".join(f"sum({name})" for name in _SUMS)
    statement = f"""
        SELECT (quarter * 900 + ?) / ? AS unit{groups}, {totals} FROM ({_ALL} UNION ALL {_TAIL})
        WHERE quarter >= ? AND quarter < ? {where} GROUP BY unit{groups} ORDER BY unit"""
    rows = connection.execute(statement, (part.offset_s, part.unit_s, part.start, part.end, *values)).fetchall()
    named = _named(connection, [row[1 : 1 + len(group_by)] for row in rows], group_by)
    return [Sums(row[0], group, row[1 + len(group_by) :]) for row, group in zip(rows, named, strict=True)]


def _latencies(
    connection: sqlite3.Connection, span: tuple[int, int], where: str, values: list[object], group_by: Sequence[str]
) -> list[Latencies]:
    columns = "".join(f", {_group_column(name)}" for name in group_by)
    statement = f"SELECT hour, metric, lanes{columns} FROM histograms WHERE hour >= ? AND hour < ? {where}"
    rows = connection.execute(statement, (span[0] // 4, -(-span[1] // 4), *values)).fetchall()
    named = _named(connection, [row[3:] for row in rows], group_by)
    return [Latencies(row[0], group, row[1], row[2]) for row, group in zip(rows, named, strict=True)]


def _tail_latencies(
    connection: sqlite3.Connection, span: tuple[int, int], where: str, values: list[object], group_by: Sequence[str]
) -> list[TailLatency]:
    columns = "".join(f", {_group_column(name)}" for name in group_by)
    statement = f"""
        SELECT admitted_at_ms / 3600000, duration_us, first_token_us, overhead_us{columns} FROM ledger
        WHERE id > (SELECT coalesce((SELECT value FROM meta WHERE name = 'rollup_watermark'), 0)) AND {_ONE}
        AND admitted_at_ms >= ? AND admitted_at_ms < ? {where}"""
    hours = (span[0] // 4 * 3_600_000, -(-span[1] // 4) * 3_600_000)
    rows = connection.execute(statement, (*hours, *values)).fetchall()
    named = _named(connection, [row[4:] for row in rows], group_by)
    return [TailLatency(row[0], group, (row[1], row[2], row[3])) for row, group in zip(rows, named, strict=True)]


def _group_column(name: str) -> str:
    if name == "status":
        return "http_status >= 400"
    return "http_status" if name == "http_status" else DIMENSIONS[name][0]


def _named(
    connection: sqlite3.Connection, groups: list[tuple[int, ...]], group_by: Sequence[str]
) -> list[tuple[str, ...]]:
    """Ids as names; `status` as success or error."""
    refs = {ref for group in groups for ref, name in zip(group, group_by, strict=True) if name in DIMENSIONS}
    names = names_of(connection, refs)

    def text(ref: int, name: str) -> str:
        if name == "status":
            return "error" if ref else "success"
        return str(ref) if name == "http_status" else names.get(ref, "")

    return [tuple(text(ref, name) for ref, name in zip(group, group_by, strict=True)) for group in groups]


def names_of(connection: sqlite3.Connection, refs: Iterable[int]) -> dict[int, str]:
    """The names behind some ids."""
    wanted = sorted(refs)
    found: dict[int, str] = {}
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        found.update(
            connection.execute(f"SELECT id, name FROM dimensions WHERE id IN ({_marks(some)})", some).fetchall()
        )
    return found


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
