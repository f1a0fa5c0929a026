"""The script that compacts LiteLLM's map, and the file it made."""

import importlib.metadata
import importlib.util
import json
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook
from gateway.providers.catalog import Catalog

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "gateway" / "metering" / "model_map.json"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compact_model_map", ROOT / "scripts" / "compact_model_map.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source(script: ModuleType) -> str:
    if importlib.util.find_spec("litellm") is None:
        pytest.skip("litellm is not installed: the compact model map was NOT checked against its source")
    text: str = script.source_text()
    return text


def compacted(script: ModuleType, **row: Any) -> Any:
    text = json.dumps({"m": {"litellm_provider": "p", "mode": "chat"} | row})
    return json.loads(script.compact(text, "1", "2026-01-01"))["groups"]["p"]["m"]


def test_regenerating_gives_the_committed_file(script: ModuleType, source: str) -> None:
    committed = COMMITTED.read_text("utf-8")
    made = script.compact(source, importlib.metadata.version("litellm"), json.loads(committed)["date"])
    assert made == committed, "run: python litellm_service/scripts/compact_model_map.py"


def test_every_price_of_the_catalog_equals_the_decimal_text_of_the_source(source: str) -> None:
    rows = json.loads(source, parse_float=Decimal)
    model_map = ModelMap.load()
    book = PriceBook(model_map)
    checked = 0
    for provider in Catalog.load().providers:
        for info in model_map.chat_models(provider):
            price, row = book.price(provider, info.name), rows.get(info.key, {})
            if price is not None and "tiered_pricing" not in row and provider != "demo":
                assert abs(row["input_cost_per_token"] * 10**12 - price.rates.input) <= Decimal("0.5")
                assert abs(row["output_cost_per_token"] * 10**12 - price.rates.output) <= Decimal("0.5")
                checked += 1
    assert checked > 1_000


def test_an_unchanged_map_keeps_its_date(script: ModuleType, tmp_path: Path) -> None:
    output = tmp_path / "map.json"
    source = '{"m": {"litellm_provider": "p", "mode": "chat"}}'
    output.write_text(script.compact(source, "1", "2020-01-01"), "utf-8")
    assert script.with_date(script.compact(source, "1", ""), output) == output.read_text("utf-8")
    assert json.loads(script.with_date(script.compact(source, "2", ""), output))["date"] > "2020-01-01"


def test_prices_are_whole_pico_usd(script: ModuleType) -> None:
    costs = '"input_cost_per_token": 2.8E-8, "output_cost_per_token": 0.0000004'
    text = f'{{"m": {{"litellm_provider": "p", "mode": "chat", {costs}}}}}'
    row = json.loads(script.compact(text, "1", "d"))["groups"]["p"]["m"]
    assert row["rates"] == {"input": 28_000, "output": 400_000}


def test_long_context_prices_become_tiers(script: ModuleType) -> None:
    row = compacted(
        script,
        input_cost_per_token=1e-6,
        output_cost_per_token=2e-6,
        cache_read_input_token_cost=1e-7,
        input_cost_per_token_above_200k_tokens=2e-6,
        output_cost_per_token_above_200k_tokens=3e-6,
        cache_creation_input_token_cost_above_1hr_above_200k_tokens=9e-6,
        input_cost_per_token_above_200k_tokens_batches=1e-9,
    )
    assert row["rates"] == {"input": 1_000_000, "output": 2_000_000, "cache_read": 100_000}
    above = {"input": 2_000_000, "output": 3_000_000, "cache_read": 100_000, "cache_write_1h": 9_000_000}
    assert row["tiers"] == [{"above_prompt_tokens": 200_000, "rates": above}]


def test_priority_keeps_the_dearer_price_where_a_tier_has_none_of_its_own(script: ModuleType) -> None:
    row = compacted(
        script,
        input_cost_per_token=1e-6,
        output_cost_per_token=2e-6,
        input_cost_per_token_above_200k_tokens=3e-6,
        input_cost_per_token_priority=2e-6,
        output_cost_per_token_priority=4e-6,
    )
    assert row["service_tiers"]["priority"] == {
        "rates": {"input": 2_000_000, "output": 4_000_000},
        "tiers": [{"above_prompt_tokens": 200_000, "rates": {"input": 3_000_000, "output": 4_000_000}}],
    }


def test_brackets_become_tiers(script: ModuleType) -> None:
    low = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "range": [0, 256000.0]}
    high = {"input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6, "range": [256000.0, 1e6]}
    row = compacted(script, tiered_pricing=[low, high])
    assert row["rates"] == {"input": 1_000_000, "output": 2_000_000}
    assert row["tiers"] == [{"above_prompt_tokens": 256_000, "rates": {"input": 3_000_000, "output": 4_000_000}}]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"input_cost_per_token": 1e-6},
        {"output_cost_per_token": 1e-6},
        {"input_cost_per_token": -1e-6, "output_cost_per_token": 1e-6},
        {"input_cost_per_token": float("nan"), "output_cost_per_token": 1e-6},
        {"input_cost_per_token": "0.1", "output_cost_per_token": 1e-6},
        {"input_cost_per_token": True, "output_cost_per_token": 1e-6},
        {"input_cost_per_token": 5_000, "output_cost_per_token": 1e-6},
        {"mode": "ocr", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
        {"mode": "image_generation", "output_cost_per_image": -1},
        {"output_cost_per_second": 0.1},
    ],
)
def test_a_model_without_a_usable_price_per_token_has_none(script: ModuleType, row: dict[str, Any]) -> None:
    assert "rates" not in compacted(script, **row)


def test_hours_become_spans_of_the_week(script: ModuleType) -> None:
    prices = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    monday = {"hours_utc": ["16:30-00:30", "04:00-06:00"], "weekdays": [1]}
    sunday = {"hours_utc": "00:00-00:00", "weekdays": [7]}
    cheaper = {"output_cost_per_token": 1e-6, "windows": [monday, sunday]}
    assert compacted(script, **prices, off_peak_pricing=cheaper)["off_peak"] == {
        "rates": {"input": 1_000_000, "output": 1_000_000},
        "minutes_of_week": [[0, 30], [240, 360], [990, 1440], [6 * 1440, 7 * 1440]],
    }
    every_day = compacted(script, **prices, off_peak_pricing={"input_cost_per_token": 1e-7, "hours_utc": "01:00-02:00"})
    assert every_day["off_peak"]["minutes_of_week"] == [[day * 1440 + 60, day * 1440 + 120] for day in range(7)]


def test_an_embedding_needs_no_output_price(script: ModuleType) -> None:
    assert compacted(script, mode="embedding", input_cost_per_token=1e-6)["rates"] == {"input": 1_000_000, "output": 0}


def test_the_script_never_imports_litellm(script: ModuleType) -> None:
    assert "litellm" not in vars(script)
