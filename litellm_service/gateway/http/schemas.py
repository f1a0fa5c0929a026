"""The shapes of the replies, written shortly, and as JSON Schema."""

from typing import Any

from gateway.http import conversation_documents as conversations
from gateway.http.admin import documents as administering
from gateway.http.errors import STATUS

# A string is a type (`?`: may be null; `@`: another shape), a dict an object with all these fields (`name?`: may be missing),
# a list an array, `{"*": shape}` an object with any names.
Shape = str | dict[str, Any] | list[Any]

_TOKENS = {
    "prompt": "integer",
    "completion": "integer",
    "total": "integer",
    "cached": "integer",
    "cache_write": "integer",
}
_LATENCIES = {
    f"{name}_p{percent}": "number?"
    for name in ("response_time", "time_to_first_token", "overhead")
    for percent in (50, 95, 99)
}
_TOTALS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "requests", "errors", "prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens",
            "reasoning_tokens", "total_tokens",
        ),
        "integer",
    ),
    "cost_usd": "number?", "cost_nano_usd": "integer?", "unpriced_requests": "integer", "estimated_requests": "integer",
    "avg_response_time": "number?", **_LATENCIES,
}  # fmt: skip
_SUMMARY = {**_TOTALS, "total_requests": "integer", "total_cost_usd": "number?", "apps_used": "integer", "models_used": "integer",
            "error_rate": "number"}  # fmt: skip
_RECENT: dict[str, Any] = {
    "request_id": "string", "timestamp": "string", "application_id": "string", "user_id": "string", "model": "string",
    "provider": "string", "status": "string", "http_status": "integer", "stream": "boolean",
    "tokens": {**_TOKENS, "reasoning": "integer"}, "cost_usd": "number?", "cost_source": "string",
    "response_time": "number", "time_to_first_token": "number?", "error_message": "string?",
}  # fmt: skip
_REQUEST = {
    **_RECENT, "key_id": "string", "operation": "string", "upstream_model": "string", "outcome": "string",
    "cost_nano_usd": "integer?", "overhead": "number?", "attempts": "integer",
}  # fmt: skip
_COMPARED = {"totals": "@Totals", "change": {"*": "number?"}}
_AMOUNT = {"amount_usd": "number?", "amount_nano_usd": "integer?"}
_LINE = {"item": "string", "quantity": "integer", "unit_price_usd_per_million": "number?", **_AMOUNT}
_CORRECTION = {
    "recorded_at": "string", "before_usd": "number?", "before_nano_usd": "integer?", "after_usd": "number",
    "after_nano_usd": "integer", "cost_source": "string", "price_version": "string?",
}  # fmt: skip
_ATTEMPT = {
    "attempt": "integer", "provider": "string", "upstream_model": "string", "outcome": "string", "http_status": "integer",
    "error_code": "string?", "response_time": "number", "time_to_first_token": "number?", "cost_usd": "number?",
    "cost_nano_usd": "integer?", "cost_source": "string", "recorded_at": "string", "held_usd": "number", "held_nano_usd": "integer",
    "held_at": "string", "saved_usd": "number?", "saved_nano_usd": "integer?", "reason": "string?", "corrections": [_CORRECTION],
}  # fmt: skip
_COUNTED_IN = {
    "id": "string", "scope": {"kind": "string", "name": "string"}, "period": "string", "tz": "string", "hard": "boolean",
    "period_start": "string", "period_end": "string?",
}  # fmt: skip
_BY_MODEL = {"model": "string", "provider": "string", **_TOTALS}
_MODEL = {
    "id": "string", "name": "string", "mode": "string", "input_price_usd_per_million": "number?",
    "output_price_usd_per_million": "number?", "cached_input_price_usd_per_million": "number?",
    "context_window": "integer?", "max_output_tokens": "integer?", "abilities": ["string"],
}  # fmt: skip

