"""From the settings to what requests go by: names, routes and the deployments behind them."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from gateway.domain.errors import GatewayError, SettingsError
from gateway.endpoints import endpoints, lack
from gateway.metering.models import ModelMap
from gateway.routing.names import Names
from gateway.routing.plan import Rules, Way
from gateway.routing.router import Route
from gateway.settings import Settings


def missing(settings: Settings) -> dict[str, str]:
    """What to do for each provider that cannot be called."""
    return {name: why for name, setting in settings.providers.items() if (why := lack(setting))}


def names(settings: Settings, models: ModelMap) -> Names:
    """Every name of a single deployment."""
    return Names(
        endpoints(settings), settings.aliases,
        provider_of=models.provider_of, nearest=models.nearest, missing=missing(settings),
    )  # fmt: skip


def routes(settings: Settings, known: Names) -> dict[str, Route]:
    """The routes and named deployments; raises `SettingsError` for a name that is nowhere.

    A deployment whose provider has no key here is left out as long as its route has another.
    """
    single = {name: _single(name, settings, known) for name in settings.deployments}
    found = {name: Route(ways=(way,), rules=Rules()) for name, way in single.items() if way is not None}
    usable = {*found, *settings.routes}
    for name, setting in settings.routes.items():
        ways = _ways(f"routes.{name}.deployments", setting.deployments, single, known)
        if not ways:
            raise SettingsError(f"routes.{name}: no provider of its deployments has a key here.")
        fallbacks, shorter, cheaper = (
            _usable(f"routes.{name}.{field}", getattr(setting, field), usable, known)
            for field in ("fallbacks", "on_context_length", "on_budget")
        )
        rules = Rules(attempts=setting.attempts, on_context_length=shorter, on_budget=cheaper)
        found[name] = Route(
            ways=ways, strategy=setting.strategy, fallbacks=fallbacks, affinity=setting.affinity, rules=rules
        )
    return found


def _ways(at: str, targets: Sequence[str], single: Mapping[str, Way | None], known: Names) -> tuple[Way, ...]:
    found = (_way(at, target, single, known) for target in targets)
    return tuple(msgspec.structs.replace(way, order=order) for order, way in enumerate(found) if way is not None)


def _usable(at: str, targets: Sequence[str], routes: Collection[str], known: Names) -> tuple[str, ...]:
    """Those names that can be called here; raises `SettingsError` for one that is nowhere."""
    return tuple(
        target for target in targets if known.unaliased(target) in routes or _way(at, target, {}, known) is not None
    )


def _single(name: str, settings: Settings, known: Names) -> Way | None:
    setting = settings.deployments[name]
    way = _way(f"deployments.{name}.model", setting.model, {}, known)
    if way is None:
        return None
    return msgspec.structs.replace(
        way, key=name, weight=setting.weight,
        requests_per_minute=setting.requests_per_minute, concurrency=setting.concurrency,
    )  # fmt: skip


def _way(at: str, target: str, single: Mapping[str, Way | None], known: Names) -> Way | None:
    """A deployment by its name or its model; `None` where its provider has no key here."""
    if target in single:
        return single[target]
    try:
        deployment = known.deployment(target)
    except GatewayError as error:
        if error.code == "provider_not_configured":
            return None
        raise SettingsError(f"{at}: {error.message}") from None
    return Way(key=deployment.model, deployment=deployment)
