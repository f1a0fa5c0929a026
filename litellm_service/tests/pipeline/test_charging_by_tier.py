"""An answer is charged at the service tier that the provider says it was served by."""

import json
import sqlite3

import pytest
from money import USD, ask, make_budget, running
from vendor import vendor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("asked", "answered", "price", "cost"),
    [
        (None, "default", "gpt-5", 1000 * 1_250 + 100 * 10_000),
        ("priority", "priority", "gpt-5@priority", 1000 * 2_500 + 100 * 20_000),
        ("priority", "default", "gpt-5", 1000 * 1_250 + 100 * 10_000),
        ("auto", "flex", "gpt-5@flex", 1000 * 625 + 100 * 5_000),
        ("flex", None, "gpt-5@flex", 1000 * 625 + 100 * 5_000),
    ],
)
async def test_the_answers_tier_is_charged_and_the_hold_covered_it(tmp_path, asked, answered, price, cost):
    tier = {} if asked is None else {"service_tier": asked}
    async with vendor(**({} if answered is None else {"service_tier": answered})) as address:
        settings = {"OPENAI_API_KEY": "sk-vendor", "OPENAI_BASE_URL": address}
        async with running(tmp_path, make_budget(100 * USD), **settings) as gateway:
            reply = await ask(gateway, model="openai/gpt-5", max_tokens=200, **tier)
            assert reply.status == 200, reply.body
            assert float(reply.headers["x-gateway-cost-usd"]) == cost / USD
    with sqlite3.connect(tmp_path / "u.db") as connection:
        query = "SELECT cost_nano_usd, held_nano_usd, terms FROM ledger JOIN prices ON prices.id = price_id"
        ((settled, held, terms),) = connection.execute(query)
    assert (settled, json.loads(terms)["name"]) == (cost, price)
    assert held >= settled
