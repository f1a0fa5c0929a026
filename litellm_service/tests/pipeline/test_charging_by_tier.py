"""An answer is charged at the service tier that the provider says it was served by."""

import asyncio
import contextlib
import json
import sqlite3

import pytest
from money import USD, ask, make_budget, running

pytestmark = pytest.mark.anyio

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


@contextlib.asynccontextmanager
async def vendor(**more: object):
    """An upstream that gives every caller the same answer; the address of its OpenAI routes."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = json.dumps({"choices": [choice], "usage": USAGE, **more}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % len(body)
            + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


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
