"""A database as the first release (schema 0001) left it: written by its SQL, without any of today's code."""

import dataclasses
import json
import math
import random
import sqlite3
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from stack import ROOT

SCRIPT = ROOT / "litellm_service" / "gateway" / "store" / "migrations" / "0001_initial.sql"
END_MS = 1_795_132_800_000  # 2026-11-20T00:00:00Z
DAYS = 40
DAY_MS = 86_400_000
APPLICATIONS = ("default", "webui", "ci", "search", "größer")
USERS = tuple(f"user{number}@example.org" for number in range(12))
KEYS = ("", "admin")
MODELS = (
    ("openai/gpt-4o", "openai", "gpt-4o", (2_500_000, 10_000_000, 1_250_000)),
    ("openai/gpt-4o-mini", "openai", "gpt-4o-mini", (150_000, 600_000, 75_000)),
    ("groq/llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile", (590_000, 790_000, 590_000)),
    ("ollama/home-made", "ollama", "home-made", None),
)
SUMS = (
    "requests", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "unpriced_requests", "estimated_requests", "duration_us",
)  # fmt: skip
ORPHANS = 3
ORPHAN_COST_NANO_USD = 100 * 2_500 + 40 * 10_000
_LAST_ROWS = 150  # above the rollups' watermark: the process died before it flushed them
_GAMMA = (1 + 0.05) / (1 - 0.05)


@dataclasses.dataclass
class Fact:
    """One attempt, by the names of the ledger's columns; `cost_nano_usd` is `None` where the model had no price."""

    request_id: uuid.UUID
    at_ms: int
    application_id: str
    user_id: str
    key_id: str
    model: str
    provider: str
    upstream_model: str
    http_status: int
    kind: int = 1
    attempt: int = 0
    final: bool = True
    stream: bool = False
    estimated: bool = False
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int | None = 0
    duration_us: int = 0
    first_token_us: int | None = None

    @property
    def sums(self) -> list[int]:
        """What it adds to each of `SUMS`."""
        one = int(self.final)
        tokens = (self.input_tokens, self.cache_read_tokens, self.cache_write_tokens, self.output_tokens)
        return [
            one, one * (self.http_status >= 400), *tokens, self.reasoning_tokens, self.cost_nano_usd or 0,
            one * (self.cost_nano_usd is None), one * self.estimated, one * self.duration_us,
        ]  # fmt: skip

    @property
    def status(self) -> str:
        """As the seed's column says it."""
        return "success" if self.http_status < 400 else "error"


def write(database: Path, requests: int = 4000) -> list[Fact]:
    """Write the file; gives what it holds, the orphans of its last process not included."""
    chance = random.Random(20261120)
    facts = [fact for at_ms in _moments(chance, requests) for fact in _attempts(chance, at_ms)]
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCRIPT.read_text("utf-8"))
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        _File(connection).write(facts)
        connection.commit()
    return facts


def orphans() -> list[Fact]:
    """What the requests that the last process left open must become: estimates of what had come so far."""
    model, provider, upstream_model, _ = MODELS[0]
    return [
        Fact(
            uuid.UUID(int=_uuid7(END_MS - number, number)), END_MS - number, "default", USERS[0], "", model, provider,
            upstream_model, 500, kind=2, stream=True, estimated=True, input_tokens=100, output_tokens=40,
            cost_nano_usd=ORPHAN_COST_NANO_USD,
        )
        for number in range(ORPHANS)
    ]  # fmt: skip


def _uuid7(at_ms: int, chance: int) -> int:
    return at_ms << 80 | 0x7 << 76 | 1 << 63 | chance & (1 << 62) - 1


def _moments(chance: random.Random, requests: int) -> list[int]:
    return sorted(END_MS - 10_000 - chance.randrange(DAYS * DAY_MS) for _ in range(requests))


