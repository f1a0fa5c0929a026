"""The clock, ISO 8601 and time-ordered request ids."""

import os
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

monotonic = time.perf_counter
LATEST_MS = 2**47  # after every moment that is stored


def now_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def iso_z(at_ms: int) -> str:
    """`2025-11-03T12:00:00.123Z`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms_of_iso(text: str) -> int:
    """The inverse of `iso_z` for every ISO 8601 time from 1970 to 2169, without a zone: UTC; raises `ValueError`."""
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        since = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error
    if not timedelta() <= since < timedelta(days=200 * 365):
        raise ValueError(text)
    return since // timedelta(milliseconds=1)


def iso_seed(at_ms: int) -> str:
    """The seed's form: `2025-11-03T12:00:00`, UTC without a zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms / 1000))


def new_request_id(at_ms: int) -> bytes:
    """A UUIDv7 (RFC 9562, section 5.7): 16 bytes that sort by `at_ms`."""
    random = int.from_bytes(os.urandom(10), "big")
    high = (at_ms & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (random >> 68) & 0x0FFF
    low = 1 << 63 | random & 0x3FFF_FFFF_FFFF_FFFF
    return (high << 64 | low).to_bytes(16, "big")


def id_text(request_id: bytes) -> str:
    """The id as clients see it: hyphenated lower-case hex."""
    h = request_id.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def id_floor(at_ms: int) -> str:
    """Text that sorts before the id of every request admitted at or after this moment, and after every earlier one."""
    h = f"{at_ms:012x}"
    return f"{h[:8]}-{h[8:12]}"


def id_ms(text: str) -> int:
    """The moment of admission that an id begins with."""
    return int.from_bytes(id_bytes(text)[:6], "big")


def id_bytes(text: str) -> bytes:
    """The inverse of `id_text`; raises `ValueError` for anything that is no UUID."""
    return uuid.UUID(text).bytes


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day: through UTC and back, a midnight that does not exist becomes the hour after it."""
    naive = datetime(day.year, day.month, day.day, tzinfo=zone)
    instant = naive.astimezone(UTC)
    local = instant.astimezone(zone)
    if local.date() < day:
        local = (instant + timedelta(seconds=_gap_s(instant, zone))).astimezone(zone)
    return local


def _gap_s(instant: datetime, zone: ZoneInfo) -> int:
    before = instant.astimezone(zone).utcoffset() or timedelta()
    after = (instant + timedelta(hours=2)).astimezone(zone).utcoffset() or timedelta()
    return max(0, int((after - before).total_seconds()))
