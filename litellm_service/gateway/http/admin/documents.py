"""How the administrators' routes are documented, and the shapes of their bodies and replies."""

from typing import Any

import msgspec

from gateway.administration.input import BudgetFields, KeyFields, LimitFields, NewBudget, NewKey, NewLimit, Rotation
from gateway.administration.price_input import MapImport, NewOverride, Recomputation
from gateway.http.admin import price_documents
from gateway.http.doc import Doc

_MONEY = ("amount", "raised_to", "limit", "spent", "held", "remaining")
_SCOPE = {"kind": "string", "name": "string"}
_HOLD = {
    **dict.fromkeys(("request_id", "key_id", "user_id", "application_id", "model", "since"), "string"),
    "held_usd": "number", "held_nano_usd": "integer",
}  # fmt: skip
_BUDGET: dict[str, Any] = {
    "id": "string", "scope": _SCOPE, "period": "string", "tz": "string", "hard": "boolean", "thresholds": ["integer"],
    **{f"{name}_usd": "number?" for name in _MONEY}, **{f"{name}_nano_usd": "integer?" for name in _MONEY},
    "raised_until": "string?", "period_start": "string", "resets_at": "string?", "created_at": "string", "updated_at": "string",
}  # fmt: skip
_LIMIT: dict[str, Any] = {
    "id": "string", "scope": _SCOPE, "requests_per_minute": "integer?", "tokens_per_minute": "integer?",
    "concurrency": "integer?", "created_at": "string", "updated_at": "string",
}  # fmt: skip
_KEY: dict[str, Any] = {
    "id": "string", "name": "string", "role": "string", "state": "string", "user_id": "string?", "application_id": "string?",
    "models": ["string"], "routes": ["string"], "may_label_users": "boolean", "may_label_applications": "boolean",
    "default_max_tokens": "integer?", "max_tokens": "integer?", "max_cost_per_request_usd": "number?",
    "max_cost_per_request_nano_usd": "integer?", "store_content": "boolean", "expires_at": "string?",
    "old_secret_until": "string?", "created_at": "string", "updated_at": "string", "budgets": ["@Budget"], "limits": ["@RateLimit"],
}  # fmt: skip
_HEALTH = {
    "status": "string", "until_s": "number", "consecutive_failures": "integer", "running": "integer", "requests": "integer",
    "failures": "integer", "latency_s": "number?", "last_error": "string?",
}  # fmt: skip

SHAPES: dict[str, Any] = {
    **price_documents.SHAPES,
    "Budget": _BUDGET,
    "BudgetWithHolds": {**_BUDGET, "holds": [_HOLD]},
    "BudgetList": {"budgets": ["@Budget"], "next_cursor": "string?"},
    "RateLimit": _LIMIT,
    "RateLimitList": {"limits": ["@RateLimit"], "next_cursor": "string?"},
    "Key": _KEY,
    "KeyWithSecret": {**_KEY, "key": "string"},
    "KeyList": {"keys": ["@Key"], "next_cursor": "string?"},
    "Deleted": {"id": "string", "deleted": "boolean"},
    "Audit": {
        "entries": [{
            "id": "integer", "at": "string", "actor": "string", "action": "string", "object_kind": "string",
            "object_id": "string", "before": "object?", "after": "object?",
        }],
        "next_cursor": "string?",
    },
    "Alerts": {
        "alerts": [{
            "id": "string", "at": "string", "kind": "string", "subject": "string", "delivered_at": "string?", "details": "object",
        }],
        "next_cursor": "string?", "webhook": "string?",
    },
    "Providers": {
        "providers": [{
            "name": "string", "title": "string", "configured": "boolean", "callable": "boolean", "reason": "string?",
            "via": "string", "base_url": "string?", "key_variable": "string?", "key_set": "boolean", "open_connections": "integer?",
            "deployments": [{"deployment": "string", **_HEALTH}],
        }],
    },
    "Routes": {
        "routes": [{
            "model": "string", "name": "string", "is_route": "boolean", "strategy": "string", "affinity": "boolean",
            "attempts": "integer", "on_context_length": ["string"], "on_budget": ["string"], "deployments": ["@Way"],
            "fallbacks": ["@Way"],
        }],
    },
    "Way": {
        "deployment": "string", "model": "string", "provider": "string", "wires": ["string"], "weight": "number",
        "requests_per_minute": "integer?", "concurrency": "integer?", "output_price_usd_per_million": "number?",
        "health": _HEALTH,
    },
    "Me": {
        "key_id": "string", "role": "string", "open_mode": "boolean", "name": "string?", "user_id": "string?",
        "application_id": "string?", "models": ["string"], "routes": ["string"], "expires_at": "string?",
        "budgets": ["@Budget"], "limits": ["@RateLimit"], "store_content": "boolean",
    },
}  # fmt: skip

_PAGE = {"limit": "1 to 1000 (default 100)", "cursor": "`next_cursor` of the page before"}
_MONTHLY = {"amount_usd": 5, "period": "month"}
_NEW_KEY = {
    "name": "ci",
    "user_id": "alice",
    "models": ["openai/*"],
    "budgets": [_MONTHLY],
    "limits": {"requests_per_minute": 60},
}
_SHOWN_ONCE = "`key` is shown this once; only its digest is kept."
_PATCH = "Fields that are left out stay as they are; null takes a value away."


def _doc(method: str, path: str, reply: str, title: str, about: str = "", **more: Any) -> Doc:
    return Doc(method=method, path=path, reply=reply, title=title, about=about, **more)


