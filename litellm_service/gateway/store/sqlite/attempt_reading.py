"""Settled attempts, for pricing them anew."""

import sqlite3
from typing import Any

import msgspec

from gateway.domain.entry import CostSource, Kind
from gateway.domain.price import Price
from gateway.domain.usage import Usage
from gateway.store.questions import AttemptQuery, PricedAttempt

_ATTEMPTS = f"""
SELECT l.id, l.request_id, l.attempt, l.admitted_at_ms, m.name, p.name, um.name, prices.terms, l.usage_detail, l.input_tokens,
    l.cache_read_tokens, l.cache_write_tokens, l.output_tokens, l.reasoning_tokens, l.estimated, l.cost_nano_usd, l.cost_source,
    l.held_nano_usd,
    (SELECT count(*) FROM ledger c WHERE c.request_id = l.request_id AND c.attempt = l.attempt AND c.kind = {Kind.CORRECTION:d}),
    (SELECT coalesce(sum(c.cost_nano_usd), 0) FROM ledger c
        WHERE c.request_id = l.request_id AND c.attempt = l.attempt AND c.kind = {Kind.CORRECTION:d})
FROM ledger l
JOIN dimensions m ON m.id = l.model_ref JOIN dimensions p ON p.id = l.provider_ref
JOIN dimensions um ON um.id = l.upstream_model_ref LEFT JOIN prices ON prices.id = l.price_id
WHERE l.id > ? AND l.kind != {Kind.CORRECTION:d} AND l.admitted_at_ms >= ? AND l.admitted_at_ms < ? ORDER BY l.id LIMIT ?
"""


def attempts(connection: sqlite3.Connection, query: AttemptQuery) -> list[PricedAttempt]:
    """The next attempts in the order of their rows, each with what it costs by now, corrections included."""
    values = (query.after_id, query.from_ms, query.to_ms, query.limit)
    return [_attempt(row) for row in connection.execute(_ATTEMPTS, values)]


def _attempt(row: tuple[Any, ...]) -> PricedAttempt:
    id_, request_id, attempt, at_ms, model, provider, upstream_model, terms, detail = row[:9]
    plain, cached, written, output, reasoning, estimated, cost, source, held, corrections, corrected = row[9:]
    if detail is not None:
        usage = msgspec.json.decode(str(detail), type=Usage)
    else:
        counts = {
            "input": plain,
            "cache_read": cached,
            "cache_write": written,
            "output": output,
            "reasoning": reasoning,
        }
        usage = msgspec.convert({**counts, "estimated": bool(estimated)}, Usage)
    known = None if cost is None and not corrections else (cost or 0) + corrected
    return msgspec.convert(
        {
            "id": id_, "request_id": request_id, "attempt": attempt, "admitted_at_ms": at_ms, "model": model,
            "provider": provider, "upstream_model": upstream_model, "cost_nano_usd": known,
            "price": None if terms is None else msgspec.json.decode(str(terms), type=Price),
            "usage": usage, "source": CostSource(source),
            "settled_nano_usd": cost, "held_nano_usd": held,
        },
        PricedAttempt,
    )  # fmt: skip
