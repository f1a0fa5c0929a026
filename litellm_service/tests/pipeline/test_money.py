"""What keys and budgets let through: the whole service in this process, on a real file."""

import asyncio
import sqlite3

import msgspec
import pytest
from money import ADMIN, USD, ask, make_budget, make_key, running, send

from gateway.domain.administration import Change, Put
from gateway.domain.limit import RateLimit
from gateway.domain.scope import Scope
from gateway.store.sqlite.audit import audit

pytestmark = pytest.mark.anyio


def rows(folder, statement):
    with sqlite3.connect(folder / "u.db") as connection:
        return connection.execute(statement).fetchall()


async def test_without_a_budget_nothing_is_held_and_the_body_is_not_touched(tmp_path):
    async with running(tmp_path) as gateway:
        assert (await ask(gateway)).status == 200
    assert rows(tmp_path, "SELECT held_nano_usd FROM ledger") == [(0,)]


async def test_under_a_hard_budget_the_worst_case_is_held_and_the_rest_comes_back(tmp_path):
    async with running(tmp_path, make_budget(USD)) as gateway:
        reply = await ask(gateway, max_tokens=100)
        assert reply.status == 200
        (account,) = gateway.store.accounts()
        cost = reply.json["usage"]["total_tokens"] * 1000
        assert (account.spent_nano_usd, account.held_nano_usd) == (cost, 0)
    ((held, settled),) = rows(tmp_path, "SELECT held_nano_usd, cost_nano_usd FROM ledger")
    assert 100_000 < held < 1_400_000
    assert settled == cost
    assert [check for check in audit(tmp_path / "u.db") if check.wrong] == []


async def test_a_request_that_may_cost_more_than_is_left_gets_402_and_leaves_no_row(tmp_path):
    async with running(tmp_path, make_budget(1_000_000, Scope("model", "demo/*"))) as gateway:
        reply = await ask(gateway, max_tokens=100_000)
        assert reply.status == 402
        assert reply.error["code"] == "budget_exceeded"
        assert reply.error["details"]["budget"]["limit_usd"] == 0.001
        assert (await ask(gateway, model="demo/echo", max_tokens=100_000)).status == 200
    assert rows(tmp_path, "SELECT count(*) FROM ledger") == [(1,)]
    assert rows(tmp_path, "SELECT code, count FROM refusals") == [("budget_exceeded", 1)]


async def test_a_hard_budget_bounds_answers_that_nobody_bounded(tmp_path):
    long = " ".join(["word"] * 60)
    async with running(tmp_path, make_budget(USD), GATEWAY_DEFAULT_MAX_TOKENS="20") as gateway:
        reply = await ask(gateway, messages=[{"role": "user", "content": long}])
        assert reply.json["usage"]["completion_tokens"] == 20
    async with running(tmp_path, make_budget(USD, hard=False), GATEWAY_DEFAULT_MAX_TOKENS="20") as gateway:
        reply = await ask(gateway, messages=[{"role": "user", "content": long}])
        assert reply.json["usage"]["completion_tokens"] >= 60


async def test_a_key_is_held_to_its_models_routes_and_answers(tmp_path):
    key, secret = make_key(models=("demo/echo", "demo/pri*"), routes=("/v1/*",), max_tokens=50, default_max_tokens=5)
    async with running(tmp_path, key) as gateway:
        assert (await ask(gateway, secret, model="demo/story")).error["param"] == "model"
        assert (await ask(gateway, secret, max_tokens=51)).error["param"] == "max_tokens"
        assert (await ask(gateway, secret, "/api/chat")).status == 403
        reply = await ask(gateway, secret, messages=[{"role": "user", "content": "a b c d e f g h i j"}])
        assert reply.json["usage"]["completion_tokens"] == 5
        assert (await ask(gateway, secret, max_tokens=50)).status == 200
    assert rows(tmp_path, "SELECT code, sum(count) FROM refusals GROUP BY code") == [("not_allowed", 3)]
    assert rows(tmp_path, "SELECT DISTINCT key_id FROM requests") == [(key.id,)]


