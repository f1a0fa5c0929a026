"""Routing as it stands in `gateway.toml`, and what is wrong with it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.domain.errors import SettingsError

MAX_RETRIES = 5
MAX_ATTEMPTS = 10


class Deployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[deployments.NAME]`: a model at a provider (`model = "openai/gpt-4o"`), with its share and what it may be asked."""

    model: str
    weight: float = 1.0
    requests_per_minute: int | None = None
    concurrency: int | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routes.NAME]`: a name that several deployments answer to. Each list names deployments, models, aliases or routes."""

    deployments: tuple[str, ...]
    strategy: Literal["priority", "weighted", "least_busy", "latency", "cost"] = "priority"
    fallbacks: tuple[str, ...] = ()
    on_context_length: tuple[str, ...] = ()
    on_budget: tuple[str, ...] = ()
    affinity: bool = False
    attempts: int = 3


class Routing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routing]`: what holds for every request."""

    gateway_retries: int = 0
    gateway_retry_share: float = 0.1
    gateway_check_interval_s: float = 0
    gateway_drop_unsupported: bool = True


def check(
    routing: Routing, deployments: Mapping[str, Deployment], routes: Mapping[str, Route], aliases: Mapping[str, str]
) -> None:
    """Raises `SettingsError` for figures that make no sense, and for names that mean two things."""
    if not 0 <= routing.gateway_retries <= MAX_RETRIES:
        raise SettingsError(f"GATEWAY_RETRIES: 0 to {MAX_RETRIES}.")
    if not 0 <= routing.gateway_retry_share <= 1:
        raise SettingsError("GATEWAY_RETRY_SHARE: a share of the requests, 0 to 1.")
    if routing.gateway_check_interval_s and routing.gateway_check_interval_s < 1:
        raise SettingsError("GATEWAY_CHECK_INTERVAL_S: 0 (no checks) or at least 1.")
    for name, deployment in deployments.items():
        _check_deployment(name, deployment)
    for name, route in routes.items():
        _check_route(name, route)
        if name in aliases or name in deployments:
            raise SettingsError(f"routes.{name}: [aliases] or [deployments] has the same name.")


def _check_deployment(name: str, deployment: Deployment) -> None:
    if deployment.weight <= 0:
        raise SettingsError(f"deployments.{name}.weight: more than 0.")
    for field in ("requests_per_minute", "concurrency"):
        stated = getattr(deployment, field)
        if stated is not None and stated < 1:
            raise SettingsError(f"deployments.{name}.{field}: at least 1.")


def _check_route(name: str, route: Route) -> None:
    if not route.deployments:
        raise SettingsError(f"routes.{name}.deployments: name at least one.")
    if not 1 <= route.attempts <= MAX_ATTEMPTS:
        raise SettingsError(f"routes.{name}.attempts: 1 to {MAX_ATTEMPTS}.")
