"""Newer model maps: refused where they make no sense, compared where they do."""

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.errors import InvalidRequest
from gateway.domain.price import PriceMap
from gateway.metering.importing import Differences, differences, imported_map
from gateway.metering.models import ModelMap
from gateway.providers.catalog import Catalog

NOW_MS = 1_795_399_200_000
CATALOG = Catalog.load()
GOOD = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


def read(rows: object, version: str = "v") -> PriceMap:
    return imported_map(json.dumps(rows), version=version, effective_from_ms=NOW_MS, at_ms=NOW_MS)


def between(old: object, new: object) -> Differences:
    return differences(ModelMap.imported(read(old), CATALOG), ModelMap.imported(read(new), CATALOG))


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"input_cost_per_token": -1e-6}, "m.input_cost_per_token"),
        ({"input_cost_per_token": "1e-6"}, "m.input_cost_per_token"),
        ({"input_cost_per_token": True}, "m.input_cost_per_token"),
        ({"input_cost_per_token": 1.0}, "m.input_cost_per_token"),
        ({"input_cost_per_token": {}}, "m.input_cost_per_token"),
        ({"output_cost_per_token_above_200k_tokens_priority": 5}, "m.output_cost_per_token_above_200k_tokens_priority"),
        ({"cache_creation_input_token_cost_above_1hr_above_200k_tokens": -1}, "m.cache_creation_input_token_cost_above_1hr"),
        ({"output_cost_per_image": 1001}, "m.output_cost_per_image"),
        ({"max_input_tokens": "many"}, "m.max_input_tokens"),
        ({"max_output_tokens": -5}, "m.max_output_tokens"),
        ({"litellm_provider": 7}, "m.litellm_provider"),
        ({"litellm_provider": ""}, "m.litellm_provider"),
        ({"mode": ["chat"]}, "m.mode"),
        ({"search_context_cost_per_query": 0.01}, "m.search_context_cost_per_query"),
        ({"search_context_cost_per_query": {"low": -1}}, "m.search_context_cost_per_query.low"),
        ({"tiered_pricing": {}}, "m.tiered_pricing"),
        ({"tiered_pricing": [{"range": [0]}]}, "m.tiered_pricing[0].range"),
        ({"tiered_pricing": [{"range": [0, 5], "input_cost_per_token": -1}]}, "m.tiered_pricing[0].input_cost_per_token"),
        ({"off_peak_pricing": {"hours_utc": "25:00-26:00"}}, "m.off_peak_pricing.hours_utc"),
        ({"off_peak_pricing": {"hours_utc": 5}}, "m.off_peak_pricing.hours_utc"),
        ({"off_peak_pricing": {"hours_utc": "01:00-02:00", "weekdays": [8]}}, "m.off_peak_pricing.weekdays"),
        ({"off_peak_pricing": {"windows": [7]}}, "m.off_peak_pricing.windows"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_model_and_the_field(row: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read({"good": GOOD, "m": GOOD | row})
    assert place in refused.value.message
    assert refused.value.param is not None
    assert refused.value.param.startswith(f"map.{place}")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "7", "{}", '{"sample_spec": {}}', '{"m": 7}', '{"a": {"b": 1}}', "[" * 100_000,
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": NaN}}',
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": Infinity}}',
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e999999999}}',
        '{"\\ud800": {"litellm_provider": "openai"}}',
        '{"": {"litellm_provider": "openai"}}',
        "\ufffe",
    ],
)  # fmt: skip
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        imported_map(text, version="v", effective_from_ms=0, at_ms=NOW_MS)
    assert refused.value.message.startswith("map: ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "litellm_provider", "mode", "input_cost_per_token", "output_cost_per_token", "output_cost_per_token_flex",
    "input_cost_per_token_above_200k_tokens", "input_cost_per_token_above_1k_tokens_batches", "max_tokens", "max_input_tokens",
    "search_context_cost_per_query", "tiered_pricing", "off_peak_pricing", "output_cost_per_image", "supports_vision",
    "input_cost_per_character", "web_search_billing_unit",
]  # fmt: skip
BRACKET = ["range", "input_cost_per_token", "output_cost_per_token"]
brackets = st.lists(st.dictionaries(st.sampled_from(BRACKET), json_values, max_size=3), max_size=2)
off_peak = st.dictionaries(
    st.sampled_from(["hours_utc", "weekdays", "windows", "input_cost_per_token"]), json_values, max_size=3
)
damaged_rows = st.dictionaries(st.sampled_from(FIELDS), json_values | brackets | off_peak, max_size=5).map(
    lambda damage: GOOD | damage
)


