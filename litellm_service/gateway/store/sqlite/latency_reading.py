"""Latency histograms by unit of time and group.

They are kept by whole hour and day (UTC). The requests of an hour that the asked units of time cut in two are read one by one;
where that would be too many hours, an hour counts in the unit in which it begins.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gateway.domain import histogram
from gateway.domain.entry import Kind
from gateway.domain.time import id_floor
from gateway.store.questions import Part
from gateway.store.sqlite.coarse import ALL_REF, HOURS_PER_DAY, QUARTERS_PER_HOUR
from gateway.store.sqlite.dimensions import Dimension
from gateway.store.sqlite.matching import Match, group_columns, of_each, of_some
from gateway.store.sqlite.units import DAY_S, HOUR_S, QUARTER_S, cut_hours, whole_days

QUARTER_MS = 1000 * QUARTER_S
MANY_SINGLE_HOURS = 26
KEPT = frozenset({"application_id", "model", "provider"})

Key = tuple[int, ...]
Time = tuple[str, int]  # a column, and the seconds of its unit

_HOUR: Time = ("hour", HOUR_S)
_DAY: Time = ("day", DAY_S)

_MEASURED = "quarter, duration_us, first_token_us, overhead_us"
_TAIL = f"""(
    SELECT admitted_at_ms / {QUARTER_MS} AS quarter, * FROM ledger
    WHERE id > (SELECT coalesce((SELECT value FROM meta WHERE name = 'rollup_watermark'), 0))
        AND final AND kind != {Kind.CORRECTION:d}
) WHERE quarter >= ? AND quarter < ?"""
_SINGLE = f"""(
    SELECT admitted_at_ms / {QUARTER_MS} AS quarter, application_ref, model_ref, p.id AS provider_ref,
        CAST(round(response_time * 1e6) AS INTEGER) AS duration_us,
        CAST(round(time_to_first_token * 1e6) AS INTEGER) AS first_token_us,
        CAST(round(overhead * 1e6) AS INTEGER) AS overhead_us
    FROM requests JOIN dimensions p ON p.kind = {Dimension.PROVIDER:d} AND p.name = provider
    WHERE requests.id >= ? AND requests.id < ?
) WHERE true"""


Gathered = dict[tuple[int, Key], list[int]]


def histograms_of(connection: sqlite3.Connection, part: Part, match: Match, group_by: Sequence[str]) -> Gathered | None:
    """Duration, first token and overhead by unit and group; `None` where none are kept for this grouping or these filters."""
    if not KEPT.issuperset(group_by) or not KEPT.issuperset(match.names):
        return None
    key = "".join(f", {column}" for column in group_columns(group_by))
    single = _single_hours(part)
    found: Gathered = {}
    for table, time, start, end in _readings(part, match, group_by):
        statement = (
            f"SELECT {time[0]}, duration, first_token, overhead{key} FROM {table} "
            f"WHERE {time[0]} >= ? AND {time[0]} < ? {match.where}"
        )
        _add_kept(found, connection.execute(statement, (start, end, *match.values)), part, time[1], single)
    tail = f"SELECT {_MEASURED}{key} FROM {_TAIL} {match.where}"
    _add_single(found, connection.execute(tail, (part.start, part.end, *match.values)), part, single)
    for hour in single:
        first = max(part.start, hour * QUARTERS_PER_HOUR)
        last = min(part.end, (hour + 1) * QUARTERS_PER_HOUR)
        ids = (id_floor(first * QUARTER_MS), id_floor(last * QUARTER_MS))
        rows = connection.execute(f"SELECT {_MEASURED}{key} FROM {_SINGLE} {match.where}", (*ids, *match.values))
        _add_single(found, rows, part, set())
    return found


def _readings(part: Part, match: Match, group_by: Sequence[str]) -> Iterator[tuple[str, Time, int, int]]:
    """Tables with their time, from and to in it: days where the units are made of them, else few names' hours."""
    first, last = part.start // QUARTERS_PER_HOUR, -(-part.end // QUARTERS_PER_HOUR)
    days = whole_days(part)
    if days:
        yield "histograms", _HOUR, first, days.start * HOURS_PER_DAY
        yield "histogram_days", _DAY, days.start, days.stop
        yield "histograms", _HOUR, days.stop * HOURS_PER_DAY, last
        return
    needed = {*match.names, *group_by}
    table = "histograms"
    if not needed:
        table = f"(SELECT * FROM histogram_names WHERE ref = {ALL_REF})"
    elif len(needed) == 1:
        table = (of_some if match.names else of_each)("histogram_names", *needed)
    yield table, _HOUR, first, last


def _add_kept(
    found: Gathered, rows: Iterable[tuple[Any, ...]], part: Part, seconds: int, without_hours: set[int]
) -> None:
    """`hour or day, *histograms, *group`: the many rows of a report, so every step counts."""
    unpack = histogram.unpack
    for row in rows:
        if row[0] in without_hours and seconds == HOUR_S:
            continue
        at = ((row[0] * seconds + part.offset_s) // part.unit_s, row[4:])
        known = found.get(at)
        if known is None:
            found[at] = [unpack(row[1]), unpack(row[2]), unpack(row[3])]
        else:
            known[0] += unpack(row[1])
            known[1] += unpack(row[2])
            known[2] += unpack(row[3])


def _add_single(found: Gathered, rows: Iterable[tuple[Any, ...]], part: Part, without_hours: set[int]) -> None:
    """Requests one by one: `quarter, *microseconds, *group`."""
    for row in rows:
        if row[0] // QUARTERS_PER_HOUR in without_hours:
            continue
        measured = found.setdefault(((row[0] * QUARTER_S + part.offset_s) // part.unit_s, row[4:]), [0, 0, 0])
        for metric, value in enumerate(row[1:4]):
            if value is not None:
                measured[metric] += histogram.unit(value)


def _single_hours(part: Part) -> set[int]:
    cut = cut_hours(part)
    if len(cut) <= MANY_SINGLE_HOURS:
        return set(cut)
    return {edge // QUARTERS_PER_HOUR for edge in (part.start, part.end) if edge % QUARTERS_PER_HOUR}
