"""Recorded usage objects of each provider, with costs worked out by hand."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.domain.entry import CostSource
from gateway.domain.price import Price
from gateway.domain.usage import Usage
from gateway.metering.models import Terms
from gateway.metering.prices import priced
from gateway.metering.usage import normalise
from gateway.providers.catalog import UsageRule

FILES = sorted((Path(__file__).parent / "golden").glob("*.json"))


class Golden(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    rule: UsageRule
    usage: msgspec.Raw
    classes: dict[str, Any]
    price: Terms | None
    working: str
    cost_nano_usd: int | None
    cost_source: str


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_usage_gives_the_classes_and_the_cost_worked_out_by_hand(path: Path) -> None:
    golden = msgspec.json.decode(path.read_bytes(), type=Golden)
    usage = normalise(golden.usage, golden.rule)
    assert usage == Usage(**golden.classes)
    terms = golden.price
    price = Price(name="m", version="1", source="test", rates=terms.rates, tiers=terms.tiers) if terms else None
    assert priced(price, usage) == (golden.cost_nano_usd, CostSource[golden.cost_source.upper()])
    assert golden.source
    assert golden.working


def test_every_rule_has_a_golden_file() -> None:
    rules = {msgspec.json.decode(path.read_bytes(), type=Golden).rule for path in FILES}
    assert rules == {"openai", "xai", "openrouter", "perplexity", "litellm"}
