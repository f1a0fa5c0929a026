"""What Google's wire says, it also reads: prompts, streams and whole answers, cut wherever."""

import base64
from contextlib import suppress
from typing import get_args

import msgspec
import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral_strategies import answers, base64_data, content_of, conversations, images, prompts, tool_choices, words

from gateway.domain.errors import InvalidRequest
from gateway.domain.usage import Usage
from gateway.providers.sse import EventSplitter, event_data
from gateway.wires.codec import Frame, Heard, Unreadable
from gateway.wires.gemini import prompt_in, prompt_out
from gateway.wires.gemini.answer_in import Decoder
from gateway.wires.gemini.answer_out import Writer
from gateway.wires.gemini.signatures import marked
from gateway.wires.neutral import Delta, Effort, Media, Prompt, Reasoning, Text, Thinking

FRAME = Frame(id="req_1", model="asked-for", created_s=1_700_000_000)
USAGE = Usage(input=5, cache_read=2, output=3, reasoning=4)
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
few = settings(max_examples=30)
very_few = settings(few, max_examples=8)

google_signatures = base64_data.map(marked)
thoughts = st.builds(Thinking, text=words, signature=st.none() | google_signatures)
media = images | st.builds(
    Media, kind=st.just("document"), mime_type=st.just("application/pdf"), url=st.just("https://example.com/a?b=c")
)
results = st.lists(st.builds(Text, text=words), max_size=1).flatmap(
    lambda said: st.lists(images, max_size=1).map(lambda shown: [*said, *shown])
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))


def read(body: bytes, *, stream: bool = False) -> Prompt:
    return prompt_in.read(FIELDS.decode(body), stream=stream)


@few
@given(
    prompts(
        turns=conversations(
            media=media,
            thinking=thoughts,
            call_signatures=st.none() | base64_data,
            result_contents=results,
            result_names=True,
        ),
        tool_choice=tool_choices,
        service_tier=st.sampled_from([None, "default", "flex", "priority"]),
    )
)
def test_a_prompt_survives_the_wire_of_gemini_3(prompt: Prompt) -> None:
    written = prompt_out.write(prompt, "gemini-3-flash-preview")
    assert written.unsaid == []
    assert read(written.body) == prompt


@few
@given(
    prompts(
        reasoning=st.none() | st.builds(Reasoning, budget=st.integers(128, 24_576), shown=st.none() | st.booleans())
    )
)
def test_a_prompt_survives_the_wire_of_gemini_2_5(prompt: Prompt) -> None:
    for turn in prompt.turns:
        turn.parts = [part for part in turn.parts if isinstance(part, Text)] or [Text(text="So?")]
    written = prompt_out.write(prompt, "gemini-2.5-pro")
    assert written.unsaid == []
    assert read(written.body) == prompt


@few
@given(prompts(turns=conversations(media=media, thinking=thoughts)))
def test_google_s_own_types_read_what_is_written(prompt: Prompt) -> None:
    body = msgspec.json.decode(prompt_out.write(prompt, "gemini-3-flash-preview").body)
    for content in [*body["contents"], *filter(None, [body.get("systemInstruction")])]:
        types.Content.model_validate(content)
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    for tool in body.get("tools", []):
        types.Tool.model_validate(tool)


@few
@given(answers(redacted=True, refusals=False, media=images, call_signatures=st.none() | base64_data), st.data())
def test_a_stream_cut_anywhere_says_the_same(deltas: list[Delta], data: st.DataObject) -> None:
    writer, place = Writer(FRAME), data.draw(st.integers(0, len(deltas)))
    stream = writer.some(deltas[:place]) + writer.end(deltas[place:], USAGE)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    splitter, heard, decoder = EventSplitter(), list[Heard](), Decoder(True)
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    for event in [event for piece in pieces for event in splitter.feed(piece)] + splitter.end():
        heard.append(decoder.event(event_data(event) or b""))
    assert expected([delta for one in heard for delta in one.deltas]) == expected(deltas)
    assert [one.finishes for one in heard] == [False] * (len(heard) - 1) + [True]


@few
@given(answers(redacted=True, media=images, call_signatures=st.none() | base64_data))
def test_every_delta_by_itself_says_the_same(deltas: list[Delta]) -> None:
    writer, decoder = Writer(FRAME), Decoder(True)
    stream = b"".join(writer.some([delta]) for delta in deltas) + writer.end([], USAGE)
    heard = [decoder.event(event_data(event) or b"") for event in EventSplitter().feed(stream)]
    assert expected([delta for one in heard for delta in one.deltas]) == expected(deltas)


