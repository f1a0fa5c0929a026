"""Reports over a database that the real writer filled: every view gives the same sums."""

import itertools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seeding import seeded
from store_entries import NOON_MS

from gateway.domain.time import id_text
from gateway.reports.explaining import explained
from gateway.reports.requests import page
from gateway.reports.usage import UsageQuery, overview, usage
from gateway.reports.zones import Range, outward
from gateway.store.questions import Filters, Owner, RequestQuery
from gateway.store.sqlite.audit import audit
from gateway.store.sqlite.reading import Reader

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000
EVERYTHING = Range(0, 2**31)
GROUPINGS = ["application_id", "user_id", "model", "provider", "status", "key_id", "http_status"]
ZONES = ["UTC", "Asia/Kolkata", "America/Los_Angeles", "Asia/Kathmandu", "Europe/Paris"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("reports") / "usage.db"
    return path, seeded(path)


@pytest.fixture
def reader(written):
    reader = Reader(written[0])
    yield reader
    reader.close()


def query(**changes):
    return UsageQuery(**{"span": outward(NOON_MS, NOON_MS + 6 * DAY_MS), "zone": ZoneInfo("UTC"), **changes})


async def total(reader, asked):
    return (await overview(reader, asked, ()))[0]


async def totals_by(reader, asked, group_by):
    return (await overview(reader, asked, (tuple(group_by),)))[1][0]


def sums(facts):
    return {
        "requests": len(facts),
        "errors": sum(fact["status"] == "error" for fact in facts),
        "total_tokens": sum(fact["tokens"] for fact in facts),
        "cost_nano_usd": sum(fact["cost"] or 0 for fact in facts),
        "unpriced_requests": sum(fact["cost"] is None for fact in facts),
    }


def shown(totals):
    return {**{name: totals[name] for name in sums([])}, "cost_nano_usd": totals["cost_nano_usd"] or 0}


def added(parts):
    found = dict.fromkeys(sums([]), 0)
    for part in parts:
        found = {name: found[name] + value for name, value in shown(part).items()}
    return found


def test_the_database_is_sound_and_partly_above_the_watermark(written):
    path, facts = written
    assert [check for check in audit(path) if check.wrong] == []
    assert len(facts) == 600


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
async def test_every_grouping_and_zone_adds_up_to_the_rows(reader, written, zone, bucket):
    expected = sums(written[1])
    for size in (0, 1, 2):
        for group_by in itertools.combinations(GROUPINGS[:5], size):
            report = await usage(reader, query(zone=ZoneInfo(zone), bucket=bucket, group_by=group_by))
            assert shown(report["totals"]) == expected
            assert added(group["totals"] for group in report["groups"]) == expected
            assert added(point for group in report["groups"] for point in group["series"]) == expected


@pytest.mark.parametrize("zone", ZONES)
async def test_the_days_of_a_range_add_up_to_it(reader, written, zone):
    report = await usage(reader, query(zone=ZoneInfo(zone)))
    points = report["groups"][0]["series"]
    for point in points:
        start = datetime.fromisoformat(point["start"])
        end = (start + timedelta(days=1)).replace(tzinfo=None).replace(tzinfo=ZoneInfo(zone))
        start_ms, end_ms = int(start.timestamp() * 1000), int(end.timestamp() * 1000)
        of_day = [fact for fact in written[1] if start_ms <= fact["at_ms"] < end_ms]
        assert shown(point) == sums(of_day)
        assert shown(await total(reader, query(span=outward(start_ms, end_ms)))) == sums(of_day)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "application_id": st.lists(st.sampled_from(["webui", "ci", "nobody"]), min_size=1, max_size=2),
            "user_id": st.lists(
                st.sampled_from(["user0", "user1", "'; DROP TABLE requests; --"]), min_size=1, max_size=2
            ),
            "model": st.lists(st.sampled_from(["openai/gpt-4o", "local/qwen", '" OR 1=1'])),
            "status": st.lists(st.sampled_from(["success", "error"]), min_size=1, max_size=2, unique=True),
        },
    )
)
def test_filters_give_the_rows_that_match_and_nothing_else(written, given_filters):
    import asyncio  # hypothesis needs a plain function

    path, facts = written
    matching = [
        fact for fact in facts if all(not wanted or fact[name] in wanted for name, wanted in given_filters.items())
    ]
    filters = Filters(**{name: tuple(values) for name, values in given_filters.items()})

    async def ask():
        reader = Reader(path)
        try:
            rows = (await page(reader, RequestQuery(filters=filters, limit=1000)))["requests"]
            return await total(reader, query(filters=filters)), rows
        finally:
            reader.close()

    totals, rows = asyncio.run(ask())
    assert shown(totals) == sums(matching)
    assert [row["request_id"] for row in rows] == [
        id_text(fact["id"]) for fact in sorted(matching, key=lambda f: f["id"], reverse=True)
    ]


