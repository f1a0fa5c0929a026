"""Latency histograms that merge by adding big integers.

A histogram is one integer of `LANES` 64-bit lanes. Lane i counts values in (FLOOR_US·GAMMA^(i-1), FLOOR_US·GAMMA^i]; a lane's
representative value is within 5 % of every value in it, so a percentile is too.
"""

import itertools
import math
import struct
from bisect import bisect_left

LANES = 200
FLOOR_US = 10
ERROR = 0.05
GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(GAMMA)
_LANE_BITS = 64


def lane(value_us: int) -> int:
    """The lane that counts a value; values out of range go to the first or last lane."""
    if value_us <= FLOOR_US:
        return 0
    return min(LANES - 1, math.ceil(math.log(value_us / FLOOR_US) / _LOG_GAMMA))


def unit(value_us: int) -> int:
    """A histogram that holds this one value: add them up."""
    return unit_of_lane(lane(value_us))


def unit_of_lane(index: int) -> int:
    """A histogram that holds one value of this lane."""
    return 1 << (_LANE_BITS * index)


def pack(histogram: int) -> bytes:
    """How many lanes at the low end are empty, as one byte, then the others: little-endian, without zeros at the high end."""
    empty = max(0, (histogram & -histogram).bit_length() - 1) // _LANE_BITS
    used = histogram >> (_LANE_BITS * empty)
    return bytes((empty,)) + used.to_bytes((used.bit_length() + 7) // 8, "little")


def unpack(blob: bytes) -> int:
    """The inverse of `pack`."""
    return int.from_bytes(blob[1:], "little") << (_LANE_BITS * blob[0])


def total(histogram: int) -> int:
    """How many values it counts."""
    return sum(_counts(histogram))


def percentiles_s(histogram: int, quantiles: tuple[float, ...]) -> list[float | None]:
    """Seconds at each ascending quantile in 0..1; `None` for each when the histogram is empty."""
    up_to = list(itertools.accumulate(_counts(histogram)))
    if not up_to:
        return [None] * len(quantiles)
    ranks = (max(1, math.ceil(quantile * up_to[-1])) for quantile in quantiles)
    return [_representative_us(bisect_left(up_to, rank)) / 1e6 for rank in ranks]


def _counts(histogram: int) -> list[int]:
    lanes = -(-histogram.bit_length() // _LANE_BITS)
    return list(struct.unpack(f"<{lanes}Q", histogram.to_bytes(lanes * 8, "little")))


def _representative_us(index: int) -> float:
    if index == 0:
        return FLOOR_US
    return 2 * FLOOR_US * float(GAMMA**index) / (GAMMA + 1)
