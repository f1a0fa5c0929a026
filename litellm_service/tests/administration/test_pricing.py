"""Prices over their routes, on a gateway that runs in this process."""

import json
import sqlite3

import pytest
from money import USD, ask, make_budget, make_key
from office import office
from vendor import vendor

from gateway.store.sqlite.audit import audit

pytestmark = pytest.mark.anyio

PRICED = {"model": "demo/priced", "rates": {"input_usd_per_million": 3, "output_usd_per_million": "7.5"}}
ECHO = {"model": "demo/echo", "rates": {"input_usd_per_million": 1, "output_usd_per_million": 1}}
LONG_AGO = {"effective_from": "2020-01-01"}
RANGE = {"from": "2020-01-01", "to": "2100-01-01"}
ROW = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}


def costs(folder):
    with sqlite3.connect(folder / "u.db") as connection:
        return [row[0] for row in connection.execute("SELECT cost_nano_usd FROM requests ORDER BY admitted_at_ms")]


async def test_an_override_is_the_price_at_once_and_until_it_is_taken_back(tmp_path):
    async with office(tmp_path) as admin:
        made = await admin.made("/api/prices/overrides", PRICED)
        assert made["rates"] == {"input_usd_per_million": 3.0, "output_usd_per_million": 7.5}
        usage = (await ask(admin.gateway)).json["usage"]
        book = (await admin.get("/api/prices", pattern="demo/*")).json
        (row,) = [row for row in book["prices"] if row["model"] == "demo/priced"]
        assert (row["price"]["source"], row["price"]["version"]) == ("override", f"override {made['id']}")
        assert [override["id"] for override in book["overrides"]] == [made["id"]]
        listed = (await admin.get("/api/models")).json["providers"]["demo"]["models"]
        assert [m["input_price_usd_per_million"] for m in listed if m["id"] == "demo/priced"] == [3.0]
        assert (await admin.delete(f"/api/prices/overrides/{made['id']}")).json["deleted"] is True
        await ask(admin.gateway)
    paid = usage["prompt_tokens"] * 3_000 + usage["completion_tokens"] * 7_500
    assert costs(tmp_path) == [paid, usage["total_tokens"] * 1_000]


async def test_overrides_outlive_a_restart_and_are_audited(tmp_path):
    async with office(tmp_path) as admin:
        made = await admin.made("/api/prices/overrides", PRICED)
        changed = await admin.call("PUT", f"/api/prices/overrides/{made['id']}", {**PRICED, "note": "contract"})
        assert changed.json["note"] == "contract"
    async with office(tmp_path) as admin:
        book = (await admin.get("/api/prices", pattern="demo/priced")).json
        assert book["prices"][0]["price"]["rates"]["input_usd_per_million"] == 3.0
        entries = (await admin.get("/api/audit", object_kind="price")).json["entries"]
        assert [entry["action"] for entry in entries] == ["change", "create"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({**PRICED, "provider": "nobody"}, "provider"),
        ({**PRICED, "model": ""}, "model"),
        ({**PRICED, "effective_from": "soon"}, "effective_from"),
        ({**PRICED, "extra": 1}, "extra"),
        ({"model": "x", "rates": {"input_usd_per_million": 1}}, "output_usd_per_million"),
        ({**PRICED, "rates": {"input_usd_per_million": -1, "output_usd_per_million": 1}}, "rates.input_usd_per_million"),
        ({**PRICED, "rates": {"input_usd_per_million": 1, "output_usd_per_million": 1e9}}, "rates.output_usd_per_million"),
        ({**PRICED, "rates": {"input_usd_per_million": 1, "output_usd_per_million": "1e-9"}}, "rates.output_usd_per_million"),
        ({**PRICED, "rates": {"input_usd_per_million": "NaN", "output_usd_per_million": 1}}, "rates.input_usd_per_million"),
        ({**PRICED, "service_tiers": {"turbo": {"rates": PRICED["rates"]}}}, "service_tiers"),
        ({**PRICED, "long_context": [{"above_prompt_tokens": 0, "rates": PRICED["rates"]}]}, "long_context[0].above_prompt_tokens"),
    ],
)  # fmt: skip
async def test_a_price_that_makes_no_sense_is_refused_by_name(tmp_path, body, param):
    async with office(tmp_path) as admin:
        refused = await admin.post("/api/prices/overrides", body)
        assert (refused.status, refused.error["param"]) == (400, param), refused.body
        assert (await admin.get("/api/prices")).json["overrides"] == []


async def test_unknown_overrides_and_maps_are_404_and_members_may_not(tmp_path):
    key, secret = make_key()
    async with office(tmp_path, key) as admin:
        assert (await admin.delete("/api/prices/overrides/none")).status == 404
        assert (await admin.call("PUT", "/api/prices/overrides/none", PRICED)).status == 404
        assert (await admin.delete("/api/prices/maps/none")).status == 404
        member = admin.as_(secret)
        assert (await member.get("/api/prices")).status == 403
        assert (await member.post("/api/prices/overrides", PRICED)).status == 403


