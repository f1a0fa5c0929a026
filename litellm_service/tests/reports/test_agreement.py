"""Every view of a range is the same sum as its rows, in any zone, on any day."""

import asyncio
import math
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seeded import DAY_MS, ZONES, Shape, fill

from gateway.reports.usage import UsageQuery, overview, usage
from gateway.reports.zones import outward
from gateway.store.sqlite.audit import audit
from gateway.store.sqlite.reading import Reader

pytestmark = pytest.mark.anyio

GROUPINGS = ("application_id", "user_id", "key_id", "model", "provider", "status", "http_status")
FIGURES = ("requests", "errors", "total_tokens", "cost_nano_usd", "unpriced_requests", "estimated_requests")
CLOCKS_GO_BACK = {"Europe/Paris": 1_792_886_400_000, "America/Los_Angeles": 1_793_491_200_000}
QUARTER_MS = 900_000

thorough = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def facts(rows):
    """T's sums, straight from ledger rows."""
    return {
        "requests": sum(row["counts"] for row in rows),
        "errors": sum(row["counts"] and row["http_status"] >= 400 for row in rows),
        "total_tokens": sum(
            row[f"{name}_tokens"]
            for row in rows
            for name in ("input", "cache_read", "cache_write", "output", "reasoning")
        ),
        "cost_nano_usd": sum(row["cost_nano_usd"] or 0 for row in rows),
        "unpriced_requests": sum(row["counts"] and row["cost_nano_usd"] is None for row in rows),
        "estimated_requests": sum(row["estimated"] for row in rows),
    }


def shown(totals):
    return {**{name: totals[name] for name in FIGURES}, "cost_nano_usd": totals["cost_nano_usd"] or 0}


def added(parts):
    found = dict.fromkeys(FIGURES, 0)
    for part in map(shown, parts):
        found = {name: found[name] + part[name] for name in FIGURES}
    return found


def ask(path, query):
    async def answered():
        reader = Reader(path)
        try:
            return await usage(reader, query)
        finally:
            await asyncio.to_thread(reader.close)

    return asyncio.run(answered())


def within(rows, start_ms, end_ms):
    return [row for row in rows if start_ms <= row["admitted_at_ms"] < end_ms]


def bucket_of(at_ms, bucket, zone):
    """The local hour, day, week or month of a moment, and whether the hour is the repeated one."""
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    if bucket == "hour":
        return local.replace(minute=0, second=0, microsecond=0, tzinfo=None), local.fold
    day = local.date()
    first = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[bucket]
    return datetime.combine(first, time()), 0


def bucket_shown(point, zone):
    local = datetime.fromisoformat(point["start"]).astimezone(zone)
    return local.replace(tzinfo=None), local.fold


def test_the_tables_of_the_filled_database_agree(filled):
    assert [check for check in audit(filled) if check.wrong] == []


def test_the_tables_of_a_database_that_repeats_itself_agree(tmp_path):
    path = tmp_path / "usage.db"
    fill(path, Shape(requests=300, days=1, repeated=3))
    assert [check for check in audit(path) if check.wrong] == []
    with closing(sqlite3.connect(path)) as connection:
        days = connection.execute("SELECT substr(timestamp, 1, 10), count(*) FROM requests GROUP BY 1").fetchall()
    assert days == [("2026-10-28", 300), ("2026-10-29", 300), ("2026-10-30", 300), ("2026-10-31", 300)]


@thorough
@given(
    zone=st.sampled_from(ZONES),
    bucket=st.sampled_from(["hour", "day", "week", "month"]),
    group_by=st.lists(st.sampled_from(GROUPINGS), max_size=2, unique=True),
    first=st.integers(0, 4 * 96),
    length=st.integers(1, 4 * 96),
)
def test_any_range_is_the_sum_of_its_groups_buckets_and_rows(
    filled, rows, shape, zone, bucket, group_by, first, length
):
    start_ms = shape.to_ms - shape.days * DAY_MS + first * QUARTER_MS
    end_ms = start_ms + length * QUARTER_MS
    zone = ZoneInfo(zone)
    span = outward(start_ms, end_ms)
    report = ask(filled, UsageQuery(span=span, zone=zone, bucket=bucket, group_by=tuple(group_by), limit=10_000))
    inside = within(rows, start_ms, end_ms)
    assert shown(report["totals"]) == facts(inside)
    assert added(group["totals"] for group in report["groups"]) == facts(inside)
    expected = defaultdict(list)
    for row in inside:
        expected[bucket_of(row["admitted_at_ms"], bucket, zone)].append(row)
    points = defaultdict(list)
    for group in report["groups"]:
        assert added(group["series"]) == shown(group["totals"])
        for point in group["series"]:
            points[bucket_shown(point, zone)].append(point)
    assert expected.keys() <= points.keys() or not inside
    assert {at: added(of) for at, of in points.items()} == {at: facts(expected[at]) for at in points}


