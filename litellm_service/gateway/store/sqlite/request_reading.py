"""The request list and one request in full."""

import heapq
import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec

from gateway.domain.time import LATEST_MS, id_bytes, id_floor, id_ms
from gateway.store.questions import REQUEST_COLUMNS, FullRequest, Owner, RequestQuery, Stretch
from gateway.store.sqlite.matching import marks, names_of, refs_of

_COLUMNS = ", ".join(REQUEST_COLUMNS)
# The index that finds the rows, newest first, so that a page costs as much as its rows: of one name, of failures, of ids.
_BY_KEY = "requests INDEXED BY requests_by_key WHERE key_id = ? AND length(key_id) = 16"
_KEY_LENGTH = 16
_BY_NAME = {
    "user_id": "requests INDEXED BY requests_by_user WHERE user_ref = ?",
    "application_id": "requests INDEXED BY requests_by_application WHERE application_ref = ?",
    "model": "requests INDEXED BY requests_by_model WHERE model_ref = ?",
}
_FAILED = "requests INDEXED BY requests_failed WHERE status = 'error'"
_NEWEST_BY_TIME = "admitted_at_ms >= ? AND admitted_at_ms < ? {} ORDER BY admitted_at_ms DESC, id DESC LIMIT ?"

Row = tuple[Any, ...]
Clauses = list[tuple[str, tuple[object, ...]]]


def list_requests(connection: sqlite3.Connection, query: RequestQuery) -> list[dict[str, Any]]:
    """At most `limit` rows by column."""
    return [dict(zip(REQUEST_COLUMNS, row, strict=True)) for row in _found(connection, query)]


def stretch(connection: sqlite3.Connection, query: RequestQuery) -> Stretch:
    """Those that match among the next `limit` requests of whomever, so that it never takes long."""
    statement = "SELECT id FROM requests WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    last = connection.execute(statement, (*_ids(query), query.limit - 1)).fetchone()
    cursor = None if last is None else str(last[0])
    return Stretch(_found(connection, msgspec.structs.replace(query, down_to=cursor)), cursor)


def _found(connection: sqlite3.Connection, query: RequestQuery) -> list[Row]:
    refs = refs_of(connection, query.filters)
    if not all(refs.values()):
        return []
    clauses = _clauses(query, refs)
    leading, found, values = _leading(connection, query, refs)
    if leading is not None:
        rest = [clause for clause in clauses if not clause[0].startswith(leading)]
        pages = [_by_time(connection, query, found, (value,), rest) for value in values]
        return list(heapq.merge(*pages, key=itemgetter(0), reverse=True))[: query.limit]
    if set(query.filters.status) == {"error"}:
        return _by_time(connection, query, _FAILED, (), clauses)
    low, high = _ids(query)
    statement = f"SELECT {_COLUMNS} FROM requests WHERE id >= ? AND id < ? {_text(clauses)} ORDER BY id DESC LIMIT ?"
    return connection.execute(statement, (low, high, *_values(clauses), query.limit)).fetchall()


def _leading(
    connection: sqlite3.Connection, query: RequestQuery, refs: dict[str, list[int]]
) -> tuple[str | None, str, Sequence[object]]:
    """The dimension to look up first, its rows, and the values to look up one by one; virtual keys alone are indexed."""
    keys = query.filters.names("key_id") or ()
    has_key = bool(keys) and all(len(key) == _KEY_LENGTH for key in keys)
    if has_key and not ("user_id" in refs and _count(connection, refs["user_id"]) < _count(connection, refs["key_id"])):
        return "key_id", _BY_KEY, keys
    name = next((name for name in _BY_NAME if name in refs), None)
    return (None, "", ()) if name is None else (name, _BY_NAME[name], refs[name])


def _count(connection: sqlite3.Connection, refs: Sequence[int]) -> int:
    """About how many requests these users or keys have made: those that are summed up."""
    statement = f"SELECT coalesce(sum(requests), 0) FROM rollup_name_days WHERE ref IN ({marks(refs)})"
    return int(connection.execute(statement, refs).fetchone()[0])


def _by_time(
    connection: sqlite3.Connection, query: RequestQuery, found: str, values: tuple[object, ...], clauses: Clauses
) -> list[Row]:
    low, high = _ids(query)
    to_ms = LATEST_MS if query.to_ms is None else query.to_ms
    before_ms = to_ms if query.cursor is None else min(to_ms, id_ms(query.cursor) + 1)
    newest = _NEWEST_BY_TIME.format(_text(clauses))
    statement = f"SELECT {_COLUMNS} FROM {found} AND id >= ? AND id < ? AND {newest}"
    from_ms = max(query.from_ms or 0, 0 if query.down_to is None else id_ms(query.down_to))
    bound = (*values, low, high, from_ms, before_ms, *_values(clauses), query.limit)
    return connection.execute(statement, bound).fetchall()


def _ids(query: RequestQuery) -> tuple[str, str]:
    """From and to: ids begin with the moment of admission, and their digits end before `g`."""
    prefix = query.id_prefix
    low = max(id_floor(query.from_ms) if query.from_ms else "", prefix, query.down_to or "")
    high = min(id_floor(LATEST_MS if query.to_ms is None else query.to_ms), query.cursor or "g", prefix + "g")
    return low, high


def _clauses(query: RequestQuery, refs: dict[str, list[int]]) -> Clauses:
    filters = query.filters
    several: tuple[tuple[str, tuple[object, ...]], ...] = (
        *((name, filters.names(name) or ()) for name in refs),
        ("status", filters.status),
        ("http_status", filters.http_status),
    )
    bounds = (
        ("cost_nano_usd >= ?", query.min_cost_nano_usd),
        ("cost_nano_usd <= ?", query.max_cost_nano_usd),
        ("response_time >= ?", query.min_response_time),
        ("response_time <= ?", query.max_response_time),
    )
    clauses: Clauses = [(f"{name} IN ({marks(values)})", values) for name, values in several if values]
    return clauses + [(text, (value,)) for text, value in bounds if value is not None]


def _text(clauses: Clauses) -> str:
    return "".join(f" AND {text}" for text, _ in clauses)


def _values(clauses: Clauses) -> list[object]:
    return [value for _, values in clauses for value in values]


def full_request(connection: sqlite3.Connection, request_id: str, owner: Owner | None) -> FullRequest | None:
    """`None` if there is no such request, or it is not the owner's."""
    rows = _rows(connection, "SELECT * FROM requests WHERE id = ?", (request_id,))
    if not rows or (owner is not None and rows[0][owner.by] != owner.name):
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
