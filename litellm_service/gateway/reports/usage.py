"""Totals, groups and time series of usage."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain import histogram
from gateway.domain.money import usd
from gateway.reports import zones
from gateway.reports.zones import Bucket, Range
from gateway.store.sqlite.reading import Filters, Part, Reader, UsageFacts

QUANTILES = (0.5, 0.95, 0.99)
METRICS = {1: "response_time", 2: "time_to_first_token", 3: "overhead"}
NUMBER_OF_SUMS = 11

Group = tuple[str, ...]
Totals = dict[str, Any]


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A report's question. `span` is what was asked, rounded outward to quarters of an hour."""

    span: Range
    zone: ZoneInfo
    bucket: Bucket = "day"
    filters: Filters = Filters()
    group_by: tuple[str, ...] = ()


class _Cell:
    """Sums and histograms of one group in one bucket; they add up."""

    def __init__(self) -> None:
        self.sums = [0] * NUMBER_OF_SUMS
        self.histograms = {1: 0, 2: 0, 3: 0}

    def add(self, other: "_Cell") -> None:
        self.sums = [one + more for one, more in zip(self.sums, other.sums, strict=True)]
        for metric, lanes in other.histograms.items():
            self.histograms[metric] += lanes

    def totals(self, *, with_latencies: bool) -> Totals:
        """T of api.md: seconds, USD and exact nano-USD, `None` for what is not known."""
        (requests, errors, plain, cached, written, output, reasoning, cost, unpriced, estimated, duration_us) = (
            self.sums
        )
        nano = None if requests and unpriced == requests else cost
        prompt, completion = plain + cached + written, output + reasoning
        found: Totals = {
            "requests": requests,
            "errors": errors,
            "prompt_tokens": prompt,
            "cached_tokens": cached,
            "cache_write_tokens": written,
            "completion_tokens": completion,
            "reasoning_tokens": reasoning,
            "total_tokens": prompt + completion,
            "cost_usd": usd(nano),
            "cost_nano_usd": nano,
            "unpriced_requests": unpriced,
            "estimated_requests": estimated,
            "avg_response_time": duration_us / requests / 1e6 if requests else None,
        }
        for metric, name in METRICS.items():
            values = histogram.percentiles_s(self.histograms[metric], QUANTILES) if with_latencies else [None] * 3
            found.update(
                {f"{name}_p{quantile * 100:.0f}": value for quantile, value in zip(QUANTILES, values, strict=True)}
            )
        return found


async def usage(reader: Reader, query: UsageQuery) -> dict[str, Any]:
    """`/api/usage`: the same totals whatever the grouping, and one series per group with a point for every bucket."""
    segments = zones.segments(query.span, query.zone)
    parts = [Part(s.start, s.end, s.offset_s, zones.unit_s(query.bucket)) for s in segments]
    facts = await reader.usage(parts, query.filters, query.group_by)
    cells = _cells(query, [segment.offset_s for segment in segments], facts)
    with_latencies = _has_latencies(query)
    instants = zones.starts(query.span, query.bucket, query.zone)
    by_group = _by_group(cells)
    groups = sorted(by_group, key=lambda group: _weight(by_group[group]), reverse=True)
    return {
        "from": _iso(query.span.start_ms),
        "to": _iso(query.span.end_ms),
        "tz": query.zone.key,
        "bucket": query.bucket,
        "group_by": list(query.group_by),
        "totals": _sum(cells.values()).totals(with_latencies=with_latencies),
        "groups": [_group(query, group, by_group[group], instants, with_latencies=with_latencies) for group in groups],
    }


async def totals_by(reader: Reader, query: UsageQuery, group_by: Sequence[str]) -> list[dict[str, Any]]:
    """Totals of each group, dearest first, without a series: `{name: value, …T}`."""
    grouped = msgspec.structs.replace(query, group_by=tuple(group_by))
    cells = await _without_time(reader, grouped)
    with_latencies = _has_latencies(grouped)
    ranked = sorted(cells.items(), key=lambda item: (item[1].sums[7], item[1].sums[0]), reverse=True)
    return [
        {**dict(zip(group_by, group, strict=True)), **cell.totals(with_latencies=with_latencies)}
        for group, cell in ranked
    ]