async def test_a_map_is_shown_first_then_imported_then_deleted(tmp_path):
    rows = {"gpt-4o": ROW | {"input_cost_per_token": 3e-6}, "brand-new": ROW}
    async with office(tmp_path) as admin:
        shown = (await admin.post("/api/prices/import", {"map": rows})).json
        assert shown["applied"] is False
        assert shown["new"] == ["openai/brand-new"]
        assert {
            "model": "openai/gpt-4o",
            "item": "input",
            "before": 2.5,
            "after": 3.0,
            "ratio": 1.2,
            "is_suspect": False,
        } in shown["changed"]
        refused = await admin.post("/api/prices/import", {"map": rows, "apply": True})
        assert (refused.status, refused.error["param"]) == (400, "confirm")
        assert (await admin.get("/api/prices")).json["maps"] == []
        done = (
            await admin.post("/api/prices/import", {"map": rows, "version": "mine", "apply": True, "confirm": True})
        ).json
        assert (done["applied"], done["map"]["version"]) == (True, "mine")
    async with office(tmp_path) as admin:
        book = (await admin.get("/api/prices", pattern="openai/gpt-4o")).json
        assert (
            book["prices"][0]["price"]["version"],
            book["prices"][0]["price"]["rates"]["input_usd_per_million"],
        ) == ("mine", 3.0)
        assert [known["version"] for known in book["maps"]] == ["mine"]
        (entry,) = (await admin.get("/api/audit", object_kind="book")).json["entries"]
        assert entry["after"]["compact_gz"] == ""
        assert (await admin.delete("/api/prices/maps/mine")).status == 200
        assert (await admin.get("/api/prices", pattern="openai/gpt-4o")).json["prices"][0]["price"]["version"] != "mine"


async def test_a_bad_map_is_refused_with_model_and_field(tmp_path):
    async with office(tmp_path) as admin:
        refused = await admin.post(
            "/api/prices/import", {"map": {"m": ROW | {"input_cost_per_token": -1}}, "apply": True}
        )
        assert (refused.status, refused.error["param"]) == (400, "map.m.input_cost_per_token")


async def test_a_recomputation_is_told_first_then_written_with_budget_and_audit(tmp_path):
    async with office(tmp_path, make_budget(USD)) as admin:
        tokens = (await ask(admin.gateway, max_tokens=20)).json["usage"]["total_tokens"]
        await ask(admin.gateway, model="demo/echo", max_tokens=20)
        rates = {"input_usd_per_million": 2, "output_usd_per_million": 2}
        await admin.made("/api/prices/overrides", {"model": "demo/priced", "rates": rates, **LONG_AGO})
        told = (await admin.post("/api/prices/recompute", RANGE)).json
        assert (told["applied"], told["attempts"], told["corrections"]) == (False, 2, 1)
        assert told["difference_nano_usd"] == tokens * 1_000
        assert costs(tmp_path)[0] == tokens * 1_000
        done = (await admin.post("/api/prices/recompute", {**RANGE, "apply": True})).json
        assert (done["applied"], done["difference_nano_usd"]) == (True, tokens * 1_000)
        assert costs(tmp_path)[0] == tokens * 2_000
        (budget,) = (await admin.get("/api/budgets")).json["budgets"]
        assert budget["spent_nano_usd"] == tokens * 2_000
        again = (await admin.post("/api/prices/recompute", {**RANGE, "apply": True})).json
        assert again["corrections"] == 0
        entries = (await admin.get("/api/audit", object_kind="price")).json["entries"]
        assert [entry["action"] for entry in entries] == [
            "recompute", "begin_recompute", "recompute", "begin_recompute", "create",
        ]  # fmt: skip
    assert [check for check in audit(tmp_path / "u.db") if check.wrong] == []


async def test_models_in_use_without_a_price_are_named(tmp_path):
    async with vendor() as address, office(tmp_path, OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=address) as admin:
        assert (await ask(admin.gateway, model="openai/nobody-knows-it")).status == 200
        await ask(admin.gateway)
        book = (await admin.get("/api/prices", limit=1)).json
        assert book["unpriced_in_use"] == [
            {"model": "openai/nobody-knows-it", "requests": 1, "unpriced_requests": 1, "priced_now": False}
        ]
        rates = {"input_usd_per_million": 1, "output_usd_per_million": 1}
        await admin.made("/api/prices/overrides", {"model": "openai/nobody-*", "rates": rates, **LONG_AGO})
        done = (await admin.post("/api/prices/recompute", {**RANGE, "apply": True})).json
        assert (done["corrections"], done["models"][0]["newly_priced"]) == (1, 1)
        assert (await admin.get("/api/prices", limit=1)).json["unpriced_in_use"] == []
        assert len(book["prices"]) == 1
        assert book["next_cursor"] == book["prices"][0]["model"]
        second = (await admin.get("/api/prices", limit=1, cursor=book["next_cursor"])).json
        assert second["prices"][0]["model"] > book["next_cursor"]


async def test_pages_are_the_whole_book(tmp_path):
    async with office(tmp_path) as admin:
        seen, cursor = [], ""
        while cursor is not None:
            page = (await admin.get("/api/prices", limit=1000, cursor=cursor)).json
            seen += [row["model"] for row in page["prices"]]
            cursor = page["next_cursor"]
        assert seen == sorted(set(seen))
        assert {"demo/echo", "openai/gpt-4o", "openai/whisper-1"} <= set(seen)
        assert json.dumps(page)
