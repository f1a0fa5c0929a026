"""`/api/usage`, `/api/stats`, `/api/user/{user_id}/usage`."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import NotFound
from gateway.http import parameters as p
from gateway.reports.comparison import previous
from gateway.reports.requests import page
from gateway.reports.usage import Totals, UsageQuery, overview
from gateway.reports.usage import usage as usage_report
from gateway.store.questions import Filters, Owner, RequestQuery
from gateway.store.sqlite.reading import Reader

DEFAULT_DAYS = 30
RECENT = 20
_RANGE = ("from", "to", "tz")
_BY_MODEL = ("model", "provider")
_INTERNALS = ("key_id", "operation", "upstream_model", "outcome", "overhead", "attempts", "cost_nano_usd")


async def usage(request: Request) -> Response:
    """One time series per group, and totals that are the same in every grouping."""
    given = request.query_params
    p.refuse_unknown(given, (*_RANGE, "bucket", "group_by", "limit", "compare", *p.FILTERS))
    span = p.span(given, default_days=DEFAULT_DAYS)
    query = UsageQuery(
        span=span,
        zone=p.zone(given),
        bucket=p.bucket(given, span),
        filters=p.filters(request),
        group_by=p.group_by(given),
        limit=p.limit(given, default=50, most=1000),
    )
    reader: Reader = request.app.state.reader
    before = p.period_before(given, span, query.zone)
    report = await usage_report(reader, query)
    if before is not None:
        report["previous"] = await previous(reader, query, before, report["totals"], report["groups"])
    return _json(report)


async def stats(request: Request) -> Response:
    """Aggregates over all users."""
    given = request.query_params
    p.refuse_unknown(given, (*_RANGE, "compare", *p.FILTERS))
    reader: Reader = request.app.state.reader
    query = UsageQuery(span=p.span(given, default_days=None), zone=p.zone(given), filters=p.filters(request))
    groupings = (_BY_MODEL, ("application_id",), ("user_id",), ("provider",))
    total, (models, applications, users, providers) = await overview(reader, query, groupings)
    summary = {
        **_seed_totals(total),
        "users": len(users),
        "apps_used": len(applications),
        "models_used": len(models),
    }
    return _json(
        {
            "summary": summary,
            "usage_by_model": models,
            "usage_by_application": applications,
            "usage_by_user": users,
            "usage_by_provider": providers,
            **await _compared(request, query, total),
        }
    )


async def user_usage(request: Request) -> Response:
    """The seed's object; an unknown user is zeros, and to a member there are no users but its own."""
    given, user_id = request.query_params, request.path_params["user_id"]
    p.refuse_unknown(given, (*_RANGE, "compare", "application_id", "model", "provider", "status"))
    reader: Reader = request.app.state.reader
    await _check_own(reader, p.owner(request), user_id)
    filters = p.filters(request, user_id=user_id)
    query = UsageQuery(span=p.span(given, default_days=None), zone=p.zone(given), filters=filters)
    total, (applications, models) = await overview(reader, query, (("application_id",), _BY_MODEL))
    summary = {**_seed_totals(total), "apps_used": len(applications), "models_used": len(models)}
    return _json(
        {
            "user_id": user_id,
            "summary": summary,
            "usage_by_application": applications,
            "usage_by_model": models,
            "recent_requests": await _recent(reader, query, filters),
            **await _compared(request, query, total),
        }
    )


async def _compared(request: Request, query: UsageQuery, total: Totals) -> dict[str, Any]:
    """`previous`, if it is asked for."""
    before = p.period_before(request.query_params, query.span, query.zone)
    return {} if before is None else {"previous": await previous(request.app.state.reader, query, before, total)}


async def _check_own(reader: Reader, owner: Owner | None, user_id: str) -> None:
    """Raises `NotFound` for another user than the asker's, or one that its key never called for."""
    if owner is None or owner == Owner("user_id", user_id):
        return
    if owner.by == "key_id":
        of_this_user = Filters(user_id=(user_id,), owner=owner)
        if await reader.requests(RequestQuery(filters=of_this_user, limit=1)):
            return
    raise NotFound(f"There is no user {user_id[:60]!r} among those whose requests this key may see.")


def _seed_totals(totals: Totals) -> dict[str, Any]:
    """T under the seed's names too; its figures are numbers even where there was nothing."""
    requests, errors = totals["requests"], totals["errors"]
    return {
        **totals,
        "total_requests": requests,
        "total_cost_usd": totals["cost_usd"],
        "avg_response_time": totals["avg_response_time"] or 0.0,
        "error_rate": errors / requests if requests else 0.0,
    }


async def _recent(reader: Reader, query: UsageQuery, filters: Filters) -> list[dict[str, Any]]:
    wanted = RequestQuery(filters=filters, from_ms=query.span.start_ms, to_ms=query.span.end_ms, limit=RECENT)
    rows = (await page(reader, wanted))["requests"]
    return [{name: value for name, value in row.items() if name not in _INTERNALS} for row in rows]


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
