"""A client that leaves while its answer is being settled harms nobody who uses its upstream connection next."""

import asyncio

import pytest

from prompts import ROUTES, body, new_marker, prompt
from rawhttp import connect, request_bytes
from stack import running_api, running_mock

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

AT_ONCE = 50
ANSWER_MS = 60
LEAVE_WITHIN_S = 0.05
LONG_ANSWER_MS = 900


async def ask_and_leave(port: int, number: int) -> None:
    client = await connect(port)
    text = prompt(new_marker(), 5, tokens=5, first_ms=ANSWER_MS)
    await client.send(request_bytes(ROUTES["openai"], body("openai", text, stream=False)))
    await asyncio.sleep(ANSWER_MS / 1000 + LEAVE_WITHIN_S * number / AT_ONCE)
    await client.leave("rst")


async def ask(port: int) -> int:
    client = await connect(port)
    text = prompt(new_marker(), 5, tokens=5, first_ms=LONG_ANSWER_MS)
    await client.send(request_bytes(ROUTES["openai"], body("openai", text, stream=False)))
    status = (await client.head()).status
    await client.leave("fin")
    return status


async def test_who_comes_after_a_late_leaver_is_answered(tmp_path):
    with running_mock(tmp_path) as mock, running_api(tmp_path, mock.url) as api:
        await asyncio.gather(*(ask_and_leave(api.port, number) for number in range(AT_ONCE)))
        statuses = await asyncio.gather(*(ask(api.port) for _ in range(AT_ONCE)))
        assert set(statuses) == {200}, api.log
