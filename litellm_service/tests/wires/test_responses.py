"""Responses: what its clients ask is understood, what they are answered is what the SDK expects."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral_strategies import answers, base64_data, content_of, images
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.domain.errors import InvalidRequest
from gateway.domain.usage import Usage
from gateway.metering.responses_usage import usage
from gateway.providers.sse import EventSplitter, event_data
from gateway.wires.codec import Frame, Unreadable
from gateway.wires.neutral import (
    Delta,
    Finish,
    Media,
    Reasoning,
    Text,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    ToolCall,
    ToolResult,
    Unsaid,
)
from gateway.wires.responses import prompt_in
from gateway.wires.responses.answer_in import Decoder
from gateway.wires.responses.answer_out import Writer
from gateway.wires.responses.reasoning import wrapped

USAGE = Usage(input=5, cache_read=2, output=3, reasoning=4)
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
FRAME = Frame(
    id="req_1",
    model="asked-for",
    created_s=1_700_000_000,
    fields={
        "tools": msgspec.Raw(b'[{"type":"function","name":"f","parameters":{},"strict":false}]'),
        "temperature": msgspec.Raw(b"0.5"),
    },
)

WHOLE = {
    "model": "gpt-5",
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "store": True,
    "stream": True,
    "top_p": 0.5,
    "input": [
        {"role": "developer", "content": "And kind."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See?"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "low"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": wrapped("sig", None),
        },
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "a cat"},
        {"type": "message", "role": "user", "content": "So?"},
    ],
    "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}],
    "tool_choice": {"type": "function", "name": "look"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "thing", "schema": {"type": "object"}}},
}


def read(body: dict[str, object]) -> Any:
    return prompt_in.read(FIELDS.decode(msgspec.json.encode(body)))


def test_a_whole_request_is_read_item_by_item() -> None:
    prompt = read(WHOLE)
    assert [part.text for part in prompt.system] == ["Be brief.", "And kind."]
    assert [turn.role for turn in prompt.turns] == ["user", "assistant", "user"]
    assert prompt.turns[0].parts[1] == Media(kind="image", mime_type="image/png", data="QUJD", detail="low")
    assert prompt.turns[1].parts == [
        Thinking(text="hm", signature="sig"),
        ToolCall(id="call_1", name="look", arguments="{}"),
    ]
    assert prompt.turns[2].parts == [ToolResult(call_id="call_1", content=[Text(text="a cat")]), Text(text="So?")]
    assert (prompt.tools[0].name, prompt.tools[0].strict, prompt.tool_choice.name) == ("look", True, "look")
    assert (prompt.output_limit, prompt.stream, prompt.top_p, prompt.format.name) == (50, True, 0.5, "thing")
    assert prompt.reasoning == Reasoning(effort="low", shown=True)
    assert prompt.unsaid == [Unsaid("store", harmless=True)]


@pytest.mark.parametrize(
    ("changed", "lost"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"conversation": "conv_1"}, "conversation"),
    ],
)
def test_what_only_openai_can_do_is_named(changed: dict[str, object], lost: str) -> None:
    assert Unsaid(lost) in read({"model": "m", "input": "x", **changed}).unsaid


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "hologram"}]}]}, "input[0].content[0]"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changed: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read({"model": "m", "input": "x", **changed})
    assert refused.value.param == param


def written(deltas: list[Delta], place: int) -> bytes:
    writer = Writer(FRAME)
    return writer.some(deltas[:place]) + writer.end(deltas[place:], USAGE)


def words_of(deltas: list[Delta]) -> str:
    return "".join(str(one[1]) for one in content_of(deltas) if one[0] == "TextDelta")


@settings(max_examples=40)
@given(answers(redacted=True, refusals=True, media=images, signatures=st.none() | base64_data), st.data())
def test_every_event_is_one_that_the_sdk_knows_and_they_add_up_to_the_whole(
    deltas: list[Delta], data: st.DataObject
) -> None:
    stream = written(deltas, data.draw(st.integers(0, len(deltas))))
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    events = [event_data(event) or b"" for event in EventSplitter().feed(stream)]
    for number, payload in enumerate(events):
        event = EVENTS.validate_json(payload)
        assert event.sequence_number == number
        state.handle_event(event)
    last = msgspec.json.decode(events[-1])["response"]
    assert msgspec.json.encode(last) == Writer(FRAME).whole(deltas, USAGE)
    response = Response.model_validate(last)
    assert response.output_text == words_of(deltas)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (7, 7, 14)
    assert response.temperature == 0.5
    calls = [one for one in content_of(deltas) if one[0] == "call"]
    assert [(i.call_id, i.name, i.arguments) for i in response.output if i.type == "function_call"] == [
        (one[1], one[2], one[4] or "{}") for one in calls
    ]
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}
    reason = deltas[-1].reason if isinstance(deltas[-1], Finish) else ""
    assert (response.incomplete_details.reason if response.incomplete_details else None) == why.get(reason)


@given(answers(refusals=True), st.data())
def test_a_stream_cut_anywhere_is_heard_as_it_was_said(deltas: list[Delta], data: st.DataObject) -> None:
    stream = written(deltas, len(deltas) - 1)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    splitter, decoder, heard = EventSplitter(), Decoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += [decoder.event(event_data(event) or b"") for event in splitter.feed(stream[start:end])]
    whole = Decoder().whole(Writer(FRAME).whole(deltas, USAGE))
    assert "".join(one.text for one in heard) == whole.text == words_of(deltas)
    assert [one.finishes for one in heard] == [False] * (len(heard) - 1) + [True]
    assert usage(heard[-1].usage) == usage(whole.usage) == USAGE


def test_reasoning_that_somebody_signed_comes_back_as_it_was() -> None:
    deltas: list[Delta] = [
        ThinkingDelta(text="hm"),
        ThinkingEnd(signature="sig"),
        ThinkingEnd(redacted="xyz"),
        Finish(reason="stop"),
    ]
    items = msgspec.json.decode(Writer(FRAME).whole(deltas, USAGE))["output"]
    (turn,) = read({"model": "m", "input": items}).turns
    assert turn.parts == [Thinking(text="hm", signature="sig"), Thinking(redacted="xyz")]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": "server_error", "message": "no"}},
            },
            "no",
        ),
        ({"type": "error", "message": "slow down", "code": "rate_limit_exceeded"}, "slow down"),
        ({"error": {"message": "bad"}}, "bad"),
    ],
)
def test_errors_are_heard(payload: dict[str, object], says: str) -> None:
    assert says in Decoder().event(msgspec.json.encode(payload)).error.decode()


def test_a_failure_in_mid_stream_is_an_error_event_with_an_error_in_it() -> None:
    event = msgspec.json.decode(event_data(Writer(FRAME).failure(502, "provider_unavailable", "gone")) or b"")
    assert EVENTS.validate_python(event).type == "error"
    assert event["error"]["message"] == "gone"


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["user", "message", "function_call"])
)
NAMES = [
    *WHOLE,
    "role",
    "content",
    "type",
    "name",
    "arguments",
    "call_id",
    "output",
    "summary",
    "format",
    "schema",
    "response",
    "delta",
    "error",
]
odd = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
)


@given(st.dictionaries(st.sampled_from(NAMES), odd, max_size=5), st.binary(max_size=40))
def test_garbage_raises_nothing_but_what_is_named(body: dict[str, object], noise: bytes) -> None:
    with suppress(InvalidRequest):
        read(body)
    for payload in (msgspec.json.encode(body), noise):
        for listen in (Decoder().event, Decoder().whole):
            with suppress(Unreadable):
                listen(payload)
        usage(payload)
