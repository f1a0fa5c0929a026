"""Buckets in named zones: no instant is lost, none is counted twice."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reports.zones import QUARTER_S, Range, bucket_start, outward, previous, segments, starts, unit_s

ZONES = [
    "UTC",
    "Asia/Kolkata",
    "America/Los_Angeles",
    "Asia/Kathmandu",
    "Europe/Paris",
    "Australia/Lord_Howe",
    "Africa/Cairo",
]
QUARTERS = st.integers(1_700_000, 2_100_000)


def quarter(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) // QUARTER_S


@given(QUARTERS, st.integers(1, 60_000), st.sampled_from(ZONES))
def test_segments_cover_the_range_and_keep_one_offset(start, length, name):
    zone = ZoneInfo(name)
    found = segments(Range(start, start + length), zone)
    assert found[0].start == start
    assert found[-1].end == start + length
    assert all(one.end == other.start for one, other in itertools.pairwise(found))
    for segment in found:
        for at in {segment.start, (segment.start + segment.end) // 2, segment.end - 1}:
            assert datetime.fromtimestamp(at * QUARTER_S, zone).utcoffset().total_seconds() == segment.offset_s


@given(QUARTERS, st.integers(1, 4_000), st.sampled_from(ZONES), st.sampled_from(["hour", "day", "week", "month"]))
def test_every_quarter_falls_into_the_bucket_that_contains_it(start, length, name, bucket):
    zone, span = ZoneInfo(name), Range(start, start + length)
    # Two readings of one clock at its repeated hour are equal to Python; their instants are not.
    instants = [start.astimezone(UTC) for start in starts(span, bucket, zone)]
    assert instants == sorted(instants)
    assert len(set(instants)) == len(instants)
    for segment in segments(span, zone):
        for at in {segment.start, segment.end - 1}:
            unit = (at * QUARTER_S + segment.offset_s) // unit_s(bucket)
            begin = bucket_start(unit, segment.offset_s, bucket, zone).astimezone(UTC)
            assert begin in instants
            assert begin <= datetime.fromtimestamp(at * QUARTER_S, UTC)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Paris", "2026-03-29", 23), ("Europe/Paris", "2026-10-25", 25), ("America/Los_Angeles", "2026-11-01", 25)],
)
def test_the_repeated_hour_is_two_buckets_and_the_skipped_one_none(zone, day, hours):
    first = quarter(f"{day}T00:00", zone)
    following = f"{day[:8]}{int(day[8:]) + 1:02d}"
    span = Range(first, quarter(f"{following}T00:00", zone))
    assert len(starts(span, "hour", ZoneInfo(zone))) == hours
    assert len(starts(span, "day", ZoneInfo(zone))) == 1


def test_a_midnight_that_does_not_exist_is_the_first_instant_of_its_day():
    zone = ZoneInfo("Africa/Cairo")
    noon = quarter("2026-04-24T12:00", "Africa/Cairo")
    (start,) = starts(Range(noon, noon + 1), "day", zone)
    assert start.isoformat() == "2026-04-24T01:00:00+03:00"


def test_ranges_are_rounded_outward():
    assert outward(900_001, 1_800_001) == Range(1, 3)


@pytest.mark.parametrize(
    ("zone", "start", "end", "before"),
    [
        ("UTC", "2026-10-01T00:00", "2026-11-01T00:00", "2026-09-01T00:00"),
        ("Europe/Paris", "2026-03-01T00:00", "2026-04-01T00:00", "2026-02-01T00:00"),
        ("UTC", "2027-01-01T00:00", "2027-03-01T00:00", "2026-11-01T00:00"),
        ("UTC", "2026-01-01T00:00", "2027-01-01T00:00", "2025-01-01T00:00"),
        ("Europe/Paris", "2026-10-25T00:00", "2026-10-26T00:00", "2026-10-24T00:00"),
        ("America/Los_Angeles", "2026-11-02T00:00", "2026-11-09T00:00", "2026-10-26T00:00"),
        ("Asia/Kathmandu", "2026-10-03T00:00", "2026-10-05T00:00", "2026-10-01T00:00"),
        ("Africa/Cairo", "2026-04-24T01:00", "2026-04-25T00:00", "2026-04-23T00:00"),
        ("UTC", "2026-10-01T10:00", "2026-10-01T14:30", "2026-10-01T05:30"),
        ("UTC", "2026-10-02T00:00", "2026-10-03T18:00", "2026-09-30T06:00"),
        ("Europe/Paris", "2026-10-01T00:00", "2026-10-31T23:00", "2026-08-31T00:00"),
    ],
)
def test_the_period_before_is_as_many_local_months_or_days_or_else_as_long(zone, start, end, before):
    first = quarter(start, zone)
    assert previous(Range(first, quarter(end, zone)), ZoneInfo(zone)) == Range(quarter(before, zone), first)


def test_before_1970_there_is_nothing_to_compare_with():
    assert previous(Range(0, 4), ZoneInfo("UTC")) is None
    assert previous(outward(86_400_000 * 20, 86_400_000 * 50), ZoneInfo("UTC")) is None
