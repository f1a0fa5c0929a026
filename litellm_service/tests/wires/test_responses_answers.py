"""Answers to Responses clients, as OpenAI's own SDK understands them."""

from typing import Any

import httpx
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral_strategies import answers, base64_data, content_of, images, words
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.domain.usage import Usage
from gateway.providers.sse import EventSplitter, event_data
from gateway.wires.codec import Frame
from gateway.wires.neutral import (
    Begin,
    Delta,
    Finish,
    FinishReason,
    Media,
    MediaDelta,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCall,
    ToolCallBegin,
    ToolCallDelta,
)
from gateway.wires.responses import prompt_in
from gateway.wires.responses.answer_out import Writer

USAGE = Usage(input=5, cache_read=2, output=3, reasoning=4)
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
EVERYTHING: list[Delta] = [
    Begin(id="x", model="y"), ThinkingDelta(text="Hm"), ThinkingDelta(text="."), ThinkingEnd(signature="sig"),
    TextDelta(text="Let me "), TextDelta(text="look."),
    MediaDelta(media=Media(kind="image", mime_type="image/png", data="iVBORw==")),
    ToolCallBegin(index=0, id="call_1", name="look", signature="QUJD"), ToolCallBegin(index=1, id="call_2", name="ask"),
    ToolCallDelta(index=0, arguments='{"at":'), ToolCallDelta(index=1, arguments="{}"), ToolCallDelta(index=0, arguments="1}"),
    Finish(reason="tool_calls"),
]  # fmt: skip


def frame(**fields: object) -> Frame:
    return Frame(id="1", model="asked", created_s=1_700_000_000, fields=FIELDS.decode(msgspec.json.encode(fields)))


def whole(deltas: list[Delta], **fields: object) -> Any:
    return msgspec.json.decode(Writer(frame(**fields)).whole(deltas, USAGE))


def events(stream: bytes) -> list[Any]:
    return [msgspec.json.decode(event_data(event) or b"") for event in EventSplitter().feed(stream)]


def client(body: bytes, kind: str) -> openai.OpenAI:
    reply = httpx.MockTransport(lambda _request: httpx.Response(200, content=body, headers={"content-type": kind}))
    return openai.OpenAI(
        api_key="k", base_url="http://gateway/v1", http_client=httpx.Client(transport=reply), max_retries=0
    )


def test_the_events_come_in_the_order_that_openai_prescribes() -> None:
    writer = Writer(frame())
    stream = writer.some(EVERYTHING[:6]) + writer.some(EVERYTHING[6:]) + writer.end([], USAGE)
    said = [event["type"].removeprefix("response.") for event in events(stream)]
    assert said == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "image_generation_call.completed", "output_item.done",
        "output_item.added", "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    names = [line.removeprefix(b"event: ").decode() for line in stream.splitlines() if line.startswith(b"event: ")]
    assert names == [event["type"] for event in events(stream)]


def test_the_sdk_streams_an_answer() -> None:
    writer = Writer(frame())
    body = writer.some(EVERYTHING[:8]) + writer.end(EVERYTHING[8:], USAGE)
    with client(body, "text/event-stream").responses.stream(model="m", input="x") as stream:
        words = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert words == response.output_text == "Let me look."
    assert [item.type for item in response.output] == [
        "reasoning", "message", "image_generation_call", "function_call", "function_call",
    ]  # fmt: skip
    assert [item.arguments for item in response.output if item.type == "function_call"] == ['{"at":1}', "{}"]


def test_the_sdk_reads_a_plain_answer() -> None:
    body = Writer(frame()).whole(EVERYTHING, USAGE)
    response = client(body, "application/json").responses.create(model="m", input="x")
    assert (response.id, response.model, response.status, response.output_text) == (
        "resp_1",
        "asked",
        "completed",
        "Let me look.",
    )
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens == 2
    assert response.usage.output_tokens_details.reasoning_tokens == 4


@pytest.mark.parametrize("begun", [True, False])
def test_the_sdk_raises_what_fails_in_mid_stream(*, begun: bool) -> None:
    writer = Writer(frame())
    body = (writer.some([TextDelta(text="Hi")]) if begun else b"") + writer.failure(
        502, "provider_unavailable", "Gone."
    )
    stream = client(body, "text/event-stream").responses.create(model="m", input="x", stream=True)
    with pytest.raises(openai.APIError, match=r"Gone\.") as raised:
        list(stream)
    assert raised.value.code == "provider_unavailable"
    assert [event["sequence_number"] for event in events(body)] == list(range(len(events(body))))


def test_what_the_sdk_brings_back_is_what_was_said() -> None:
    body = Writer(frame()).whole(EVERYTHING, USAGE)
    response = client(body, "application/json").responses.create(model="m", input="x")
    items = [item.model_dump(exclude_unset=True) for item in response.output]
    (turn,) = prompt_in.read(FIELDS.decode(msgspec.json.encode({"input": items}))).turns
    assert [part for part in turn.parts if isinstance(part, Media)] == [
        Media(kind="image", mime_type="image/png", data="iVBORw==")
    ]
    assert [part for part in turn.parts if isinstance(part, ToolCall)] == [
        ToolCall(id="call_1", name="look", arguments='{"at":1}', signature="QUJD"),
        ToolCall(id="call_2", name="ask", arguments="{}"),
    ]


