"""Budgets and rate limits over their routes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from money import ask
from office import office

from gateway.domain.time import iso_z, now_ms

pytestmark = pytest.mark.anyio

ON_ALL = {"kind": "everything"}


async def test_a_new_budget_knows_what_was_spent_before_it_was_made(tmp_path):
    async with office(tmp_path) as it:
        reply = await ask(it.gateway)
        cost = reply.json["usage"]["total_tokens"] * 1000
        made = await it.made("/api/budgets", {"scope": ON_ALL, "amount_usd": 1, "period": "month"})
        assert (made["spent_nano_usd"], made["held_nano_usd"], made["remaining_nano_usd"]) == (cost, 0, 10**9 - cost)
        assert made["limit_usd"] == made["amount_usd"] == 1
        assert made["hard"] is True
        assert made["thresholds"] == [80, 100]
        await ask(it.gateway)
        assert (await it.get(f"/api/budgets/{made['id']}")).json["spent_nano_usd"] == 2 * cost


async def test_what_is_spent_stays_while_the_amount_changes_and_is_summed_up_anew_for_another_scope(tmp_path):
    async with office(tmp_path) as it:
        await ask(it.gateway)
        made = await it.made("/api/budgets", {"scope": ON_ALL, "amount_usd": 1, "period": "day"})
        smaller = (await it.patch(f"/api/budgets/{made['id']}", {"amount_usd": 0.5, "hard": False})).json
        assert (smaller["spent_usd"], smaller["amount_usd"], smaller["hard"]) == (made["spent_usd"], 0.5, False)
        assert smaller["spent_usd"] > 0
        other = (await it.patch(f"/api/budgets/{made['id']}", {"scope": {"kind": "user", "name": "nobody"}})).json
        assert (other["spent_usd"], other["scope"]) == (0, {"kind": "user", "name": "nobody"})


async def test_a_raise_counts_until_its_end_and_null_ends_it(tmp_path):
    soon = iso_z(now_ms() + 300)
    async with office(tmp_path) as it:
        made = await it.made("/api/budgets", {"scope": ON_ALL, "amount_usd": 1, "period": "total"})
        path = f"/api/budgets/{made['id']}"
        raised = (await it.patch(path, {"raised_to_usd": 50, "raised_until": "2100-01-01T00:00:00Z"})).json
        assert (raised["amount_usd"], raised["limit_usd"], raised["remaining_usd"]) == (1, 50, 50)
        assert raised["raised_until"] == "2100-01-01T00:00:00.000Z"
        assert (await it.patch(path, {"raised_to_usd": None})).error["param"] == "raised_to_usd"
        assert (await it.patch(path, {"raised_to_usd": 1})).error["param"] == "raised_to_usd"
        assert (await it.patch(path, {"amount_usd": 60})).error["param"] == "raised_to_usd"
        ended = (await it.patch(path, {"raised_to_usd": None, "raised_until": None})).json
        assert (ended["limit_usd"], ended["raised_until"]) == (1, None)
        await it.patch(path, {"raised_to_usd": 2, "raised_until": soon})
        await asyncio.sleep(0.35)
        assert (await it.get(path)).json["limit_usd"] == 1
        assert (await it.patch(path, {"amount_usd": 60})).json["raised_to_usd"] is None


async def test_a_budget_says_when_its_period_began_and_when_it_resets(tmp_path):
    async with office(tmp_path) as it:
        day = await it.made("/api/budgets", {"scope": ON_ALL, "amount_usd": 1, "period": "day"})
        start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        assert datetime.fromisoformat(day["resets_at"]) - datetime.fromisoformat(day["period_start"]) == timedelta(
            days=1
        )
        assert datetime.fromisoformat(day["period_start"]) in {start, start - timedelta(days=1)}
        kolkata = (await it.patch(f"/api/budgets/{day['id']}", {"tz": "Asia/Kolkata"})).json
        assert kolkata["period_start"].endswith("T18:30:00.000Z")
        total = await it.made("/api/budgets", {"scope": ON_ALL, "amount_usd": 1, "period": "total"})
        assert total["resets_at"] is None


async def test_a_budget_on_a_new_key_refuses_what_is_too_much_and_a_greater_one_lets_it_in(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "n", "budgets": [{"amount_usd": "0.000001", "period": "day"}]})
        assert (await ask(it.gateway, made["key"])).error["code"] == "budget_exceeded"
        await it.patch(f"/api/budgets/{made['budgets'][0]['id']}", {"amount_usd": 1000})
        assert (await ask(it.gateway, made["key"])).status == 200
        await it.patch(f"/api/budgets/{made['budgets'][0]['id']}", {"amount_usd": "0.000001"})
        assert (await it.delete(f"/api/budgets/{made['budgets'][0]['id']}")).status == 200
        assert (await ask(it.gateway, made["key"])).status == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"scope": {"kind": "team", "name": "x"}}, "scope.kind"), ({"scope": {"kind": "user"}}, "scope.name"),
        ({"scope": {"kind": "everything", "name": "x"}}, "scope.name"),
        ({"scope": {"kind": "key", "name": "0" * 16}}, "scope.name"),
        ({"amount_usd": 0}, "amount_usd"), ({"amount_usd": -1}, "amount_usd"), ({"amount_usd": 4611686019}, "amount_usd"),
        ({"amount_usd": "NaN"}, "amount_usd"), ({"amount_usd": "Infinity"}, "amount_usd"), ({"amount_usd": True}, "amount_usd"),
        ({"amount_usd": 0.0000000001}, "amount_usd"), ({"amount_usd": "1e-400"}, "amount_usd"),
        ({"amount_usd": "1e999999"}, "amount_usd"),
        ({"period": "year"}, "period"), ({"tz": "Mars/Olympus"}, "tz"), ({"tz": "../etc/passwd"}, "tz"), ({"hard": "yes"}, "hard"),
        ({"thresholds": [0]}, "thresholds"), ({"thresholds": [1001]}, "thresholds"),
        ({"thresholds": list(range(1, 30))}, "thresholds"),
        ({"raised_to_usd": 5}, "raised_until"), ({"raised_until": "2100-01-01"}, "raised_to_usd"),
        ({"raised_to_usd": 5, "raised_until": "2020-01-01"}, "raised_until"), ({"spent_usd": 0}, "spent_usd"), ({"id": "x"}, "id"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_name(tmp_path, fields, param):
    async with office(tmp_path) as it:
        good = {"scope": {"kind": "user", "name": "alice"}, "amount_usd": 1, "period": "day"}
        made = await it.made("/api/budgets", good)
        for reply in (
            await it.post("/api/budgets", {**good, **fields}),
            await it.patch(f"/api/budgets/{made['id']}", fields),
        ):
            assert (reply.status, reply.error["param"]) == (400, param), reply.body
            assert reply.error["message"].startswith(f"{param}: ")
        assert (await it.get("/api/budgets")).json["budgets"] == [made]


async def test_thresholds_are_kept_ascending_and_once(tmp_path):
    async with office(tmp_path) as it:
        given = {"scope": ON_ALL, "amount_usd": 1, "period": "day", "thresholds": [100, 50, 100]}
        assert (await it.made("/api/budgets", given))["thresholds"] == [50, 100]


async def test_a_rate_limit_counts_from_when_it_is_made_until_it_is_deleted(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/limits", {"scope": {"kind": "user", "name": "anonymous"}, "requests_per_minute": 1})
        assert [(await ask(it.gateway)).status for _ in range(2)] == [200, 429]
        wider = (await it.patch(f"/api/limits/{made['id']}", {"requests_per_minute": 100, "concurrency": 5})).json
        assert (wider["requests_per_minute"], wider["tokens_per_minute"], wider["concurrency"]) == (100, None, 5)
        assert (await it.get(f"/api/limits/{made['id']}")).json == wider
        assert (await it.get("/api/limits")).json["limits"] == [wider]
        assert (await ask(it.gateway)).status == 200
        nothing = await it.patch(f"/api/limits/{made['id']}", {"requests_per_minute": None, "concurrency": None})
        assert nothing.error["param"] == "requests_per_minute"
        assert (await it.delete(f"/api/limits/{made['id']}")).status == 200
        assert (await it.patch(f"/api/limits/{made['id']}", {})).status == 404
    async with office(tmp_path) as it:
        assert (await it.get("/api/limits")).json["limits"] == []


async def test_one_budget_says_who_holds_how_much_of_it(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made(
            "/api/budgets", {"scope": {"kind": "model", "name": "demo/*"}, "amount_usd": 1, "period": "day"}
        )
        call = asyncio.create_task(ask(it.gateway, model="demo/story", stream=True, max_tokens=9))
        await asyncio.sleep(0.3)
        shown = (await it.get(f"/api/budgets/{made['id']}")).json
        await call
        (held,) = shown["holds"]
        assert (held["model"], held["user_id"], held["key_id"]) == ("demo/story", "anonymous", "admin")
        assert (await it.get(f"/api/budgets/{made['id']}")).json["holds"] == []
