"""Answers that go on as they came: what is heard of them."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires import completions, plain
from gateway.wires.codec import Unreadable


def test_a_stream_of_sound_is_complete_with_its_last_event():
    decoder = plain.Decoder()
    assert not decoder.event(b'{"type":"speech.audio.delta","audio":"AA=="}').finishes
    last = decoder.event(b'{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2}}')
    assert last.finishes
    assert json.loads(last.usage) == {"usage": {"input_tokens": 1, "output_tokens": 2}}


def test_a_stream_of_pictures_is_complete_when_all_are_there():
    decoder = plain.Decoder(has_images=True, answers=2)
    said = [
        decoder.event(b'{"type":"image_generation.%s"}' % kind)
        for kind in (b"partial_image", b"completed", b"completed")
    ]
    assert [heard.finishes for heard in said] == [False, False, True]


def test_words_of_a_transcript_are_heard():
    assert plain.Decoder().event(b'{"type":"transcript.text.delta","delta":"Hi"}').text == "Hi"
    assert plain.Decoder().whole(b'{"text":"Hello"}').text == "Hello"
    assert plain.TextDecoder().whole(b"WEBVTT\n\xff").text == "WEBVTT\n\ufffd"


def test_an_error_instead_of_an_answer_is_heard():
    assert plain.Decoder().whole(b'{"error":{"message":"no"}}').error == b'{"message":"no"}'
    assert plain.Decoder().event(b'{"type":"error","error":{"message":"no"}}').error == b'{"message":"no"}'
    assert completions.Decoder().whole(b'{"error":{"message":"no"}}').error == b'{"message":"no"}'


def test_a_completion_is_complete_when_all_choices_are():
    decoder = completions.Decoder(choices=2)
    pieces = [
        b'{"choices":[{"index":0,"text":"a"}]}',
        b'{"choices":[{"index":0,"text":"b","finish_reason":"stop"}]}',
        b'{"choices":[{"index":1,"text":"c","finish_reason":"length"}]}',
    ]
    said = [decoder.event(piece) for piece in pieces]
    assert [(heard.text, heard.finishes) for heard in said] == [("a", False), ("b", False), ("c", True)]
    assert decoder.event(b"[DONE]").terminates


@pytest.mark.parametrize("decoder", [plain.Decoder(has_images=True), completions.Decoder()])
@given(raw=st.binary() | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["data", "usage", "meta", "choices", "text", "error", "type", "delta", "duration"]), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_garbage_is_unreadable_and_nothing_else(decoder, raw):
    for read in (decoder.whole, decoder.event):
        try:
            heard = read(raw)
        except Unreadable:
            continue
        assert isinstance(heard.usage, bytes)
        if heard.usage and isinstance(decoder, plain.Decoder):
            msgspec.json.decode(heard.usage, type=plain.Report)