@pytest.mark.parametrize(("zone", "bucket", "count"), [
    ("Europe/Paris", "hour", 25), ("Europe/Paris", "day", 1), ("America/Los_Angeles", "hour", 25),
])  # fmt: skip
def test_the_day_when_clocks_go_back_has_25_hours_and_loses_nothing(tmp_path, zone, bucket, count):
    path, around = tmp_path / "usage.db", CLOCKS_GO_BACK[zone] + DAY_MS
    fill(path, Shape(requests=800, days=3, to_ms=around + DAY_MS))
    local = datetime.fromtimestamp(around / 1000, ZoneInfo(zone))
    day = next(
        day
        for day in (local.date() + timedelta(days=shift) for shift in range(-3, 3))
        if _hours(day, ZoneInfo(zone)) == 25
    )
    start, end = _midnight(day, ZoneInfo(zone)), _midnight(day + timedelta(days=1), ZoneInfo(zone))
    report = ask(path, UsageQuery(span=outward(start, end), zone=ZoneInfo(zone), bucket=bucket))
    series = report["groups"][0]["series"]
    assert len(series) == count
    assert len({point["start"] for point in series}) == count
    assert added(series) == shown(report["totals"])


def _midnight(day, zone):
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _hours(day, zone):
    return (_midnight(day + timedelta(days=1), zone) - _midnight(day, zone)) / 3_600_000


@thorough
@given(
    zone=st.sampled_from(ZONES),
    bucket=st.sampled_from(["hour", "day"]),
    group_by=st.sampled_from([(), ("model",), ("application_id",), ("provider",), ("application_id", "model")]),
    first=st.integers(0, 3 * 96),
    length=st.integers(1, 96),
)
def test_percentiles_are_within_five_percent_of_the_rows(filled, rows, shape, zone, bucket, group_by, first, length):
    start_ms = shape.to_ms - shape.days * DAY_MS + first * QUARTER_MS
    end_ms = start_ms + length * QUARTER_MS
    zone = ZoneInfo(zone)
    report = ask(filled, UsageQuery(span=outward(start_ms, end_ms), zone=zone, bucket=bucket, group_by=group_by))
    inside = [row for row in within(rows, start_ms, end_ms) if row["counts"]]
    assert_close(report["totals"], inside)
    for group in report["groups"]:
        own = [row for row in inside if all(row[n.removesuffix("_id")] == v for n, v in group["key"].items())]
        assert_close(group["totals"], own)
        for point in group["series"]:
            at = bucket_shown(point, zone)
            assert_close(point, [row for row in own if bucket_of(row["admitted_at_ms"], bucket, zone) == at])


def assert_close(totals, rows):
    for name, column in (
        ("response_time", "duration_us"),
        ("time_to_first_token", "first_token_us"),
        ("overhead", "overhead_us"),
    ):
        values = sorted(row[column] for row in rows if row[column] is not None)
        for quantile in (0.5, 0.95, 0.99):
            found = totals[f"{name}_p{quantile * 100:.0f}"]
            if not values:
                assert found is None
                continue
            exact = values[max(1, math.ceil(quantile * len(values))) - 1] / 1e6
            assert found == pytest.approx(exact, rel=0.05001)


async def test_groupings_without_histograms_have_averages_only(filled_reader, shape):
    span, zone = outward(shape.to_ms - DAY_MS, shape.to_ms), ZoneInfo("UTC")
    for group_by in (("user_id",), ("key_id",), ("status",), ("http_status",), ("model", "status")):
        report = await usage(filled_reader, UsageQuery(span=span, zone=zone, group_by=group_by))
        for group in report["groups"]:
            assert group["totals"]["response_time_p95"] is None
            assert (group["totals"]["avg_response_time"] is None) == (group["totals"]["requests"] == 0)


async def test_groups_beyond_the_limit_are_summed_up_as_others(filled_reader, shape):
    span, zone = outward(shape.to_ms - shape.days * DAY_MS, shape.to_ms), ZoneInfo("UTC")
    whole = await usage(filled_reader, UsageQuery(span=span, zone=zone, group_by=("user_id",)))
    few = await usage(filled_reader, UsageQuery(span=span, zone=zone, group_by=("user_id",), limit=3))
    assert whole["others"] is None
    assert (len(few["groups"]), few["group_count"]) == (3, len(whole["groups"]))
    assert few["totals"] == whole["totals"]
    assert few["groups"] == whole["groups"][:3]
    assert shown(few["others"]) == added(group["totals"] for group in whole["groups"][3:])


async def test_what_was_never_priced_is_null_and_what_was_partly_is_a_lower_bound(filled_reader, rows, shape):
    span, zone = outward(shape.to_ms - shape.days * DAY_MS, shape.to_ms), ZoneInfo("UTC")
    _, (models,) = await overview(filled_reader, UsageQuery(span=span, zone=zone), [("model",)])
    unpriced = next(model for model in models if model["model"] == "ollama/home-made")
    total, _ = await overview(filled_reader, UsageQuery(span=span, zone=zone), [])
    assert unpriced["unpriced_requests"] == unpriced["requests"] > 0
    assert unpriced["cost_nano_usd"] == (
        sum(row["cost_nano_usd"] or 0 for row in rows if row["model"] == "ollama/home-made") or None
    )
    assert 0 < total["unpriced_requests"] < total["requests"]
    assert total["cost_usd"] * 1e9 == pytest.approx(sum(row["cost_nano_usd"] or 0 for row in rows))
    assert datetime.fromtimestamp(shape.to_ms / 1000, UTC).hour == 0
