"""One request explained: what it cost and why, what was held, tried and corrected."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gateway.domain.budget import Budget
from gateway.domain.entry import CostSource, Kind, Outcome
from gateway.domain.money import PICO_PER_MILLION_USD, PICO_PER_USD, usd
from gateway.domain.price import FEES, Price, Rates, receipt_lines
from gateway.domain.scope import Subject
from gateway.domain.time import iso_z
from gateway.domain.usage import NO_USAGE, Usage
from gateway.reports.requests import listed
from gateway.store.questions import FullRequest, Owner
from gateway.store.sqlite.reading import Reader

View = dict[str, Any]
LedgerRow = dict[str, Any]

_REASONS = {
    CostSource.NONE: "Nothing was charged.",
    CostSource.PROVIDER: "The provider stated this cost itself.",
    CostSource.COMPUTED: "What the provider counted, times the unit prices of {price}.",
    CostSource.ESTIMATED: "The provider gave no final count; estimated here, times the unit prices of {price}.",
    CostSource.CACHE: "Answered from the cache: nothing was paid.",
}
_NOT_PRICED = "The model had no price here, so that the cost is not known."
_NOT_SAID = "The provider did not say what was used, and nobody else can, so that the cost is not known."


class Attempt(msgspec.Struct, frozen=True):
    """A row of the ledger and its corrections, oldest first. `held_at_ms`: when its hold was made."""

    row: LedgerRow
    corrections: list[LedgerRow]
    held_at_ms: int

    @property
    def cost_nano_usd(self) -> int | None:
        """What it costs, corrections included."""
        return _sum(self.row["cost_nano_usd"], self.corrections)

    @property
    def source(self) -> CostSource:
        """Where that cost comes from."""
        return CostSource([self.row, *self.corrections][-1]["cost_source"])

    @property
    def price_id(self) -> int | None:
        """The price that was applied last."""
        applied: list[int | None] = [row["price_id"] for row in (self.row, *self.corrections)]
        return next((id_ for id_ in reversed(applied) if id_ is not None), None)


async def explained(
    reader: Reader, request_id: str, *, owner: Owner | None = None, budgets: Iterable[Budget] = ()
) -> View | None:
    """R and its content, price, receipt, hold, attempts, route and budgets; `None` if there is no such request of the owner's."""
    found = await reader.request(request_id, owner=owner)
    if found is None:
        return None
    prices = {id_: msgspec.json.decode(terms, type=Price) for id_, terms in found.prices.items()}
    tried = attempts(found.attempts)
    last = next((one for one in tried if one.row["final"]), tried[-1])
    return {
        **listed(found.row),
        **_content(found),
        **_cost(last, prices),
        "finish_reason": last.row["finish_reason"],
        "error_code": last.row["error_code"],
        "estimated": bool(last.row["estimated"]),
        "hold": {**_amount(last.row["held_nano_usd"]), **_held(last)},
        "budgets": explain_budgets(budgets, found.row),
        "attempts_list": [_attempt(one, prices) for one in tried],
        "route": {name: found.row[name] for name in ("model", "provider", "upstream_model")},
    }


def attempts(rows: Sequence[LedgerRow]) -> list[Attempt]:
    """Ledger rows of one request as its attempts, in order. The hold of a later attempt is made as the one before is settled."""
    found: list[Attempt] = []
    held_at_ms = rows[0]["admitted_at_ms"]
    for row in (row for row in rows if row["kind"] != Kind.CORRECTION):
        own = [one for one in rows if one["kind"] == Kind.CORRECTION and one["attempt"] == row["attempt"]]
        found.append(Attempt(row, sorted(own, key=lambda one: int(one["seq"])), held_at_ms))
        held_at_ms = row["recorded_at_ms"]
    return found


def explain_budgets(budgets: Iterable[Budget], row: View) -> list[View]:
    """The budgets of now whose scope a request lies in, each with the period that the request counts in."""
    subject = Subject(row["application_id"], row["user_id"], row["key_id"], row["model"])
    return [_budget(budget, row["admitted_at_ms"]) for budget in budgets if budget.scope.covers(subject)]


def _budget(budget: Budget, at_ms: int) -> View:
    period = budget.period_at(at_ms)
    return {
        "id": budget.id,
        "scope": {"kind": budget.scope.kind, "name": budget.scope.name},
        "period": budget.period,
        "tz": budget.tz,
        "hard": budget.hard,
        "period_start": iso_z(period.start_ms),
        "period_end": None if period.end_ms is None else iso_z(period.end_ms),
    }


def _content(found: FullRequest) -> View:
    content = {name: found.row[name] for name in ("query", "messages", "response")}
    stored = bool(content["query"] or content["messages"] or content["response"] is not None)
    return {**content, "content_stored": stored}


def _cost(last: Attempt, prices: dict[int, Price]) -> View:
    price = None if last.price_id is None else prices.get(last.price_id)
    usage = _usage(last.row)
    return {
        "cost_explained": _reason(last, price),
        "price": None if price is None else _price(price, usage),
        "receipt": _receipt(last, price, usage),
    }


