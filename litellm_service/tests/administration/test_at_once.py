"""What an administrator changes counts at once, for what runs too."""

import asyncio
import json
import sqlite3

import pytest
from money import ask, send
from office import office

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda it, path: it.post(f"{path}/block"), 401, b"unauthenticated"),
        (lambda it, path: it.delete(path), 401, b"unauthenticated"),
        (lambda it, path: it.patch(path, {"models": ["demo/echo"]}), 403, b"not_allowed"),
        (lambda it, path: it.patch(path, {"routes": ["/api/*"]}), 403, b"not_allowed"),
        (lambda it, path: it.patch(path, {"role": "viewer"}), 403, b"not_allowed"),
    ],
    ids=["block", "delete", "models", "routes", "role"],
)
async def test_a_stream_ends_when_its_key_may_not_go_on(tmp_path, change, status, code):
    async with office(tmp_path) as it:
        made, other = [await it.made("/api/keys", {"name": "n"}) for _ in range(2)]
        streams = [
            asyncio.create_task(ask(it.gateway, one["key"], model="demo/story", stream=True)) for one in (made, other)
        ]
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        assert (await change(it, f"/api/keys/{made['id']}")).status == 200
        ended = await streams[0]
        assert asyncio.get_running_loop().time() - began < 1
        assert code in ended.body
        assert b"[DONE]" not in ended.body
        assert (await ask(it.gateway, made["key"])).status == status
        assert (await streams[1]).body.endswith(b"data: [DONE]\n\n")
    with sqlite3.connect(tmp_path / "u.db") as connection:
        rows = connection.execute(
            "SELECT outcome, http_status FROM requests WHERE key_id = ?", (made["id"],)
        ).fetchall()
    assert rows == [("failed", status)]


async def test_a_stream_goes_on_when_nothing_is_taken_from_its_key(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "n", "models": ["demo/*"]})
        stream = asyncio.create_task(ask(it.gateway, made["key"], model="demo/story", stream=True))
        await asyncio.sleep(0.3)
        await it.patch(f"/api/keys/{made['id']}", {"models": ["demo/story"], "name": "m", "routes": ["/v1/*"]})
        await it.post(f"/api/keys/{made['id']}/rotate", {"grace_s": 60})
        assert (await stream).body.endswith(b"data: [DONE]\n\n")


async def test_a_key_that_is_blocked_while_its_body_comes_in_calls_nobody(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "n"})
        half, whole = asyncio.Event(), asyncio.Event()
        body = json.dumps({"model": "demo/echo", "messages": [{"role": "user", "content": "x"}]}).encode()

        async def slow():
            half.set()
            await whole.wait()
            return body

        headers = {"content-type": "application/json", "authorization": f"Bearer {made['key']}"}
        call = asyncio.create_task(send(it.gateway, "POST", "/v1/chat/completions", headers, slow))
        await half.wait()
        await it.post(f"/api/keys/{made['id']}/block")
        whole.set()
        assert (await call).status == 401
