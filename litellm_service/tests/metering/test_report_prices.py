"""The price list."""

import pytest

from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook
from gateway.metering.report_prices import price_rows, usd_per_million

NOW_MS = 1_795_399_200_000


@pytest.fixture(scope="module")
def model_map() -> ModelMap:
    return ModelMap.load()


def test_a_row_has_prices_per_million_tokens(model_map: ModelMap) -> None:
    (row,) = price_rows(PriceBook(model_map), model_map, ["demo"], "demo/priced", at_ms=NOW_MS)
    assert (row.model, row.input, row.output, row.cached, row.source) == ("demo/priced", 1.0, 1.0, 1.0, "demo")


def test_the_list_follows_the_given_providers_and_the_glob(model_map: ModelMap) -> None:
    rows = price_rows(PriceBook(model_map), model_map, ["openai", "anthropic"], "*SONNET*", at_ms=NOW_MS)
    assert rows
    assert all(row.model.startswith("anthropic/") and "sonnet" in row.model for row in rows)
    assert [row.model for row in price_rows(PriceBook(model_map), model_map, ["demo"], at_ms=NOW_MS)] == [
        "demo/echo",
        "demo/error",
        "demo/priced",
        "demo/slow",
        "demo/story",
    ]


def test_a_model_that_is_not_priced_says_so_instead_of_zero(model_map: ModelMap) -> None:
    unpriced = [
        row for row in price_rows(PriceBook(model_map), model_map, ["meta_llama"], at_ms=NOW_MS) if row.input is None
    ]
    assert unpriced
    assert all(row.output is None and row.cached is None and row.source == "" for row in unpriced)


def test_a_free_model_is_priced_at_zero(model_map: ModelMap) -> None:
    (row,) = price_rows(PriceBook(model_map), model_map, ["demo"], "demo/echo", at_ms=NOW_MS)
    assert row.input == 0.0


def test_small_prices_keep_their_digits() -> None:
    assert usd_per_million(37_500) == 0.0375
