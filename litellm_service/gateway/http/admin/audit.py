"""`/api/audit`: who changed what, and when."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.administration import AuditEntry
from gateway.domain.errors import InvalidRequest
from gateway.domain.time import iso_z
from gateway.http import parameters as p
from gateway.http.admin.wire import answer
from gateway.store.questions import AuditQuery

_NEWEST = 2**62


async def listed(request: Request) -> Response:
    """Newest first, a page at a time."""
    given = request.query_params
    p.refuse_unknown(given, ("object_kind", "object_id", "actor", "limit", "cursor"))
    limit = p.limit(given, default=50, most=200)
    query = AuditQuery(
        before_id=_cursor(given.get("cursor")),
        object_kind=given.get("object_kind", ""),
        object_id=given.get("object_id", ""),
        actor=given.get("actor", ""),
        limit=limit + 1,
    )
    found = await request.app.state.reader.audit(query)
    next_cursor = str(found[limit - 1][0]) if len(found) > limit else None
    return answer({"entries": [_view(id_, entry) for id_, entry in found[:limit]], "next_cursor": next_cursor})


def _view(id_: int, entry: AuditEntry) -> dict[str, object]:
    return {
        "id": id_,
        "at": iso_z(entry.at_ms),
        "actor": entry.actor,
        "action": entry.action,
        "object_kind": entry.object_kind,
        "object_id": entry.object_id,
        "before": _raw(entry.before),
        "after": _raw(entry.after),
    }


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


def _cursor(text: str | None) -> int:
    if not text:
        return _NEWEST
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidRequest("cursor: take it from `next_cursor` of the page before.", param="cursor")
    return int(text)
