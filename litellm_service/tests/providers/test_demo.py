"""The demo models answer without a network."""

import asyncio
import json

import pytest

from gateway.providers import demo
from gateway.providers.answers import AnswerReader
from gateway.wires.openai_chat.answer_in import Decoder

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
    reader = AnswerReader(reply, Decoder(False), stream=True)
    pieces = 0
    while await reader.next() is not None:
        pieces += 1
    assert 50 <= pieces <= 80
    assert reader.finished
    assert reader.terminated
    assert len(reader.usage_reports) == 1


async def test_nobody_is_shown_usage_who_did_not_ask():
    reader = AnswerReader(await demo.reply("echo", body(stream=True)), Decoder(False), stream=True)
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


@pytest.mark.parametrize("raw", [b"[]", b"", b"\xff", b'{"messages": []}', body(n=0), body(max_tokens=-1), b"[" * 5000])
async def test_a_body_it_cannot_read_is_a_400(raw):
    reply = await demo.reply("echo", raw)
    assert reply.status == 400
    assert json.loads(await reply.read())["error"]["type"] == "invalid_request_error"


async def test_parts_of_content_are_read_for_their_text():
    parts = [{"type": "text", "text": "see this"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    request = json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()
    assert (await whole("echo", request))["choices"][0]["message"]["content"].endswith("You said: see this")


async def test_several_choices_are_given_and_counted():
    answer = await whole("echo", body(n=3))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    words = len(answer["choices"][0]["message"]["content"].split())
    assert answer["usage"]["completion_tokens"] == 3 * words


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_no_more_is_billed_than_the_limit_allows(stream, limit):
    request = body(stream=stream, stream_options={"include_usage": True}, **{limit: 4})
    reader = AnswerReader(await demo.reply("priced", request), Decoder(False), stream=stream)
    while await reader.next() is not None:
        pass
    assert reader.finish_reason == "length"
    assert len(reader.full_text.split()) == 4
    assert json.loads(reader.usage_reports[-1])["completion_tokens"] == 4


async def test_an_endless_prompt_is_echoed_only_so_far():
    request = json.dumps({"messages": [{"role": "user", "content": "word " * 50_000}], "stream": True}).encode()
    reader = AnswerReader(await demo.reply("echo", request), Decoder(False), stream=True)
    pieces = 0
    while await reader.next() is not None:
        pieces += 1
    assert reader.finish_reason == "length"
    assert pieces <= demo.MAX_EVENTS + 5


async def test_a_cancelled_reader_stays_cancelled_though_the_reply_was_aborted():
    reply = await demo.reply("slow", body())
    reading = asyncio.ensure_future(reply.read())
    await asyncio.sleep(0)
    reply.abort(ConnectionError("gone"))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