async def test_the_most_that_one_request_may_cost_shortens_the_answer_or_refuses(tmp_path):
    key, secret = make_key(max_cost_per_request_nano_usd=1_300_000)
    words = " ".join(["word"] * 9)
    async with running(tmp_path, key) as gateway:
        assert (await ask(gateway, secret, messages=[{"role": "user", "content": words}])).status == 200
        refused = await ask(gateway, secret, max_tokens=5_000)
        assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")
        assert refused.error["details"]["max_cost_per_request_usd"] == 0.0013
        assert (await ask(gateway, secret, messages=[{"role": "user", "content": "w " * 2_000}])).status == 402
    assert rows(tmp_path, "SELECT max(cost_nano_usd) <= 1300000, count(*) FROM ledger") == [(1, 1)]


async def test_an_unpriced_model_is_refused_only_where_money_is_limited(tmp_path):
    key, secret = make_key(max_cost_per_request_nano_usd=USD)
    environment = {"OLLAMA_BASE_URL": "http://127.0.0.1:9/v1"}
    async with running(tmp_path, key, make_budget(USD, Scope("user", "bob")), **environment) as gateway:
        for headers, secret_ in (({"x-user-id": "bob"}, ADMIN), ({}, secret)):
            reply = await ask(gateway, secret_, model="ollama/of-my-own", headers=headers)
            assert (reply.status, reply.error["code"]) == (402, "model_price_unknown")
        assert (await ask(gateway, model="ollama/of-my-own")).status == 502


async def test_content_of_a_key_that_keeps_none_is_not_stored(tmp_path):
    key, secret = make_key(store_content=False)
    async with running(tmp_path, key) as gateway:
        await ask(gateway, secret, messages=[{"role": "user", "content": "canary-7f"}])
    assert rows(tmp_path, "SELECT query, response, messages FROM requests") == [("", None, None)]
    assert b"canary-7f" not in (tmp_path / "u.db").read_bytes()


async def test_a_key_that_is_blocked_ends_its_stream_and_no_other(tmp_path):
    (one, one_secret), (other, other_secret) = make_key(), make_key()
    async with running(tmp_path, one, other) as gateway:
        streams = [
            asyncio.create_task(ask(gateway, secret, model="demo/story", stream=True))
            for secret in (one_secret, other_secret)
        ]
        await asyncio.sleep(0.4)
        gateway._running.recheck(one.id, None, 0)
        ended, went_on = await asyncio.gather(*streams)
    assert b"unauthenticated" in ended.body
    assert b"[DONE]" not in ended.body
    assert went_on.body.endswith(b"data: [DONE]\n\n")
    assert rows(
        tmp_path, f"SELECT outcome, http_status, completion_tokens > 0 FROM requests WHERE key_id = '{one.id}'"
    ) == [("failed", 401, 1)]


async def test_a_repetition_gets_the_first_answer_and_is_billed_once(tmp_path):
    async with running(tmp_path) as gateway:
        for stream in (False, True):
            headers = {"idempotency-key": f"k{stream}"}
            first, again = [await ask(gateway, headers=headers, stream=stream) for _ in range(2)]
            assert (again.status, again.body) == (200, first.body)
            assert again.headers["x-request-id"] == first.headers["x-request-id"]
            assert again.headers["idempotent-replayed"] == "true"
            other = await ask(gateway, headers=headers, stream=stream, max_tokens=9)
            assert (other.status, other.error["code"]) == (422, "idempotency_mismatch")
    assert rows(tmp_path, "SELECT count(*) FROM requests") == [(2,)]


async def test_a_repetition_waits_for_the_first_and_is_free_if_that_fails(tmp_path):
    async with running(tmp_path) as gateway:
        headers = {"idempotency-key": "k"}
        running_one = asyncio.create_task(ask(gateway, model="demo/story", headers=headers))
        await asyncio.sleep(0.1)
        assert (await ask(gateway, model="demo/story", headers=headers)).error["code"] == "idempotency_in_progress"
        assert (await running_one).status == 200
        failing = {"idempotency-key": "f"}
        assert [(await ask(gateway, model="demo/error", headers=failing)).status for _ in range(2)] == [503, 503]
    assert rows(tmp_path, "SELECT count(*) FROM requests") == [(3,)]


