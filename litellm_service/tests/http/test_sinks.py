"""What a client receives: a silent stream kept alive, errors before and after its start."""

import asyncio
import json

import pytest

from gateway.domain.errors import ProviderTimeout
from gateway.domain.time import monotonic
from gateway.exchange import Exchange
from gateway.http import gemini, openai, sinks
from gateway.http.sinks import ClientSink
from gateway.http.wires import NativeWire, SeedWire
from gateway.identity import Caller
from gateway.providers.answers import Piece

pytestmark = pytest.mark.anyio


class Received:
    """The ASGI messages of one reply."""

    def __init__(self) -> None:
        self.messages = []

    async def __call__(self, message):
        self.messages.append(message)

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_complete(self):
        return not self.messages[-1].get("more_body", False)


def opened(wire, *, stream=True):
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    exchange = Exchange(openai.parse(json.dumps(body).encode(), {}), Caller("", "admin"), monotonic(), "/")
    exchange.is_translated = False
    received = Received()
    return exchange, received, ClientSink(received, None, wire, exchange)


async def test_a_stream_that_is_silent_says_so_now_and_then(monkeypatch):
    monkeypatch.setattr(sinks, "KEEP_ALIVE_S", 0.05)
    exchange, received, sink = opened(NativeWire("openai"))
    await asyncio.sleep(0.12)
    assert received.status == 200
    assert received.body.startswith(b": keep-alive\n\n")
    await sink.content(exchange, Piece(b"data: {}\n\n", "x"))
    await sink.fail(ProviderTimeout("silent for too long"))
    assert received.body.endswith(b"}\n\n")
    assert received.is_complete
    count = len(received.messages)
    await asyncio.sleep(0.12)
    assert len(received.messages) == count


async def test_googles_clients_are_kept_alive_by_empty_lines(monkeypatch):
    monkeypatch.setattr(sinks, "KEEP_ALIVE_S", 0.05)
    request = gemini.parse(b'{"contents":[{"parts":[]}]}', {}, "/v1beta/models/m:streamGenerateContent?alt=sse")
    exchange, received = Exchange(request, Caller("", "admin"), monotonic(), "/"), Received()
    exchange.is_translated = True
    sink = ClientSink(received, None, NativeWire("gemini"), exchange)
    await asyncio.sleep(0.08)
    await sink.close()
    assert received.body == b"\n"


async def test_an_error_before_the_first_byte_is_a_reply_of_its_own():
    _, received, sink = opened(NativeWire("openai"))
    await sink.fail(ProviderTimeout("too slow"))
    assert received.status == 504
    assert json.loads(received.body)["error"]["code"] == "provider_timeout"


@pytest.mark.parametrize(
    ("wire", "prefix"), [(NativeWire("openai"), b'data: {"error":'), (SeedWire(), b'data: {"type":"error",')]
)
async def test_an_error_after_it_is_an_event_in_the_clients_own_form(wire, prefix):
    exchange, received, sink = opened(wire)
    await sink.content(exchange, Piece(b'data: {"choices":[]}\n\n', "words"))
    await sink.fail(ProviderTimeout("went silent"))
    events = [event + b"\n\n" for event in received.body.split(b"\n\n") if event]
    assert received.status == 200
    assert events[-1].startswith(prefix)
    assert b"went silent" in events[-1]
    assert received.is_complete


async def test_a_piece_without_words_is_nothing_to_the_seeds_route():
    exchange, received, sink = opened(SeedWire())
    await sink.content(exchange, Piece(b": comment\n\n"))
    assert received.messages == []
    await sink.close()
