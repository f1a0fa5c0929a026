"""How the routes of prices are documented, and the shapes of their bodies and replies."""

from typing import Any

from gateway.http.doc import Doc

_TERMS = {
    "rates": "object", "long_context": [{"above_prompt_tokens": "integer", "rates": "object"}],
}  # fmt: skip
_PRICE = {"name": "string", "source": "string", "version": "string", **_TERMS}
_MAP = {"version": "string", "effective_from": "string", "imported_at": "string", "models": "integer"}
_OVERRIDE = {
    "id": "string", "model": "string", "provider": "string", "effective_from": "string", "created_at": "string", "note": "string",
    **_TERMS, "service_tiers": "object",
}  # fmt: skip

SHAPES: dict[str, Any] = {
    "PriceOverride": _OVERRIDE,
    "PriceBook": {
        "at": "string", "version": "string", "maps": [_MAP], "overrides": ["@PriceOverride"],
        "unpriced_in_use": [{"model": "string", "requests": "integer", "unpriced_requests": "integer", "priced_now": "boolean"}],
        "prices": [{
            "model": "string", "mode": "string", "context_window": "integer?", "price": _PRICE, "service_tiers": "object",
        }],
        "next_cursor": "string?",
    },
    "ImportedMap": {
        "applied": "boolean", "map": _MAP, "new": ["string"], "gone": ["string"], "suspects": ["string"],
        "changed": [{
            "model": "string", "item": "string", "before": "number?", "after": "number?", "ratio": "number?",
            "is_suspect": "boolean",
        }],
    },
    "Recomputed": {
        "applied": "boolean", "attempts": "integer", "corrections": "integer", "difference_usd": "number",
        "difference_nano_usd": "integer",
        "models": [{
            "model": "string", "corrections": "integer", "newly_priced": "integer", "before_usd": "number",
            "before_nano_usd": "integer", "after_usd": "number", "after_nano_usd": "integer",
        }],
        "examples": [{
            "request_id": "string", "attempt": "integer", "model": "string", "before_usd": "number?", "before_nano_usd": "integer?",
            "after_usd": "number", "after_nano_usd": "integer", "price": "string", "version": "string",
        }],
    },
}  # fmt: skip

_NEW = {
    "model": "openai/gpt-4o",
    "rates": {"input_usd_per_million": 2.0, "output_usd_per_million": 8.0, "cache_read_usd_per_million": 1.0},
}
_WHOLE = "It replaces all that the maps say of the model: tiers that are not in it cost the usual."

DOCS = (
    Doc(
        method="GET",
        path="/api/prices",
        reply="PriceBook",
        title="The price book",
        about="Built-in prices, imported maps and overrides, as they are at a moment; `price` is null where a model is not priced. "
        "Roles admin and viewer.",
        parameters={
            "pattern": "a glob such as openai/* (default *)",
            "provider": "one provider's",
            "at": "ISO 8601 (default: now)",
            "limit": "1 to 1000 (default 100)",
            "cursor": "`next_cursor` of the page before",
        },
    ),
    Doc(
        method="POST",
        path="/api/prices/overrides",
        reply="PriceOverride",
        title="Set a price",
        about=f"For a model or a glob, from `effective_from` on (default: now). {_WHOLE}",
        body=_NEW,
        schema="NewOverride",
    ),
    Doc(
        method="PUT",
        path="/api/prices/overrides/{override_id}",
        reply="PriceOverride",
        title="Change a price that was set",
        about="The whole of it.",
        body=_NEW,
        schema="NewOverride",
    ),
    Doc(
        method="DELETE",
        path="/api/prices/overrides/{override_id}",
        reply="Deleted",
        title="Take a price back",
        about="The maps' price holds again; what was settled stays.",
    ),
    Doc(
        method="POST",
        path="/api/prices/import",
        reply="ImportedMap",
        title="Import a newer map",
        about="LiteLLM's `model_prices_and_context_window.json`. Says what would change; with `apply` it is changed. Changes of "
        "more than three times, and maps that lack many models, need `confirm` too.",
        body={"map": {}, "effective_from": "2027-01-01", "apply": False},
        schema="MapImport",
    ),
    Doc(
        method="DELETE",
        path="/api/prices/maps/{version}",
        reply="Deleted",
        title="Delete an imported map",
        about="The maps before it hold again.",
    ),
    Doc(
        method="POST",
        path="/api/prices/recompute",
        reply="Recomputed",
        title="Price earlier requests anew",
        about="Says what requests of a range should have cost by the book of now; with `apply` corrections are written.",
        body={"from": "2026-11-01", "to": "2026-12-01", "apply": False},
        schema="Recomputation",
    ),
)
