"""A database file full of synthetic requests, consistent in every table, written without the gateway's writer."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain import histogram
from gateway.domain.entry import CostSource, Kind, Outcome
from gateway.domain.price import Price, Rates
from gateway.store.sqlite import opening
from gateway.store.sqlite.coarse import TABLES, derive
from gateway.store.sqlite.rows import INSERT_LEDGER

ZONES = ("UTC", "Asia/Kolkata", "America/Los_Angeles", "Asia/Kathmandu", "Europe/Paris")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MODELS = (
    ("openai/gpt-4o", "openai"),
    ("openai/gpt-4o-mini", "openai"),
    ("openai/o3", "openai"),
    ("anthropic/claude-sonnet-4-5", "anthropic"),
    ("anthropic/claude-haiku-4-5", "anthropic"),
    ("google/gemini-2.5-pro", "google"),
    ("google/gemini-2.5-flash", "google"),
    ("groq/llama-3.3-70b", "groq"),
    ("mistral/mistral-large", "mistral"),
    ("ollama/home-made", "ollama"),
)
UNPRICED = "ollama/home-made"
STATUSES = ((200, 955), (499, 15), (429, 12), (502, 12), (400, 6))


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what; `to_ms` is the end of the time that the requests fill evenly.

    `repeated`: the same again so many times, each `days` earlier; millions of requests are made faster so. Such a file has
    nothing above its watermark. `personal_keys`: as in life, a key is for one application, and every other one for one user.
    """

    requests: int = 3_000
    days: int = 4
    repeated: int = 0
    to_ms: int = 1_793_491_200_000  # 2026-11-01T00:00:00Z
    applications: int = 8
    users: int = 30
    keys: int = 6
    personal_keys: bool = False
    at_midnights: float = 0.05
    above_watermark: int = 100
    content: str = "What is a ledger?"
    seed: int = 1


def key_name(number: int) -> str:
    """The id of a virtual key; number 0 is what was asked without one."""
    return f"{number:016x}" if number else ""


def fill(path: Path, shape: Shape) -> None:
    """Make the file; every table agrees with the ledger, and a part of it lies above the watermark."""
    opening.migrate_if_behind(path)
    with closing(sqlite3.connect(path)) as connection:
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "cache_size = -200000",
            "temp_store = MEMORY",
            "threads = 2",
        ):
            connection.execute(f"PRAGMA {pragma}")
        indexes = _without_indexes(connection)
        connection.create_function("lane", 1, cache(histogram.lane), deterministic=True)
        rows = _Rows(shape, _intern(connection, shape), _price(connection))
        connection.executemany(INSERT_LEDGER, rows)
        connection.execute(_REQUESTS, {"content": shape.content})
        connection.execute(_CORRECTED)
        last = connection.execute("SELECT max(id) FROM ledger").fetchone()[0]
        watermark = last if shape.repeated else last - shape.above_watermark
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('rollup_watermark', ?)", (watermark,))
        connection.execute(_ROLLUPS, (watermark,))
        _histograms(connection, watermark)
        derive(connection)
        if shape.repeated:
            _repeat(connection, shape)
        for statement in indexes:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")


def _without_indexes(connection: sqlite3.Connection) -> list[str]:
    """Drop the indexes of tables that are about to be filled, and give the statements that make them again."""
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('requests', 'rollups')"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]


def _repeat(connection: sqlite3.Connection, shape: Shape) -> None:
    connection.create_function("moved", 2, lambda id_, at_ms: at_ms.to_bytes(6, "big") + id_[6:], deterministic=True)
    first, last = connection.execute("SELECT min(id), max(id) FROM ledger").fetchone()
    at = f"(admitted_at_ms - n * {shape.days * DAY_MS})"
    earlier = {
        name: f"{name} - n * {shape.days * a_day}" for name, a_day in (("quarter", 96), ("hour", 24), ("day", 1))
    }
    changed = {
        **dict.fromkeys(TABLES, earlier),
        "requests": {
            "id": f"printf('%08x-%04x', {at} >> 16, {at} & 65535) || substr(id, 14)",
            "timestamp": f"strftime('%Y-%m-%dT%H:%M:%S', {at} / 1000, 'unixepoch')",
            "admitted_at_ms": at,
        },
        "ledger": {
            "id": f"id - n * {last - first + 1}",
            "request_id": f"moved(request_id, {at})",
            "admitted_at_ms": at,
            "recorded_at_ms": f"recorded_at_ms - n * {shape.days * DAY_MS}",
        },
    }
    for table, expressions in changed.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(expressions.get(name, name) for name in columns)
        connection.execute(
            f"""WITH RECURSIVE copies(n) AS (SELECT {shape.repeated} UNION ALL SELECT n - 1 FROM copies WHERE n > 1)
            INSERT INTO {table} ({", ".join(columns)}) SELECT {values} FROM copies CROSS JOIN {table}"""
        )


