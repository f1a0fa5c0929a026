"""The list of requests as people read it."""

from typing import Any

import msgspec

from gateway.domain.money import usd
from gateway.domain.time import iso_z
from gateway.store.questions import RequestQuery
from gateway.store.sqlite.reading import Reader


async def page(reader: Reader, query: RequestQuery) -> dict[str, Any]:
    """`{"requests": [R…], "next_cursor"}`, newest first; the cursor is `None` on the last page."""
    wanted = msgspec.structs.replace(query, limit=query.limit + 1)
    rows = await reader.requests(wanted)
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return {"requests": [listed(row) for row in shown], "next_cursor": shown[-1]["id"] if more else None}


def listed(row: dict[str, Any]) -> dict[str, Any]:
    """R of api.md, of a row by column."""
    return {
        "request_id": row["id"],
        "timestamp": iso_z(row["admitted_at_ms"]),
        "application_id": row["application_id"],
        "user_id": row["user_id"],
        "key_id": row["key_id"],
        "operation": row["operation"],
        "model": row["model"],
        "provider": row["provider"],
        "upstream_model": row["upstream_model"],
        "status": row["status"],
        "outcome": row["outcome"],
        "http_status": row["http_status"],
        "stream": bool(row["stream"]),
        "tokens": {
            "prompt": row["prompt_tokens"],
            "cached": row["cached_tokens"],
            "cache_write": row["cache_write_tokens"],
            "completion": row["completion_tokens"],
            "reasoning": row["reasoning_tokens"],
            "total": row["total_tokens"],
        },
        "cost_usd": usd(row["cost_nano_usd"]),
        "cost_nano_usd": row["cost_nano_usd"],
        "cost_source": row["cost_source"],
        "response_time": row["response_time"],
        "time_to_first_token": row["time_to_first_token"],
        "overhead": row["overhead"],
        "attempts": row["attempts"],
        "error_message": row["error_message"],
    }