async def test_percentiles_are_within_five_percent(reader, written):
    totals = await total(reader, query())
    durations = sorted(fact["duration_us"] / 1e6 for fact in written[1])
    for name, quantile in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        exact = durations[max(0, -(-int(quantile * len(durations) * 1000) // 1000) - 1)]
        assert totals[f"response_time_{name}"] == pytest.approx(exact, rel=0.06)
    assert totals["avg_response_time"] == pytest.approx(sum(durations) / len(durations))


async def test_where_no_histogram_is_kept_there_is_no_percentile(reader):
    assert (await total(reader, query(filters=Filters(user_id=("user1",)))))["response_time_p95"] is None
    assert all(row["response_time_p95"] is None for row in await totals_by(reader, query(), ["user_id"]))
    assert all(row["response_time_p95"] > 0 for row in await totals_by(reader, query(), ["model"]))


async def test_what_is_not_priced_is_not_zero(reader):
    only = await total(reader, query(filters=Filters(model=("local/qwen",), status=("success",))))
    assert (only["cost_usd"], only["cost_nano_usd"]) == (None, None)
    nothing = await total(reader, query(filters=Filters(user_id=("nobody",))))
    assert (nothing["requests"], nothing["cost_usd"], nothing["avg_response_time"]) == (0, 0.0, None)


async def test_walking_the_pages_meets_every_row_once(reader, written):
    for filters in (
        Filters(),
        Filters(user_id=("user2",)),
        Filters(status=("error",)),
        Filters(model=("local/qwen", "openai/gpt-4o")),
    ):
        seen, cursor = [], None
        while True:
            got = await page(reader, RequestQuery(filters=filters, cursor=cursor, limit=7))
            seen += [row["request_id"] for row in got["requests"]]
            cursor = got["next_cursor"]
            if cursor is None:
                break
        assert seen == sorted(set(seen), reverse=True)
        whole = await page(reader, RequestQuery(filters=filters, limit=1000))
        assert seen == [row["request_id"] for row in whole["requests"]]


async def test_ranges_and_id_prefixes_narrow_the_list(reader, written):
    facts = written[1]
    middle = facts[300]["at_ms"]
    got = await page(reader, RequestQuery(from_ms=middle, to_ms=middle + DAY_MS, limit=1000))
    assert len(got["requests"]) == sum(middle <= fact["at_ms"] < middle + DAY_MS for fact in facts)
    wanted = id_text(facts[10]["id"])
    assert [row["request_id"] for row in (await page(reader, RequestQuery(id_prefix=wanted[:30])))["requests"]] == [
        wanted
    ]
    dear = await page(reader, RequestQuery(min_cost_nano_usd=3_000_000, limit=1000))
    assert len(dear["requests"]) == sum((fact["cost"] or 0) >= 3_000_000 for fact in facts)


async def test_one_request_in_full_has_a_receipt_that_adds_up(reader, written):
    priced = next(fact for fact in written[1] if fact["cost"])
    found = await explained(reader, id_text(priced["id"]))
    assert (found["query"].startswith("question"), found["response"]) == (True, "answer")
    assert found["price"]["input_usd_per_million"] == 2.5
    assert sum(line["amount_nano_usd"] for line in found["receipt"]) > 0
    assert found["attempts_list"][0]["outcome"] == "completed"
    assert await explained(reader, id_text(priced["id"]), owner=Owner("user_id", "somebody else")) is None
    assert await explained(reader, "00000000-0000-7000-8000-000000000000") is None
