"""Sums per quarter of an hour and coarser, and histograms, up to a watermark of the ledger."""

import sqlite3
from collections.abc import Iterable

from gateway.domain import histogram
from gateway.domain.entry import Kind
from gateway.store.sqlite.coarse import (
    DERIVED,
    SUM_COLUMNS,
    Histograms,
    Key,
    RollupKey,
    coarse_histograms,
    coarse_sums,
    stored_histogram,
    together,
    write_histograms,
)

QUARTER_MS = 900_000
HOUR_MS = 3_600_000
HISTOGRAM_CACHE = 5_000

HistogramKey = tuple[int, int, int, int]
Lanes = tuple[dict[int, int], dict[int, int], dict[int, int]]  # counts by lane: duration, first token, overhead

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


def _add(table: str, *key: str) -> str:
    columns = (*key, *SUM_COLUMNS)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUM_COLUMNS)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO UPDATE SET {added}"


_ADD_QUARTERS = _add(
    "rollups", "quarter", "application_ref", "user_ref", "key_ref", "model_ref", "provider_ref", "http_status"
)
_ADD_DERIVED = {derived.table: _add(derived.table, *derived.key) for derived in DERIVED}


class PendingRollups:
    """What the ledger has and the rollups have not: gathered in memory, written in one go.

    After a rollback the deltas are void: `reload` counts the ledger's rows above the watermark afresh.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sums: dict[RollupKey, list[int]] = {}
        self._lanes: dict[HistogramKey, Lanes] = {}
        self._known: dict[tuple[str, Key], Histograms] = {}
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
        self._connection.executemany(_ADD_QUARTERS, [(*key, *total) for key, total in self._sums.items()])
        for table, sums in coarse_sums(self._sums).items():
            self._connection.executemany(_ADD_DERIVED[table], [(*key, *total) for key, total in sums.items()])
        hours: dict[Key, Histograms] = {key: _histograms(lanes) for key, lanes in self._lanes.items()}
        for table, deltas in {"histograms": hours, **coarse_histograms(hours.items())}.items():
            merged = {key: self._merged(table, key, delta) for key, delta in deltas.items()}
            write_histograms(self._connection, table, merged)
        self._connection.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('rollup_watermark', ?)", (self._counted_to,)
        )

    def flushed(self) -> None:
        """The flush is committed."""
        self._sums.clear()
        self._lanes.clear()
        if len(self._known) > HISTOGRAM_CACHE:
            self._known.clear()

    def _merged(self, table: str, key: Key, delta: Histograms) -> Histograms:
        known = self._known.get((table, key))
        if known is None:
            known = stored_histogram(self._connection, table, key)
        merged = self._known[table, key] = together(known, delta)
        return merged


def _histograms(lanes: Lanes) -> Histograms:
    duration, first_token, overhead = map(_histogram, lanes)
    return duration, first_token, overhead


def _histogram(counts: dict[int, int]) -> int:
    return sum(histogram.unit_of_lane(lane) * count for lane, count in counts.items())
