"""Ranges and buckets in a named time zone.

Buckets are UTC instants: the repeated hour of autumn is two buckets, and a midnight that does not exist is the first instant
of its day.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain.time import midnight

Bucket = Literal["hour", "day", "week", "month"]

QUARTER_S = 900
HOUR_S = 3600
DAY_S = 86_400
_EPOCH = date(1970, 1, 1)


class Range(msgspec.Struct, frozen=True):
    """A half-open range of quarters of an hour since 1970 UTC."""

    start: int
    end: int

    @property
    def start_ms(self) -> int:
        """The first millisecond."""
        return self.start * QUARTER_S * 1000

    @property
    def end_ms(self) -> int:
        """The first millisecond that is out."""
        return self.end * QUARTER_S * 1000


class Segment(msgspec.Struct, frozen=True):
    """A part of a range in which the zone keeps one offset (seconds east of UTC)."""

    start: int
    end: int
    offset_s: int


def outward(from_ms: int, to_ms: int) -> Range:
    """The quarters that a range of milliseconds touches."""
    quarter_ms = QUARTER_S * 1000
    return Range(from_ms // quarter_ms, -(-to_ms // quarter_ms))


def segments(span: Range, zone: ZoneInfo) -> list[Segment]:
    """The range cut where the zone changes its offset."""
    found: list[Segment] = []
    start = span.start
    while start < span.end:
        offset = _offset_s(start, zone)
        end = _last_with(start, span.end, offset, zone)
        found.append(Segment(start, end, offset))
        start = end
    return found


def previous(span: Range, zone: ZoneInfo) -> Range | None:
    """The period right before: as many local months or days if the range is whole ones, else as many quarters of an hour.

    `None` if it would begin before 1970.
    """
    first, last = _whole_day(span.start, zone), _whole_day(span.end, zone)
    if first is None or last is None:
        start = 2 * span.start - span.end
    else:
        start = int(midnight(_as_long_before(first, last), zone).timestamp()) // QUARTER_S
    return Range(start, span.start) if start >= 0 else None


def bucket_start(unit: int, offset_s: int, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """When a bucket begins, as an instant shown in the zone.

    `unit` counts local hours (for `hour`) or local days since 1970 in a segment with that offset.
    """
    if bucket == "hour":
        return datetime.fromtimestamp(unit * HOUR_S - offset_s, UTC).astimezone(zone)
    return midnight(_first_day(_EPOCH + timedelta(days=unit), bucket), zone)


def unit_s(bucket: Bucket) -> int:
    """Seconds of the unit that a store groups by for this bucket."""
    return HOUR_S if bucket == "hour" else DAY_S


def starts(span: Range, bucket: Bucket, zone: ZoneInfo) -> list[datetime]:
    """Every bucket that the range touches, ascending, empty ones too."""
    size = unit_s(bucket)
    found: dict[datetime, None] = {}
    for segment in segments(span, zone):
        first = (segment.start * QUARTER_S + segment.offset_s) // size
        last = (segment.end * QUARTER_S - 1 + segment.offset_s) // size
        for unit in range(first, last + 1):
            found[bucket_start(unit, segment.offset_s, bucket, zone).astimezone(UTC)] = None
    return [instant.astimezone(zone) for instant in sorted(found)]


def _whole_day(quarter: int, zone: ZoneInfo) -> date | None:
    """The local day that begins at this instant, if one does."""
    day = datetime.fromtimestamp(quarter * QUARTER_S, zone).date()
    return day if midnight(day, zone).timestamp() == quarter * QUARTER_S else None


def _as_long_before(first: date, last: date) -> date:
    if first.day == last.day == 1:
        months = 2 * _months(first) - _months(last)
        return date(months // 12, months % 12 + 1, 1)
    return first - (last - first)


def _months(day: date) -> int:
    return 12 * day.year + day.month - 1


def _first_day(day: date, bucket: Bucket) -> date:
    if bucket == "week":
        return day - timedelta(days=day.weekday())
    if bucket == "month":
        return day.replace(day=1)
    return day


def _offset_s(quarter: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(quarter * QUARTER_S, zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _last_with(start: int, end: int, offset: int, zone: ZoneInfo) -> int:
    """The first quarter after `start` with another offset, or `end`: strides of 30 days, then bisection."""
    stride = 30 * DAY_S // QUARTER_S
    low = start
    while low < end:
        high = min(low + stride, end)
        if high == end and _offset_s(end - 1, zone) == offset:
            return end
        if high < end and _offset_s(high, zone) == offset:
            low = high
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset_s(middle, zone) == offset else (low, middle)
        return high
    return end
