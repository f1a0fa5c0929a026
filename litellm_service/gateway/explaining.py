"""Routes as people are shown them: where a name leads, and how each deployment fares."""

from typing import Any

import msgspec

from gateway.domain.time import monotonic
from gateway.routing.plan import Way
from gateway.routing.router import Router

View = dict[str, Any]


def routes_view(router: Router) -> list[View]:
    """Every route that is set up."""
    return [explained(router, name) for name in router.routes]


def explained(router: Router, model: str) -> View:
    """Where requests for a name go, in which order and why; raises what such a request would get."""
    name, route, ways, rest = router.resolved(model)
    return {
        "model": model,
        "name": name,
        "is_route": name in router.routes,
        "strategy": route.strategy,
        "affinity": route.affinity,
        "attempts": route.rules.attempts,
        "on_context_length": route.rules.on_context_length,
        "on_budget": route.rules.on_budget,
        "deployments": [_way_view(router, way) for way in ways],
        "fallbacks": [_way_view(router, way) for way in rest],
    }


def _way_view(router: Router, way: Way) -> View:
    return {
        "deployment": way.key,
        "model": way.deployment.model,
        "provider": way.deployment.provider.name,
        "wires": way.deployment.endpoint.wires,
        "weight": way.weight,
        "requests_per_minute": way.requests_per_minute,
        "concurrency": way.concurrency,
        "output_price_usd_per_million": router.price_usd_per_million(way),
        "health": health_view(router, way.key),
    }


def health_view(router: Router, key: str) -> View:
    """One deployment's health; times in seconds."""
    view: View = msgspec.structs.asdict(router.health.state(key, monotonic()))
    return view
