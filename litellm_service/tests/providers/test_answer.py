"""What the reader makes of an upstream's bytes."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import ProviderUnavailable
from gateway.providers.answers import AnswerReader
from gateway.wires.openai_chat.answer_in import Decoder

pytestmark = pytest.mark.anyio


class Canned:
    """An upstream's body in given pieces."""

    status = 200

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def abort(self, reason: Exception) -> None:
        self._pieces.clear()


def chunk(content: str | None = None, finish: str | None = None, **more: object) -> bytes:
    delta = {} if content is None else {"content": content}
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
USAGE_EVENT = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"


async def pieces_of(reader: AnswerReader) -> list:
    pieces = []
    while (piece := await reader.next()) is not None:
        pieces.append(piece)
    return pieces


async def streamed(*pieces: bytes, choices: int = 1) -> tuple[AnswerReader, list]:
    reader = AnswerReader(Canned(*pieces), Decoder(choices=choices), stream=True)
    return reader, await pieces_of(reader)


async def test_content_goes_out_and_the_end_is_held():
    reader, pieces = await streamed(chunk("Hel"), chunk("lo"), chunk(None, "stop"), USAGE_EVENT, DONE)
    assert [(piece.text, piece.closing) for piece in pieces] == [
        ("Hel", False),
        ("lo", False),
        ("", True),
        ("", True),
        ("", True),
    ]
    assert [piece.usage_only for piece in pieces] == [False, False, False, True, False]
    assert reader.full_text == "Hello"
    assert json.loads(reader.usage_reports[-1]) == USAGE
    assert reader.terminated


async def test_words_in_the_finishing_event_are_kept_and_held():
    _, pieces = await streamed(chunk("a") + chunk("b", "stop") + DONE)
    assert [(piece.text, piece.closing) for piece in pieces] == [("a", False), ("b", True), ("", True)]


async def test_with_several_choices_the_last_to_finish_is_held():
    first = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    second = b'data: {"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
    _, pieces = await streamed(first, second, chunk(None, "stop"), DONE, choices=2)
    assert [piece.closing for piece in pieces] == [False, True, True]
    assert pieces[0].raw == first + second


async def test_a_stream_that_breaks_off_is_a_failure_after_its_words():
    reader = AnswerReader(Canned(chunk("partial")), Decoder(False), stream=True)
    assert (await reader.next()).text == "partial"
    with pytest.raises(ProviderUnavailable, match="broke off"):
        await reader.next()


async def test_an_error_event_is_a_failure_after_the_words_before_it():
    reader = AnswerReader(
        Canned(chunk("partial") + b'data: {"error":{"message":"overheated"}}\n\n'), Decoder(False), stream=True
    )
    assert (await reader.next()).text == "partial"
    with pytest.raises(ProviderUnavailable, match="overheated"):
        await reader.next()


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"choices": [', b"[]", b'{"choices": []}', b"{}", b"\xff\xfe"])
async def test_a_plain_answer_that_makes_no_sense_is_a_failure(body):
    with pytest.raises(ProviderUnavailable):
        await AnswerReader(Canned(body), Decoder(False), stream=False).next()


async def test_an_error_body_under_status_200_says_what_the_provider_said():
    with pytest.raises(ProviderUnavailable, match="no credit"):
        await AnswerReader(Canned(b'{"error": {"message": "no credit"}}'), Decoder(False), stream=False).next()


async def test_reasoning_and_tool_calls_count_as_output_but_are_not_words():
    call = (
        b'data: {"choices":[{"delta":{"reasoning_content":"hm","tool_calls":[{"function":{"arguments":"{}"}}]}}]}\n\n'
    )
    reader, _ = await streamed(call, chunk("x", "stop"), DONE)
    assert reader.full_text == "x"
    assert "hm" in "".join(reader.counted)
    assert "arguments" in "".join(reader.counted)


@given(st.lists(st.integers(1, 400), max_size=10))
def test_however_the_bytes_are_cut_the_raw_pieces_are_the_stream(points):
    whole = chunk("Grüße, ") + chunk("世界") + b": note\n\n" + chunk(None, "stop") + USAGE_EVENT + DONE
    edges = sorted({0, len(whole), *(point % len(whole) for point in points)})
    parts = [whole[a:b] for a, b in itertools.pairwise(edges)]
    import asyncio  # hypothesis needs a plain function

    reader, pieces = asyncio.run(streamed(*parts))
    assert b"".join(piece.raw for piece in pieces) == whole
    assert reader.full_text == "Grüße, 世界"


async def test_a_comment_goes_out_with_the_event_that_follows_it():
    _, pieces = await streamed(b": processing\n\n", chunk("a"), chunk(None, "stop"), DONE)
    assert pieces[0].raw == b": processing\n\n" + chunk("a")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error": {"message": "no credit"}}', "no credit"),
        (b"<html><body>login</body></html>", "begins with '<html>"),
        (b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}', "stream that was asked for"),
    ],
)
async def test_what_is_no_event_stream_is_a_failure_and_no_content(body, says):
    with pytest.raises(ProviderUnavailable, match=says):
        await streamed(body)


async def test_after_the_terminator_only_usage_counts():
    _, pieces = await streamed(chunk("a"), chunk(None, "stop"), DONE, chunk("late"), USAGE_EVENT, DONE)
    assert [(piece.terminator, piece.usage_only) for piece in pieces[1:]] == [
        (False, False),
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(("stated", "read"), [("priority", "priority"), (None, None), (7, None), ({"a": 1}, None)])
async def test_the_service_tier_that_the_provider_names_is_noted(stated: object, read: str | None):
    reader, _ = await streamed(chunk("a", service_tier=stated), chunk(None, "stop"), USAGE_EVENT, DONE)
    assert reader.service_tier == read
