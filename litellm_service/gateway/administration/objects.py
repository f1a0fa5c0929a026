"""New and changed keys, budgets and rate limits, from what an administrator sent."""

import secrets

import msgspec

from gateway.administration import checks
from gateway.administration.checks import changed
from gateway.administration.input import (
    BudgetFields,
    BudgetTerms,
    KeyFields,
    LimitFields,
    LimitTerms,
    NewKeyBudget,
)
from gateway.domain.budget import Budget
from gateway.domain.errors import InvalidRequest
from gateway.domain.key import Key
from gateway.domain.limit import RateLimit
from gateway.domain.scope import Scope

_ID_BYTES = 8

KEY_FIELDS: checks.Fields = {
    "name": ("name", checks.name),
    "role": ("role", checks.role),
    "user_id": ("user_id", checks.name),
    "application_id": ("application_id", checks.name),
    "models": ("models", checks.patterns),
    "routes": ("routes", checks.route_patterns),
    "may_label_users": ("may_label_users", None),
    "may_label_applications": ("may_label_applications", None),
    "default_max_tokens": ("default_max_tokens", checks.count),
    "max_tokens": ("max_tokens", checks.count),
    "max_cost_per_request_usd": ("max_cost_per_request_nano_usd", checks.nano_usd),
    "store_content": ("store_content", None),
    "expires_at": ("expires_at_ms", checks.moment_ms),
}
BUDGET_FIELDS: checks.Fields = {
    "scope": ("scope", checks.scope),
    "amount_usd": ("amount_nano_usd", checks.nano_usd),
    "period": ("period", checks.period),
    "tz": ("tz", checks.zone),
    "hard": ("hard", None),
    "thresholds": ("thresholds", checks.thresholds),
    "raised_to_usd": ("raised_nano_usd", checks.nano_usd),
    "raised_until": ("raised_until_ms", checks.moment_ms),
}
LIMIT_FIELDS: checks.Fields = {
    "scope": ("scope", checks.scope),
    "requests_per_minute": ("requests_per_minute", checks.count),
    "tokens_per_minute": ("tokens_per_minute", checks.count),
    "concurrency": ("concurrency", checks.count),
}


def changed_key(old: Key, given: KeyFields, at_ms: int) -> Key:
    """Raises `InvalidRequest` where fields contradict each other."""
    key = changed(old, given, KEY_FIELDS, at_ms)
    checks.check_future("expires_at", given.expires_at, key.expires_at_ms, at_ms)
    if key.role == "admin" and (key.models or key.routes):
        raise InvalidRequest(
            "role: a key of the role admin may do everything, so `models` and `routes` cannot limit it. Leave them empty, "
            "or use the role member or viewer.",
            param="role",
        )
    if key.max_tokens is not None and (key.default_max_tokens or 0) > key.max_tokens:
        raise InvalidRequest(
            f"default_max_tokens: {key.default_max_tokens:,} is more than max_tokens, {key.max_tokens:,}.",
            param="default_max_tokens",
        )
    return key


def new_budget(given: NewKeyBudget, scope: Scope, at_ms: int, at: str = "") -> Budget:
    """Raises `InvalidRequest`; parameters are named with `at` before them."""
    blank = Budget(id=_new_id(), scope=scope, amount_nano_usd=0, period="total", created_at_ms=at_ms)
    return _checked_budget(blank, given, at_ms, at)


def changed_budget(old: Budget, given: BudgetFields, at_ms: int) -> Budget:
    """A raise whose time is over is taken away with the next change."""
    if old.raised_until_ms is not None and old.raised_until_ms <= at_ms:
        old = msgspec.structs.replace(old, raised_nano_usd=None, raised_until_ms=None)
    return _checked_budget(old, given, at_ms, "")


def new_limit(given: LimitTerms, scope: Scope, at_ms: int, at: str = "") -> RateLimit:
    """Raises `InvalidRequest`; parameters are named with `at` before them."""
    blank = RateLimit(id=_new_id(), scope=scope, created_at_ms=at_ms)
    return _checked_limit(changed(blank, given, LIMIT_FIELDS, at_ms, at), at)


def changed_limit(old: RateLimit, given: LimitFields, at_ms: int) -> RateLimit:
    """Raises `InvalidRequest` if nothing would be limited any more."""
    return _checked_limit(changed(old, given, LIMIT_FIELDS, at_ms), "")


def _checked_budget(old: Budget, given: BudgetTerms, at_ms: int, at: str) -> Budget:
    budget = changed(old, given, BUDGET_FIELDS, at_ms, at)
    checks.check_future(f"{at}raised_until", given.raised_until, budget.raised_until_ms, at_ms)
    raised, until = budget.raised_nano_usd, budget.raised_until_ms
    if (raised is None) != (until is None):
        missing = "raised_to_usd" if raised is None else "raised_until"
        raise InvalidRequest(
            f"{at}{missing}: a raise needs both raised_to_usd and raised_until; null in both ends it.",
            param=f"{at}{missing}",
        )
    if raised is not None and raised <= budget.amount_nano_usd:
        raise InvalidRequest(
            f"{at}raised_to_usd: a raise must be to more than amount_usd; null in raised_to_usd and raised_until ends it.",
            param=f"{at}raised_to_usd",
        )
    return budget


def _checked_limit(limit: RateLimit, at: str) -> RateLimit:
    if limit.requests_per_minute is None and limit.tokens_per_minute is None and limit.concurrency is None:
        raise InvalidRequest(
            f"{at}requests_per_minute: one of requests_per_minute, tokens_per_minute and concurrency is needed.",
            param=f"{at}requests_per_minute",
        )
    return limit


def _new_id() -> str:
    return secrets.token_hex(_ID_BYTES)
