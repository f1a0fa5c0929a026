"""`/api/usage/export`: everything behind a report as a file."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import get_args

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.domain.errors import GatewayError, InvalidRequest
from gateway.domain.time import now_ms
from gateway.http import parameters as p
from gateway.http.protocol import CONNECTION, Client
from gateway.reports import exports
from gateway.reports.exports import Format, Table
from gateway.reports.usage import UsageQuery
from gateway.reports.zones import Range
from gateway.store.questions import RequestQuery
from gateway.store.sqlite.reading import Reader

log = logging.getLogger(__name__)

DEFAULT_DAYS = 30
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
_OF = {"requests": p.RANGES, "groups": ("group_by", "bucket")}
_KNOWN = ("format", "rows", "from", "to", "tz", *p.FILTERS, *p.RANGES, *_OF["groups"])


async def export(request: Request) -> Response:
    """A file of requests, or of sums by bucket and group, streamed."""
    given = request.query_params
    p.refuse_unknown(given, _KNOWN)
    rows = p.one_of("rows", given.get("rows") or "requests", tuple(_OF))
    _refuse_foreign(given, rows)
    form: Format = p.one_of("format", given.get("format") or "csv", get_args(Format))
    span = p.span(given, default_days=DEFAULT_DAYS)
    table = (_requests if rows == "requests" else _groups)(request, span)
    encoder = await asyncio.to_thread(exports.encoder, table, form)
    pieces = exports.written(table, encoder)
    # What goes wrong with the first piece is still answered as an error.
    first = await anext(pieces)
    name = f"{rows}-{_stamp(span.start_ms)}-{_stamp(span.end_ms)}.{form}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(
        _resumed(first, pieces, request.scope.get(CONNECTION)), headers=headers, media_type=MEDIA_TYPES[form]
    )


def _refuse_foreign(given: QueryParams, rows: str) -> None:
    for other, names in _OF.items():
        wrong = next((name for name in names if name in given and other != rows), None)
        if wrong is not None:
            raise InvalidRequest(f"{wrong}: only with rows={other}.", param=wrong)


def _requests(request: Request, span: Range) -> Table:
    """Up to now, so that what arrives meanwhile is in no piece."""
    given = request.query_params
    p.zone(given)
    query = RequestQuery(
        filters=p.filters(request),
        from_ms=span.start_ms,
        to_ms=min(span.end_ms, now_ms()),
        **p.ranges(given),
    )
    reader: Reader = request.app.state.reader
    return exports.requests(reader, query)


def _groups(request: Request, span: Range) -> Table:
    given = request.query_params
    query = UsageQuery(
        span=span,
        zone=p.zone(given),
        bucket=p.bucket(given, span),
        filters=p.filters(request),
        group_by=p.group_by(given),
    )
    reader: Reader = request.app.state.reader
    return exports.groups(reader, query)


async def _resumed(first: bytes, rest: AsyncIterator[bytes], client: Client | None) -> AsyncIterator[bytes]:
    """All pieces; if one fails, the connection breaks off: the file must not look whole."""
    yield first
    try:
        async for piece in rest:
            yield piece
    except GatewayError as error:
        if client is None:
            raise
        log.warning("an export broke off: %s", error)
        client.abort()
        await asyncio.Event().wait()  # until Starlette hears of it and ends this


def _stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%MZ")
