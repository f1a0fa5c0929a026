"""What traffic would have cost on another model: exact sums, and every reason why they are not the whole truth."""

import pytest
from money import ask
from office import office
from vendor import vendor

from gateway.domain.price import Price, Rates, Tier
from gateway.domain.usage import Usage
from gateway.metering.models import ModelMap
from gateway.metering.prices import cost_nano_usd
from gateway.metering.what_if import Used, cost_instead, is_comparable, notes

pytestmark = pytest.mark.anyio

USAGE = Usage(input=1_000, cache_read=400, cache_write=50, output=300, reasoning=120)
RATES = Rates(input=3_000_000, output=15_000_000, cache_read=300_000, cache_write=3_750_000)
TOOLS_AND_EYES = "openai/gpt-4o"


def price(**more):
    return Price(name="m", version="v", source="s", **{"rates": RATES, **more})


def used(model="openai/gpt-4o", usage=USAGE, requests=3):
    vendor_, _, name = model.partition("/")
    return Used(model=model, info=ModelMap.load().find(vendor_, name), requests=requests, usage=usage)


def codes(candidate, of_price, *others):
    vendor_, _, name = candidate.partition("/")
    return [note.code for note in notes(ModelMap.load().find(vendor_, name), of_price, others)]


def test_one_request_costs_instead_what_it_would_have_cost():
    assert cost_instead(price(), used(requests=1)) == cost_nano_usd(price(), USAGE)


def test_a_fee_for_each_call_counts_each_call():
    with_fee = price(rates=Rates(input=0, output=0, request=2_000_000))
    assert cost_instead(with_fee, used(requests=7)) == 7 * 2_000


def test_long_prompts_do_not_make_all_of_it_long():
    tiered = price(tiers=(Tier(above_prompt_tokens=100, rates=Rates(input=9_000_000, output=9_000_000)),))
    assert cost_instead(tiered, used()) == cost_instead(price(), used())
    assert "long_context" in codes("openai/gpt-4o-mini", tiered, used())


def test_what_is_not_the_same_is_said():
    plain = used(usage=Usage(input=10, output=10))
    assert codes("openai/gpt-4o-mini", None, plain) == ["not_priced"]
    assert "cache" in codes("openai/gpt-4o-mini", price(), used())
    assert "no_cache_price" in codes("openai/gpt-4o-mini", price(rates=Rates(input=1, output=1)), used())
    assert "no_reasoning" in codes("openai/gpt-4o-mini", price(), used())
    assert "reasoning" in codes("openai/o3-mini", price(), plain)
    assert "abilities" in codes("openai/gpt-3.5-turbo", price(), plain)
    assert "context_window" in codes("openai/gpt-3.5-turbo", price(), plain)
    assert codes("openai/gpt-4o", price(), plain) == []


def test_only_models_that_talk_are_compared():
    find = ModelMap.load().find
    assert is_comparable(find("openai", "gpt-4o"))
    assert is_comparable(None)
    assert not is_comparable(find("openai", "text-embedding-3-small"))


async def test_the_sum_of_the_models_is_the_total_to_the_nano(tmp_path):
    async with office(tmp_path) as it:
        for _ in range(3):
            await ask(it.gateway)
        await ask(it.gateway, model="demo/priced")
        book = (await it.get("/api/prices", pattern="openai/gpt-4o")).json["prices"]
        (rates,) = [row["price"]["rates"] for row in book if row["model"] == "openai/gpt-4o"]
        found = (await it.get("/api/what-if", instead="openai/gpt-4o")).json
        usage = (await it.get("/api/usage", group_by="model")).json["totals"]
        assert found["compared"]["requests"] == usage["requests"] == 4
        assert found["compared"]["cost_nano_usd"] == usage["cost_nano_usd"]
        (candidate,) = found["candidates"]
        expected = round(
            usage["prompt_tokens"] * rates["input_usd_per_million"] * 1_000
            + usage["completion_tokens"] * rates["output_usd_per_million"] * 1_000
        )
        assert candidate["cost_nano_usd"] == expected
        assert candidate["cost_nano_usd"] == sum(row["instead_nano_usd"] for row in candidate["models"])
        assert candidate["difference_nano_usd"] == expected - usage["cost_nano_usd"]
        assert candidate["change"] == pytest.approx(expected / usage["cost_nano_usd"] - 1)
        assert found["left_out"] == []
        assert len(found["assumptions"]) >= 3


async def test_the_same_model_costs_the_same(tmp_path):
    async with office(tmp_path) as it:
        await ask(it.gateway, model="demo/priced")
        (candidate,) = (await it.get("/api/what-if", instead="demo/priced")).json["candidates"]
        assert (candidate["difference_nano_usd"], candidate["change"], candidate["notes"]) == (0, 0, [])


async def test_nothing_is_claimed_of_what_has_no_price(tmp_path):
    async with vendor() as address, office(tmp_path, OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=address) as it:
        assert (await ask(it.gateway, model="openai/nobody-knows-it")).status == 200
        await it.made("/api/prices/overrides", {"model": "mistral/unheard", "rates": {
            "input_usd_per_million": 1, "output_usd_per_million": 1}})  # fmt: skip
        found = (await it.get("/api/what-if", instead="mistral/unheard")).json
        (candidate,) = found["candidates"]
        assert (found["compared"]["cost_nano_usd"], found["compared"]["unpriced_requests"]) == (None, 1)
        assert candidate["cost_nano_usd"] > 0
        assert (candidate["difference_nano_usd"], candidate["change"]) == (None, None)
        assert candidate["difference_requests"] == 0
        assert candidate["models"][0]["cost_nano_usd"] is None
        await ask(it.gateway, model="demo/priced")
        (candidate,) = (await it.get("/api/what-if", instead="mistral/unheard")).json["candidates"]
        (priced,) = [row for row in candidate["models"] if row["model"] == "demo/priced"]
        assert candidate["difference_requests"] == 1
        assert candidate["difference_nano_usd"] == priced["instead_nano_usd"] - priced["cost_nano_usd"]
        assert candidate["cost_nano_usd"] == sum(row["instead_nano_usd"] for row in candidate["models"])


async def test_bad_questions_are_refused_by_name(tmp_path):
    async with office(tmp_path) as it:
        for parameters, param in (
            ({"instead": "openai/gpt-40"}, "instead"),
            ({"instead": "nobody/x"}, "instead"),
            ({"instead": "zzz"}, "instead"),
            ({"insted": "demo/echo"}, "insted"),
            ({"from": "yesterday"}, "from"),
        ):
            reply = await it.get("/api/what-if", **parameters)
            assert (reply.status, reply.error["param"]) == (400, param), parameters
        assert (await it.get("/api/what-if")).json["candidates"] == []


async def test_a_member_sees_what_its_own_would_have_cost(tmp_path):
    async with office(tmp_path) as it:
        keys = [(await it.made("/api/keys", {"name": name, "user_id": name}))["key"] for name in ("alice", "bob")]
        await it.as_(keys[0]).post("/api/chat", {"model": "demo/priced", "query": "x", "application_id": "a"})
        seen = [
            (await it.as_(key).get("/api/what-if", instead="demo/echo")).json["compared"]["requests"] for key in keys
        ]
        assert seen == [1, 0]
