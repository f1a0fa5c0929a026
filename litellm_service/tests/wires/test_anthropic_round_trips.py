"""What Anthropic's wire says, it also reads: prompts, streams and whole answers, cut wherever."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, MessageParam, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral_strategies import (
    answers,
    base64_data,
    content_of,
    conversations,
    names,
    prompts,
    schemas,
    tool_choices,
    tools,
)
from pydantic import TypeAdapter

from gateway.domain.errors import InvalidRequest
from gateway.domain.usage import Usage
from gateway.providers.sse import EventSplitter, event_data
from gateway.wires.anthropic import prompt_in, prompt_out
from gateway.wires.anthropic.answer_in import Decoder
from gateway.wires.anthropic.answer_out import Writer
from gateway.wires.codec import Frame, Heard, Unreadable
from gateway.wires.neutral import Delta, Effort, Finish, Format, Media, Prompt, Reasoning, Text, Thinking, Tool, Turn

FRAME = Frame(id="req_1", model="asked-for", created_s=1_700_000_000)
USAGE = Usage(input=5, cache_read=2, cache_write=1, output=3, reasoning=4)
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
QUESTION = Turn(role="user", parts=[Text(text="So?")])
CLASSIC, ADAPTIVE, NEWEST = "claude-opus-4-20250514", "claude-opus-4-6", "claude-opus-5"

few = settings(max_examples=50)
ttls = st.sampled_from([None, "5m", "1h"])
said = st.text(min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
texts = st.builds(Text, text=said, cache=ttls)
thoughts = st.builds(Thinking, text=st.text(max_size=6), signature=base64_data) | st.builds(
    Thinking, redacted=base64_data
)
pictures = st.builds(
    Media, kind=st.just("image"), mime_type=st.sampled_from(["image/png", "image/webp"]), data=base64_data, cache=ttls
) | st.builds(Media, kind=st.just("image"), url=st.just("https://example.com/a.png"))
documents = st.one_of(
    st.builds(
        Media,
        kind=st.just("document"),
        mime_type=st.just("application/pdf"),
        data=base64_data,
        name=st.none() | names,
        cache=ttls,
    ),
    st.builds(
        Media, kind=st.just("document"), mime_type=st.just("application/pdf"), url=st.just("https://example.com/a?b=c")
    ),
    st.builds(Media, kind=st.just("document"), mime_type=st.just("text/plain"), data=st.just("w6TDtg==")),
    st.builds(Media, kind=st.just("document"), file_id=st.just("file_011CNha8iCJcU1wXNR6q4V8w")),
)
results = st.lists(texts, max_size=1).flatmap(
    lambda words: st.lists(pictures | documents, max_size=1).map(lambda shown: [*words, *shown])
)
closed = schemas.map(
    lambda raw: msgspec.Raw(msgspec.json.encode(msgspec.json.decode(raw) | {"additionalProperties": False}))
)
marked_tools = st.builds(Tool, name=names, description=st.none() | said, schema=schemas, cache=ttls)
sayable: dict[str, st.SearchStrategy[Any]] = {
    "turns": conversations(media=pictures | documents, thinking=thoughts, result_contents=results).filter(
        lambda turns: all(part.text.strip() for turn in turns for part in turn.parts if isinstance(part, Text))
    ),
    "system": st.lists(texts, max_size=2),
    "tools": st.lists(marked_tools, max_size=3, unique_by=lambda tool: tool.name),
    "tool_choice": tool_choices,
    "output_limit": st.integers(2_000, 100_000),
    "seed": st.none(),
    "frequency_penalty": st.none(),
    "presence_penalty": st.none(),
    "reasoning": st.none(),
    "format": st.none(),
    "user": st.none() | names,
    "service_tier": st.sampled_from([None, "auto", "default"]),
    "stream": st.booleans(),
}
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))
REQUEST = TypeAdapter(MessageCreateParamsNonStreaming)
MESSAGE = TypeAdapter(MessageParam)
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def read(body: bytes) -> Prompt:
    return prompt_in.read(FIELDS.decode(body))


def raised_by(kind: type[Exception], call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except kind as error:
        return error
    return None


def heard_of(stream: bytes, cuts: list[int], *, translate: bool = True) -> list[Heard]:
    splitter, decoder = EventSplitter(), Decoder(translate)
    places = sorted(cut for cut in cuts if cut <= len(stream))
    pieces = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]
    events = [event for piece in pieces for event in splitter.feed(piece)] + splitter.end()
    return [decoder.event(event_data(event) or b"") for event in events]


def said_of(heard: list[Heard]) -> list[tuple[object, ...]]:
    return content_of([delta for one in heard for delta in one.deltas])


def expected(deltas: list[Delta]) -> list[tuple[object, ...]]:
    """Arguments are objects here, and a filter's stop is a refusal."""
    told = [Finish(reason="refusal") if delta == Finish(reason="content_filter") else delta for delta in deltas]
    return [(*one[:-1], one[-1] or "{}") if one[0] == "call" else one for one in content_of(told)]


