"""Answers that are passed on, where a client's SDK is more particular than the provider."""

import json

import pytest

from gateway.domain.errors import ProviderUnavailable
from gateway.domain.request import WireName
from gateway.domain.time import monotonic
from gateway.exchange import Exchange
from gateway.http import anthropic, gemini
from gateway.http.passing import PassedAnthropic, PassedGemini
from gateway.http.wires import Answer, NativeWire
from gateway.identity import Caller
from gateway.providers.answers import Piece

DELTA = b'data: {"type":"content_block_delta","index":0}\n\n'
STOP = b'data: {"type":"message_stop"}\n\n'
CHUNK = b'data: {"candidates":[]}\n\n'
ARRAY = "/v1beta/models/m:streamGenerateContent"
EVENTS = f"{ARRAY}?alt=sse"


def opened(wire: WireName, target: str = "") -> tuple[Exchange, Answer]:
    if wire == "gemini":
        request = gemini.parse(b'{"contents":[{"parts":[{"text":"x"}]}]}', {}, target)
    else:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9, "stream": True}
        request = anthropic.parse(json.dumps(body).encode(), {})
    exchange = Exchange(request, Caller("", "admin"), monotonic(), "/")
    exchange.is_translated = False
    return exchange, NativeWire(wire).answer(exchange)


def test_an_event_without_its_name_gets_it_back() -> None:
    exchange, answer = opened("anthropic")
    assert isinstance(answer, PassedAnthropic)
    assert answer.piece(Piece(DELTA)) == b"event: content_block_delta\n" + DELTA
    assert answer.end(exchange, [Piece(STOP, terminator=True)]) == b"event: message_stop\n" + STOP


def test_what_comes_after_the_end_stands_before_it() -> None:
    exchange, answer = opened("anthropic")
    stop, usage = b"event: message_stop\n" + STOP, b'event: message_delta\ndata: {"usage":{"output_tokens":3}}\n\n'
    assert answer.end(exchange, [Piece(stop, terminator=True), Piece(usage, usage_only=True)]) == usage + stop


@pytest.mark.parametrize(
    "raw",
    [
        b"event: content_block_delta\n" + DELTA,
        b"id: 7\nevent: content_block_delta\n" + DELTA,
        b": comment\n\nevent: content_block_delta\n" + DELTA,
        b"event: ping\ndata: {}\n\nevent: content_block_delta\n" + DELTA,
        b"data: [odd\n\n",
        b"data: []\n\n",
    ],
)
def test_what_has_a_name_or_cannot_have_one_goes_on_as_it_came(raw: bytes) -> None:
    assert opened("anthropic")[1].piece(Piece(raw)) == raw


@pytest.mark.parametrize(
    "raw",
    [
        CHUNK,
        b": comment\n\n" + CHUNK,
        b"id: 7\nretry: 100\nevent: x\n" + CHUNK,
        b'data:{"candidates":[]}\n\n',
    ],
)
def test_googles_clients_get_nothing_but_data(raw: bytes) -> None:
    exchange, answer = opened("gemini", EVENTS)
    assert isinstance(answer, PassedGemini)
    assert answer.piece(Piece(raw)) == CHUNK
    assert answer.end(exchange, [Piece(raw), Piece(CHUNK)]) == CHUNK + CHUNK


def test_json_on_many_lines_becomes_one_line() -> None:
    raw = b'data: {"candidates":\ndata: []}\n\n'
    assert opened("gemini", EVENTS)[1].piece(Piece(raw)) == b'data: {"candidates": []}\n\n'


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_error_in_an_array_is_its_last_element(count: int) -> None:
    _, answer = opened("gemini", ARRAY)
    written = b"".join(answer.piece(Piece(CHUNK)) for _ in range(count))
    whole = json.loads(written + answer.failure(ProviderUnavailable("It broke off."), "id"))
    assert whole[:-1] == [{"candidates": []}] * count
    assert whole[-1]["error"]["message"] == "It broke off."