@pytest.mark.parametrize(
    ("reason", "status", "why", "item"),
    [
        ("stop", "completed", None, "completed"), ("pause", "completed", None, "completed"),
        ("refusal", "incomplete", {"reason": "content_filter"}, "incomplete"),
        ("length", "incomplete", {"reason": "max_output_tokens"}, "incomplete"),
        ("content_filter", "incomplete", {"reason": "content_filter"}, "incomplete"),
    ],
)  # fmt: skip
def test_why_an_answer_ends_is_its_status(reason: FinishReason, status: str, why: object, item: str) -> None:
    response = whole([TextDelta(text="Hi"), Finish(reason=reason)])
    assert (response["status"], response["incomplete_details"], response["output"][0]["status"]) == (status, why, item)


def test_an_answer_repeats_its_request() -> None:
    fields: dict[str, Any] = {
        "instructions": "Be brief.", "temperature": 0.5, "top_p": None, "max_output_tokens": 9, "metadata": {"a": "b"},
        "store": True,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}], "tool_choice": "required",
        "parallel_tool_calls": None, "text": {"verbosity": "low"}, "reasoning": {"effort": "low"}, "user": "u", "stream": False,
    }  # fmt: skip
    response = whole([TextDelta(text="Hi")], **fields)
    Response.model_validate(response)
    expected = {
        "instructions": "Be brief.", "temperature": 0.5, "top_p": 1.0, "max_output_tokens": 9, "metadata": {"a": "b"},
        "store": False,
        "tools": [{"type": "function", "name": "f", "description": None, "parameters": {"type": "object"}, "strict": None}],
        "tool_choice": "required", "parallel_tool_calls": True, "text": {"format": {"type": "text"}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": None}, "user": "u", "previous_response_id": None, "truncation": "disabled",
    }  # fmt: skip
    assert {name: response[name] for name in expected} == expected
    assert "stream" not in response


NULLS = [
    "instructions", "tools", "tool_choice", "parallel_tool_calls", "metadata", "text", "reasoning", "temperature", "truncation",
    "service_tier", "max_output_tokens", "top_logprobs", "user",
]  # fmt: skip


@given(st.sets(st.sampled_from(NULLS)))
def test_a_null_in_the_request_breaks_no_answer(names: set[str]) -> None:
    Response.model_validate(whole([TextDelta(text="Hi")], **dict.fromkeys(names)))


def test_media_without_an_item_of_their_own_become_links() -> None:
    sound = Media(kind="audio", mime_type="audio/wav", data="QUJD")
    elsewhere = Media(kind="image", url="https://example.com/a.png")
    response = Response.model_validate(whole([MediaDelta(media=sound), MediaDelta(media=elsewhere)]))
    assert response.output_text == "[audio](data:audio/wav;base64,QUJD)[image](https://example.com/a.png)"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (call,) = whole([ToolCallBegin(index=0, id="call_1", name="f"), Finish(reason="tool_calls")])["output"]
    assert (call["arguments"], call["status"]) == ("{}", "completed")


def test_an_answer_without_words_has_no_items() -> None:
    response = Response.model_validate(
        whole([Begin(), TextDelta(text=""), ThinkingDelta(text=""), Finish(reason="stop")])
    )
    assert (response.output, response.output_text) == ([], "")


mixed = st.one_of(
    st.builds(TextDelta, text=words), st.builds(ThinkingDelta, text=words), st.builds(RefusalDelta, text=words),
    st.builds(ThinkingEnd, signature=st.none() | base64_data), st.builds(ThinkingEnd, redacted=base64_data),
    st.builds(MediaDelta, media=images), st.builds(ToolCallDelta, index=st.integers(0, 1), arguments=words),
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(mixed, max_size=8), st.lists(mixed, max_size=8))
def test_however_the_deltas_are_mixed_the_stream_adds_up(before: list[Delta], after: list[Delta]) -> None:
    calls: list[Delta] = [ToolCallBegin(index=index, id=f"call_{index}", name="f") for index in (0, 1)]
    deltas = [*before, *calls, *after, Finish(reason="stop")]
    writer = Writer(frame())
    told = events(b"".join([writer.some([delta]) for delta in deltas]) + writer.end([], USAGE))
    assert told[-1]["response"] == whole(deltas)
    assert put_together(told) == told[-1]["response"]["output"]
    for number, event in enumerate(told):
        assert EVENTS.validate_python(event).sequence_number == number


@settings(max_examples=40)
@given(answers(redacted=True, refusals=True, media=images, call_signatures=st.none() | base64_data), st.integers(0, 9))
def test_a_stream_and_its_last_response_say_the_same(deltas: list[Delta], place: int) -> None:
    writer = Writer(frame())
    told = events(writer.some(deltas[:place]) + writer.end(deltas[place:], USAGE))
    output = told[-1]["response"]["output"]
    assert put_together(told) == output
    signed = [item["extra_content"]["google"]["thought_signature"] for item in output if "extra_content" in item]
    assert signed == [one[3] for one in content_of(deltas) if one[0] == "call" and one[3]]


def put_together(told: list[Any]) -> list[Any]:
    """The items as `done` events say them, with what the pieces before them add up to checked."""
    done: dict[int, Any] = {}
    pieces: dict[tuple[int, int], str] = {}
    for event in told:
        place = event.get("output_index")
        key = (place, event.get("content_index", event.get("summary_index", 0)))
        if event["type"].endswith(".delta"):
            assert place not in done
            pieces[key] = pieces.get(key, "") + event["delta"]
        elif event["type"] in {"response.output_text.done", "response.reasoning_summary_text.done"}:
            assert pieces[key] == event["text"]
        elif event["type"] == "response.refusal.done":
            assert pieces[key] == event["refusal"]
        elif event["type"] == "response.function_call_arguments.done":
            assert (pieces.get(key) or "{}") == event["arguments"]
        elif event["type"] == "response.output_item.done":
            done[place] = event["item"]
    return [done[place] for place in sorted(done)]
