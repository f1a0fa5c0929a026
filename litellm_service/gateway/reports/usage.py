"""Totals, groups and time series of usage."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain import histogram
from gateway.domain.money import usd
from gateway.reports import zones
from gateway.reports.zones import Bucket, Range, Segment
from gateway.store.questions import ENDLESS_S, SUMS, Cell, Figures, Filters, Part, UsageQuestion, added
from gateway.store.sqlite.reading import Reader

QUANTILES = (0.5, 0.95, 0.99)
METRICS = tuple(
    tuple(f"{name}_p{quantile * 100:.0f}" for quantile in QUANTILES)
    for name in ("response_time", "time_to_first_token", "overhead")
)

HISTOGRAM_NAMES = ("application_id", "model", "provider")
_COST = SUMS.index("cost_nano_usd")

Group = tuple[str, ...]
Totals = dict[str, Any]


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A report's question. `span` is what was asked, rounded outward to quarters of an hour."""

    span: Range
    zone: ZoneInfo
    bucket: Bucket = "day"
    filters: Filters = Filters()
    group_by: tuple[str, ...] = ()
    limit: int = 50


async def usage(reader: Reader, query: UsageQuery) -> dict[str, Any]:
    """`/api/usage`: the same totals whatever the grouping, and one series per group with a point for every bucket.

    The `limit` dearest groups are shown; `others` is the sum of the rest, `None` if there is none. `refusals` counts what
    never was admitted.
    """
    segments = zones.segments(query.span, query.zone)
    parts = tuple(Part(s.start, s.end, s.offset_s, zones.unit_s(query.bucket)) for s in segments)
    question = UsageQuestion(parts=parts, filters=query.filters, group_by=query.group_by, limit=query.limit)
    (answer,), refused = await asyncio.gather(
        reader.usage([question]), reader.refusals(query.span.start, query.span.end, query.filters)
    )
    by_group = _by_group(query, segments, answer.cells)
    whole = {group: added(own.values()) for group, own in by_group.items()}
    instants = zones.starts(query.span, query.bucket, query.zone)
    everything = [*whole.values(), *([answer.others] if answer.others else [])]
    return {
        "from": iso(query.span.start_ms),
        "to": iso(query.span.end_ms),
        "tz": query.zone.key,
        "bucket": query.bucket,
        "group_by": list(query.group_by),
        "totals": totals(added(everything)),
        "groups": [
            {
                "key": dict(zip(query.group_by, group, strict=True)),
                "totals": totals(whole[group]),
                "series": _series(by_group[group], instants),
            }
            for group in ranked(whole)
        ],
        "others": totals(answer.others) if answer.others else None,
        "group_count": answer.group_count,
        "refusals": [{"code": code, "count": count} for code, count in refused],
    }


async def overview(
    reader: Reader, query: UsageQuery, groupings: Sequence[tuple[str, ...]]
) -> tuple[Totals, list[list[dict[str, Any]]]]:
    """One T for all of it, and for each grouping the totals of its groups, dearest first, `{name: value, …T}`.

    All of one moment: every grouping has the same sum. Groupings by what histograms know are folded from one question.
    """
    finest = tuple(name for name in HISTOGRAM_NAMES if any(name in grouping for grouping in groupings))
    others = [grouping for grouping in groupings if not set(grouping) <= set(finest)]
    endless = (Part(query.span.start, query.span.end, 0, ENDLESS_S),)
    answers = await reader.usage(
        [UsageQuestion(parts=endless, filters=query.filters, group_by=by) for by in (finest, *others)]
    )
    answered = dict(zip((finest, *others), answers, strict=True))

    def listed(grouping: tuple[str, ...]) -> list[dict[str, Any]]:
        known = grouping if grouping in answered else finest
        folded = _folded(answered[known].cells, [known.index(name) for name in grouping])
        return [{**dict(zip(grouping, group, strict=True)), **totals(folded[group])} for group in ranked(folded)]

    whole = added([cell.figures for cell in answered[finest].cells])
    return totals(whole), [listed(grouping) for grouping in groupings]


def totals(figures: Figures) -> Totals:
    """T of api.md: seconds, USD and exact nano-USD, `None` for what is not known."""
    (requests, errors, plain, cached, written, output, reasoning, cost, unpriced, estimated, duration_us) = figures.sums
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
    for names, lanes in zip(METRICS, figures.histograms or (0, 0, 0), strict=True):
        found.update(zip(names, histogram.percentiles_s(lanes, QUANTILES), strict=True))
    return found


def _by_group(query: UsageQuery, segments: list[Segment], cells: list[Cell]) -> dict[Group, dict[datetime, Figures]]:
    """Figures by group and by the start of their bucket; several units of the store may make one bucket."""
    starts: dict[tuple[int, int], datetime] = {}
    found: dict[Group, dict[datetime, Figures]] = {}
    for cell in cells:
        at = (cell.part, cell.unit)
        if at not in starts:
            start = zones.bucket_start(cell.unit, segments[cell.part].offset_s, query.bucket, query.zone)
            starts[at] = start.astimezone(UTC)
        own = found.setdefault(cell.group, {})
        known = own.get(starts[at])
        own[starts[at]] = cell.figures if known is None else added([known, cell.figures])
    return found


def _folded(cells: list[Cell], positions: list[int]) -> dict[Group, Figures]:
    """Groups that agree in these names, added up."""
    found: dict[Group, list[Figures]] = {}
    for cell in cells:
        found.setdefault(tuple(cell.group[position] for position in positions), []).append(cell.figures)
    return {group: added(figures) for group, figures in found.items()}


def _series(own: dict[datetime, Figures], instants: list[datetime]) -> list[dict[str, Any]]:
    empty = totals(added([]))
    points = ((instant, own.get(instant.astimezone(UTC))) for instant in instants)
    return [{"start": instant.isoformat(), **(totals(figures) if figures else empty)} for instant, figures in points]


def ranked(groups: dict[Group, Figures]) -> list[Group]:
    """The dearest first, then the busiest."""
    return sorted(groups, key=lambda group: (-groups[group].sums[_COST], -groups[group].sums[0], group))


def iso(at_ms: int) -> str:
    """`2025-11-03T12:00:00Z`, as ranges are shown."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
