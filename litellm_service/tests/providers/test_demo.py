"""The demo models answer without a network."""

import asyncio
import json

import pytest

from gateway.providers import demo
from gateway.providers.openai import AnswerReader

pytestmark = pytest.mark.anyio


def body(stream: bool = False, **more: object) -> bytes:
    return json.dumps(
        {"messages": [{"role": "user", "content": "good morning all"}], "stream": stream, **more}
    ).encode()


async def whole(model: str, request: bytes) -> dict:
    return json.loads(await (await demo.reply(model, request)).read())


async def test_echo_says_it_back_and_that_it_is_a_demo():
    answer = await whole("echo", body())
    text = answer["choices"][0]["message"]["content"]
    assert text.startswith(demo.NOTICE)
    assert text.endswith("good morning all")
    assert answer["usage"]["prompt_tokens"] == 3
    assert answer["usage"]["completion_tokens"] == len(text.split())


async def test_story_streams_about_sixty_chunks_with_usage_for_those_who_ask():
    reply = await demo.reply("story", body(stream=True, stream_options={"include_usage": True}))
    reader = AnswerReader(reply, stream=True)
    pieces = 0
    while await reader.next() is not None:
        pieces += 1
    assert 50 <= pieces <= 80
    assert reader.finished
    assert reader.terminated
    assert len(reader.usage_reports) == 1


async def test_nobody_is_shown_usage_who_did_not_ask():
    reader = AnswerReader(await demo.reply("echo", body(stream=True)), stream=True)
    while await reader.next() is not None:
        pass
    assert reader.usage_reports == []


async def test_hanging_up_wakes_a_reader_that_waits():
    reply = await demo.reply("slow", body())
    reading = asyncio.ensure_future(reply.read())
    await asyncio.sleep(0)
    reply.abort(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(reading, 1)


@pytest.mark.parametrize(("model", "status"), [("error", 503), ("nonsense", 404)])
async def test_errors_come_in_the_wires_form(model, status):
    reply = await demo.reply(model, body())
    assert reply.status == status
    assert json.loads(await reply.read())["error"]["message"]


async def test_a_body_it_cannot_read_is_a_400():
    assert (await demo.reply("echo", b"[]")).status == 400