@few
@given(answers(redacted=True, media=images, call_signatures=st.none() | base64_data))
def test_a_whole_answer_says_the_same(deltas: list[Delta]) -> None:
    body = Writer(FRAME).whole(deltas, USAGE)
    assert expected(Decoder(True).whole(body).deltas) == expected(deltas)


@few
@given(answers(redacted=True, media=images), st.integers(0, 8))
def test_a_stream_as_an_array_is_json_with_the_same_chunks(deltas: list[Delta], place: int) -> None:
    written = []
    for sse in (True, False):
        writer = Writer(FRAME, sse=sse)
        written.append(writer.some(deltas[:place]) + writer.end(deltas[place:], USAGE))
    events = [msgspec.json.decode(event_data(event) or b"") for event in EventSplitter().feed(written[0])]
    assert msgspec.json.decode(written[1]) == events


@few
@given(answers(redacted=True, media=images, call_signatures=st.none() | base64_data))
def test_google_s_own_types_read_every_answer(deltas: list[Delta]) -> None:
    writer = Writer(FRAME)
    stream = writer.some(deltas[:-1]) + writer.end(deltas[-1:], USAGE)
    for event in EventSplitter().feed(stream):
        types.GenerateContentResponse.model_validate_json(event_data(event) or b"")


@few
@given(st.binary(max_size=80) | anything.map(msgspec.json.encode))
def test_garbage_is_unreadable_and_nothing_else(payload: bytes) -> None:
    for read_it in (Decoder(True).event, Decoder(False).event, Decoder(True).whole):
        with suppress(Unreadable):
            read_it(payload)


NAMES = [
    "contents", "parts", "role", "text", "inlineData", "functionCall", "function_response", "thoughtSignature", "tools", "name",
    "functionDeclarations", "parameters", "properties", "generationConfig", "toolConfig", "functionCallingConfig", "mode",
    "systemInstruction", "safetySettings", "thinkingConfig", "responseSchema", "stopSequences", "candidateCount", "args", "id",
]  # fmt: skip
odd_bodies = st.recursive(
    leaves | st.sampled_from(["user", "model", "ANY", "STRING"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@few
@given(st.dictionaries(st.sampled_from(NAMES), odd_bodies, max_size=5))
def test_an_odd_request_is_invalid_and_nothing_else(body: dict[str, object]) -> None:
    with suppress(InvalidRequest):
        read(msgspec.json.encode(body))


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
@pytest.mark.parametrize(
    "around",
    [
        b'{"contents": %s}', b'{"contents": [{"parts": [%s]}]}', b'{"contents": [{"parts": {"text": "x", "y": %s}}]}',
        b'{"contents": [{"parts": {"text": "x"}}], "tools": [{"functionDeclarations": [{"name": "f", "parameters": %s}]}]}',
        b'{"contents": [{"role": "model", "parts": {"functionCall": {"name": "f", "args": %s}}}]}',
    ],
)  # fmt: skip
def test_depth_breaks_nothing(depth: int, around: bytes) -> None:
    nested = b'{"items":' * depth + b"1" + b"}" * depth
    with suppress(RecursionError):
        fields = FIELDS.decode(around % nested)
        with suppress(InvalidRequest):
            prompt_in.read(fields, stream=False)


@very_few
@given(prompts(turns=conversations(), reasoning=st.builds(Reasoning, effort=st.sampled_from(get_args(Effort)))))
@pytest.mark.parametrize(
    "model", ["gemini-3-pro-preview", "gemini-2.5-flash", "gemini-2.0-flash", "gemma-3-27b-it", "new"]
)
def test_every_model_is_written_for(model: str, prompt: Prompt) -> None:
    body = msgspec.json.decode(prompt_out.write(prompt, model).body)
    assert body["contents"][-1]["role"] == "user"


def expected(deltas: list[Delta]) -> list[tuple[object, ...]]:
    """Google's arguments are objects, however they are spelled: where a call has none, they are empty."""
    return [
        (*one[:-1], msgspec.json.decode(str(one[-1] or "{}"))) if one[0] == "call" else one
        for one in content_of(deltas)
    ]


def test_signatures_of_strategies_are_base64() -> None:
    assert base64.b64decode("QUJD") == b"ABC"
