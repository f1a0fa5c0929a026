"""Latency histograms that merge by adding big integers.

A histogram is one integer of `LANES` 64-bit lanes. Lane i counts values in (FLOOR_US·GAMMA^(i-1), FLOOR_US·GAMMA^i]; a lane's
representative value is within 5 % of every value in it, so a percentile is too.
"""

import math

LANES = 200
FLOOR_US = 10
ERROR = 0.05
GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(GAMMA)
_LANE_BITS = 64
_LANE_MASK = (1 << _LANE_BITS) - 1


def lane(value_us: int) -> int:
    """The lane that counts a value; values out of range go to the first or last lane."""
    if value_us <= FLOOR_US:
        return 0
    return min(LANES - 1, math.ceil(math.log(value_us / FLOOR_US) / _LOG_GAMMA))


def unit(value_us: int) -> int:
    """A histogram that holds this one value: add them up."""
    return 1 << (_LANE_BITS * lane(value_us))


def pack(histogram: int) -> bytes:
    """Little-endian bytes without trailing zeros."""
    return histogram.to_bytes((histogram.bit_length() + 7) // 8, "little")


def unpack(blob: bytes) -> int:
    """The inverse of `pack`."""
    return int.from_bytes(blob, "little")


def total(histogram: int) -> int:
    """How many values it counts."""
    return sum(_counts(histogram))


def percentiles_s(histogram: int, quantiles: tuple[float, ...]) -> list[float | None]:
    """Seconds at each ascending quantile in 0..1; `None` for each when the histogram is empty."""
    counts = _counts(histogram)
    number = sum(counts)
    if not number:
        return [None] * len(quantiles)
    found: list[float | None] = []
    seen, index = 0, -1
    for quantile in quantiles:
        rank = max(1, math.ceil(quantile * number))
        while seen < rank:
            index += 1
            seen += counts[index]
        found.append(_representative_us(index) / 1e6)
    return found


def _counts(histogram: int) -> list[int]:
    counts = []
    while histogram:
        counts.append(histogram & _LANE_MASK)
        histogram >>= _LANE_BITS
    return counts


def _representative_us(index: int) -> float:
    if index == 0:
        return FLOOR_US
    return 2 * FLOOR_US * float(GAMMA**index) / (GAMMA + 1)
