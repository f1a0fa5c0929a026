"""`/api/prices`: the price book, overrides, imports, and pricing earlier requests anew."""

import asyncio
from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.price_input import MapImport, NewOverride, Recomputation
from gateway.administration.price_views import (
    View,
    imported_view,
    map_view,
    override_view,
    price_list,
    recomputed_view,
)
from gateway.administration.pricing import Pricing
from gateway.domain.errors import InvalidRequest
from gateway.domain.time import iso_z, now_ms
from gateway.http import parameters as p
from gateway.http.admin.wire import DEFAULT_LIMIT, MAX_LIMIT, actor, answer, read
from gateway.reports.unpriced import unpriced_in_use

_new = msgspec.json.Decoder(NewOverride)
_import = msgspec.json.Decoder(MapImport)
_recomputation = msgspec.json.Decoder(Recomputation)


async def listed(request: Request) -> Response:
    """A page of the book at a moment, with everything that makes it up."""
    given = request.query_params
    p.refuse_unknown(given, ("pattern", "provider", "at", "limit", "cursor"))
    limit, pricing = p.limit(given, default=DEFAULT_LIMIT, most=MAX_LIMIT), _pricing(request)
    provider, at_ms = given.get("provider", ""), p.moment(given, "at") or now_ms()
    if provider and provider not in pricing.models.catalog.providers:
        raise InvalidRequest(f"provider: {provider[:60]!r} is none; GET /api/providers lists them.", param="provider")
    found = await asyncio.to_thread(
        _page, pricing, given.get("pattern") or "*", provider, at_ms, given.get("cursor", ""), limit + 1
    )
    unpriced = await unpriced_in_use(request.app.state.reader)
    for one in unpriced:
        vendor, _, name = str(one["model"]).partition("/")
        one["priced_now"] = pricing.book.usual_price(vendor, name, at_ms) is not None
    return answer({
        "at": iso_z(at_ms),
        "version": pricing.book.version,
        "maps": [map_view(known) for known in pricing.maps()],
        "overrides": [override_view(override) for override in pricing.overrides()],
        "unpriced_in_use": unpriced,
        "prices": found[:limit],
        "next_cursor": found[limit - 1]["model"] if len(found) > limit else None,
    })  # fmt: skip


async def created(request: Request) -> Response:
    """The new override."""
    given = await read(request, _new)
    return answer(override_view(await _pricing(request).create_override(actor(request), given)))


async def replaced(request: Request) -> Response:
    """The override as it is from now on, the whole of it."""
    given = await read(request, _new)
    override_id: str = request.path_params["override_id"]
    return answer(override_view(await _pricing(request).replace_override(actor(request), override_id, given)))


async def deleted(request: Request) -> Response:
    """The maps' price holds again."""
    override_id: str = request.path_params["override_id"]
    await _pricing(request).delete_override(actor(request), override_id)
    return answer({"id": override_id, "deleted": True})


async def imported(request: Request) -> Response:
    """What a newer map changes or has changed."""
    given = await read(request, _import)
    return answer(imported_view(await _pricing(request).import_map(actor(request), given)))


async def map_deleted(request: Request) -> Response:
    """The maps before it hold again."""
    version: str = request.path_params["version"]
    await _pricing(request).delete_map(actor(request), version)
    return answer({"id": version, "deleted": True})


async def recomputed(request: Request) -> Response:
    """What earlier requests should have cost."""
    given = await read(request, _recomputation)
    found = await _pricing(request).recompute(actor(request), given, request.app.state.reader.attempts)
    return answer(recomputed_view(found, applied=given.apply))


def _page(pricing: Pricing, pattern: str, provider: str, at_ms: int, after: str, limit: int) -> list[View]:
    rows = price_list(pricing, pattern, provider, at_ms)
    return list(islice((row for row in rows if row["model"] > after), limit))


def _pricing(request: Request) -> Pricing:
    found: Pricing = request.app.state.pricing
    return found
