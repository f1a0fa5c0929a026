"""Everything that a report is made of, as a table that is read a piece at a time."""

import asyncio
import importlib
import itertools
from collections.abc import AsyncIterator, Callable
from operator import itemgetter
from typing import Any, Literal, cast

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.reports import zones
from gateway.reports.formats import Column, Csv, Encoder, JsonLines, Kind, Record
from gateway.reports.requests import listed
from gateway.reports.usage import METRICS, UsageQuery, ranked, totals
from gateway.reports.zones import QUARTER_S
from gateway.store.questions import ENDLESS_S, REQUEST_COLUMNS, Part, RequestQuery, UsageQuestion, added
from gateway.store.sqlite.reading import Reader

Format = Literal["csv", "jsonl", "parquet"]

REQUESTS_AT_ONCE = 1_000

# Name, kind and column of the store.
_REQUEST: tuple[tuple[str, Kind, str], ...] = (
    ("request_id", "text", "id"), ("timestamp", "time", "admitted_at_ms"), ("application_id", "text", "application_id"),
    ("user_id", "text", "user_id"), ("key_id", "text", "key_id"), ("operation", "text", "operation"), ("model", "text", "model"),
    ("provider", "text", "provider"), ("upstream_model", "text", "upstream_model"), ("status", "text", "status"),
    ("outcome", "text", "outcome"), ("http_status", "integer", "http_status"), ("stream", "flag", "stream"),
    ("prompt_tokens", "integer", "prompt_tokens"), ("cached_tokens", "integer", "cached_tokens"),
    ("cache_write_tokens", "integer", "cache_write_tokens"), ("completion_tokens", "integer", "completion_tokens"),
    ("reasoning_tokens", "integer", "reasoning_tokens"), ("total_tokens", "integer", "total_tokens"),
    ("cost_usd", "usd", "cost_nano_usd"), ("cost_nano_usd", "integer", "cost_nano_usd"), ("cost_source", "text", "cost_source"),
    ("response_time", "number", "response_time"), ("time_to_first_token", "number", "time_to_first_token"),
    ("overhead", "number", "overhead"), ("attempts", "integer", "attempts"), ("error_message", "text", "error_message"),
)  # fmt: skip
_CELLS_OF_REQUEST = itemgetter(*(REQUEST_COLUMNS.index(source) for _, _, source in _REQUEST))
_SECONDS = frozenset(("avg_response_time", *itertools.chain(*METRICS)))


class Table(msgspec.Struct, frozen=True):
    """What an export holds: records a piece at a time, and what makes cells, or an object, of one record."""

    columns: list[Column]
    pieces: AsyncIterator[list[Record]]
    cells: Callable[[Record], Record]
    as_object: Callable[[Record], dict[str, Any]]


def requests(reader: Reader, query: RequestQuery) -> Table:
    """One row a request, newest first: the figures of the request list. The range must have passed already."""
    columns = [Column(name, kind) for name, kind, _ in _REQUEST]
    return Table(columns, _stretches(reader, query), _CELLS_OF_REQUEST, _listed)


def groups(reader: Reader, query: UsageQuery) -> Table:
    """One row for each bucket and group that has anything: T; oldest bucket first, in a bucket the dearest group."""
    columns = [Column(name, "text") for name in ("start", *query.group_by)]
    columns += [Column(name, _kind(name)) for name in totals(added([]))]

    def cells(record: Record) -> Record:
        start, group, figures = record
        found = totals(figures)
        return (start, *group, *{**found, "cost_usd": found["cost_nano_usd"]}.values())

    def as_object(record: Record) -> dict[str, Any]:
        start, group, figures = record
        return {"start": start, **dict(zip(query.group_by, group, strict=True)), **totals(figures)}

    return Table(columns, _buckets(reader, query), cells, as_object)


def encoder(table: Table, form: Format) -> Encoder:
    """Raises `InvalidRequest` for a format that this installation lacks."""
    if form == "csv":
        return Csv(table.columns, table.cells)
    if form == "jsonl":
        return JsonLines(table.as_object)
    try:
        parquet = importlib.import_module("gateway.reports.parquet")
    except ModuleNotFoundError:
        raise InvalidRequest(
            "format: parquet needs the package pyarrow, which is not installed here. Install the gateway's extra `parquet` "
            "and start it again, or take csv or jsonl.",
            param="format",
        ) from None
    return cast("Encoder", parquet.Parquet(table.columns, table.cells))


async def written(table: Table, encoder: Encoder) -> AsyncIterator[bytes]:
    """The file, in pieces as it is read: never more than one in memory. May be cancelled at any point."""
    ready = encoder.begin()
    async for piece in table.pieces:
        ready += await asyncio.to_thread(encoder.rows, piece)
        if ready:
            yield ready
            ready = b""
    yield ready + encoder.end()


async def _stretches(reader: Reader, query: RequestQuery) -> AsyncIterator[list[Record]]:
    at: str | None = query.cursor
    while True:
        stretch = await reader.stretch(msgspec.structs.replace(query, cursor=at, limit=REQUESTS_AT_ONCE))
        yield stretch.rows
        at = stretch.cursor
        if at is None:
            return


async def _buckets(reader: Reader, query: UsageQuery) -> AsyncIterator[list[Record]]:
    starts = zones.starts(query.span, query.bucket, query.zone)
    quarters = [max(query.span.start, int(start.timestamp()) // QUARTER_S) for start in starts]
    for start, first, end in zip(starts, quarters, [*quarters[1:], query.span.end], strict=True):
        whole = Part(first, end, 0, ENDLESS_S)
        question = UsageQuestion(parts=(whole,), filters=query.filters, group_by=query.group_by)
        (answer,) = await reader.usage([question])
        figures = {cell.group: cell.figures for cell in answer.cells}
        yield [(start.isoformat(), group, figures[group]) for group in ranked(figures)]


def _listed(record: Record) -> dict[str, Any]:
    return listed(dict(zip(REQUEST_COLUMNS, record, strict=True)))


def _kind(name: str) -> Kind:
    if name == "cost_usd":
        return "usd"
    return "number" if name in _SECONDS else "integer"