@few
@given(prompts(**sayable))
def test_a_prompt_survives_the_wire(prompt: Prompt) -> None:
    written = prompt_out.write(prompt, CLASSIC, output_limit=4_096)
    assert written.unsaid == []
    assert read(written.body) == prompt


calm = {"temperature": st.none(), "top_p": st.none(), "top_k": st.none(), "tool_choice": st.none()}


budgets = st.builds(Reasoning, budget=st.integers(1_024, 1_999), shown=st.none() | st.booleans())


@given(prompts(**sayable | calm | {"turns": st.just([QUESTION]), "reasoning": budgets}))
def test_a_budget_survives_the_wire(prompt: Prompt) -> None:
    for model in (CLASSIC, ADAPTIVE):
        written = prompt_out.write(prompt, model, output_limit=4_096)
        assert written.unsaid == []
        assert read(written.body) == prompt


efforts = st.sampled_from(["low", "medium", "high", "max", "none"])
calm_and_formal = sayable | calm | {"format": st.none() | st.builds(Format, schema=closed)}


@few
@given(
    prompts(**calm_and_formal | {"reasoning": st.none() | st.builds(Reasoning, effort=efforts)}),
    st.sampled_from([ADAPTIVE, NEWEST]),
)
def test_an_effort_and_a_schema_survive_the_wire(prompt: Prompt, model: str) -> None:
    written = prompt_out.write(prompt, model, output_limit=4_096)
    assert written.unsaid == []
    assert read(written.body) == prompt


@few
@given(prompts(**sayable))
def test_the_sdk_s_own_types_read_what_is_written(prompt: Prompt) -> None:
    body = msgspec.json.decode(prompt_out.write(prompt, CLASSIC, output_limit=4_096).body)
    REQUEST.validate_python(body | {"stream": False})
    for message in body["messages"]:
        MESSAGE.validate_python(message)


@given(answers(redacted=True), st.lists(st.integers(0, 4_000), max_size=4), st.data())
def test_a_stream_cut_anywhere_says_the_same(deltas: list[Delta], cuts: list[int], data: st.DataObject) -> None:
    writer, place = Writer(FRAME), data.draw(st.integers(0, len(deltas)))
    stream = writer.some(deltas[:place]) + writer.end(deltas[place:], USAGE)
    heard = heard_of(stream, cuts)
    assert said_of(heard) == expected(deltas)
    assert [one.finishes for one in heard] == [False] * (len(heard) - 2) + [True, False]
    assert [one.terminates for one in heard] == [False] * (len(heard) - 1) + [True]


@given(answers(redacted=True))
def test_every_delta_by_itself_says_the_same(deltas: list[Delta]) -> None:
    writer = Writer(FRAME)
    stream = b"".join([writer.some([delta]) for delta in deltas]) + writer.end([], USAGE)
    assert said_of(heard_of(stream, [])) == expected(deltas)


@given(answers(redacted=True))
def test_a_whole_answer_says_the_same(deltas: list[Delta]) -> None:
    body = Writer(FRAME).whole(deltas, USAGE)
    assert normal(content_of(Decoder(True).whole(body).deltas)) == normal(expected(deltas))
    message = Message.model_validate_json(body)
    assert (message.id, message.model, message.role) == ("msg_1", "asked-for", "assistant")


