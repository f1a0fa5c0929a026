"""`/api/what-if`: what the traffic of a range would have cost on other models."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.price_views import rates_view
from gateway.administration.pricing import Pricing
from gateway.domain.errors import InvalidRequest
from gateway.domain.money import usd
from gateway.domain.price import Price
from gateway.domain.time import now_ms
from gateway.http import parameters as p
from gateway.metering.models import ModelInfo
from gateway.metering.what_if import Used, cost_instead, is_comparable, notes
from gateway.reports.usage import iso
from gateway.reports.what_if import Traffic, traffic

DEFAULT_DAYS = 30
MOST_CANDIDATES = 8
_RANGE = ("from", "to")
ASSUMPTIONS = (
    "Tokens are as the model counted them that answered; another one counts differently, and may answer at other length.",
    "Prices are the usual ones of today: no service tiers, no off-peak hours, no discounts.",
    "Text tokens only: what was charged by the picture, the second or the search is not put on the other model.",
)


async def what_if(request: Request) -> Response:
    """For each `instead`: the cost by model and in total, the difference, and what cannot be compared."""
    given = request.query_params
    p.refuse_unknown(given, (*_RANGE, "instead", *p.FILTERS))
    pricing: Pricing = request.app.state.pricing
    candidates = [_candidate(pricing, name) for name in _names(given.getlist("instead"))]
    span = p.span(given, default_days=DEFAULT_DAYS)
    found = await traffic(request.app.state.reader, span, p.filters(request))
    used = {one.model: _used(pricing, one) for one in found}
    compared = [one for one in found if is_comparable(used[one.model].info)]
    left_out = [one for one in found if not is_comparable(used[one.model].info)]
    value = {
        "from": iso(span.start_ms),
        "to": iso(span.end_ms),
        "compared": _actual(compared),
        "left_out": [
            {"model": one.model, "requests": one.requests, "reason": f"no chat model ({_mode(used[one.model])})"}
            for one in left_out
        ],
        "candidates": [_answer(candidate, compared, used) for candidate in candidates],
        "assumptions": ASSUMPTIONS,
    }
    return Response(msgspec.json.encode(value), media_type="application/json")


class _Candidate(msgspec.Struct, frozen=True):
    name: str
    info: ModelInfo | None
    price: Price | None


def _names(given: list[str]) -> list[str]:
    names = list(dict.fromkeys(given))
    if len(names) > MOST_CANDIDATES:
        raise InvalidRequest(f"instead: at most {MOST_CANDIDATES} models.", param="instead")
    return names


def _candidate(pricing: Pricing, name: str) -> _Candidate:
    vendor, slash, model = name.partition("/")
    if not slash:
        vendor, model = pricing.models.provider_of(name) or "", name
    if vendor not in pricing.models.catalog.providers:
        near = ", ".join(pricing.models.nearest(name)) or "GET /api/models lists them"
        raise InvalidRequest(f"instead: there is no model {name[:100]!r}. Is it one of these? {near}.", param="instead")
    price = pricing.book.usual_price(vendor, model, now_ms())
    info = pricing.book.model(vendor, model)
    if info is None and price is None:
        near = ", ".join(pricing.models.nearest(name)) or "GET /api/models lists them"
        raise InvalidRequest(
            f"instead: the price book has no {name[:100]!r}. Is it one of these? {near}.", param="instead"
        )
    return _Candidate(f"{vendor}/{model}", info, price)


def _used(pricing: Pricing, one: Traffic) -> Used:
    vendor, _, name = one.model.partition("/")
    info = pricing.book.model(vendor, name) if vendor in pricing.models.catalog.providers else None
    return Used(model=one.model, info=info, requests=one.requests, usage=one.usage)


def _mode(used: Used) -> str:
    return "unknown" if used.info is None else used.info.mode.replace("_", " ")


def _actual(compared: list[Traffic]) -> dict[str, Any]:
    requests, unpriced = sum(one.requests for one in compared), sum(one.unpriced_requests for one in compared)
    cost = sum(one.cost_nano_usd for one in compared)
    return {
        "requests": requests,
        "unpriced_requests": unpriced,
        "prompt_tokens": sum(one.usage.prompt_tokens for one in compared),
        "cached_tokens": sum(one.usage.cache_read for one in compared),
        "completion_tokens": sum(one.usage.completion_tokens for one in compared),
        **_money("cost", None if requests and unpriced == requests and not cost else cost),
    }


def _answer(candidate: _Candidate, compared: list[Traffic], used: dict[str, Used]) -> dict[str, Any]:
    price, rows = candidate.price, []
    for one in compared:
        instead = None if price is None else cost_instead(price, used[one.model])
        actual = None if one.unpriced_requests == one.requests and not one.cost_nano_usd else one.cost_nano_usd
        rows.append({
            "model": one.model, "requests": one.requests, "unpriced_requests": one.unpriced_requests,
            **_money("cost", actual), **_money("instead", instead),
        })  # fmt: skip
    known = [row for row in rows if price is not None and not row["unpriced_requests"]]
    before = sum(row["cost_nano_usd"] for row in known)
    difference = sum(row["instead_nano_usd"] for row in known) - before
    return {
        "model": candidate.name,
        "price": None if price is None else {"version": price.version, "rates": rates_view(price.rates)},
        **_money("cost", None if price is None else sum(row["instead_nano_usd"] for row in rows)),
        "difference_requests": sum(row["requests"] for row in known),
        **_money("difference", difference if known else None),
        "change": difference / before if known and before else None,
        "models": rows,
        "notes": notes(candidate.info, price, (used[one.model] for one in compared)),
    }


def _money(name: str, nano_usd: int | None) -> dict[str, Any]:
    return {f"{name}_usd": usd(nano_usd), f"{name}_nano_usd": nano_usd}
