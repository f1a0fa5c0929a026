"""Sums and histograms that are derived from the finest ones, so that a report reads few rows.

`rollup_names` has everything together (ref 0), each application, model and provider, and each HTTP status s (ref -1 - s), by
quarter of an hour; `rollup_name_hours` and `rollup_name_days` have each user and key, `rollup_details` these with all else,
`rollup_owner_days` each key with each of its users.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.domain import histogram

QUARTERS_PER_HOUR = 4
QUARTERS_PER_DAY = 96
HOURS_PER_DAY = 24
ALL_REF = 0

SUM_COLUMNS = (
    "requests", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "unpriced_requests", "estimated_requests", "duration_us",
)  # fmt: skip

Key = tuple[int, ...]
Sums = dict[Key, list[int]]
RollupKey = tuple[int, int, int, int, int, int, int]  # quarter, application, user, key, model, provider, status
Histograms = tuple[int, int, int]  # duration, first token, overhead

_OTHERS = ("application_ref", "model_ref", "provider_ref", "http_status")
_HOUR, _DAY = f"quarter / {QUARTERS_PER_HOUR}", f"quarter / {QUARTERS_PER_DAY}"


class Derived(NamedTuple):
    """A table of sums: its key, and for each kind of row the key as expressions over `rollups`."""

    table: str
    key: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


DERIVED = (
    Derived("rollup_hours", ("hour", *_OTHERS), ((_HOUR, *_OTHERS),)),
    Derived("rollup_days", ("day", *_OTHERS), ((_DAY, *_OTHERS),)),
    Derived(
        "rollup_names",
        ("ref", "quarter"),
        tuple((ref, "quarter") for ref in (f"{ALL_REF}", *_OTHERS[:3], "-1 - http_status")),
    ),
    Derived("rollup_name_hours", ("ref", "hour"), (("user_ref", _HOUR), ("key_ref", _HOUR))),
    Derived("rollup_name_days", ("ref", "day"), (("user_ref", _DAY), ("key_ref", _DAY))),
    Derived("rollup_owner_days", ("key_ref", "day", "user_ref"), (("key_ref", _DAY, "user_ref"),)),
    Derived("rollup_details", ("ref", "hour", *_OTHERS), (("user_ref", _HOUR, *_OTHERS), ("key_ref", _HOUR, *_OTHERS))),
)
HISTOGRAMS = {
    "histograms": ("hour", "application_ref", "model_ref", "provider_ref"),
    "histogram_days": ("day", "application_ref", "model_ref", "provider_ref"),
    "histogram_names": ("ref", "hour"),
}
TABLES = ("rollups", *(derived.table for derived in DERIVED), *HISTOGRAMS)


def selection(derived: Derived) -> str:
    """The rows that a table of sums should have, as `rollups` has them."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUM_COLUMNS)
    key = ", ".join(str(at + 1) for at in range(len(derived.key)))
    kinds = (f"SELECT {', '.join(row)}, {sums} FROM rollups GROUP BY {key}" for row in derived.rows)
    return " UNION ALL ".join(kinds)


def derive(connection: sqlite3.Connection) -> None:
    """Fill the derived tables, which must be empty, from `rollups` and `histograms`."""
    for derived in DERIVED:
        connection.execute(
            f"INSERT INTO {derived.table} ({', '.join((*derived.key, *SUM_COLUMNS))}) {selection(derived)}"
        )
    for table, found in coarse_histograms(stored_histograms(connection, "histograms")).items():
        write_histograms(connection, table, found)


def coarse_sums(quarters: Mapping[RollupKey, list[int]]) -> dict[str, Sums]:
    """The same sums for each derived table."""
    plain: Sums = {}
    details: Sums = {}
    owners: Sums = {}
    for (quarter, application, user, key, model, provider, status), total in quarters.items():
        others = (application, model, provider, status)
        hour = quarter // QUARTERS_PER_HOUR
        _add(plain, (quarter, *others), total)
        _add(details, (user, hour, *others), total)
        _add(details, (key, hour, *others), total)
        _add(owners, (key, quarter // QUARTERS_PER_DAY, user), total)
    name_hours, name_days = _of_names(details)
    return {
        **_of_all(plain),
        "rollup_owner_days": owners,
        "rollup_details": details,
        "rollup_name_hours": name_hours,
        "rollup_name_days": name_days,
    }


def _of_names(details: Sums) -> tuple[Sums, Sums]:
    hours: Sums = {}
    days: Sums = {}
    for key, total in details.items():
        _add(hours, key[:2], total)
    for (ref, hour), total in hours.items():
        _add(days, (ref, hour // HOURS_PER_DAY), total)
    return hours, days


def _of_all(plain: Sums) -> dict[str, Sums]:
    hours: Sums = {}
    days: Sums = {}
    names: Sums = {}
    for (quarter, application, model, provider, status), total in plain.items():
        _add(hours, (quarter // QUARTERS_PER_HOUR, application, model, provider, status), total)
        _add(days, (quarter // QUARTERS_PER_DAY, application, model, provider, status), total)
        for ref in (ALL_REF, application, model, provider, -1 - status):
            _add(names, (ref, quarter), total)
    return {"rollup_hours": hours, "rollup_days": days, "rollup_names": names}


def _add(sums: Sums, key: Key, total: list[int]) -> None:
    known = sums.get(key)
    sums[key] = total if known is None else list(map(int.__add__, known, total))


def coarse_histograms(hours: Iterable[tuple[Key, Histograms]]) -> dict[str, dict[Key, Histograms]]:
    """The histograms of `histograms` for each table that is derived from it."""
    days: dict[Key, Histograms] = {}
    names: dict[Key, Histograms] = {}
    for (hour, application, model, provider), found in hours:
        for merged, key in (
            (days, (hour // HOURS_PER_DAY, application, model, provider)),
            *((names, (ref, hour)) for ref in (ALL_REF, application, model, provider)),
        ):
            known = merged.get(key)
            merged[key] = found if known is None else together(known, found)
    return {"histogram_days": days, "histogram_names": names}


def together(one: Histograms, other: Histograms) -> Histograms:
    """Both merged."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def stored_histograms(connection: sqlite3.Connection, table: str) -> Iterable[tuple[Key, Histograms]]:
    """Every row of a table of histograms."""
    key = HISTOGRAMS[table]
    for row in connection.execute(f"SELECT duration, first_token, overhead, {', '.join(key)} FROM {table}"):
        yield row[3:], _unpacked(row)


def stored_histogram(connection: sqlite3.Connection, table: str, key: Key) -> Histograms:
    """One row; empty where there is none."""
    where = " AND ".join(f"{name} = ?" for name in HISTOGRAMS[table])
    row = connection.execute(f"SELECT duration, first_token, overhead FROM {table} WHERE {where}", key).fetchone()
    return (0, 0, 0) if row is None else _unpacked(row)


def write_histograms(connection: sqlite3.Connection, table: str, found: Mapping[Key, Histograms]) -> None:
    """Put rows, whole."""
    columns = (*HISTOGRAMS[table], "duration", "first_token", "overhead")
    connection.executemany(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [(*key, *map(histogram.pack, metrics)) for key, metrics in found.items()],
    )


def _unpacked(row: tuple[bytes, ...]) -> Histograms:
    return histogram.unpack(row[0]), histogram.unpack(row[1]), histogram.unpack(row[2])
