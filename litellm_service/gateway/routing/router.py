"""Where requests go: the routes that are set up, and how their deployments fare."""

import contextlib
import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.domain.errors import ProviderError, ProviderNotConfigured, RateLimited
from gateway.domain.money import usd
from gateway.providers.deployment import Deployment, Endpoint
from gateway.routing.affinity import prefer
from gateway.routing.health import Health
from gateway.routing.names import Names
from gateway.routing.pace import Pace
from gateway.routing.plan import Plan, Rules, Way
from gateway.routing.retries import RetryBudget
from gateway.routing.steering import Steering, chosen
from gateway.routing.strategies import STRATEGIES, Rated

CACHE_SIZE = 10_000
PriceOf = Callable[[Deployment], int | None]


class Route(msgspec.Struct, kw_only=True, frozen=True):
    """A name that several deployments answer to.

    `fallbacks` are names to go on with when these fail; `affinity`: the same conversation goes to the same deployment.
    """

    ways: tuple[Way, ...] = ()
    strategy: str = "priority"
    fallbacks: tuple[str, ...] = ()
    affinity: bool = False
    rules: Rules = Rules(attempts=3)


PLAIN = Route()


class Router:
    """Makes plans. `price_of` says what a deployment's output costs (nano-USD for a million tokens), for the strategy `cost`."""

    def __init__(
        self, names: Names, routes: Mapping[str, Route], *, retries: int, retry_share: float, price_of: PriceOf
    ) -> None:
        self.health = Health()
        self._pace = Pace()
        self._price_of = price_of
        self.set_up(names, routes, retries=retries, retry_share=retry_share)

    def set_up(self, names: Names, routes: Mapping[str, Route], *, retries: int, retry_share: float) -> None:
        """From now on these hold; what is known of the deployments' health stays."""
        self._names = names
        self.routes = routes
        self._retries = retries
        self._budget = RetryBudget(share=retry_share)
        self._alone = Rules(attempts=1 + retries, retries=retries)
        self._plain: dict[str, tuple[Way, ...]] = {}

    def plan(self, model: str, steering: Steering | None, conversation: Callable[[], bytes], now: float) -> Plan:
        """Raises `UnknownModel`, `ProviderNotConfigured`, `NotAllowed` for steering that leaves nothing, `RateLimited`."""
        self._budget.note_request(now)
        plain = self._plain.get(model)
        if plain is not None and steering is None:
            return Plan(self, plain, self._alone)
        name = self._names.unaliased(model)
        route = self.routes.get(name)
        if route is not None or steering is not None:
            return self._chosen(name, route, steering, conversation, now)
        if len(self._plain) >= CACHE_SIZE:
            self._plain.clear()
        plain = self._plain[model] = (self._way(name),)
        return Plan(self, plain, self._alone)

    def resolved(self, model: str) -> tuple[str, Route, list[Way], list[Way]]:
        """For people: the name behind an alias, its route, its deployments and those of its fallbacks, as they are listed."""
        name = self._names.unaliased(model)
        route = self.routes.get(name, PLAIN)
        return name, route, self._ways(name), self._following(route.fallbacks)

    def ejected(self, now: float) -> dict[str, Endpoint]:
        """Deployments that are out now, and where they are reached."""
        ways = [way for route in self.routes.values() for way in route.ways]
        ways += [way for plain in self._plain.values() for way in plain]
        return {way.key: way.deployment.endpoint for way in ways if not self.health.is_open(way.key, now)}

    def price_usd_per_million(self, way: Way) -> float | None:
        """USD for a million tokens of output; `None`: no price."""
        return usd(self._price_of(way.deployment))

    def may_go_on(self, way: Way, now: float, *, same: bool) -> bool:
        """Whether one more call of a request may go there: freely to where all is well, else within the budget of retries."""
        return (not same and self.health.is_open(way.key, now)) or self._budget.may_retry(now)

    def named(self, names: Sequence[str]) -> list[Way]:
        """The deployments of other names, for a plan that goes on with them."""
        return self._following(names)

    def begin(self, way: Way, now: float) -> None:
        """A call goes there."""
        self.health.begin(way.key, now)
        if way.requests_per_minute is not None:
            self._pace.note(way, now)

    def answered(self, way: Way, now: float, first_token_s: float, duration_s: float) -> None:
        """A call has ended well."""
        self.health.done(way.key, now)
        self.health.note_success(way.key, now, first_token_s, duration_s)

    def ended(self, way: Way, now: float, error: BaseException) -> None:
        """A call has ended otherwise; only a fault of the provider's tells something of the deployment."""
        self.health.done(way.key, now)
        if isinstance(error, ProviderError) and not error.is_stale:
            self.health.note_failure(way.key, now, error)

    def _chosen(
        self, name: str, route: Route | None, steering: Steering | None, conversation: Callable[[], bytes], now: float
    ) -> Plan:
        """One that is to be tried again, then those in good health by the strategy, then fallbacks, then the ejected."""
        ways, rest = self._ways(name), self._following(route.fallbacks if route else ())
        if steering is not None:
            ways = chosen(steering, ways, self._price_of)
            rest = chosen(steering, [*rest, *self._asked(steering.models)], self._price_of, required=False)
        free = [way for way in ways if self._pace.has_room(way, self.health.running(way.key), now)]
        if not free and not rest:
            message = "Every deployment of this route is at its own limit now; try again shortly."
            raise RateLimited(message, param="model", retry_after_s=1)
        healthy = [way for way in free if self.health.is_open(way.key, now)]
        due = (way for way in free if way not in healthy and self.health.try_half_open(way.key, now))
        trial = list(itertools.islice(due, 1))
        ordered, reason = healthy, "as the request asks"
        if steering is None or not steering.order:
            ordered, reason = self._ordered(route or PLAIN, healthy, conversation)
        if trial:
            reason = f"trying {trial[0].key} again"
        ejected = [way for way in free if way not in healthy and way not in trial]
        rules = msgspec.structs.replace((route or PLAIN).rules, retries=self._retries)
        return Plan(self, [*trial, *ordered, *rest, *ejected], rules, reason)

    def _ordered(self, route: Route, ways: list[Way], conversation: Callable[[], bytes]) -> tuple[list[Way], str]:
        if len(ways) < 2:
            return ways, "its only deployment in good health"
        by_key = {way.key: way for way in ways}
        order = STRATEGIES[route.strategy]([self._rated(way) for way in ways], random.random)
        reason = route.strategy
        if route.affinity and route.strategy in {"priority", "weighted"}:
            order, reason = prefer(order, conversation()), "affinity"
        return [by_key[one.key] for one in order], reason

    def _asked(self, names: Sequence[str]) -> list[Way]:
        """The ways of names that the client itself goes on with; those whose provider has no key here are left out."""
        ways = []
        for name in names:
            with contextlib.suppress(ProviderNotConfigured):
                ways += [msgspec.structs.replace(way, asked=name) for way in self._following([name])]
        return ways

    def _rated(self, way: Way) -> Rated:
        return Rated(
            key=way.key, weight=way.weight, order=way.order, running=self.health.running(way.key),
            latency_s=self.health.latency_s(way.key), price=self._price_of(way.deployment),
        )  # fmt: skip

    def _ways(self, name: str) -> list[Way]:
        route = self.routes.get(name)
        return list(route.ways) if route is not None else [self._way(name)]

    def _way(self, name: str) -> Way:
        deployment = self._names.deployment(name)
        return Way(key=deployment.model, deployment=deployment)

    def _following(self, names: Sequence[str]) -> list[Way]:
        return [way for name in names for way in self._ways(self._names.unaliased(name))]
