"""Recomputes the ledger's invariants from its rows."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.domain import histogram
from gateway.domain.entry import Kind
from gateway.store.sqlite.budget_audit import spending
from gateway.store.sqlite.coarse import DERIVED, SUM_COLUMNS, coarse_histograms, selection, stored_histograms
from gateway.store.sqlite.opening import DatabaseUnusable, connect

_KEY = "application_ref, user_ref, key_ref, model_ref, provider_ref, http_status"
_SUMS = f"""
SELECT admitted_at_ms / 900000 AS quarter, {_KEY},
    sum(final AND kind != {Kind.CORRECTION:d}), sum(final AND kind != {Kind.CORRECTION:d} AND http_status >= 400),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
    coalesce(sum(cost_nano_usd), 0),
    sum((final AND kind != {Kind.CORRECTION:d} AND cost_nano_usd IS NULL) - newly_priced),
    sum(final AND kind != {Kind.CORRECTION:d} AND estimated),
    sum(CASE WHEN final AND kind != {Kind.CORRECTION:d} THEN duration_us ELSE 0 END)
FROM ledger WHERE id <= ? GROUP BY quarter, {_KEY}
"""
_ROLLUPS = f"""
SELECT quarter, {_KEY}, requests, errors, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, cost_nano_usd, unpriced_requests, estimated_requests, duration_us FROM rollups
"""
_WRONG_ROLLUPS = f"SELECT count(*) FROM (SELECT * FROM ({_SUMS}) EXCEPT SELECT * FROM ({_ROLLUPS}))"
_SURPLUS_ROLLUPS = f"SELECT count(*) FROM (SELECT * FROM ({_ROLLUPS}) EXCEPT SELECT * FROM ({_SUMS}))"
_WRONG_DERIVED = " + ".join(
    f"(SELECT count(*) FROM (SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other})))"
    for derived in DERIVED
    for stored in (f"SELECT {', '.join((*derived.key, *SUM_COLUMNS))} FROM {derived.table}",)
    for one, other in ((selection(derived), stored), (stored, selection(derived)))
)
_LATENCIES = f"""
SELECT count(*), count(first_token_us), count(overhead_us) FROM ledger WHERE id <= ? AND final AND kind != {Kind.CORRECTION:d}
"""

_NONE_EXPECTED = {
    "ledger rows of one request and attempt, more than one": f"""
        SELECT count(*) FROM (SELECT 1 FROM ledger WHERE kind != {Kind.CORRECTION:d}
        GROUP BY request_id, attempt HAVING count(*) > 1)""",
    "finished requests without exactly one final ledger row": f"""
        SELECT count(*) FROM (SELECT sum(final) AS finals FROM ledger WHERE kind != {Kind.CORRECTION:d}
        GROUP BY request_id HAVING finals != 1)""",
    "rows of `requests` and final ledger rows, difference in number": f"""
        SELECT abs((SELECT count(*) FROM requests) -
        (SELECT count(*) FROM ledger WHERE final AND kind != {Kind.CORRECTION:d}))""",
    "difference in nano-USD between `requests` and the final ledger rows": """
        SELECT abs((SELECT coalesce(sum(cost_nano_usd), 0) FROM requests) -
        (SELECT coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE final))""",
    "difference in tokens between `requests` and the final ledger rows": f"""
        SELECT abs((SELECT coalesce(sum(total_tokens), 0) FROM requests) - (SELECT coalesce(sum(input_tokens +
        cache_read_tokens + cache_write_tokens + output_tokens + reasoning_tokens), 0)
        FROM ledger WHERE final AND kind != {Kind.CORRECTION:d}))""",
    "holds that a dead process left behind": """
        SELECT count(*) FROM holds h WHERE boot_id < (SELECT max(id) FROM boots) AND NOT EXISTS
        (SELECT 1 FROM ledger l WHERE l.request_id = h.request_id AND l.attempt = h.attempt)""",
}


class Check(msgspec.Struct, frozen=True):
    """One invariant: what was counted, and how many rows (or units) break it."""

    name: str
    wrong: int


def audit(database: Path) -> list[Check]:
    """Every invariant, from scratch, in one snapshot; may run beside the service. Time grows with the rows stored."""
    if not database.exists():
        raise DatabaseUnusable(f"There is no database {database} yet; start the service once.")
    connection = connect(database)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        return list(_checks(connection))
    except sqlite3.DatabaseError as error:
        raise DatabaseUnusable(f"{database} cannot be read: {error}. Restore a backup over it.") from error
    finally:
        connection.close()


def _checks(connection: sqlite3.Connection) -> Iterator[Check]:
    for name, statement in _NONE_EXPECTED.items():
        yield Check(name, connection.execute(statement).fetchone()[0])
    row = connection.execute("SELECT value FROM meta WHERE name = 'rollup_watermark'").fetchone()
    watermark = row[0] if row else 0
    yield Check("sums of the ledger that the rollups lack or have wrong", _one(connection, _WRONG_ROLLUPS, watermark))
    yield Check("rollups that the ledger does not have", _one(connection, _SURPLUS_ROLLUPS, watermark))
    yield Check(
        "coarser sums that differ from the quarters'", connection.execute(f"SELECT {_WRONG_DERIVED}").fetchone()[0]
    )
    expected = connection.execute(_LATENCIES, (watermark,)).fetchone()
    yield Check(
        "latencies counted by the histograms, difference", sum(map(_distance, expected, _histogram_counts(connection)))
    )
    wrong_budgets = [period for period in spending(connection) if period.recorded_nano_usd != period.true_nano_usd]
    yield Check("budget accounts that have spent something else than the ledger says", len(wrong_budgets))
    yield Check("coarser histograms that differ from the hours'", _wrong_histograms(connection))
    problems = [text for (text,) in connection.execute("PRAGMA integrity_check(5)") if text != "ok"]
    yield Check("pages or indexes that SQLite finds damaged", len(problems))


def _one(connection: sqlite3.Connection, statement: str, watermark: int) -> int:
    return int(connection.execute(statement, (watermark,)).fetchone()[0])


def _histogram_counts(connection: sqlite3.Connection) -> list[int]:
    counts = [0, 0, 0]
    for row in connection.execute("SELECT duration, first_token, overhead FROM histograms"):
        counts = [count + histogram.total(histogram.unpack(blob)) for count, blob in zip(counts, row, strict=True)]
    return counts


def _wrong_histograms(connection: sqlite3.Connection) -> int:
    derived = coarse_histograms(stored_histograms(connection, "histograms"))
    return sum(
        len(found.items() ^ dict(stored_histograms(connection, table)).items()) for table, found in derived.items()
    )


def _distance(one: int, other: int) -> int:
    return abs(one - other)