def _reason(last: Attempt, price: Price | None) -> str:
    if last.cost_nano_usd is None:
        return _NOT_PRICED if price is None else _NOT_SAID
    named = "the price list" if price is None else f"{price.name} ({price.source}, version {price.version})"
    reason = _REASONS[last.source].format(price=named)
    if not last.corrections:
        return reason
    before = last.row["cost_nano_usd"]
    was = "not priced" if before is None else f"{before / 1e9:.9f} USD"
    return f"{reason} Corrected on {iso_z(last.corrections[-1]['recorded_at_ms'])[:10]}; settled at first: {was}."


def _usage(row: LedgerRow) -> Usage:
    if row["usage_detail"] is not None:
        return msgspec.json.decode(row["usage_detail"], type=Usage)
    return Usage(
        input=row["input_tokens"],
        cache_read=row["cache_read_tokens"],
        cache_write=row["cache_write_tokens"],
        output=row["output_tokens"],
        reasoning=row["reasoning_tokens"],
    )


def _receipt(last: Attempt, price: Price | None, usage: Usage) -> list[View]:
    """Lines that add up to the cost to the nano-USD; what a provider stated itself is one line."""
    cost = last.cost_nano_usd
    if last.source == CostSource.PROVIDER:
        return [_line("stated_by_provider", 1, None, cost)]
    if price is None or usage == NO_USAGE:
        return []
    lines, so_far, rounded = [], 0, 0
    for line in receipt_lines(price, usage):
        so_far += line.quantity * line.unit_pico_usd
        nano = (so_far + 500) // 1000 - rounded
        rounded += nano
        lines.append(_line(line.item, line.quantity, line.unit_pico_usd / PICO_PER_MILLION_USD, nano))
    if last.corrections and cost is not None and cost != rounded:
        lines.append(_line("correction", 1, None, cost - rounded))
    return lines


def _line(item: str, quantity: int, unit_usd_per_million: float | None, nano_usd: int | None) -> View:
    return {
        "item": item,
        "quantity": quantity,
        "unit_price_usd_per_million": unit_usd_per_million,
        **_amount(nano_usd),
    }


def _amount(nano_usd: int | None) -> View:
    return {"amount_nano_usd": nano_usd, "amount_usd": usd(nano_usd)}


def _price(price: Price, usage: Usage) -> View:
    rates: Rates = price.rates_for(usage.prompt_tokens)
    units = {
        f"{name}_usd_per_million": value / PICO_PER_MILLION_USD
        for name, value in msgspec.structs.asdict(rates).items()
        if value is not None and name not in FEES
    }
    fees = {f"{name}_usd": getattr(rates, name) / PICO_PER_USD for name in FEES if getattr(rates, name)}
    return {"name": price.name, "version": price.version, "source": price.source, **units, **fees}


def _held(one: Attempt) -> View:
    return {"held_at": iso_z(one.held_at_ms), "settled_at": iso_z(one.row["recorded_at_ms"])}


def _attempt(one: Attempt, prices: dict[int, Price]) -> View:
    row, first = one.row, one.row["first_token_us"]
    return {
        "attempt": row["attempt"],
        "provider": row["provider"],
        "upstream_model": row["upstream_model"],
        "outcome": Outcome(row["outcome"]).name.lower(),
        "http_status": row["http_status"],
        "error_code": row["error_code"],
        "response_time": row["duration_us"] / 1e6,
        "time_to_first_token": None if first is None else first / 1e6,
        "cost_usd": usd(one.cost_nano_usd),
        "cost_nano_usd": one.cost_nano_usd,
        "cost_source": one.source.name.lower(),
        "saved_usd": usd(row["saved_nano_usd"]),
        "saved_nano_usd": row["saved_nano_usd"],
        "reason": row["reason"],
        "recorded_at": iso_z(row["recorded_at_ms"]),
        "held_usd": usd(row["held_nano_usd"]),
        "held_nano_usd": row["held_nano_usd"],
        "held_at": iso_z(one.held_at_ms),
        "corrections": [_correction(one, number, prices) for number in range(len(one.corrections))],
    }


def _correction(one: Attempt, number: int, prices: dict[int, Price]) -> View:
    settled, row = one.row["cost_nano_usd"], one.corrections[number]
    before, after = _sum(settled, one.corrections[:number]), _sum(settled, one.corrections[: number + 1])
    price = prices.get(row["price_id"])
    return {
        "recorded_at": iso_z(row["recorded_at_ms"]),
        "before_usd": usd(before),
        "before_nano_usd": before,
        "after_usd": usd(after),
        "after_nano_usd": after,
        "cost_source": CostSource(row["cost_source"]).name.lower(),
        "price_version": None if price is None else price.version,
    }


def _sum(settled: int | None, corrections: Sequence[LedgerRow]) -> int | None:
    if settled is None and not corrections:
        return None
    differences: list[int] = [row["cost_nano_usd"] for row in corrections]
    return (settled or 0) + sum(differences)