def normal(content: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """White space around arguments is nothing."""
    return [(*one[:-1], msgspec.json.decode(str(one[-1]))) if one[0] == "call" else one for one in content]


@given(answers(redacted=True))
def test_the_sdk_accumulates_a_stream_into_the_whole_answer(deltas: list[Delta]) -> None:
    writer, snapshot, buffers = Writer(FRAME), None, dict[int, bytes]()
    stream = writer.some(deltas[:2]) + writer.some(deltas[2:-1]) + writer.end(deltas[-1:], USAGE)
    for event in EventSplitter().feed(stream):
        parsed = EVENT.validate_json(event_data(event) or b"")
        snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    whole = Message.model_validate_json(Writer(FRAME).whole(deltas, USAGE))
    assert snapshot.model_dump(exclude_none=True) == whole.model_dump(exclude_none=True)


@given(st.binary(max_size=80) | anything.map(msgspec.json.encode))
def test_garbage_is_unreadable_and_nothing_else(payload: bytes) -> None:
    for read_it in (Decoder(True).event, Decoder(False).event, Decoder(True).whole):
        error = raised_by(Unreadable, partial(read_it, payload))
        assert error is None or str(error)


NAMES = [
    "type", "role", "content", "text", "messages", "system", "tools", "name", "input_schema", "source", "data", "media_type",
    "url", "id", "input", "tool_use_id", "thinking", "signature", "budget_tokens", "output_config", "format", "schema", "effort",
    "user_id", "cache_control", "ttl", "tool_choice", "stop_sequences", "max_tokens", "is_error", "citations", "enabled",
    "stream", "metadata",
]  # fmt: skip
WORDS = [
    "user",
    "assistant",
    "text",
    "image",
    "document",
    "base64",
    "tool_use",
    "tool_result",
    "thinking",
    "auto",
    "tool",
]
odd_bodies = st.recursive(
    leaves | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
odd_message = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": odd_bodies})


@given(st.dictionaries(st.sampled_from(NAMES), odd_bodies, max_size=5), st.lists(odd_message, min_size=1, max_size=2))
def test_an_odd_request_is_invalid_and_nothing_else(body: dict[str, object], messages: list[object]) -> None:
    for odd in (body, {"messages": [{"role": "user", "content": "Hi"}], **body}, body | {"messages": messages}):
        error = raised_by(InvalidRequest, partial(read, msgspec.json.encode(odd)))
        assert error is None or (isinstance(error, InvalidRequest) and error.message and error.param)


EVENT_TYPES = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "error",
]
odd_events = st.fixed_dictionaries(
    {"type": st.sampled_from(EVENT_TYPES)},
    optional={
        "index": st.integers(0, 2),
        "message": odd_bodies,
        "content_block": st.dictionaries(st.sampled_from(NAMES), odd_bodies, max_size=4),
        "delta": st.dictionaries(st.sampled_from([*NAMES, "partial_json", "stop_reason"]), odd_bodies, max_size=4),
        "usage": odd_bodies,
        "error": odd_bodies,
    },
)


@given(st.lists(odd_events, max_size=4))
def test_odd_events_are_unreadable_and_nothing_else(events: list[object]) -> None:
    decoder = Decoder(True)
    for event in events:
        error = raised_by(Unreadable, partial(decoder.event, msgspec.json.encode(event)))
        assert error is None or str(error)


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
@pytest.mark.parametrize(
    "around",
    [
        b'{"messages": %s}', b'{"messages": [{"role": "user", "content": [%s]}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f", "input_schema": %s}]}',
        b'{"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": %s}]}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "output_config": {"format": {"type": "json_schema","schema":%s}}}',
    ],
)  # fmt: skip
def test_depth_breaks_nothing(depth: int, around: bytes) -> None:
    nested = b'{"items":' * depth + b"1" + b"}" * depth
    try:
        fields = FIELDS.decode(around % nested)
    except RecursionError:
        return
    error = raised_by(InvalidRequest, lambda: prompt_out.write(prompt_in.read(fields), NEWEST, output_limit=9))
    assert error is None or str(error)


every_effort = st.builds(
    Reasoning, effort=st.none() | st.sampled_from(get_args(Effort)), budget=st.none() | st.integers(0, 40_000)
)


models = [
    "claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-7", "claude-sonnet-5-5", "claude-opus-5-5", "kimi-k2",
    "claude-mythos-preview", "anthropic.claude-3-sonnet-20240229-v1:0",
]  # fmt: skip


@given(
    prompts(
        turns=st.just([QUESTION]),
        tool_choice=tool_choices,
        tools=st.lists(tools, max_size=1),
        reasoning=every_effort,
    ),
    st.sampled_from(models),
)
def test_every_model_is_written_for(prompt: Prompt, model: str) -> None:
    body = msgspec.json.decode(prompt_out.write(prompt, model, output_limit=4_096).body)
    thinking = body.get("thinking", {})
    assert thinking.get("budget_tokens", 0) < body["max_tokens"]
    if thinking.get("type") in {"enabled", "adaptive"}:
        assert "temperature" not in body
        assert body.get("tool_choice", {}).get("type") not in {"any", "tool"}