DOCS = (
    _doc(
        "GET",
        "/api/me",
        "Me",
        "What this key may do",
        "With the budgets and limits that count its requests. Empty lists mean all.",
    ),
    _doc(
        "GET",
        "/api/providers",
        "Providers",
        "Providers",
        "Whether each can be called, and if not, why. Roles admin and viewer.",
    ),
    _doc(
        "GET",
        "/api/routes",
        "Routes",
        "Routes",
        "Every route with its deployments and their health; with `model`, where requests for that name go. Roles admin and viewer.",
        parameters={"model": "a model, an alias or a route"},
    ),
    _doc("GET", "/api/keys", "KeyList", "Keys", "The oldest first. Roles admin and viewer.", parameters=_PAGE),
    _doc("POST", "/api/keys", "KeyWithSecret", "Make a key", _SHOWN_ONCE, body=_NEW_KEY, schema="NewKey"),
    _doc("GET", "/api/keys/{key_id}", "Key", "One key"),
    _doc("PATCH", "/api/keys/{key_id}", "Key", "Change a key", _PATCH, body={"models": ["demo/*"]}, schema="KeyFields"),
    _doc(
        "DELETE",
        "/api/keys/{key_id}",
        "Deleted",
        "Delete a key",
        "Its budgets and limits go with it; the ledger stays.",
    ),
    _doc("POST", "/api/keys/{key_id}/block", "Key", "Block a key", "What runs with it is ended."),
    _doc("POST", "/api/keys/{key_id}/unblock", "Key", "Unblock a key"),
    _doc(
        "POST",
        "/api/keys/{key_id}/rotate",
        "KeyWithSecret",
        "Give a key a new secret",
        f"{_SHOWN_ONCE} The old one opens the key for `grace_s` more seconds (default 0).",
        body={"grace_s": 3600},
        schema="Rotation",
    ),
    _doc(
        "GET",
        "/api/budgets",
        "BudgetList",
        "Budgets",
        "With what is spent and held. Roles admin and viewer.",
        parameters=_PAGE,
    ),
    _doc(
        "POST",
        "/api/budgets",
        "Budget",
        "Make a budget",
        "On a key, user, application, model (a glob) or everything; all that apply count.",
        body={"scope": {"kind": "user", "name": "alice"}, **_MONTHLY, "tz": "Europe/Paris", "thresholds": [80, 100]},
        schema="NewBudget",
    ),
    _doc(
        "GET", "/api/budgets/{budget_id}", "BudgetWithHolds", "One budget", "And which running requests hold how much."
    ),
    _doc(
        "PATCH",
        "/api/budgets/{budget_id}",
        "Budget",
        "Change a budget",
        f"{_PATCH} What is spent stays where scope, period and tz stay.",
        body={"raised_to_usd": 50, "raised_until": "2100-01-31T00:00:00Z"},
        schema="BudgetFields",
    ),
    _doc("DELETE", "/api/budgets/{budget_id}", "Deleted", "Delete a budget"),
    _doc("GET", "/api/limits", "RateLimitList", "Rate limits", "Roles admin and viewer.", parameters=_PAGE),
    _doc(
        "POST",
        "/api/limits",
        "RateLimit",
        "Make a rate limit",
        "Per 60 seconds, and at once; on the same scopes as budgets.",
        body={"scope": {"kind": "application", "name": "my-app"}, "requests_per_minute": 60, "concurrency": 8},
        schema="NewLimit",
    ),
    _doc("GET", "/api/limits/{limit_id}", "RateLimit", "One rate limit"),
    _doc(
        "PATCH",
        "/api/limits/{limit_id}",
        "RateLimit",
        "Change a rate limit",
        _PATCH,
        body={"concurrency": None},
        schema="LimitFields",
    ),
    _doc("DELETE", "/api/limits/{limit_id}", "Deleted", "Delete a rate limit"),
    _doc(
        "GET",
        "/api/audit",
        "Audit",
        "Who changed what",
        "Newest first; append-only, without secrets. Roles admin and viewer.",
        parameters={
            "object_kind": "key, budget, limit, price or book",
            "object_id": "its id",
            "actor": "the id of the key that did it",
            "limit": "1 to 200 (default 50)",
            "cursor": "`next_cursor` of the page before",
        },
    ),
    _doc(
        "GET",
        "/api/alerts",
        "Alerts",
        "What people were told",
        "Budgets that crossed a threshold, newest first; `webhook` is the host that is told. Roles admin and viewer.",
        parameters={"limit": "1 to 200 (default 50)", "cursor": "`next_cursor` of the page before"},
    ),
    *price_documents.DOCS,
)


def input_schemas() -> dict[str, Any]:
    """The bodies as JSON Schema; amounts of money are numbers or texts."""
    types = (
        NewKey,
        KeyFields,
        NewBudget,
        BudgetFields,
        NewLimit,
        LimitFields,
        Rotation,
        NewOverride,
        MapImport,
        Recomputation,
    )
    _, found = msgspec.json.schema_components(types, schema_hook=None, ref_template="#/components/schemas/{name}")
    decimal, amount = {"type": "string", "format": "decimal"}, {"type": ["number", "string"]}
    for shape in found.values():
        for name, value in shape["properties"].items():
            if value == decimal:
                shape["properties"][name] = amount
            elif decimal in value.get("anyOf", ()):
                shape["properties"][name] = {"type": ["number", "string", "null"]}
    return found
