"""`/api/alerts`: what people were to be told of, and whether they were."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import InvalidRequest
from gateway.domain.event import ToldEvent
from gateway.domain.time import iso_z
from gateway.http import parameters as p
from gateway.http.admin.wire import answer
from gateway.store.questions import EventQuery

_LONGEST_ID = 36


async def listed(request: Request) -> Response:
    """Newest first, a page at a time; `webhook` is the host that is told, or null."""
    given = request.query_params
    p.refuse_unknown(given, ("limit", "cursor"))
    limit = p.limit(given, default=50, most=200)
    query = EventQuery(before_id=_cursor(given.get("cursor", "")), limit=limit + 1)
    found = await request.app.state.reader.events(query)
    url = request.app.state.webhook_url
    return answer(
        {
            "alerts": [_view(told) for told in found[:limit]],
            "next_cursor": found[limit - 1].event.id if len(found) > limit else None,
            "webhook": None if url is None else urlsplit(url).hostname,
        }
    )


def _view(told: ToldEvent) -> dict[str, object]:
    event, delivered = told.event, told.delivered_at_ms
    return {
        "id": event.id,
        "at": iso_z(event.at_ms),
        "kind": event.kind,
        "subject": event.subject,
        "delivered_at": None if delivered is None else iso_z(delivered),
        "details": event.body,
    }


def _cursor(text: str) -> str:
    if len(text) > _LONGEST_ID or not all(letter in "0123456789abcdef-" for letter in text):
        raise InvalidRequest("cursor: take it from `next_cursor` of the page before.", param="cursor")
    return text
