"""The request list and one request in full."""

import sqlite3
from typing import Any

import msgspec

from gateway.domain.time import id_bytes, now_ms
from gateway.store.sqlite.dimensions import Dimension
from gateway.store.sqlite.reading import Filters, Reader, names_of, ref_of

LIST_COLUMNS = (
    "id, admitted_at_ms, application_id, user_id, key_id, operation, model, provider, upstream_model, status, outcome, "
    "http_status, stream, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, total_tokens, "
    "cost_nano_usd, cost_source, response_time, time_to_first_token, overhead, attempts, error_message"
)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
# Columns of `requests` that hold the name itself, and those that have an index by time.
_TEXT_FILTERS = ("application_id", "user_id", "key_id", "model", "provider", "status")
_INDEXED = {
    "application_id": ("application_ref", Dimension.APPLICATION),
    "user_id": ("user_ref", Dimension.USER),
    "model": ("model_ref", Dimension.MODEL),
}


class RequestQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests: newest first, before the id `cursor`; costs in nano-USD, times in seconds, `None` narrows nothing."""

    filters: Filters = Filters()
    from_ms: int | None = None
    to_ms: int | None = None
    min_cost_nano_usd: int | None = None
    max_cost_nano_usd: int | None = None
    min_response_time: float | None = None
    max_response_time: float | None = None
    id_prefix: str = ""
    cursor: str | None = None
    limit: int = 50


class FullRequest(msgspec.Struct, frozen=True):
    """A row of `requests` and its ledger rows, by column; `prices`: stored terms by id."""

    row: dict[str, Any]
    attempts: list[dict[str, Any]]
    prices: dict[int, str]


async def list_requests(reader: Reader, query: RequestQuery) -> list[dict[str, Any]]:
    """At most `limit` rows by column (`LIST_COLUMNS`), without any content."""
    return await reader.read(lambda connection: _list(connection, query))


async def full_request(reader: Reader, request_id: str, *, user_id: str | None = None) -> FullRequest | None:
    """`None` if there is no such request, or it is another user's."""
    return await reader.read(lambda connection: _full(connection, request_id, user_id))


def _list(connection: sqlite3.Connection, query: RequestQuery) -> list[dict[str, Any]]:
    clauses, values = _conditions(connection, query)
    by_time = _single_index(query.filters)
    order = "admitted_at_ms DESC, id DESC" if by_time else "id DESC"
    if query.cursor is not None and by_time:
        clauses.append("admitted_at_ms <= ?")
        values.append(_time_of(query.cursor))
    statement = f"SELECT {LIST_COLUMNS} FROM requests WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ?"
    return _rows(connection, statement, (*values, query.limit))


def _conditions(connection: sqlite3.Connection, query: RequestQuery) -> tuple[list[str], list[object]]:
    clauses: list[str] = ["id < ?"]
    values: list[object] = [query.cursor or _LAST_ID]
    for name in _TEXT_FILTERS:
        wanted: tuple[str, ...] = getattr(query.filters, name)
        if len(wanted) == 1 and name in _INDEXED:
            column, kind = _INDEXED[name]
            clauses.append(f"{column} = ?")
            values.append(ref_of(connection, kind, wanted[0]) or -1)
        elif wanted:
            clauses.append(f"{name} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    if query.filters.http_status:
        clauses.append(f"http_status IN ({', '.join('?' * len(query.filters.http_status))})")
        values += query.filters.http_status
    for clause, value in _bounds(query):
        if value is not None:
            clauses.append(clause)
            values.append(value)
    return clauses, values


def _bounds(query: RequestQuery) -> list[tuple[str, object]]:
    prefix = query.id_prefix
    return [
        ("id >= ?", _first_id(query.from_ms)),
        ("id < ?", _first_id(query.to_ms)),
        ("admitted_at_ms >= ?", query.from_ms),
        ("admitted_at_ms < ?", query.to_ms),
        ("cost_nano_usd >= ?", query.min_cost_nano_usd),
        ("cost_nano_usd <= ?", query.max_cost_nano_usd),
        ("response_time >= ?", query.min_response_time),
        ("response_time <= ?", query.max_response_time),
        ("id >= ?", prefix or None),
        ("id <= ?", prefix + "g" if prefix else None),
    ]


def _single_index(filters: Filters) -> bool:
    """One name of an indexed dimension, or failures only: then the index by time gives the order."""
    return any(len(getattr(filters, name)) == 1 for name in _INDEXED) or filters.status == ("error",)


def _first_id(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    text = f"{max(0, at_ms):012x}"
    return f"{text[:8]}-{text[8:]}"


def _time_of(request_id: str) -> int:
    try:
        return int.from_bytes(id_bytes(request_id)[:6], "big")
    except ValueError:
        return now_ms()


def _full(connection: sqlite3.Connection, request_id: str, user_id: str | None) -> FullRequest | None:
    rows = _rows(connection, "SELECT * FROM requests WHERE id = ?", (request_id,))
    if not rows or (user_id is not None and rows[0]["user_id"] != user_id):
        return None
    attempts = _rows(
        connection, "SELECT * FROM ledger WHERE request_id = ? ORDER BY attempt, kind, seq", (id_bytes(request_id),)
    )
    names = names_of(connection, {row[f"{name}_ref"] for row in attempts for name in ("provider", "upstream_model")})
    for row in attempts:
        row["provider"], row["upstream_model"] = names[row["provider_ref"]], names[row["upstream_model_ref"]]
    ids = {row["price_id"] for row in attempts if row["price_id"] is not None}
    prices = {id_: connection.execute("SELECT terms FROM prices WHERE id = ?", (id_,)).fetchone()[0] for id_ in ids}
    return FullRequest(rows[0], attempts, prices)


def _rows(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