@settings(max_examples=300)
@given(st.dictionaries(st.text(max_size=8), damaged_rows | json_values, max_size=3) | json_values)
def test_whatever_is_given_is_read_or_refused_clearly(rows: object) -> None:
    try:
        found = read(rows)
    except InvalidRequest as refused:
        said = refused.message
    else:
        said = ""
        models = ModelMap.imported(found, CATALOG)
        for provider in CATALOG.providers:
            for info in models.all_models(provider).values():
                assert info.terms is None or info.terms.rates.input >= 0
    assert not said or said.startswith("map: ")


@given(st.binary(max_size=40))
def test_bytes_are_read_or_refused_clearly(source: bytes) -> None:
    with pytest.raises(InvalidRequest):
        imported_map(source, version="v", effective_from_ms=0, at_ms=NOW_MS)


def test_an_import_that_changes_nothing_has_no_differences() -> None:
    found = between({"gpt-x": GOOD}, {"gpt-x": GOOD})
    assert (found.new, found.gone, found.changed, found.suspects) == ([], [], [], [])


def test_new_gone_and_changed_models_are_told() -> None:
    cheaper = GOOD | {"input_cost_per_token": 5e-7, "cache_read_input_token_cost": 1e-7}
    found = between({"gpt-x": GOOD, "old": GOOD, "o2": GOOD, "o3": GOOD, "o4": GOOD},
                    {"gpt-x": cheaper, "new": GOOD, "o2": GOOD, "o3": GOOD, "o4": GOOD})  # fmt: skip
    assert (found.new, found.gone) == (["openai/new"], ["openai/old"])
    assert [(change.item, change.before_pico_usd, change.after_pico_usd) for change in found.changed] == [
        ("cache_read", 1_000_000, 100_000),
        ("input", 1_000_000, 500_000),
    ]
    assert [change.is_suspect for change in found.changed] == [True, False]


@pytest.mark.parametrize(
    ("before", "after", "suspect"),
    [
        (1e-6, 3e-6, False),
        (1e-6, 3.1e-6, True),
        (3e-6, 1e-6, False),
        (3.1e-6, 1e-6, True),
        (1e-6, 0, True),
        (0, 1e-6, True),
    ],
)
def test_a_change_of_more_than_three_times_is_suspect(before: float, after: float, suspect: bool) -> None:
    found = between({"m": GOOD | {"output_cost_per_token": before}}, {"m": GOOD | {"output_cost_per_token": after}})
    assert [change.is_suspect for change in found.changed] == [suspect]
    assert bool(found.suspects) is suspect


def test_a_map_that_lacks_many_models_is_suspect() -> None:
    found = between({"a": GOOD, "b": GOOD}, {"a": GOOD})
    assert found.suspects == ["1 of 2 models are not in it; they keep their last price"]


def test_tiers_and_hours_are_compared_too() -> None:
    long, flex = {"input_cost_per_token_above_200k_tokens": 2e-6}, {"input_cost_per_token_flex": 5e-7}
    found = between({"m": GOOD | long | flex}, {"m": GOOD | {name: cost * 2 for name, cost in (long | flex).items()}})
    assert [change.item for change in found.changed] == ["above_200000.input", "flex.above_200000.input", "flex.input"]


def test_importing_the_map_that_the_package_has_changes_nothing() -> None:
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        pytest.skip("litellm is not installed")
    (path,) = Path(spec.origin).parent.glob("model_prices_and_context_window*.json")
    found = imported_map(path.read_bytes(), version="", effective_from_ms=0, at_ms=NOW_MS)
    assert found.version.startswith("map of 2026-11-23 ")
    assert len(gzip.decompress(found.compact_gz)) > 500_000
    told = differences(ModelMap.load(), ModelMap.imported(found, CATALOG))
    assert (told.new, told.gone, told.changed, told.suspects) == ([], [], [], [])
