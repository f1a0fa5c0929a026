"""Answers that are given again, on a gateway that runs in this process."""

import asyncio
import contextlib
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from money import USD, ask, make_budget, make_key, running
from vendor import vendor

from gateway.caching.answers import key_of
from gateway.caching.memory import MemoryBackend
from gateway.domain.entry import Operation
from gateway.domain.request import ModelRequest
from gateway.domain.scope import Scope, Subject
from gateway.store.sqlite.audit import audit

pytestmark = pytest.mark.anyio

ON = {"GATEWAY_CACHE_TTL_S": "60"}


def rows(folder, statement):
    with sqlite3.connect(folder / "u.db") as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("stream", [False, True])
async def test_the_same_request_gets_the_same_bytes_for_nothing(tmp_path, stream):
    async with running(tmp_path, **ON) as gateway:
        first = await ask(gateway, stream=stream)
        second = await ask(gateway, stream=stream)
        assert first.body == second.body
        assert (first.headers["x-gateway-cache"], second.headers["x-gateway-cache"]) == ("miss", "hit")
        assert first.headers["content-type"] == second.headers["content-type"]
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        if not stream:
            assert (second.headers["x-gateway-cost-usd"], second.headers["x-gateway-cost-source"]) == (
                "0.000000000",
                "cache",
            )
    costs = rows(tmp_path, "SELECT cost_nano_usd, saved_nano_usd, cost_source, input_tokens FROM ledger ORDER BY id")
    assert costs[0][0] > 0
    assert costs[1] == (0, costs[0][0], 4, 0)
    assert all(check.wrong == 0 for check in audit(tmp_path / "u.db"))


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 0.5},
        {"messages": [{"role": "user", "content": "y"}]},
        {"max_tokens": 7},
        {"stream": True},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"seed": 1},
        {"user": "somebody"},
        {"model": "demo/echo"},
        {"headers": {"x-user-id": "bob"}},
        {"headers": {"x-application-id": "other"}},
        {"headers": {"x-gateway-cache": "off"}},
        {"headers": {"cache-control": "no-cache"}},
    ],
)
async def test_any_difference_is_another_request(tmp_path, changed):
    async with running(tmp_path, **ON) as gateway:
        await ask(gateway)
        assert (await ask(gateway, **changed)).headers.get("x-gateway-cache") != "hit"
        assert (await ask(gateway)).headers["x-gateway-cache"] == "hit"


async def test_nobody_is_given_what_another_key_was_answered(tmp_path):
    (one, first), (two, second) = make_key(), make_key()
    async with running(tmp_path, one, two, **ON) as gateway:
        assert (await ask(gateway, first)).headers["x-gateway-cache"] == "miss"
        assert (await ask(gateway, second)).headers["x-gateway-cache"] == "miss"
        assert (await ask(gateway, first)).headers["x-gateway-cache"] == "hit"


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 1, "messages": [{"role": "user", "content": "many words are cut"}]},
        {"n": 2},
        {"web_search_options": {}},
        {"tools": [{"type": "web_search"}]},
        {"store": True},
        {"path": "/api/chat"},
    ],
)
async def test_what_is_not_whole_or_not_only_of_the_request_is_not_kept(tmp_path, fields):
    async with running(tmp_path, **ON) as gateway:
        for _ in range(3):
            reply = await ask(gateway, **fields)
            assert reply.headers.get("x-gateway-cache") != "hit"


