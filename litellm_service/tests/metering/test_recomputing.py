"""What settled attempts should have cost."""

from typing import Any

import pytest

from gateway.domain.entry import CostSource
from gateway.domain.price import Price, PriceOverride, Rates
from gateway.domain.usage import NO_USAGE, Usage
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook
from gateway.metering.recomputing import repriced
from gateway.store.questions import PricedAttempt

AT_MS = 1_795_399_200_000
USAGE = Usage(input=1_000, output=100)
COST = 1_000 * 1_250 + 100 * 10_000


def attempt(**changes: Any) -> PricedAttempt:
    """A `gpt-5` call, charged as the map says."""
    fields: dict[str, Any] = {
        "id": 1, "request_id": bytes(16), "attempt": 0, "admitted_at_ms": AT_MS, "model": "openai/gpt-5", "provider": "openai",
        "upstream_model": "gpt-5", "usage": USAGE, "price": MAP.price("openai", "gpt-5", at_ms=AT_MS), "cost_nano_usd": COST,
        "source": CostSource.COMPUTED, "settled_nano_usd": COST, "held_nano_usd": 0, **changes,
    }  # fmt: skip
    return PricedAttempt(**fields)


def book(*, since: int = 0, model: str = "gpt-5") -> PriceBook:
    """Twice the input price, from a moment on."""
    made = PriceBook(ModelMap.load())
    rates = Rates(input=2_500_000, output=10_000_000)
    made.replace([], [PriceOverride(id="o", model=model, rates=rates, effective_from_ms=since)])
    return made


MAP = PriceBook(ModelMap.load())


def test_what_cost_the_right_sum_needs_no_correction() -> None:
    assert repriced(MAP, attempt()) is None
    assert repriced(book(since=AT_MS + 1), attempt()) is None


def test_a_new_price_that_was_in_force_then_gives_a_correction() -> None:
    found = repriced(book(since=AT_MS), attempt())
    assert found is not None
    assert (found.cost_nano_usd, found.source) == (COST + 1_250_000, CostSource.COMPUTED)
    assert found.price is not None
    assert found.price.source == "override"


def test_what_was_corrected_already_is_not_corrected_again() -> None:
    assert repriced(book(), attempt(cost_nano_usd=COST + 1_250_000)) is None


def test_what_had_no_price_gets_one() -> None:
    unpriced = attempt(cost_nano_usd=None, settled_nano_usd=None, price=None, source=CostSource.NONE)
    found = repriced(MAP, unpriced)
    assert found is not None
    assert found.cost_nano_usd == COST


@pytest.mark.parametrize(
    "changes",
    [
        {"source": CostSource.PROVIDER},
        {"source": CostSource.CACHE, "cost_nano_usd": 0},
        {"usage": NO_USAGE, "cost_nano_usd": 0, "source": CostSource.NONE},
        {"upstream_model": "no-such-model"},
        {"usage": Usage(input=9, estimated=True), "held_nano_usd": COST, "source": CostSource.ESTIMATED},
    ],
)
def test_what_the_book_does_not_decide_stays(changes: dict[str, Any]) -> None:
    assert repriced(book(), attempt(**changes)) is None


def test_an_estimate_stays_one_and_within_what_was_held() -> None:
    guess = attempt(
        usage=Usage(input=1_000, output=100, estimated=True), source=CostSource.ESTIMATED, held_nano_usd=3_000_000
    )
    found = repriced(book(), guess)
    assert found is not None
    assert (found.cost_nano_usd, found.source) == (3_000_000, CostSource.ESTIMATED)


def test_the_service_tier_that_was_charged_is_kept() -> None:
    flex = MAP.price("openai", "gpt-5", "flex", at_ms=AT_MS)
    assert repriced(MAP, attempt(price=flex, cost_nano_usd=COST // 2)) is None
    odd = Price(name="jamba@001", version="1", source="litellm", rates=Rates(input=1, output=1))
    assert repriced(MAP, attempt(price=odd)) is None