SHAPES: dict[str, Shape] = {
    "Totals": _TOTALS,
    "Request": _REQUEST,
    "ChatReply": {
        "request_id": "string",
        "response": "string",
        "reasoning?": "string?",
        "tool_calls?": [{"id": "string", "name": "string", "arguments": "string"}],
        "metadata": {
            "response_time": "number", "tokens": {**_TOKENS, "reasoning": "integer"}, "cost_usd": "number?",
            "cost_nano_usd": "integer?", "cost_source": "string", "timestamp": "string", "model": "string",
            "application_id": "string", "user_id": "string",
        },
    },
    "ModelsByProvider": {
        "providers": {"*": {"callable": "boolean", "reason": "string?", "models": [_MODEL]}},
        "total": "integer",
    },
    "ModelList": {"object": "string", "data": [{"id": "string", "object": "string", "owned_by": "string"}]},
    "UsageReport": {
        "from": "string", "to": "string", "tz": "string", "bucket": "string", "group_by": ["string"], "totals": "@Totals",
        "groups": [{"key": {}, "totals": "@Totals", "series": [{"start": "string", **_TOTALS}]}],
        "others": "@Totals?", "group_count": "integer", "refusals": [{"code": "string", "count": "integer"}],
        "previous?": "@Comparison",
    },
    "Comparison": {"from": "string", "to": "string", **_COMPARED, "groups": [{"key": {}, **_COMPARED}]},
    "Stats": {
        "summary": {**_SUMMARY, "users": "integer"},
        "usage_by_model": [_BY_MODEL],
        "usage_by_application": [{"application_id": "string", **_TOTALS}],
        "usage_by_user": [{"user_id": "string", **_TOTALS}],
        "usage_by_provider": [{"provider": "string", **_TOTALS}],
        "previous?": "@Comparison",
    },
    "UserUsage": {
        "user_id": "string",
        "summary": _SUMMARY,
        "usage_by_application": [{"application_id": "string", **_TOTALS}],
        "usage_by_model": [_BY_MODEL],
        "recent_requests": [_RECENT],
        "previous?": "@Comparison",
    },
    "RequestList": {"requests": ["@Request"], "next_cursor": "string?"},
    "RequestDetail": {
        **_REQUEST, "query": "string", "messages": "string?", "response": "string?", "content_stored": "boolean",
        "finish_reason": "string?", "error_code": "string?", "estimated": "boolean", "price": "object?", "receipt": [_LINE],
        "cost_explained": "string", "hold": {**_AMOUNT, "held_at": "string", "settled_at": "string"},
        "budgets": [_COUNTED_IN], "attempts_list": [_ATTEMPT],
        "route": {"model": "string", "provider": "string", "upstream_model": "string"},
    },
    **conversations.SHAPES,
    **administering.SHAPES,
    "WhatIf": {
        "from": "string", "to": "string", "assumptions": ["string"],
        "compared": {
            **dict.fromkeys(("requests", "unpriced_requests", "prompt_tokens", "cached_tokens", "completion_tokens"), "integer"),
            "cost_usd": "number?", "cost_nano_usd": "integer?",
        },
        "left_out": [{"model": "string", "requests": "integer", "reason": "string"}],
        "candidates": [{
            "model": "string", "price": "object?", "cost_usd": "number?", "cost_nano_usd": "integer?", "difference_usd": "number?",
            "difference_nano_usd": "integer?", "difference_requests": "integer", "change": "number?",
            "notes": [{"code": "string", "text": "string"}],
            "models": [{
                "model": "string", "requests": "integer", "unpriced_requests": "integer", "cost_usd": "number?",
                "cost_nano_usd": "integer?", "instead_usd": "number?", "instead_nano_usd": "integer?",
            }],
        }],
    },
    "Status": {
        "type": "string", "at": "string", "changes": "integer", "running_requests": "integer",
        "running": [{
            **dict.fromkeys(("request_id", "since", "model", "provider", "application_id", "user_id", "key_id"), "string"),
            "stream": "boolean", "attempt": "integer", "held_usd": "number", "held_nano_usd": "integer",
        }],
    },
    "Health": {
        "status": "string", "service": "string", "version": "string", "timestamp": "string", "uptime_s": "integer",
        "parts": {"*": {"status": "string"}},
    },
}  # fmt: skip

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "param", "request_id"],
            "properties": {
                "message": {"type": "string", "description": "what was wrong and what to do"},
                "type": {"type": "string"},
                "code": {"type": ["string", "number"], "examples": sorted(kind.code for kind in STATUS)},
                "param": {"type": ["string", "null"]},
                "request_id": {"type": "string", "format": "uuid"},
            },
        }
    },
}


def json_schemas() -> dict[str, Any]:
    """Every shape as JSON Schema (2020-12)."""
    return {name: schema(shape) for name, shape in SHAPES.items()}


def schema(shape: Shape) -> dict[str, Any]:
    """One shape as JSON Schema."""
    if isinstance(shape, list):
        return {"type": "array", "items": schema(shape[0])}
    if isinstance(shape, dict):
        if "*" in shape:
            return {"type": "object", "additionalProperties": schema(shape["*"])}
        return {
            "type": "object",
            "required": [name for name in shape if not name.endswith("?")],
            "properties": {name.removesuffix("?"): schema(of) for name, of in shape.items()},
        }
    name = shape.removesuffix("?")
    found: dict[str, Any] = {"$ref": f"#/components/schemas/{name[1:]}"} if name.startswith("@") else {"type": name}
    if name == shape:
        return found
    return {"anyOf": [found, {"type": "null"}]} if "$ref" in found else {"type": [name, "null"]}


def outline(shape: Shape, indent: str = "") -> str:
    """One shape as people read it."""
    if isinstance(shape, list):
        return f"[{outline(shape[0], indent)}, …]"
    if isinstance(shape, str):
        return shape.removeprefix("@").replace("?", " or null")
    inner = "".join(
        f"\n{indent}  {'…' if name == '*' else name}: {outline(of, indent + '  ')}" for name, of in shape.items()
    )
    return f"{{{inner}\n{indent}}}" if inner else "{…}"
