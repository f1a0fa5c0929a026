"""Suite p: a database of millions of requests. Reports stay fast and agree, exports stay small in memory.

A million requests in `make test`, ten millions in `make verify ARGS=scale`, which alone holds the clock to account.
"""

import asyncio
import http.client
import statistics
import time
from pathlib import Path

import pytest
from asgi import get
from reading_routes import application
from seeded import ZONES, Shape, fill, key_name

from figures import record
from gateway.domain.key import Key
from gateway.domain.time import iso_z
from gateway.identity import KeyRing
from gateway.store.sqlite.reading import Reader
from stack import running_api

DAYS = 30
REPEATS = 5
REPORT_LIMIT_MS = 200
MEMORY_LIMIT_MB = 100
GROUPINGS = ("", "application_id", "user_id", "key_id", "model", "provider", "status", "http_status", "model,provider")
FIGURES = ("requests", "errors", "total_tokens", "cost_nano_usd", "unpriced_requests", "estimated_requests")
# Who asks: a key of an administrator, of the busiest user, of a rare one, of an application, of a few people.
ASKERS = {
    "admin": {"role": "admin"},
    "busy user": {"user_id": "user-0"},
    "rare user": {"user_id": "user-900"},
    "busy key": {"id": key_name(1)},
    "rare key": {"id": key_name(60)},
}


@pytest.fixture(scope="module")
def shape(long_form):
    requests = 10_000_000 if long_form else 1_000_000
    return Shape(
        requests=requests // DAYS, days=1, repeated=DAYS - 1, applications=20, users=2_000, keys=100, content="",
        personal_keys=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory, shape):
    path = tmp_path_factory.mktemp("scale") / "usage.db"
    fill(path, shape)
    return path


@pytest.fixture(scope="module")
def span(shape):
    """The thirty days, and their second half, which has a period before."""
    end = shape.to_ms
    return [("from", iso_z(end - DAYS * 86_400_000)), ("to", iso_z(end))]


@pytest.fixture(scope="module")
def half(shape):
    return [("from", iso_z(shape.to_ms - DAYS // 2 * 86_400_000)), ("to", iso_z(shape.to_ms)), ("compare", "previous")]


class Service:
    """The reading routes over the file, without a network."""

    def __init__(self, path: Path) -> None:
        ring = KeyRing(b"pepper")
        self._headers = {}
        for number, (name, fields) in enumerate(ASKERS.items()):
            issued = ring.issue(fields.get("id", f"{number:015x}f"))
            ring.put(Key(**{**fields, "id": issued.id, "name": name, "digests": ((issued.digest, None),)}))
            self._headers[name] = [(b"authorization", b"Bearer " + issued.secret.encode())]
        self._reader = Reader(path)
        self._app = application(self._reader, ring)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self._reader.close)

    async def ask(self, who, path, given):
        reply = await get(self._app, path, given, self._headers[who])
        assert reply.status == 200, (who, path, given, reply.body)
        return reply.json()

    async def median_ms(self, who, path, given):
        taken = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            await self.ask(who, path, given)
            taken.append(time.perf_counter() - began)
        return 1000 * statistics.median(taken)


def questions(who, span, half):
    """What the console and people ask: a path and its parameters."""
    user = ASKERS[who].get("user_id", "user-0")
    asked = [("/api/usage", [*span, ("group_by", group_by)]) for group_by in GROUPINGS]
    asked += [("/api/usage", [*span, ("group_by", "model"), ("tz", zone)]) for zone in ZONES]
    asked += [("/api/usage", [*half, ("group_by", group_by)]) for group_by in ("model", "user_id")]
    asked += [("/api/stats", span), ("/api/stats", half)]
    if who in {"admin", "busy user", "rare user"}:
        asked += [(f"/api/user/{user}/usage", span), (f"/api/user/{user}/usage", half)]
    filters = [[], [("status", "error")], [("model", "openai/o3")], [("user_id", "user-0")], [("key_id", key_name(1))]]
    return asked + [("/api/requests", given) for given in filters]


@pytest.mark.slow
@pytest.mark.anyio
async def test_every_report_is_fast(database, span, half, shape, long_form):
    slow, medians = {}, []
    async with Service(database) as service:
        for who in ASKERS:
            for path, given in questions(who, span, half):
                median = await service.median_ms(who, path, given) if long_form else 0
                if not long_form:
                    await service.ask(who, path, given)
                medians.append(median)
                if median > REPORT_LIMIT_MS:
                    slow[who, path, str(given)] = round(median)
    if long_form:
        record(
            "p scale", requests=shape.requests * DAYS, questions=len(medians), median_report_ms=statistics.median(medians),
            slowest_report_ms=max(medians),
        )  # fmt: skip
    assert slow == {}


@pytest.mark.slow
@pytest.mark.anyio
async def test_every_grouping_in_every_zone_has_the_same_totals(database, span):
    async with Service(database) as service:
        expected = (await service.ask("admin", "/api/usage", span))["totals"]
        for zone in ZONES:
            for group_by in ("user_id", "key_id", "model,provider", "status"):
                given = [*span, ("tz", zone), ("group_by", group_by), ("limit", "20")]
                report = await service.ask("admin", "/api/usage", given)
                shown = [group["totals"] for group in report["groups"]] + [report["others"] or {}]
                for name in FIGURES:
                    assert report["totals"][name] == expected[name]
                    assert sum(one.get(name) or 0 for one in shown) == expected[name]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_needs_little_memory_however_long_it_is(tmp_path, database, shape, span, form, long_form):
    with running_api(tmp_path / "api", "http://127.0.0.1:9", database) as api:
        first_hours = [("from", span[0][1]), ("to", iso_z(shape.to_ms - DAYS * 86_400_000 + 4 * 3_600_000))]
        exported(api.port, form, first_hours)
        before = api.peak_memory_mb()
        began = time.monotonic()
        wanted = span if long_form else [("from", iso_z(shape.to_ms - 2 * 86_400_000)), span[1]]
        lines = exported(api.port, form, wanted)
        taken = time.monotonic() - began
        growth = api.peak_memory_mb() - before
        expected = shape.requests * (DAYS if long_form else 2)
        assert lines - (form == "csv") == expected
        record(f"p export as {form}", rows=expected, memory_growth_mb=growth, seconds=taken)
        assert growth <= MEMORY_LIMIT_MB


def exported(port: int, form: str, given: list[tuple[str, str]]) -> int:
    """How many lines the file has."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    query = "&".join(f"{name}={value}" for name, value in [*given, ("format", form)])
    connection.request("GET", f"/api/usage/export?{query}")
    reply = connection.getresponse()
    assert reply.status == 200
    lines = 0
    while piece := reply.read(1 << 20):
        lines += piece.count(b"\n")
    connection.close()
    return lines