def _attempts(chance: random.Random, at_ms: int) -> Iterable[Fact]:
    model, provider, upstream_model, price = chance.choice(MODELS)
    fact = Fact(
        uuid.UUID(int=_uuid7(at_ms, chance.getrandbits(62))), at_ms, chance.choice(APPLICATIONS), chance.choice(USERS),
        chance.choice(KEYS), model, provider, upstream_model, 200, stream=chance.random() < 0.5,
        duration_us=chance.randrange(2_000, 30_000_000),
    )  # fmt: skip
    kind = chance.random()
    if kind < 0.02:
        yield dataclasses.replace(fact, http_status=502, final=False)
        fact.attempt = 1
    if kind > 0.92:
        fact.http_status = 502
    else:
        _use(chance, fact, price)
        if kind > 0.88:
            fact.http_status, fact.estimated, fact.stream = 499, True, True
    yield fact


def _use(chance: random.Random, fact: Fact, price: tuple[int, int, int] | None) -> None:
    fact.input_tokens, fact.output_tokens = chance.randrange(1, 9_000), chance.randrange(1, 2_000)
    if chance.random() < 0.3:
        fact.cache_read_tokens, fact.reasoning_tokens = chance.randrange(4_000), chance.randrange(500)
    if fact.stream:
        fact.first_token_us = fact.duration_us // 3
    if price is None:
        fact.cost_nano_usd = None
        return
    each_in, each_out, each_cached = price
    output = fact.output_tokens + fact.reasoning_tokens
    pico = fact.input_tokens * each_in + output * each_out + fact.cache_read_tokens * each_cached
    fact.cost_nano_usd = (pico + 500) // 1000