def _intern(connection: sqlite3.Connection, shape: Shape) -> dict[tuple[int, str], int]:
    names = [(1, f"app-{n}") for n in range(shape.applications)]
    names += [(2, f"user-{n}") for n in range(shape.users)]
    names += [(3, key_name(n)) for n in range(shape.keys)]
    names += [(4, model) for model, _ in MODELS]
    names += [(5, provider) for provider in dict.fromkeys(provider for _, provider in MODELS)]
    names += [(6, model.partition("/")[2]) for model, _ in MODELS]
    connection.executemany("INSERT INTO dimensions (kind, name) VALUES (?, ?)", names)
    return {(kind, name): n for n, kind, name in connection.execute("SELECT id, kind, name FROM dimensions")}


def _price(connection: sqlite3.Connection) -> int:
    rates = Rates(input=2_500_000, output=10_000_000, cache_read=1_250_000)
    terms = msgspec.json.encode(Price(name="any", version="2026-10", source="seed", rates=rates)).decode()
    return connection.execute("INSERT INTO prices (terms) VALUES (?)", (terms,)).lastrowid or 0


class _Rows:
    """Ledger rows in the order of their times: mostly one per request, some with a failed attempt or a correction."""

    def __init__(self, shape: Shape, refs: dict[tuple[int, str], int], price_id: int) -> None:
        self._shape, self._refs, self._price_id = shape, refs, price_id
        self._random = Random(shape.seed)
        self._next_id = 1 + 2 * shape.requests * shape.repeated

    def __iter__(self):
        shape, random = self._shape, self._random
        applications = self._picked([f"app-{n}" for n in range(shape.applications)])
        users = self._picked([f"user-{n}" for n in range(shape.users)])
        keys = self._picked([key_name(n) for n in range(shape.keys)])
        statuses = random.choices([s for s, _ in STATUSES], [w for _, w in STATUSES], k=shape.requests)
        if shape.personal_keys:
            owners = (_owners(int(key or "0", 16), user, shape) for key, user in zip(keys, users, strict=True))
            applications, users = zip(*owners, strict=True)
        for at_ms, application, user, key, status in zip(
            self._times(), applications, users, keys, statuses, strict=True
        ):
            start = int(application.partition("-")[2]) * 2
            model, provider = MODELS[(start + min(int(random.expovariate(1)), 2)) % len(MODELS)]
            names = ((1, application), (2, user), (3, key), (4, model), (5, provider), (6, model.partition("/")[2]))
            refs = tuple(self._refs[name] for name in names)
            request_id = _request_id(at_ms, random)
            attempt = 0
            if random.random() < 0.02:
                yield self._row(request_id, 0, at_ms, refs, 502, model, final=False)
                attempt = 1
            yield self._row(request_id, attempt, at_ms, refs, status, model, final=True)
            if random.random() < 0.003 and model != UNPRICED:
                yield self._correction(request_id, attempt, at_ms, refs)

    def _picked(self, names):
        return self._random.choices(names, [1 / (n + 1) for n in range(len(names))], k=self._shape.requests)

    def _times(self):
        shape, random = self._shape, self._random
        start = shape.to_ms - shape.days * DAY_MS
        special = int(shape.requests * shape.at_midnights)
        step = shape.days * DAY_MS / (shape.requests - special)
        even = [start + int(n * step + random.random() * step) for n in range(shape.requests - special)]
        return sorted(even + list(islice(cycle(_around_midnights(start, shape.to_ms)), special)))

    def _row(self, request_id, attempt, at_ms, refs, status, model, *, final):
        random = self._random
        failed = status >= 400 and status != 499
        tokens_in, tokens_out = (0, 0) if failed else (random.randint(5, 3_000), random.randint(1, 900))
        cached = tokens_in // 3 if tokens_in % 4 == 0 else 0
        reasoning = tokens_out // 2 if tokens_out % 5 == 0 else 0
        cost = ((tokens_in - cached) * 2_500 + cached * 1_250 + tokens_out * 10_000) if model != UNPRICED else None
        duration = (1 + int(random.lognormvariate(7.1, 0.8))) * 1_000
        estimated = status == 499
        source = CostSource.NONE if cost is None else CostSource.ESTIMATED if estimated else CostSource.COMPUTED
        outcome = Outcome.FAILED if failed else Outcome.ABANDONED if estimated else Outcome.COMPLETED
        return (
            self._id(), request_id, attempt, Kind.SETTLEMENT, 0, final, at_ms, at_ms + duration // 1000, *refs, 1,
            tokens_in % 2, outcome, status, tokens_in - cached, cached, 0, tokens_out - reasoning, reasoning, None, cost,
            source, estimated, None if cost is None else self._price_id, cost or 0, duration,
            None if failed else duration // 3, random.randint(200, 4_000), "provider_unavailable" if failed else None,
            None if failed else "stop", None, None,
        )  # fmt: skip

    def _correction(self, request_id, attempt, at_ms, refs):
        return (
            self._id(), request_id, attempt, Kind.CORRECTION, 1, True, at_ms, at_ms + DAY_MS, *refs, 1, 0,
            Outcome.COMPLETED, 200, 0, 0, 0, 0, 0, None, self._random.randint(-500, 500), CostSource.COMPUTED, False, None,
            0, 0, None, None, None, None, None, None,
        )  # fmt: skip

    def _id(self):
        self._next_id += 1
        return self._next_id - 1