async def test_refusals_and_errors_are_not_kept(tmp_path):
    message = {"role": "assistant", "content": None, "refusal": "No."}
    refused = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    async with (
        vendor(**refused) as url,
        running(tmp_path, **ON, OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-of-the-tests") as gateway,
    ):
        for _ in range(2):
            assert (await ask(gateway, model="openai/gpt-4o")).headers["x-gateway-cache"] == "miss"
        for _ in range(2):
            assert (await ask(gateway, model="demo/error")).status == 503
    assert rows(tmp_path, "SELECT count(*) FROM ledger WHERE cost_source = 4") == [(0,)]


async def test_where_content_is_not_stored_nothing_is_kept(tmp_path):
    key, secret = make_key(store_content=False)
    async with running(tmp_path, key, **ON) as gateway:
        for _ in range(2):
            assert "x-gateway-cache" not in (await ask(gateway, secret)).headers
    async with running(tmp_path, STORE_CONTENT="false", **ON) as gateway:
        for _ in range(2):
            assert "x-gateway-cache" not in (await ask(gateway)).headers


async def test_a_hit_needs_rights_and_takes_no_budget(tmp_path):
    key, secret = make_key()
    budget = make_budget(USD, Scope("key", key.id))
    async with running(tmp_path, key, budget, **ON) as gateway:
        await ask(gateway, secret, max_tokens=500)
        (account,) = gateway.store.accounts()
        spent = account.spent_nano_usd
        assert (await ask(gateway, secret, max_tokens=500)).headers["x-gateway-cache"] == "hit"
        (account,) = gateway.store.accounts()
        assert (account.spent_nano_usd, account.held_nano_usd) == (spent, 0)


async def test_a_hit_counts_for_the_deployment_that_gave_the_answer(tmp_path):
    (tmp_path / "gateway.toml").write_text('[routes.r]\ndeployments = ["demo/error", "demo/priced"]\n')
    async with running(tmp_path, GATEWAY_CONFIG=str(tmp_path / "gateway.toml"), **ON) as gateway:
        first, second = await ask(gateway, model="r"), await ask(gateway, model="r")
        assert (first.headers["x-gateway-attempts"], second.headers["x-gateway-cache"]) == ("2", "hit")
        assert second.headers["x-gateway-model"] == "demo/priced"
    assert [row[0] for row in rows(tmp_path, "SELECT model FROM requests")] == ["demo/priced", "demo/priced"]


async def test_a_kept_answer_is_forgotten_after_its_time(tmp_path):
    async with running(tmp_path, GATEWAY_CACHE_TTL_S="0.2") as gateway:
        await ask(gateway)
        assert (await ask(gateway)).headers["x-gateway-cache"] == "hit"
        await asyncio.sleep(0.3)
        assert (await ask(gateway)).headers["x-gateway-cache"] == "miss"


async def test_a_repetition_by_key_of_a_hit_replays_the_hit(tmp_path):
    async with running(tmp_path, **ON) as gateway:
        await ask(gateway)
        hit = await ask(gateway, headers={"idempotency-key": "once"})
        again = await ask(gateway, headers={"idempotency-key": "once"})
        assert (again.body, again.headers["x-request-id"]) == (hit.body, hit.headers["x-request-id"])


async def test_memory_keeps_the_newest_within_its_size():
    memory = MemoryBackend(1_000)
    for number in range(20):
        await memory.put(b"%d" % number, bytes(100), 60)
    assert memory.size == 1_000
    assert await memory.get(b"9") is None
    assert await memory.get(b"10") == bytes(100)
    await memory.put(b"large", bytes(1_001), 60)
    assert await memory.get(b"large") is None


names = st.text(max_size=4)
fields = st.dictionaries(names, st.sampled_from([b"1", b"null", b'"x"', b"[1]"]), max_size=3)
askings = st.builds(
    lambda fields, model, stream, key, user, route, scope: (
        ModelRequest(
            operation=Operation.CHAT, model=model, stream=stream, fields=fields, size=0, query="", messages=None,
            application_id="", user_id="",
        ),
        Subject("", user, key, ""), route, scope,
    ),
    fields, names, st.booleans(), names, names, names, names,
)  # fmt: skip


@given(askings, askings)
def test_two_requests_have_one_key_only_if_they_are_the_same(one, other):
    def said(asking):
        request, subject, route, scope = asking
        return (request.fields, request.model, request.stream, subject.key_id, subject.user_id, route, scope)

    assert (key_of(*one) == key_of(*other)) == (said(one) == said(other))


@contextlib.contextmanager
def redis_server(folder):
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0", server
    finally:
        server.kill()
        server.wait()


async def test_redis_keeps_answers_over_a_restart_and_is_passed_over_when_it_is_away(tmp_path):
    with redis_server(tmp_path) as (url, server):
        async with running(tmp_path, **ON, REDIS_URL=url) as gateway:
            first = await ask(gateway)
            assert first.headers["x-gateway-cache"] == "miss"
        async with running(tmp_path, **ON, REDIS_URL=url) as gateway:
            second = await ask(gateway)
            assert (second.headers["x-gateway-cache"], second.body) == ("hit", first.body)
            server.kill()
            server.wait()
            assert [(await ask(gateway)).status for _ in range(3)] == [200] * 3
