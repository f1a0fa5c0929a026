"""What others hold, as metrics."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from gateway.domain.entry import Hold
from gateway.domain.money import NANO_PER_USD
from gateway.store.sqlite.budget_account import Account
from gateway.telemetry.metrics import Labels


class Cached(Protocol):
    """What a response cache counts."""

    hits: int
    misses: int
    saved_nano_usd: int


def cache_figures(cache: Cached) -> dict[str, dict[Labels, float]]:
    """How often the cache had an answer, and what that saved."""
    return {
        "gateway_cache_lookups_total": {(("result", "hit"),): cache.hits, (("result", "miss"),): cache.misses},
        "gateway_cache_saved_nano_usd_total": {(): cache.saved_nano_usd},
    }


def gauges(
    figures: dict[str, int], open_holds: Sequence[Hold], accounts: Iterable[Account], uptime_s: int, at_ms: int
) -> dict[str, dict[Labels, float]]:
    """The ledger's figures, what runs, and every budget in its current period."""
    found: dict[str, dict[Labels, float]] = {
        "gateway_open_holds": {(): len(open_holds)},
        "gateway_ledger_waiting": {(): figures["waiting"]},
        "gateway_ledger_commits_total": {(): figures["commits"]},
        "gateway_ledger_operations_total": {(): figures["operations"]},
        "gateway_uptime_seconds": {(): uptime_s},
        "gateway_budget_limit_usd": {},
        "gateway_budget_spent_usd": {},
        "gateway_budget_held_usd": {},
    }
    for account in accounts:
        budget = account.budget
        if account.period == budget.period_at(at_ms):
            labels = (("budget", budget.id), ("scope", budget.scope.kind))
            found["gateway_budget_limit_usd"][labels] = budget.limit_nano_usd(at_ms) / NANO_PER_USD
            found["gateway_budget_spent_usd"][labels] = account.spent_nano_usd / NANO_PER_USD
            found["gateway_budget_held_usd"][labels] = account.held_nano_usd / NANO_PER_USD
    return found