def _owners(key: int, user: str, shape: Shape) -> tuple[str, str]:
    return f"app-{key % shape.applications}", f"user-{key}" if key and key % 2 == 0 else user


def _around_midnights(start_ms: int, stop_ms: int) -> list[int]:
    moments = []
    for zone in map(ZoneInfo, ZONES):
        day = datetime.fromtimestamp(start_ms / 1000, zone).date()
        while True:
            midnight = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
            if midnight >= stop_ms:
                break
            moments += [at for at in (midnight - 100, midnight, midnight + 100) if start_ms <= at < stop_ms]
            day += timedelta(days=1)
    return moments


def _request_id(at_ms: int, random: Random) -> bytes:
    high = at_ms << 16 | 0x7000 | random.getrandbits(12)
    return (high << 64 | 1 << 63 | random.getrandbits(62)).to_bytes(16, "big")


_FINAL = f"final AND kind != {Kind.CORRECTION:d}"
_HEX = "lower(hex(request_id))"
_ID = " || '-' || ".join(
    f"substr({_HEX}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
_REQUESTS = f"""
INSERT INTO requests SELECT {_ID}, a.name, u.name, m.name, duration_us / 1e6,
    input_tokens + cache_read_tokens + cache_write_tokens, output_tokens + reasoning_tokens,
    input_tokens + cache_read_tokens + cache_write_tokens + output_tokens + reasoning_tokens,
    cost_nano_usd / 1e9, strftime('%Y-%m-%dT%H:%M:%S', admitted_at_ms / 1000, 'unixepoch'),
    CASE WHEN http_status < 400 THEN 'success' ELSE 'error' END,
    CASE WHEN http_status < 400 THEN NULL ELSE 'The provider answered ' || http_status END,
    p.name, um.name, k.name, 'chat',
    CASE outcome WHEN 1 THEN 'completed' WHEN 2 THEN 'abandoned' ELSE 'failed' END, http_status, stream,
    cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd,
    CASE cost_source WHEN 0 THEN 'none' WHEN 2 THEN 'computed' ELSE 'estimated' END,
    first_token_us / 1e6, overhead_us / 1e6, attempt + 1, admitted_at_ms, application_ref, user_ref, model_ref,
    :content, CASE WHEN http_status < 400 THEN :content ELSE NULL END, NULL
FROM ledger
JOIN dimensions a ON a.id = application_ref JOIN dimensions u ON u.id = user_ref JOIN dimensions k ON k.id = key_ref
JOIN dimensions m ON m.id = model_ref JOIN dimensions p ON p.id = provider_ref
JOIN dimensions um ON um.id = upstream_model_ref
WHERE final AND ledger.kind != {Kind.CORRECTION:d} ORDER BY ledger.id
"""
_CORRECTED = f"""
UPDATE requests SET cost_nano_usd = cost_nano_usd + c.difference, cost_usd = (cost_nano_usd + c.difference) / 1e9 FROM
    (SELECT {_ID} AS id, sum(cost_nano_usd) AS difference FROM ledger WHERE kind = {Kind.CORRECTION:d}
    GROUP BY request_id) c
WHERE requests.id = c.id
"""
_ROLLUPS = f"""
INSERT INTO rollups SELECT admitted_at_ms / 900000, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status,
    sum({_FINAL}), sum({_FINAL} AND http_status >= 400), sum(input_tokens), sum(cache_read_tokens),
    sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), coalesce(sum(cost_nano_usd), 0),
    sum({_FINAL} AND cost_nano_usd IS NULL), sum(estimated), sum(CASE WHEN {_FINAL} THEN duration_us ELSE 0 END)
FROM ledger WHERE id <= ? GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_LANES = f"""
SELECT admitted_at_ms / {HOUR_MS}, application_ref, model_ref, provider_ref, metric, lane(value), count(*) FROM (
    SELECT *, 0 AS metric, duration_us AS value FROM ledger UNION ALL SELECT *, 1, first_token_us FROM ledger
    UNION ALL SELECT *, 2, overhead_us FROM ledger
) WHERE id <= ? AND value IS NOT NULL AND {_FINAL} GROUP BY 1, 2, 3, 4, 5, 6
"""


def _histograms(connection: sqlite3.Connection, watermark: int) -> None:
    merged: dict[tuple[int, ...], list[int]] = {}
    for *key, metric, lane, count in connection.execute(_LANES, (watermark,)):
        merged.setdefault(tuple(key), [0, 0, 0])[metric] += count << (64 * lane)
    connection.executemany(
        "INSERT INTO histograms VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((*key, *map(histogram.pack, metrics)) for key, metrics in merged.items()),
    )
