"""The reading routes over HTTP: fields, filters, pages, refusals."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from asgi import get
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_routes import SECRET, application
from seeded import DAY_MS, Shape, fill, key_name

from gateway.domain.time import id_text, iso_z, new_request_id
from gateway.http import parameters
from gateway.store.questions import Filters, Owner, Part, RequestQuery, UsageQuestion
from gateway.store.sqlite.reading import Reader
from gateway.store.sqlite.request_reading import list_requests
from gateway.store.sqlite.usage_reading import answer

pytestmark = pytest.mark.anyio

T = {
    "requests", "errors", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "total_tokens",
    "cost_usd", "cost_nano_usd", "unpriced_requests", "estimated_requests", "avg_response_time",
    *(f"{name}_p{n}" for name in ("response_time", "time_to_first_token", "overhead") for n in (50, 95, 99)),
}  # fmt: skip
R = {
    "request_id", "timestamp", "application_id", "user_id", "key_id", "operation", "model", "provider", "upstream_model",
    "status", "outcome", "http_status", "stream", "tokens", "cost_usd", "cost_nano_usd", "cost_source", "response_time",
    "time_to_first_token", "overhead", "attempts", "error_message",
}  # fmt: skip
KEY = key_name(1)
SUMMARY = {"total_requests", "total_tokens", "total_cost_usd", "avg_response_time", "apps_used", "models_used"}
HOSTILE = (
    "'; DROP TABLE requests; --",
    '" OR "1"="1',
    "%' UNION SELECT query FROM requests --",
    "openai\x00",
    "\ud800",
    "🙂",
)


def span_of(shape):
    return [("from", iso_z(shape.to_ms - shape.days * DAY_MS)), ("to", iso_z(shape.to_ms))]


async def ok(app, path, parameters=()):
    reply = await get(app, path, parameters)
    assert reply.status == 200, reply.body
    return reply.json()


async def walked(app, parameters):
    """Every row of the list, a page at a time."""
    found, cursor = [], []
    while True:
        page = await ok(app, "/api/requests", [*parameters, *cursor])
        found += page["requests"]
        if page["next_cursor"] is None:
            return found
        cursor = [("cursor", page["next_cursor"])]


async def test_usage_has_the_fields_it_promises(app, shape):
    report = await ok(
        app, "/api/usage", [*span_of(shape), ("group_by", "model"), ("tz", "Asia/Kolkata"), ("bucket", "day")]
    )
    assert report["totals"].keys() >= T
    assert (report["tz"], report["bucket"], report["group_by"]) == ("Asia/Kolkata", "day", ["model"])
    assert (report["from"], report["to"]) == ("2026-10-28T00:00:00Z", "2026-11-01T00:00:00Z")
    starts = [[point["start"] for point in group["series"]] for group in report["groups"]]
    assert len(starts[0]) == shape.days + 1
    assert all(one == starts[0] for one in starts)
    assert all(point.keys() >= T for group in report["groups"] for point in group["series"])
    assert {group["key"]["model"] for group in report["groups"]} <= await models(app)


async def models(app):
    return {row["model"] for row in (await ok(app, "/api/stats"))["usage_by_model"]}


@pytest.mark.parametrize(
    ("short", "name"), [("application", "application_id"), ("user", "user_id"), ("status", "status")]
)
async def test_groups_may_be_named_shortly(app, shape, short, name):
    report = await ok(app, "/api/usage", [*span_of(shape), ("group_by", short)])
    assert report["group_by"] == [name]
    assert all(list(group["key"]) == [name] for group in report["groups"])


async def test_a_user_gets_the_seeds_object(app, rows):
    usage = await ok(app, "/api/user/user-1/usage")
    own = [row for row in rows if row["user"] == "user-1"]
    assert usage.keys() == {"user_id", "summary", "usage_by_application", "usage_by_model", "recent_requests"}
    summary = usage["summary"]
    assert summary.keys() >= SUMMARY | T | {"error_rate"}
    assert summary["total_requests"] == sum(row["counts"] for row in own)
    assert summary["total_cost_usd"] == pytest.approx(sum(row["cost_nano_usd"] or 0 for row in own) / 1e9)
    assert summary["apps_used"] == len(usage["usage_by_application"]) == len({row["application"] for row in own})
    assert summary["models_used"] == len(usage["usage_by_model"]) == len({row["model"] for row in own})
    assert all({"model", "provider"} | T <= item.keys() for item in usage["usage_by_model"])
    assert all({"application_id"} | T <= item.keys() for item in usage["usage_by_application"])
    newest = await ok(app, "/api/requests", [("user_id", "user-1"), ("limit", "20")])
    assert [row["request_id"] for row in usage["recent_requests"]] == [row["request_id"] for row in newest["requests"]]
    assert len(usage["recent_requests"]) == 20


async def test_an_unknown_user_has_used_nothing(app):
    usage = await ok(app, "/api/user/nobody/usage")
    assert {name: usage["summary"][name] for name in SUMMARY} == dict.fromkeys(SUMMARY, 0)
    assert usage["usage_by_application"] == usage["usage_by_model"] == usage["recent_requests"] == []


async def test_stats_agree_in_every_grouping(app, rows):
    stats = await ok(app, "/api/stats")
    summary = stats["summary"]
    assert summary["requests"] == sum(row["counts"] for row in rows)
    for name in ("usage_by_model", "usage_by_application", "usage_by_user", "usage_by_provider"):
        assert sum(item["requests"] for item in stats[name]) == summary["requests"]
        assert sum(item["cost_nano_usd"] or 0 for item in stats[name]) == summary["cost_nano_usd"]
    assert (summary["users"], summary["apps_used"]) == (len(stats["usage_by_user"]), len(stats["usage_by_application"]))
    assert summary["error_rate"] == pytest.approx(summary["errors"] / summary["requests"])


async def test_lists_have_the_fields_of_a_request_and_never_content(app):
    reply = await get(app, "/api/requests", [("limit", "50")])
    assert SECRET.encode() not in reply.body
    assert len(reply.body) <= 60_000
    page = reply.json()
    assert len(page["requests"]) == 50
    assert all(row.keys() == R for row in page["requests"])
    assert all(
        row["tokens"].keys() == {"prompt", "cached", "cache_write", "completion", "reasoning", "total"}
        for row in page["requests"]
    )


@pytest.mark.parametrize(
    ("parameters", "matches"),
    [
        ([("user_id", "user-1")], lambda r: r["user"] == "user-1"),
        ([("user_id", "user-1"), ("user_id", "user-2")], lambda r: r["user"] in {"user-1", "user-2"}),
        ([("application_id", "app-2"), ("status", "error")], lambda r: r["application"] == "app-2" and r["http_status"] >= 400),
        ([("status", "error")], lambda r: r["http_status"] >= 400),
        ([("http_status", "429"), ("http_status", "499")], lambda r: r["http_status"] in {429, 499}),
        ([("model", "openai/o3"), ("key_id", KEY)], lambda r: r["model"] == "openai/o3" and r["key"] == KEY),
        ([("key_id", KEY), ("key_id", key_name(2))], lambda r: r["key"] in {KEY, key_name(2)}),
        ([("key_id", KEY), ("key_id", "")], lambda r: r["key"] in {KEY, ""}),
        ([("provider", "groq"), ("provider", "nobody")], lambda r: r["provider"] == "groq"),
        ([("min_cost_usd", "0.004"), ("max_cost_usd", "0.01")], lambda r: 4_000_000 <= (r["cost_nano_usd"] or 0) <= 10_000_000),
        ([("min_response_time", "2.5"), ("max_response_time", "4")], lambda r: 2_500_000 <= r["duration_us"] <= 4_000_000),
        ([("from", "2026-10-29T00:00:00Z"), ("to", "2026-10-30T00:00:00Z"), ("user_id", "user-0")],
         lambda r: r["user"] == "user-0" and 1_793_232_000_000 <= r["admitted_at_ms"] < 1_793_318_400_000),
        ([("user_id", "nobody")], lambda r: False),
    ],
)  # fmt: skip
async def test_filters_find_exactly_the_rows_that_match(app, rows, parameters, matches):
    expected = sorted((id_text(row["request_id"]) for row in rows if row["counts"] and matches(row)), reverse=True)
    found = await walked(app, [*parameters, ("limit", "200")])
    assert [row["request_id"] for row in found] == expected


async def test_an_id_is_found_by_its_beginning_whatever_the_range(app, rows):
    wanted = id_text(rows[7]["request_id"])
    assert [
        row["request_id"] for row in (await ok(app, "/api/requests", [("id", wanted[:20].upper())]))["requests"]
    ] == [wanted]
    assert (await ok(app, "/api/requests", [("id", "ffff")]))["requests"] == []


async def test_pages_miss_nothing_while_requests_arrive(tmp_path):
    path = tmp_path / "usage.db"
    shape = Shape(requests=400, days=1)
    fill(path, shape)
    with closing(sqlite3.connect(path)) as connection:
        before = [row[0] for row in connection.execute("SELECT id FROM requests ORDER BY id DESC")]
    stop = threading.Event()
    writing = threading.Thread(target=keep_inserting, args=(path, shape.to_ms, stop))
    writing.start()
    reader = Reader(path)
    try:
        for parameters in ([], [("user_id", "user-0")], [("status", "error")]):
            found = [row["request_id"] for row in await walked(application(reader), [*parameters, ("limit", "7")])]
            assert len(found) == len(set(found))
            assert found == sorted(found, reverse=True)
            if not parameters:
                assert set(before) <= set(found)
    finally:
        stop.set()
        await anyio.to_thread.run_sync(writing.join)
        await anyio.to_thread.run_sync(reader.close)


def keep_inserting(path: Path, at_ms: int, stop: threading.Event) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(requests)")]
        copied = ", ".join(name for name in columns if name not in {"id", "admitted_at_ms"})
        statement = f"INSERT INTO requests (id, admitted_at_ms, {copied}) SELECT ?, ?, {copied} FROM requests LIMIT 1"
        for number in range(2_000):
            if stop.is_set():
                return
            connection.execute(statement, (id_text(new_request_id(at_ms + number)), at_ms + number))
            connection.commit()


async def test_one_request_is_told_in_full(app, rows):
    priced = next(row for row in rows if row["counts"] and row["cost_nano_usd"] and row["reasoning_tokens"])
    found = await ok(app, f"/api/requests/{id_text(priced['request_id'])}")
    assert found["query"] == found["response"] == SECRET
    assert found.keys() >= R
    assert (
        sum(line["amount_nano_usd"] for line in found["receipt"]) == found["cost_nano_usd"] == priced["cost_nano_usd"]
    )
    assert found["price"]["version"] == "2026-10"
    assert {line["item"]: line["quantity"] for line in found["receipt"]}["reasoning"] == priced["reasoning_tokens"]


async def test_every_attempt_of_a_request_is_told(app, rows):
    first = next(row for row in rows if not row["final"])
    found = await ok(app, f"/api/requests/{id_text(first['request_id'])}")
    assert found["attempts"] == 2
    assert [attempt["attempt"] for attempt in found["attempts_list"]][:2] == [0, 1]
    assert found["attempts_list"][0]["http_status"] == 502


@pytest.mark.parametrize("request_id", ["00000000-0000-7000-8000-000000000000", "nonsense", "' OR 1=1 --"])
async def test_an_unknown_request_is_not_found(app, request_id):
    reply = await get(app, f"/api/requests/{request_id}")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/api/usage", "tz", "Mars/Olympus"), ("/api/usage", "bucket", "fortnight"), ("/api/usage", "group_by", "password"),
        ("/api/usage", "from", "yesterday"), ("/api/usage", "limit", "0"), ("/api/usage", "nonsense", "1"),
        ("/api/usage", "http_status", "abc"), ("/api/usage", "status", "maybe"), ("/api/stats", "bucket", "day"),
        ("/api/user/a/usage", "user_id", "b"), ("/api/requests", "limit", "201"), ("/api/requests", "limit", "1e3"),
        ("/api/requests", "cursor", "next"), ("/api/requests", "id", "%"), ("/api/requests", "min_cost_usd", "nan"),
        ("/api/requests", "max_response_time", "1e400"), ("/api/requests", "tz", "UTC"), ("/api/requests", "from", "9999-01-01"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_refused_by_name(app, path, name, value):
    reply = await get(app, path, [(name, value)])
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "invalid_request", name)
    assert error["message"].startswith(name)


async def test_a_range_must_not_end_before_it_begins(app):
    for path in ("/api/usage", "/api/requests"):
        reply = await get(app, path, [("from", "2026-11-02T00:00:00Z"), ("to", "2026-11-01T00:00:00Z")])
        assert (reply.status, reply.json()["error"]["param"]) == (400, "to")


async def test_too_many_buckets_are_refused(app):
    reply = await get(app, "/api/usage", [("from", "2020-01-01T00:00:00Z"), ("bucket", "hour")])
    assert (reply.status, reply.json()["error"]["param"]) == (400, "bucket")


text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/api/usage", "/api/stats", "/api/requests", "/api/user/user-1/usage"]),
    pairs=st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from([*parameters.FILTERS, "from", "to", "tz", "bucket", "group_by", "cursor", "id", "limit",
                                 "min_cost_usd", "max_response_time"]),
                text,
            ),
            text,
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_no_parameter_reaches_the_database_as_sql(filled, path, pairs):
    async def asked():
        reader = Reader(filled)
        try:
            return await get(application(reader), path, pairs)
        finally:
            await anyio.to_thread.run_sync(reader.close)

    reply = anyio.run(asked)
    assert reply.status in {200, 400}, reply.body
    assert SECRET.encode() not in reply.body
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (3_000,)


class Recording(sqlite3.Connection):
    """Remembers the texts of its statements."""

    def execute(self, statement, *values):
        self.texts = {*getattr(self, "texts", ()), statement}
        return super().execute(statement, *values)


def texts(path, value, number):
    with closing(sqlite3.connect(path, factory=Recording)) as connection:
        for name in ("application_id", "user_id", "key_id", "model", "provider"):
            for filters in (
                Filters(**{name: (value,)}),
                Filters(**{name: ("user-1", value)}, owner=Owner("user_id", value)),
            ):
                part = Part(number, number + 50, 0, 900)
                answer(connection, UsageQuestion(parts=(part,), filters=filters, group_by=("model",)))
                query = RequestQuery(filters=filters, cursor=id_text(new_request_id(number)), min_cost_nano_usd=number)
                list_requests(connection, query)
        return connection.texts


@pytest.mark.parametrize("hostile", HOSTILE[:4])
def test_the_text_of_statements_does_not_depend_on_values(filled, hostile):
    assert texts(filled, hostile, 12) == texts(filled, "nobody at all", 1_990_000)


async def test_a_database_that_cannot_be_read_is_no_fault_of_the_caller(tmp_path):
    path = tmp_path / "usage.db"
    path.write_bytes(b"this is no database" * 100)
    reader = Reader(path)
    try:
        reply = await get(application(reader), "/api/usage")
    finally:
        reader.close()
    assert (reply.status, reply.json()["error"]["code"]) == (503, "store_unavailable")
    assert "retry-after" in reply.headers
