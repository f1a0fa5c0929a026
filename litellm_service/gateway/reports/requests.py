"""Requests as people read them: a row of the list, and everything about one."""

from typing import Any

import msgspec

from gateway.domain.entry import CostSource, Outcome
from gateway.domain.money import PICO_PER_MILLION_USD, PICO_PER_USD, usd
from gateway.domain.price import FEES, Price, Rates, receipt_lines
from gateway.domain.time import iso_z
from gateway.domain.usage import NO_USAGE, Usage
from gateway.store.questions import FullRequest, Owner, RequestQuery
from gateway.store.sqlite.reading import Reader


async def page(reader: Reader, query: RequestQuery) -> dict[str, Any]:
    """`{"requests": [R…], "next_cursor"}`, newest first; the cursor is `None` on the last page."""
    wanted = msgspec.structs.replace(query, limit=query.limit + 1)
    rows = await reader.requests(wanted)
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return {"requests": [listed(row) for row in shown], "next_cursor": shown[-1]["id"] if more else None}


async def detail(reader: Reader, request_id: str, *, owner: Owner | None = None) -> dict[str, Any] | None:
    """R and its content, price, receipt, hold, attempts and route; `None` if there is no such request of the owner's."""
    found = await reader.request(request_id, owner=owner)
    return None if found is None else _detailed(found)


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


def _detailed(found: FullRequest) -> dict[str, Any]:
    row = found.row
    final = next((attempt for attempt in reversed(found.attempts) if attempt["final"]), found.attempts[-1])
    terms = found.prices.get(final["price_id"])
    price = None if terms is None else msgspec.json.decode(terms, type=Price)
    usage = _usage(final)
    return {
        **listed(row),
        "query": row["query"],
        "messages": row["messages"],
        "response": row["response"],
        "content_stored": bool(row["query"] or row["messages"] or row["response"] is not None),
        "finish_reason": final["finish_reason"],
        "error_code": final["error_code"],
        "estimated": bool(final["estimated"]),
        "price": None if price is None else _price(price, usage),
        "receipt": [] if price is None else _receipt(price, usage, final),
        "hold": {"amount_nano_usd": final["held_nano_usd"], "amount_usd": usd(final["held_nano_usd"])},
        "attempts_list": [_attempt(attempt) for attempt in found.attempts],
        "route": {"model": row["model"], "provider": row["provider"], "upstream_model": row["upstream_model"]},
    }


def _usage(attempt: dict[str, Any]) -> Usage:
    if attempt["usage_detail"] is not None:
        return msgspec.json.decode(attempt["usage_detail"], type=Usage)
    return Usage(
        input=attempt["input_tokens"],
        cache_read=attempt["cache_read_tokens"],
        cache_write=attempt["cache_write_tokens"],
        output=attempt["output_tokens"],
        reasoning=attempt["reasoning_tokens"],
    )


def _receipt(price: Price, usage: Usage, attempt: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines that add up to the cost to the nano-USD; what a provider stated itself is one line."""
    if attempt["cost_source"] == CostSource.PROVIDER:
        nano = attempt["cost_nano_usd"]
        return [{"item": "stated_by_provider", "quantity": 1, "unit_price_usd_per_million": None, **_amount(nano)}]
    if usage == NO_USAGE:
        return []
    lines, so_far, rounded = [], 0, 0
    for line in receipt_lines(price, usage):
        so_far += line.quantity * line.unit_pico_usd
        nano = (so_far + 500) // 1000 - rounded
        rounded += nano
        unit = line.unit_pico_usd / PICO_PER_MILLION_USD
        lines.append(
            {"item": line.item, "quantity": line.quantity, "unit_price_usd_per_million": unit, **_amount(nano)}
        )
    return lines


def _amount(nano_usd: int | None) -> dict[str, Any]:
    return {"amount_nano_usd": nano_usd, "amount_usd": usd(nano_usd)}


def _price(price: Price, usage: Usage) -> dict[str, Any]:
    rates: Rates = price.rates_for(usage.prompt_tokens)
    units = {
        f"{name}_usd_per_million": value / PICO_PER_MILLION_USD
        for name, value in msgspec.structs.asdict(rates).items()
        if value is not None and name not in FEES
    }
    fees = {f"{name}_usd": getattr(rates, name) / PICO_PER_USD for name in FEES if getattr(rates, name)}
    return {"name": price.name, "version": price.version, "source": price.source, **units, **fees}


def _attempt(attempt: dict[str, Any]) -> dict[str, Any]:
    first = attempt["first_token_us"]
    return {
        "attempt": attempt["attempt"],
        "provider": attempt["provider"],
        "upstream_model": attempt["upstream_model"],
        "outcome": Outcome(attempt["outcome"]).name.lower(),
        "http_status": attempt["http_status"],
        "error_code": attempt["error_code"],
        "response_time": attempt["duration_us"] / 1e6,
        "time_to_first_token": None if first is None else first / 1e6,
        "cost_usd": usd(attempt["cost_nano_usd"]),
        "cost_nano_usd": attempt["cost_nano_usd"],
        "cost_source": CostSource(attempt["cost_source"]).name.lower(),
        "recorded_at": iso_z(attempt["recorded_at_ms"]),
    }
