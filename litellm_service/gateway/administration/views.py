"""Keys, budgets and rate limits as JSON; never a digest."""

from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from gateway.domain.budget import Budget, Period
from gateway.domain.entry import Hold
from gateway.domain.key import Key
from gateway.domain.limit import RateLimit
from gateway.domain.money import usd
from gateway.domain.scope import Scope, Subject
from gateway.domain.time import id_text, iso_z
from gateway.store.sqlite.budget_account import Account

View = dict[str, Any]
MOST_HOLDS = 100


class Standing:
    """What every budget has spent and holds at one moment."""

    def __init__(self, accounts: Iterable[Account], at_ms: int) -> None:
        self.at_ms = at_ms
        self._known = {(account.budget.id, account.period.start_ms): account for account in accounts}

    def view(self, budget: Budget) -> View:
        """A budget with its terms, and how it stands in the current period."""
        period = budget.period_at(self.at_ms)
        account = self._known.get((budget.id, period.start_ms))
        spent, held = (account.spent_nano_usd, account.held_nano_usd) if account is not None else (0, 0)
        limit = budget.limit_nano_usd(self.at_ms)
        return {
            "id": budget.id,
            "scope": scope_view(budget.scope),
            "period": budget.period,
            "tz": budget.tz,
            "hard": budget.hard,
            "thresholds": budget.thresholds,
            **_money("amount", budget.amount_nano_usd),
            **_money("raised_to", budget.raised_nano_usd),
            "raised_until": _time(budget.raised_until_ms),
            **_money("limit", limit),
            **_money("spent", spent),
            **_money("held", held),
            **_money("remaining", limit - spent - held),
            "period_start": _time(period.start_ms),
            "resets_at": _time(period.end_ms),
            "created_at": _time(budget.created_at_ms),
            "updated_at": _time(budget.updated_at_ms),
        }


def hold_views(budget: Budget, period: Period, holds: Iterable[Hold]) -> list[View]:
    """Running requests that hold some of a budget in a period, the largest hold first."""
    within = [
        hold for hold in holds
        if hold.admitted_at_ms >= period.start_ms and budget.scope.covers(
            Subject(hold.application_id, hold.user_id, hold.key_id, hold.model)
        )
    ]  # fmt: skip
    return [
        {
            "request_id": id_text(hold.request_id),
            "key_id": hold.key_id,
            "user_id": hold.user_id,
            "application_id": hold.application_id,
            "model": hold.model,
            "since": iso_z(hold.admitted_at_ms),
            **_money("held", hold.amount_nano_usd),
        }
        for hold in sorted(within, key=lambda hold: -hold.amount_nano_usd)[:MOST_HOLDS]
    ]


def key_views(keys: Iterable[Key], budgets: list[Budget], limits: list[RateLimit], standing: Standing) -> list[View]:
    """Keys with the budgets and limits that stand on each alone."""
    of_budgets: dict[str, list[View]] = defaultdict(list)
    of_limits: dict[str, list[View]] = defaultdict(list)
    wanted = {key.id: key for key in keys}
    for budget in budgets:
        if budget.scope.kind == "key" and budget.scope.name in wanted:
            of_budgets[budget.scope.name].append(standing.view(budget))
    for limit in limits:
        if limit.scope.kind == "key" and limit.scope.name in wanted:
            of_limits[limit.scope.name].append(limit_view(limit))
    return [_key_view(key, standing.at_ms, of_budgets[key.id], of_limits[key.id]) for key in wanted.values()]


def _key_view(key: Key, at_ms: int, budgets: list[View], limits: list[View]) -> View:
    ends = [end for _, end in key.digests if end is not None and end > at_ms]
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "state": "blocked" if key.blocked else "open" if key.is_open(at_ms) else "expired",
        "user_id": key.user_id,
        "application_id": key.application_id,
        "models": key.models,
        "routes": key.routes,
        "may_label_users": key.may_label_users,
        "may_label_applications": key.may_label_applications,
        "default_max_tokens": key.default_max_tokens,
        "max_tokens": key.max_tokens,
        **_money("max_cost_per_request", key.max_cost_per_request_nano_usd),
        "store_content": key.store_content,
        "expires_at": _time(key.expires_at_ms),
        "old_secret_until": _time(max(ends, default=None)),
        "created_at": _time(key.created_at_ms),
        "updated_at": _time(key.updated_at_ms),
        "budgets": budgets,
        "limits": limits,
    }


def limit_view(limit: RateLimit) -> View:
    """A rate limit; `None` limits nothing."""
    return {
        "id": limit.id,
        "scope": scope_view(limit.scope),
        "requests_per_minute": limit.requests_per_minute,
        "tokens_per_minute": limit.tokens_per_minute,
        "concurrency": limit.concurrency,
        "created_at": _time(limit.created_at_ms),
        "updated_at": _time(limit.updated_at_ms),
    }


def scope_view(scope: Scope) -> View:
    """What something stands on."""
    return {"kind": scope.kind, "name": scope.name}


def _money(name: str, nano_usd: int | None) -> View:
    return {f"{name}_usd": usd(nano_usd), f"{name}_nano_usd": nano_usd}


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_z(at_ms)


def key_standing(
    key: Key | None, key_id: str, budgets: list[Budget], limits: list[RateLimit], standing: Standing
) -> View:
    """What a caller may know of its own key (`None`: of the admin key, or of none), and what counts its requests."""
    return {
        "name": None if key is None else key.name,
        "user_id": None if key is None else key.user_id,
        "application_id": None if key is None else key.application_id,
        "models": () if key is None else key.models,
        "routes": () if key is None else key.routes,
        "expires_at": None if key is None else _time(key.expires_at_ms),
        "budgets": [standing.view(budget) for budget in budgets if _may_count(budget.scope, key, key_id)],
        "limits": [limit_view(limit) for limit in limits if _may_count(limit.scope, key, key_id)],
    }


def _may_count(scope: Scope, key: Key | None, key_id: str) -> bool:
    """Whether requests of a key may fall under a scope; a key that may label others is not shown what is theirs."""
    if scope.kind == "key":
        return scope.name == key_id
    if key is None or scope.kind == "everything":
        return scope.kind in {"everything", "model"}
    if scope.kind == "model":
        patterns = key.models or ("*",)
        return any(fnmatchcase(scope.name, pattern) or fnmatchcase(pattern, scope.name) for pattern in patterns)
    return scope.name == (key.user_id if scope.kind == "user" else key.application_id)
