"""Latency histograms by unit of time and group.

They are kept by whole hour (UTC). The requests of an hour that the asked units of time cut in two are read one by one; where that
would be too many hours, an hour counts in the unit in which it begins.
"""

import sqlite3
from collections.abc import Iterable, Sequence

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
MANY_SINGLE_HOURS = 64
KEPT = frozenset({"application_id", "model", "provider"})

Key = tuple[int, ...]
Histograms = tuple[int, int, int]

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


class _Gathered(dict[tuple[int, Key], list[int]]):
    """(unit, group) → histograms of duration, first token and overhead."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part
        self._units: dict[int, int] = {}

    def of(self, quarter: int, key: Key) -> list[int]:
        """The histograms that a quarter's requests count in."""
        unit = self._units.get(quarter)
        if unit is None:
            unit = self._units[quarter] = (quarter * QUARTER_S + self._part.offset_s) // self._part.unit_s
        known = self.get((unit, key))
        if known is None:
            known = self[unit, key] = [0, 0, 0]
        return known

    def count(self, rows: Iterable[tuple[int, ...]], without_hours: set[int]) -> None:
        """Add requests one by one: `quarter, duration, first token, overhead, *group`."""
        for row in rows:
            if row[0] // QUARTERS_PER_HOUR not in without_hours:
                measured = self.of(row[0], row[4:])
                for metric, value in enumerate(row[1:4]):
                    if value is not None:
                        measured[metric] += histogram.unit(value)


def histograms_of(
    connection: sqlite3.Connection, part: Part, match: Match, group_by: Sequence[str]
) -> dict[tuple[int, Key], Histograms] | None:
    """By unit and group; `None` where none are kept for this grouping or these filters."""
    if not KEPT.issuperset(group_by) or not KEPT.issuperset(match.names):
        return None
    key = "".join(f", {column}" for column in group_columns(group_by))
    single, unpack = _single_hours(part), histogram.unpack
    found = _Gathered(part)
    statement = (
        f"SELECT hour, duration, first_token, overhead{key} FROM histograms WHERE hour >= ? AND hour < ? {match.where}"
    )
    hours = (part.start // QUARTERS_PER_HOUR, -(-part.end // QUARTERS_PER_HOUR))
    for row in connection.execute(statement, (*hours, *match.values)):
        if row[0] not in single:
            measured = found.of(row[0] * QUARTERS_PER_HOUR, row[4:])
            measured[0] += unpack(row[1])
            measured[1] += unpack(row[2])
            measured[2] += unpack(row[3])
    tail = connection.execute(
        f"SELECT {_MEASURED}{key} FROM {_TAIL} {match.where}", (part.start, part.end, *match.values)
    )
    found.count(tail, without_hours=single)
    for hour in single:
        first = max(part.start, hour * QUARTERS_PER_HOUR)
        last = min(part.end, (hour + 1) * QUARTERS_PER_HOUR)
        ids = (id_floor(first * QUARTER_MS), id_floor(last * QUARTER_MS))
        found.count(
            connection.execute(f"SELECT {_MEASURED}{key} FROM {_SINGLE} {match.where}", (*ids, *match.values)), set()
        )
    return {at: (values[0], values[1], values[2]) for at, values in found.items()}


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
