"""`/api/limits`: requests and tokens per minute, and how many at once."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.input import LimitFields, NewLimit
from gateway.administration.views import limit_view
from gateway.http.admin.wire import actor, administration, answer, page, read

_new = msgspec.json.Decoder(NewLimit)
_fields = msgspec.json.Decoder(LimitFields)


async def listed(request: Request) -> Response:
    """Every rate limit, the oldest first."""
    limits = administration(request).limits()
    return page(request, "limits", limits, lambda found: [limit_view(limit) for limit in found])


async def created(request: Request) -> Response:
    """The new rate limit; it counts from now on."""
    given = await read(request, _new)
    return answer(limit_view(await administration(request).create_limit(actor(request), given)))


async def shown(request: Request) -> Response:
    """One rate limit."""
    return answer(limit_view(administration(request).limit(_id(request))))


async def changed(request: Request) -> Response:
    """The fields that are sent are changed."""
    given = await read(request, _fields)
    return answer(limit_view(await administration(request).change_limit(actor(request), _id(request), given)))


async def deleted(request: Request) -> Response:
    """It limits nothing any more."""
    await administration(request).delete_limit(actor(request), _id(request))
    return answer({"id": _id(request), "deleted": True})


def _id(request: Request) -> str:
    limit_id: str = request.path_params["limit_id"]
    return limit_id