async def total(reader: Reader, query: UsageQuery) -> Totals:
    """One T for all of it."""
    bare = msgspec.structs.replace(query, group_by=())
    cells = await _without_time(reader, bare)
    return _sum(cells.values()).totals(with_latencies=_has_latencies(bare))


async def _without_time(reader: Reader, query: UsageQuery) -> dict[Group, _Cell]:
    span = query.span
    endless = Part(span.start, span.end, 0, 2**53)
    facts = await reader.usage([endless], query.filters, query.group_by)
    cells: dict[Group, _Cell] = {}
    for row in facts.parts[0]:
        cells.setdefault(row.group, _Cell()).sums = list(row.values)
    for group, _hour, metric, lanes in _lanes(facts):
        cells.setdefault(group, _Cell()).histograms[metric] += lanes
    return {group: cell for group, cell in cells.items() if any(cell.sums)}


def _cells(query: UsageQuery, offsets: list[int], facts: UsageFacts) -> dict[tuple[Group, datetime], _Cell]:
    cells: dict[tuple[Group, datetime], _Cell] = {}
    for offset, rows in zip(offsets, facts.parts, strict=True):
        for row in rows:
            start = zones.bucket_start(row.unit, offset, query.bucket, query.zone).astimezone(UTC)
            cell = _Cell()
            cell.sums = list(row.values)
            cells.setdefault((row.group, start), _Cell()).add(cell)
    starts: dict[int, datetime] = {}
    for group, hour, metric, lanes in _lanes(facts):
        if hour not in starts:
            starts[hour] = _start_of_hour(hour, query)
        known = cells.get((group, starts[hour]))
        if known is not None:
            known.histograms[metric] += lanes
    return cells


def _lanes(facts: UsageFacts) -> Iterable[tuple[Group, int, int, int]]:
    for row in facts.latencies:
        yield row.group, row.hour, row.metric, histogram.unpack(row.lanes)
    for tail in facts.tail:
        for metric, value in enumerate(tail.values, start=1):
            if value is not None:
                yield tail.group, tail.hour, metric, histogram.unit(value)


def _start_of_hour(hour: int, query: UsageQuery) -> datetime:
    """Histograms are kept per hour of UTC: one belongs to the bucket in which it begins, within the range."""
    at_s = max(hour * zones.HOUR_S, query.span.start * zones.QUARTER_S)
    local = datetime.fromtimestamp(at_s, query.zone)
    offset = int(local.utcoffset().total_seconds())  # type: ignore[union-attr]  # an aware time has an offset
    unit = (at_s + offset) // zones.unit_s(query.bucket)
    return zones.bucket_start(unit, offset, query.bucket, query.zone).astimezone(UTC)


def _by_group(cells: dict[tuple[Group, datetime], _Cell]) -> dict[Group, dict[datetime, _Cell]]:
    found: dict[Group, dict[datetime, _Cell]] = {}
    for (group, start), cell in cells.items():
        found.setdefault(group, {})[start] = cell
    return found


def _group(
    query: UsageQuery, group: Group, own: dict[datetime, _Cell], instants: list[datetime], *, with_latencies: bool
) -> dict[str, Any]:
    nothing = _Cell().totals(with_latencies=with_latencies)
    series = []
    for instant in instants:
        cell = own.get(instant.astimezone(UTC))
        series.append(
            {"start": instant.isoformat(), **(cell.totals(with_latencies=with_latencies) if cell else nothing)}
        )
    key = dict(zip(query.group_by, group, strict=True))
    return {"key": key, "totals": _sum(own.values()).totals(with_latencies=with_latencies), "series": series}


def _weight(own: dict[datetime, _Cell]) -> tuple[int, int]:
    return sum(cell.sums[7] for cell in own.values()), sum(cell.sums[0] for cell in own.values())


def _sum(cells: Iterable[_Cell]) -> _Cell:
    found = _Cell()
    for cell in cells:
        found.add(cell)
    return found


def _has_latencies(query: UsageQuery) -> bool:
    return query.filters.has_histogram and not set(query.group_by) - {"application_id", "model", "provider"}


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
