"""Totals, groups and time series of usage."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain import histogram
from gateway.domain.money import usd
from gateway.reports import zones
from gateway.reports.zones import Bucket, Range, Segment
from gateway.store.questions import SUMS, Figures, Filters, Part, UsageQuestion
from gateway.store.sqlite.reading import Reader

QUANTILES = (0.5, 0.95, 0.99)
METRICS = tuple(
    tuple(f"{name}_p{quantile * 100:.0f}" for quantile in QUANTILES)
    for name in ("response_time", "time_to_first_token", "overhead")
)

Group = tuple[str, ...]
Totals = dict[str, Any]


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A report's question. `span` is what was asked, rounded outward to quarters of an hour."""

    span: Range
    zone: ZoneInfo
    bucket: Bucket = "day"
    filters: Filters = Filters()
    group_by: tuple[str, ...] = ()
    limit: int = 100


class _Cell:
    """Sums and histograms of one group in one bucket; they add up."""

    def __init__(self) -> None:
        self.sums = [0] * len(SUMS)
        self.histograms = [0] * len(METRICS)

    def add(self, other: "_Cell") -> None:
        self.sums = list(map(int.__add__, self.sums, other.sums))
        self.histograms = list(map(int.__add__, self.histograms, other.histograms))

    def totals(self, *, with_latencies: bool) -> Totals:
        """T of api.md: seconds, USD and exact nano-USD, `None` for what is not known."""
        (requests, errors, plain, cached, written, output, reasoning, cost, unpriced, estimated, duration_us) = (
            self.sums
        )
        nano = None if requests and unpriced == requests and not cost else cost
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
        for names, lanes in zip(METRICS, self.histograms, strict=True):
            values = histogram.percentiles_s(lanes, QUANTILES) if with_latencies else [None] * len(QUANTILES)
            found.update(zip(names, values, strict=True))
        return found


async def usage(reader: Reader, query: UsageQuery) -> dict[str, Any]:
    """`/api/usage`: the same totals whatever the grouping, and one series per group with a point for every bucket.

    The `limit` dearest groups are shown; `others` is the sum of the rest, `None` if there is none.
    """
    segments = zones.segments(query.span, query.zone)
    parts = tuple(Part(s.start, s.end, s.offset_s, zones.unit_s(query.bucket)) for s in segments)
    (figures,) = await reader.usage([UsageQuestion(parts=parts, filters=query.filters, group_by=query.group_by)])
    by_group = _by_group(query, segments, figures)
    ranked = sorted(((group, own, _sum(own.values())) for group, own in by_group.items()), key=_weight)
    shown, rest = ranked[: query.limit], ranked[query.limit :]
    instants = zones.starts(query.span, query.bucket, query.zone)
    return {
        "from": _iso(query.span.start_ms),
        "to": _iso(query.span.end_ms),
        "tz": query.zone.key,
        "bucket": query.bucket,
        "group_by": list(query.group_by),
        "totals": _sum(cell for _, _, cell in ranked).totals(with_latencies=_has_latencies(query)),
        "groups": [_group(query, group, own, whole, instants) for group, own, whole in shown],
        "others": _sum(cell for _, _, cell in rest).totals(with_latencies=_has_latencies(query)) if rest else None,
        "group_count": len(ranked),
    }


async def overview(
    reader: Reader, query: UsageQuery, groupings: Sequence[tuple[str, ...]]
) -> tuple[Totals, list[list[dict[str, Any]]]]:
    """One T for all of it, and for each grouping the totals of its groups, dearest first, `{name: value, …T}`.

    All of one moment: every grouping has the same sum.
    """
    endless = Part(query.span.start, query.span.end, 0, 2**53)
    asked = [msgspec.structs.replace(query, group_by=group_by) for group_by in ((), *groupings)]
    questions = [UsageQuestion(parts=(endless,), filters=query.filters, group_by=one.group_by) for one in asked]
    (alone, *answers) = await reader.usage(questions)
    total = _sum(map(_cell, alone)).totals(with_latencies=_has_latencies(asked[0]))
    return total, [_listed(one, figures) for one, figures in zip(asked[1:], answers, strict=True)]


def _listed(query: UsageQuery, figures: list[Figures]) -> list[dict[str, Any]]:
    with_latencies = _has_latencies(query)
    ranked: list[_Ranked] = sorted(((one.group, {}, _cell(one)) for one in figures), key=_weight)
    return [
        {**dict(zip(query.group_by, group, strict=True)), **cell.totals(with_latencies=with_latencies)}
        for group, _, cell in ranked
    ]


def _by_group(query: UsageQuery, segments: list[Segment], figures: list[Figures]) -> dict[Group, dict[datetime, _Cell]]:
    """Cells by group and by the start of their bucket; several units of the store may make one bucket."""
    starts: dict[tuple[int, int], datetime] = {}
    found: dict[Group, dict[datetime, _Cell]] = {}
    for one in figures:
        at = (one.part, one.unit)
        if at not in starts:
            start = zones.bucket_start(one.unit, segments[one.part].offset_s, query.bucket, query.zone)
            starts[at] = start.astimezone(UTC)
        own = found.setdefault(one.group, {})
        known = own.get(starts[at])
        if known is None:
            own[starts[at]] = _cell(one)
        else:
            known.add(_cell(one))
    return found


def _cell(figures: Figures) -> _Cell:
    cell = _Cell()
    cell.sums = list(figures.sums)
    if figures.histograms is not None:
        cell.histograms = list(figures.histograms)
    return cell


def _group(
    query: UsageQuery, group: Group, own: dict[datetime, _Cell], whole: _Cell, instants: list[datetime]
) -> dict[str, Any]:
    with_latencies = _has_latencies(query)
    nothing = _Cell().totals(with_latencies=with_latencies)
    series = []
    for instant in instants:
        cell = own.get(instant.astimezone(UTC))
        series.append(
            {"start": instant.isoformat(), **(cell.totals(with_latencies=with_latencies) if cell else nothing)}
        )
    key = dict(zip(query.group_by, group, strict=True))
    return {"key": key, "totals": whole.totals(with_latencies=with_latencies), "series": series}


_Ranked = tuple[Group, dict[datetime, _Cell], _Cell]


def _weight(ranked: _Ranked) -> tuple[int, int, Group]:
    """The dearest first, then the busiest."""
    group, _, cell = ranked
    return -cell.sums[SUMS.index("cost_nano_usd")], -cell.sums[SUMS.index("requests")], group


def _sum(cells: Iterable[_Cell]) -> _Cell:
    found = _Cell()
    for cell in cells:
        found.add(cell)
    return found


def _has_latencies(query: UsageQuery) -> bool:
    return query.filters.has_histogram and not set(query.group_by) - {"application_id", "model", "provider"}


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
