"""Sums per quarter and hour, and hourly histograms, up to a watermark of the ledger."""

import sqlite3
from collections.abc import Iterable

from gateway.domain import histogram
from gateway.domain.entry import Kind

QUARTER_MS = 900_000
HOUR_MS = 3_600_000
QUARTERS_PER_HOUR = 4
HISTOGRAM_CACHE = 5_000

RollupKey = tuple[int, int, int, int, int, int, int]
HistogramKey = tuple[int, int, int, int]
Histograms = tuple[int, int, int]  # duration, first token, overhead
Coarse = dict[tuple[int, ...], list[int]]

# The columns of a ledger row that a rollup counts, in the order in which `count` takes them.
FACTS = (
    "id, kind, final, admitted_at_ms, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status, "
    "input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, "
    "cost_nano_usd, estimated, duration_us, first_token_us, overhead_us, newly_priced"
)
Facts = tuple[
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int | None,
    int,
    int,
    int | None,
    int | None,
    int,
]

_SUMS = (
    "requests", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "unpriced_requests", "estimated_requests", "duration_us",
)  # fmt: skip


def _add(table: str, *key: str) -> str:
    columns = (*key, *_SUMS)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO UPDATE SET {added}"


_ADD_QUARTERS = _add(
    "rollups", "quarter", "application_ref", "user_ref", "key_ref", "model_ref", "provider_ref", "http_status"
)
_ADD_HOURS = _add("rollup_hours", "hour", "application_ref", "model_ref", "provider_ref", "http_status")
_ADD_NAME_HOURS = _add("rollup_name_hours", "ref", "hour")
_READ_HISTOGRAMS = """
SELECT duration, first_token, overhead FROM histograms
WHERE hour = ? AND application_ref = ? AND model_ref = ? AND provider_ref = ?
"""
_WRITE_HISTOGRAMS = """
INSERT OR REPLACE INTO histograms (hour, application_ref, model_ref, provider_ref, duration, first_token, overhead)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class PendingRollups:
    """What the ledger has and the rollups have not: gathered in memory, written in one go.

    After a rollback the deltas are void: `reload` counts the ledger's rows above the watermark afresh.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sums: dict[RollupKey, list[int]] = {}
        self._lanes: dict[HistogramKey, tuple[dict[int, int], dict[int, int], dict[int, int]]] = {}
        self._known: dict[HistogramKey, Histograms] = {}
        self._counted_to = 0

    def __bool__(self) -> bool:
        return bool(self._sums)

    def reload(self) -> None:
        """Start over from what the file has."""
        self._sums.clear()
        self._lanes.clear()
        self._known.clear()
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'rollup_watermark'").fetchone()
        self._counted_to = row[0] if row else 0
        self.count(
            self._connection.execute(f"SELECT {FACTS} FROM ledger WHERE id > ? ORDER BY id", (self._counted_to,))
        )

    def count(self, rows: Iterable[Facts]) -> None:
        """Add ledger rows, in the order of their ids."""
        sums, lanes = self._sums, self._lanes
        for (
            row_id, kind, final, at_ms, application, user, key, model, provider, status,
            tokens_in, cache_read, cache_write, tokens_out, reasoning,
            cost, estimated, duration_us, first_token_us, overhead_us, newly_priced,
        ) in rows:  # fmt: skip
            one = 1 if final and kind != Kind.CORRECTION else 0
            rollup_key = (at_ms // QUARTER_MS, application, user, key, model, provider, status)
            total = sums.get(rollup_key)
            if total is None:
                total = sums[rollup_key] = [0] * 11
            total[0] += one
            if status >= 400:
                total[1] += one
            total[2] += tokens_in
            total[3] += cache_read
            total[4] += cache_write
            total[5] += tokens_out
            total[6] += reasoning
            if cost is None:
                total[8] += one
            else:
                total[7] += cost
            if estimated:
                total[9] += one
            self._counted_to = row_id
            if not one:
                total[8] -= newly_priced
                continue
            total[10] += duration_us
            histogram_key = (at_ms // HOUR_MS, application, model, provider)
            metrics = lanes.get(histogram_key)
            if metrics is None:
                metrics = lanes[histogram_key] = ({}, {}, {})
            for counts, value in zip(metrics, (duration_us, first_token_us, overhead_us), strict=True):
                if value is not None:
                    lane = histogram.lane(value)
                    counts[lane] = counts.get(lane, 0) + 1

    def flush(self) -> None:
        """Write the deltas and the watermark; the caller commits, then calls `flushed`."""
        hours, name_hours = _by_hour(self._sums)
        for statement, sums in ((_ADD_QUARTERS, self._sums), (_ADD_HOURS, hours), (_ADD_NAME_HOURS, name_hours)):
            self._connection.executemany(statement, [(*key, *total) for key, total in sums.items()])
        self._connection.executemany(
            _WRITE_HISTOGRAMS, [(*key, *map(histogram.pack, self._merged(key))) for key in self._lanes]
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('rollup_watermark', ?)", (self._counted_to,)
        )

    def flushed(self) -> None:
        """The flush is committed."""
        self._sums.clear()
        self._lanes.clear()
        if len(self._known) > HISTOGRAM_CACHE:
            self._known.clear()

    def _merged(self, key: HistogramKey) -> Histograms:
        known = self._known.get(key)
        if known is None:
            row = self._connection.execute(_READ_HISTOGRAMS, key).fetchone()
            known = (0, 0, 0) if row is None else _unpacked(row)
        duration, first_token, overhead = map(int.__add__, known, map(_histogram, self._lanes[key]))
        self._known[key] = (duration, first_token, overhead)
        return self._known[key]


def _unpacked(row: tuple[bytes, bytes, bytes]) -> Histograms:
    duration, first_token, overhead = map(histogram.unpack, row)
    return duration, first_token, overhead


def _histogram(counts: dict[int, int]) -> int:
    return sum(histogram.unit_of_lane(lane) * count for lane, count in counts.items())


def _by_hour(quarters: dict[RollupKey, list[int]]) -> tuple[Coarse, Coarse]:
    """The same sums per hour: without users and keys, and for each user and each key alone."""
    hours: Coarse = {}
    name_hours: Coarse = {}
    for (quarter, application, user, key, model, provider, status), total in quarters.items():
        hour = quarter // QUARTERS_PER_HOUR
        for sums, coarse_key in (
            (hours, (hour, application, model, provider, status)),
            (name_hours, (user, hour)),
            (name_hours, (key, hour)),
        ):
            known = sums.get(coarse_key)
            sums[coarse_key] = total if known is None else list(map(int.__add__, known, total))
    return hours, name_hours
