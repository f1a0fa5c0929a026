"""SIGTERM with open streams: they end whole, new calls are refused, no usage is lost."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from auditing import compare
from figures import record
from load import Load
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, Client, connect, post, request_bytes
from stack import ApiService, Mock, running_api

pytestmark = pytest.mark.anyio

STREAMS = 12
TOKENS = 60


async def open_stream(api: ApiService, delay_ms: int = 20) -> Client:
    text = prompt(new_marker(), tokens=TOKENS, delay_ms=delay_ms)
    client, reply = await post(api.port, ROUTES["openai"], body("openai", text, stream=True))
    assert reply.status == 200
    return client


async def test_open_streams_and_plain_calls_end_whole(folder: Path, mock: Mock) -> None:
    with running_api(folder, mock.url) as api:
        streams = [await open_stream(api) for _ in range(STREAMS)]
        plain = await connect(api.port)
        slow = prompt(new_marker(), first_ms=1000, tokens=TOKENS)
        await plain.send(request_bytes(ROUTES["seed"], body("seed", slow, stream=False)))
        idle = await connect(api.port)
        await idle.send(request_bytes("/health", b"", method="GET"))
        await idle.head()
        await idle.read_all()
        await asyncio.sleep(0.1)
        api.terminate()
        await asyncio.sleep(0.2)
        assert not await is_taken(api, idle)
        for data in await asyncio.gather(*(client.read_all() for client in streams)):
            assert data.endswith(b"data: [DONE]\n\n")
        assert (await plain.head()).status == 200
        assert json.loads(await plain.read_all())["metadata"]["tokens"]["completion"] == TOKENS
        assert await asyncio.to_thread(api.wait) == 0
        rows = api.rows("SELECT completion_tokens, outcome, cost_source FROM requests")
        assert [tuple(row.values()) for row in rows] == [(TOKENS, "completed", "computed")] * (STREAMS + 1)
        for client in (*streams, plain, idle):
            await client.leave("fin")


async def is_taken(api: ApiService, kept: Client) -> bool:
    """Whether a new call is taken while the service stops: on a kept connection or a new one."""
    for client in (kept, None):
        try:
            used = client or await connect(api.port)
            await used.send(request_bytes(ROUTES["seed"], body("seed", "hi", stream=False)))
            reply = await used.head(deadline_s=2)
        except (OSError, Broken):
            continue
        if reply.status == 200:
            return True
        assert reply.status == 503
        assert json.loads(await used.read_all())["error"]["code"] == "shutting_down"
    return False


async def test_a_stream_longer_than_the_drain_is_recorded_as_far_as_it_went(folder: Path, mock: Mock) -> None:
    with running_api(folder, mock.url, None, GATEWAY_DRAIN_S="1") as api:
        client = await open_stream(api, delay_ms=500)
        await asyncio.sleep(0.3)
        api.terminate()
        assert await asyncio.to_thread(api.wait, 10) == 0
        with contextlib.suppress(Broken):
            assert b"[DONE]" not in await client.read_all()
        await client.leave("fin")
        rows = api.rows("SELECT r.outcome, l.estimated FROM requests r JOIN ledger l ON l.final")
        assert [row["estimated"] for row in rows] == [1]
        assert rows[0]["outcome"] in {"failed", "abandoned"}
        assert api.open_holds() == 0


async def test_stopping_under_load_loses_no_usage(folder: Path, fresh_mock: Mock) -> None:
    with running_api(folder, fresh_mock.url) as api:
        loads = []
        for _ in range(3):
            load = Load(api.port, workers=16)
            load.start()
            await asyncio.sleep(0.7)
            api.terminate()
            assert await asyncio.to_thread(api.wait) == 0
            await load.stop()
            loads.append(load)
            api.start()
        findings = compare(api, fresh_mock, [told for load in loads for told in load.acknowledged])
        assert findings.faults == {}
        assert findings.acknowledged > 20
        assert findings.estimated == 0
        answered = api.rows("SELECT count(*) AS n FROM requests WHERE outcome = 'completed'")[0]["n"]
        assert answered == findings.acknowledged
        record("j shutdown", stops_under_load=len(loads), acknowledged=findings.acknowledged, lost=len(findings.lost))
        assert "Traceback" not in api.log


def test_a_second_signal_ends_it_at_once(folder: Path, mock: Mock) -> None:
    with running_api(folder, mock.url) as api:
        api.terminate()
        assert api.wait() == 0
        assert "Traceback" not in api.log
