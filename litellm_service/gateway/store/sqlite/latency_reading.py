"""Latency histograms by unit of time and group.

They are kept by whole hour (UTC). The requests of an hour that the asked units of time cut in two are read one by one; where that
would be too many hours, an hour counts in the unit in which it begins.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.domain import histogram
from gateway.domain.entry import Kind
from gateway.domain.time import id_floor
from gateway.store.questions import Part
from gateway.store.sqlite.dimensions import Dimension
from gateway.store.sqlite.matching import Match, group_columns

QUARTER_S = 900
QUARTER_MS = 1000 * QUARTER_S
QUARTERS_PER_HOUR = 4
HOUR_S = QUARTER_S * QUARTERS_PER_HOUR
MANY_SINGLE_HOURS = 26
KEPT = frozenset({"application_id", "model", "provider"})

Key = tuple[int, ...]

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
    statement = (
        f"SELECT hour, duration, first_token, overhead{key} FROM histograms WHERE hour >= ? AND hour < ? {match.where}"
    )
    hours = (part.start // QUARTERS_PER_HOUR, -(-part.end // QUARTERS_PER_HOUR))
    _add_kept(found, connection.execute(statement, (*hours, *match.values)), part, single)
    tail = f"SELECT {_MEASURED}{key} FROM {_TAIL} {match.where}"
    _add_single(found, connection.execute(tail, (part.start, part.end, *match.values)), part, single)
    for hour in single:
        first = max(part.start, hour * QUARTERS_PER_HOUR)
        last = min(part.end, (hour + 1) * QUARTERS_PER_HOUR)
        ids = (id_floor(first * QUARTER_MS), id_floor(last * QUARTER_MS))
        rows = connection.execute(f"SELECT {_MEASURED}{key} FROM {_SINGLE} {match.where}", (*ids, *match.values))
        _add_single(found, rows, part, set())
    return found


def _add_kept(found: Gathered, rows: Iterable[tuple[Any, ...]], part: Part, without_hours: set[int]) -> None:
    """`hour, *histograms, *group`: the many rows of a report, so every step counts."""
    unpack = histogram.unpack
    for row in rows:
        if row[0] in without_hours:
            continue
        at = ((row[0] * HOUR_S + part.offset_s) // part.unit_s, row[4:])
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


def cut_hours(part: Part) -> list[int]:
    """The hours (UTC) that lie only partly in the part, or in two of its units; ascending."""
    hours = {edge // QUARTERS_PER_HOUR for edge in (part.start, part.end) if edge % QUARTERS_PER_HOUR}
    if part.offset_s % HOUR_S:
        first = (part.start * QUARTER_S + part.offset_s) // part.unit_s
        last = (part.end * QUARTER_S - 1 + part.offset_s) // part.unit_s
        hours.update((unit * part.unit_s - part.offset_s) // HOUR_S for unit in range(first + 1, last + 1))
    return sorted(hours)


def _single_hours(part: Part) -> set[int]:
    cut = cut_hours(part)
    if len(cut) <= MANY_SINGLE_HOURS:
        return set(cut)
    return {edge // QUARTERS_PER_HOUR for edge in (part.start, part.end) if edge % QUARTERS_PER_HOUR}