class _File:
    """Rows in the form in which the first release wrote them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._refs: dict[tuple[int, str], int] = {}
        self._prices: dict[str, int | None] = {}

    def write(self, facts: list[Fact]) -> None:
        self._insert(
            "boots", [(1, END_MS - DAYS * DAY_MS, END_MS - DAY_MS, "0.1.0"), (2, END_MS - DAY_MS, None, "0.1.0")]
        )
        for number, fact in enumerate(facts, 1):
            self._insert("ledger", [self._ledger_row(number, fact)])
            if fact.final:
                self._insert("requests", [self._request_row(number, fact)])
        watermark = len(facts) - _LAST_ROWS
        self._insert("meta", [("rollup_watermark", watermark)])
        self._write_sums(facts[:watermark])
        for number, fact in enumerate(orphans(), 1):
            self._insert("holds", [self._hold_row(number, fact)])
            self._insert("progress", [(number, fact.output_tokens, 250_000)])

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # names are constants

    def _ref(self, kind: int, name: str) -> int:
        known = self._refs.get((kind, name))
        if known is None:
            known = self._refs[kind, name] = len(self._refs) + 1
            self._insert("dimensions", [(known, kind, name)])
        return known

    def _price_id(self, fact: Fact) -> int | None:
        """In the form that the first release gave it: classes that came later are not named."""
        if fact.model not in self._prices:
            rates = next(price for name, *_, price in MODELS if name == fact.model)
            self._prices[fact.model] = None if rates is None else len(self._prices) + 1
            if rates is not None:
                terms = {
                    "name": fact.upstream_model, "version": "litellm 1.106.2", "source": "litellm",
                    "rates": {
                        "input": rates[0], "output": rates[1], "cache_read": rates[2], "cache_write": None,
                        "cache_write_1h": None, "audio_input": None, "reasoning": None, "audio_output": None, "request": 0,
                    },
                    "tiers": [],
                }  # fmt: skip
                self._insert("prices", [(self._prices[fact.model], json.dumps(terms, separators=(",", ":")))])
        return self._prices[fact.model]

    def _names(self, fact: Fact) -> tuple[int, ...]:
        names = (fact.application_id, fact.user_id, fact.key_id, fact.model, fact.provider, fact.upstream_model)
        return tuple(self._ref(kind, name) for kind, name in enumerate(names, 1))

    def _ledger_row(self, number: int, fact: Fact) -> tuple[Any, ...]:
        outcome = 1 if fact.http_status == 200 else 2 if fact.http_status == 499 else 3
        source = 0 if not fact.cost_nano_usd else 3 if fact.estimated else 2
        return (
            number, fact.request_id.bytes, fact.attempt, 1, 0, fact.final, fact.at_ms, fact.at_ms + fact.duration_us // 1000,
            *self._names(fact), 1, fact.stream, outcome, fact.http_status, fact.input_tokens, fact.cache_read_tokens,
            fact.cache_write_tokens, fact.output_tokens, fact.reasoning_tokens, None, fact.cost_nano_usd, source,
            fact.estimated, self._price_id(fact), 0, fact.duration_us, fact.first_token_us, 900,
            None if outcome == 1 else "provider_unavailable", "stop" if outcome == 1 else None,
        )  # fmt: skip

    def _request_row(self, number: int, fact: Fact) -> tuple[Any, ...]:
        prompt = fact.input_tokens + fact.cache_read_tokens + fact.cache_write_tokens
        completion = fact.output_tokens + fact.reasoning_tokens
        refs, cost, first = self._names(fact), fact.cost_nano_usd, fact.first_token_us
        outcome = {200: "completed", 499: "abandoned"}.get(fact.http_status, "failed")
        source = "none" if not cost else "estimated" if fact.estimated else "computed"
        return (
            str(fact.request_id), fact.application_id, fact.user_id, fact.model, fact.duration_us / 1e6, prompt, completion,
            prompt + completion, None if cost is None else cost / 1e9,
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(fact.at_ms // 1000)), fact.status,
            None if fact.http_status == 200 else "it was overheated", fact.provider, fact.upstream_model, fact.key_id, "chat",
            outcome, fact.http_status, fact.stream, fact.cache_read_tokens, fact.cache_write_tokens, fact.reasoning_tokens,
            cost, source, None if first is None else first / 1e6, 0.0009, fact.attempt + 1, fact.at_ms, refs[0], refs[1],
            refs[3], f"question {number}", f"answer {number}" if outcome == "completed" else None, None,
        )  # fmt: skip

    def _hold_row(self, number: int, fact: Fact) -> tuple[Any, ...]:
        return (
            number, 2, fact.request_id.bytes, 0, fact.at_ms, 0, *self._names(fact), 1, fact.stream, fact.input_tokens,
            self._price_id(fact),
        )  # fmt: skip

    def _write_sums(self, facts: list[Fact]) -> None:
        rollups, hours, names = (defaultdict[tuple[int, ...], list[int]](lambda: [0] * len(SUMS)) for _ in range(3))
        lanes: dict[tuple[int, ...], list[dict[int, int]]] = defaultdict(lambda: [{}, {}, {}])
        for fact in facts:
            application, user, key, model, provider, _ = self._names(fact)
            quarter, hour = fact.at_ms // 900_000, fact.at_ms // 3_600_000
            for sums in (
                rollups[quarter, application, user, key, model, provider, fact.http_status],
                hours[hour, application, model, provider, fact.http_status],
                names[user, hour],
                names[key, hour],
            ):
                sums[:] = map(int.__add__, sums, fact.sums)
            if fact.final:
                metrics = (fact.duration_us, fact.first_token_us, 900)
                for counts, value in zip(lanes[hour, application, model, provider], metrics, strict=True):
                    _count(counts, value)
        for table, found in (("rollups", rollups), ("rollup_hours", hours), ("rollup_name_hours", names)):
            self._insert(table, [(*group, *sums) for group, sums in found.items()])
        self._insert("histograms", [(*group, *map(_blob, three)) for group, three in lanes.items()])


def _count(lanes: dict[int, int], value_us: int | None) -> None:
    if value_us is not None:
        lane = min(199, math.ceil(math.log(value_us / 10) / math.log(_GAMMA)))
        lanes[lane] = lanes.get(lane, 0) + 1


def _blob(lanes: dict[int, int]) -> bytes:
    """The number of empty lanes at the low end, then the other lanes of 64 bits, without zeros at the high end."""
    if not lanes:
        return b"\0"
    low = min(lanes)
    used = sum(count << 64 * (lane - low) for lane, count in lanes.items())
    return bytes([low]) + used.to_bytes((used.bit_length() + 7) // 8, "little")