async def test_a_repetition_whose_answer_is_not_kept_is_told_so(tmp_path):
    key, secret = make_key(store_content=False)
    async with running(tmp_path, key) as gateway:
        replies = [await ask(gateway, secret, headers={"idempotency-key": "k"}) for _ in range(2)]
    assert replies[1].error["code"] == "idempotency_result_not_stored"


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


async def test_a_body_that_cannot_be_read_twice_is_settled_all_the_same(tmp_path):
    key, secret = make_key()
    limit = RateLimit(id="l", scope=Scope("key", key.id), concurrency=1)
    headers = {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    async with running(tmp_path, key, make_budget(USD), limit) as gateway:
        for depth in range(900, 1000, 4):
            body = f'{{"model":"demo/priced","max_tokens":5,"messages":[{{"role":"user","content":"x","y":{nested(depth)}}}]}}'
            reply = await send(gateway, "POST", "/v1/chat/completions", headers, body.encode())
            assert reply.status in {200, 400, 502}, (depth, reply.body)
        assert gateway.store.open_holds() == []
        assert gateway.store.accounts()[0].held_nano_usd == 0
        assert (await ask(gateway, secret, max_tokens=5)).status == 200


@pytest.mark.parametrize("field", ["route", "preset", "fallbacks"])
async def test_a_body_may_not_steer_around_a_key_or_a_budget(tmp_path, field):
    key, secret = make_key(models=("demo/*",))
    async with running(tmp_path, key, make_budget(USD, Scope("user", "bob"))) as gateway:
        for who, headers in ((secret, {}), (ADMIN, {"x-user-id": "bob"})):
            reply = await ask(gateway, who, headers=headers, **{field: ["openai/o1-pro"]})
            assert (reply.status, reply.error["param"]) == (403, field)
        assert (await ask(gateway, **{field: ["openai/o1-pro"]})).status == 200
        assert (await ask(gateway, secret, **{field: None})).status == 200


async def test_fields_that_are_null_are_as_good_as_absent(tmp_path):
    async with running(tmp_path, make_budget(2_000_000)) as gateway:
        for fields in ({"tools": None}, {"web_search_options": None, "prompt": None, "prediction": None}):
            assert (await ask(gateway, max_tokens=10, **fields)).status == 200


async def test_a_budget_made_at_this_very_moment_lets_nothing_through_unheld(tmp_path):
    async with running(tmp_path) as gateway:
        step = Put("budget", "b1", make_budget(1))
        changed = gateway.store.change(Change(steps=(step,), audit=()))
        replies = await asyncio.gather(*(ask(gateway) for _ in range(20)))
        await changed
        assert {reply.status for reply in replies} == {503}
        assert {reply.headers["retry-after"] for reply in replies} == {"1"}
        assert gateway.store.accounts()[0].spent_nano_usd == 0


async def test_a_key_narrowed_while_a_request_waits_for_its_hold_ends_it(tmp_path):
    key, secret = make_key()
    async with running(tmp_path, key) as gateway:
        call = asyncio.create_task(ask(gateway, secret, model="demo/story"))
        for _ in range(3):
            await asyncio.sleep(0)
        narrowed = msgspec.structs.replace(key, models=("demo/echo",))
        gateway._keys.put(narrowed)
        gateway._running.recheck(key.id, narrowed, 0)
        assert (await call).status == 403


async def test_the_lists_of_models_show_a_key_what_it_may_call(tmp_path):
    key, secret = make_key(models=("demo/e*",))
    async with running(tmp_path, key) as gateway:
        headers = {"authorization": f"Bearer {secret}"}
        listed = (await send(gateway, "GET", "/v1/models", headers)).json["data"]
        assert [model["id"] for model in listed] == ["demo/echo", "demo/error"]
        assert (await send(gateway, "GET", "/v1/models/demo/echo", headers)).status == 200
        assert (await send(gateway, "GET", "/v1/models/demo/story", headers)).status == 404
        ours = (await send(gateway, "GET", "/api/models", headers)).json
        assert (ours["total"], ours["providers"]["demo"]["callable"]) == (2, True)
        everybody = (await send(gateway, "GET", "/api/models", {"authorization": f"Bearer {ADMIN}"})).json
        assert everybody["total"] > 1_000
