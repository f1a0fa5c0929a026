"""`/api/requests` and `/api/requests/{id}`."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import InvalidRequest, NotFound
from gateway.domain.time import id_bytes
from gateway.http import parameters as p
from gateway.http.admin.wire import administration
from gateway.reports.explaining import explained
from gateway.reports.requests import page
from gateway.store.questions import RequestQuery

_KNOWN = ("from", "to", "id", "cursor", "limit", *p.FILTERS, *p.RANGES)


async def request_list(request: Request) -> Response:
    """Newest first, without content, a page at a time."""
    given = request.query_params
    p.refuse_unknown(given, _KNOWN)
    from_ms, to_ms = p.moment(given, "from"), p.moment(given, "to")
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise InvalidRequest("to: it must be later than `from`.", param="to")
    query = RequestQuery(
        filters=p.filters(request),
        from_ms=from_ms,
        to_ms=to_ms,
        id_prefix=_id_prefix(given.get("id", "")),
        cursor=p.cursor(given),
        limit=p.limit(given, default=50, most=200),
        **p.ranges(given),
    )
    return _json(await page(request.app.state.reader, query))


async def request_detail(request: Request) -> Response:
    """Everything about one request."""
    text = request.path_params["request_id"]
    try:
        request_id = str(text).lower()
        id_bytes(request_id)
    except ValueError:
        raise NotFound(f"{text[:60]!r} is no request id; it looks like 01a208e7-6d96-7f60-8f3a-5aea9af1bd8c.") from None
    budgets = administration(request).budgets()
    found = await explained(request.app.state.reader, request_id, owner=p.owner(request), budgets=budgets)
    if found is None:
        raise NotFound(f"There is no request {request_id}.")
    return _json(found)


def _id_prefix(text: str) -> str:
    text = text.strip().lower()
    if len(text) > 36 or set(text) - set("0123456789abcdef-"):
        raise InvalidRequest("id: the first characters of a request id: 0-9, a-f and hyphens.", param="id")
    return text


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
