"""What the wire of chat completions says, it also reads: prompts, streams and whole answers, cut wherever."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from neutral_strategies import answers, base64_data, content_of, conversations, images, prompts, tool_choices
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.domain.errors import InvalidRequest
from gateway.domain.usage import Usage
from gateway.providers.sse import EventSplitter, event_data
from gateway.wires.codec import Frame, Unreadable
from gateway.wires.neutral import Delta, Finish, Media, Prompt, Reasoning, Text, ToolResult, Turn, Unsaid
from gateway.wires.openai_chat import prompt_in, prompt_out
from gateway.wires.openai_chat.answer_in import Decoder
from gateway.wires.openai_chat.answer_out import Writer
from gateway.wires.openai_chat.prompt_out import Dialect

FRAME = Frame(id="req_1", model="asked-for", created_s=1_700_000_000, wants_usage=True)
USAGE = Usage(input=5, cache_read=2, output=3, reasoning=4)
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
DONE = b"[DONE]"
FINE = (Finish(reason="stop"), Finish(reason="tool_calls"))

sounds = st.builds(
    Media, kind=st.just("audio"), mime_type=st.sampled_from(["audio/wav", "audio/mpeg"]), data=base64_data
)
papers = st.builds(
    Media, kind=st.just("document"), mime_type=st.just("application/pdf"), data=base64_data, name=st.just("a.pdf")
)
pictures = st.builds(
    Media, kind=st.just("image"), url=st.just("https://example.com/a.png"), detail=st.sampled_from([None, "low"])
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))


def expressible(prompt: Prompt) -> Prompt:
    """Without what chat messages have no word for, and in the pieces that they know."""
    if prompt.format is not None and prompt.format.schema is not None:
        prompt.format.name = "answer"
    prompt.system = [Text(text="\n".join(part.text for part in prompt.system))] if prompt.system else []
    for turn in prompt.turns:
        for part in turn.parts:
            if isinstance(part, ToolResult):
                part.is_error = False
        if turn.role == "assistant":
            words = "".join(part.text for part in turn.parts if isinstance(part, Text))
            others = [part for part in turn.parts if not isinstance(part, Text)]
            turn.parts = [Text(text=words), *others] if words else others
    return prompt


@given(
    prompts(
        turns=conversations(media=images | sounds | papers | pictures, call_signatures=st.none() | base64_data),
        tool_choice=tool_choices,
        top_k=st.none(),
        parallel_tool_calls=st.none(),
        user=st.none() | st.just("someone"),
        service_tier=st.sampled_from([None, "auto", "flex"]),
    ).map(expressible)
)
def test_a_prompt_survives(prompt: Prompt) -> None:
    written = prompt_out.write(prompt, "m", Dialect())
    assert written.unsaid == []
    again = prompt_in.read(FIELDS.decode(written.body))
    for tool in again.tools:
        tool.schema = msgspec.Raw(bytes(tool.schema))
    assert again == prompt


def events(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The data of each event, whatever the pieces in which the stream comes."""
    splitter, found = EventSplitter(), list[bytes]()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [event_data(event) or b"" for event in splitter.feed(stream[start:end])]
    return found


@given(answers(redacted=True, refusals=True, media=images, call_signatures=st.none() | base64_data), st.data())
def test_a_stream_cut_anywhere_says_the_same(deltas: list[Delta], data: st.DataObject) -> None:
    writer, place = Writer(FRAME), data.draw(st.integers(0, len(deltas)))
    stream = writer.some(deltas[:place]) + writer.end(deltas[place:], USAGE)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    decoder = Decoder(translate=True)
    heard = [decoder.event(payload) for payload in events(stream, cuts)]
    assert content_of([delta for one in heard for delta in one.deltas]) == content_of(deltas)
    assert [one.finishes for one in heard] == [False] * (len(heard) - 3) + [True, False, False]
    assert heard[-1].terminates


@given(answers(redacted=True, media=images, call_signatures=st.none() | base64_data))
def test_a_whole_answer_says_the_same(deltas: list[Delta]) -> None:
    body = Writer(FRAME).whole(deltas, USAGE)
    assert sorted(map(str, content_of(Decoder(translate=True).whole(body).deltas))) == sorted(
        map(str, content_of(deltas))
    )
    completion = ChatCompletion.model_validate_json(body, strict=True)
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens, completion.usage.total_tokens) == (
        7,
        7,
        14,
    )


@given(answers(refusals=True))
def test_the_sdk_puts_a_stream_together_as_the_whole_answer(deltas: list[Delta]) -> None:
    assume(deltas[-1] in FINE)  # the SDK raises for the others
    state: Any = ChatCompletionStreamState()
    writer = Writer(FRAME)
    for payload in events(writer.some(deltas[:-1]) + writer.end(deltas[-1:], USAGE), []):
        if payload != DONE:
            state.handle_chunk(ChatCompletionChunk.model_validate_json(payload))
    whole = ChatCompletion.model_validate_json(Writer(FRAME).whole(deltas, USAGE))
    streamed = state.get_final_completion()
    assert streamed.choices[0].finish_reason == whole.choices[0].finish_reason
    assert (streamed.choices[0].message.content or "") == (whole.choices[0].message.content or "")
    assert [
        (call.id, call.function.name, call.function.arguments) for call in streamed.choices[0].message.tool_calls or ()
    ] == [(call.id, call.function.name, call.function.arguments) for call in whole.choices[0].message.tool_calls or ()]
    assert streamed.usage == whole.usage


def said(message: dict[str, object], *, finish: str | None = None) -> bytes:
    return msgspec.json.encode({"id": "x", "model": "m", "choices": [{"delta": message, "finish_reason": finish}]})


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (
            [
                {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
                {"tool_calls": [{"id": "b", "function": {"name": "g", "arguments": "{}"}}]},
            ],
            [("call", "a", "f", None, "{}"), ("call", "b", "g", None, "{}")],
        ),
        (
            [
                {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"x"'}}]},
                {"tool_calls": [{"function": {"arguments": ":1}"}}]},
            ],
            [("call", "a", "f", None, '{"x":1}')],
        ),
        (
            [
                {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]},
                {"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]},
            ],
            [("call", "a", "f", None, "{}")],
        ),
        (
            [
                {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                        {"type": "text", "text": "so"},
                    ]
                }
            ],
            [("thinking", "hm", None, None), ("TextDelta", "so")],
        ),
        ([{"reasoning": "hm"}, {"content": "so"}], [("thinking", "hm", None, None), ("TextDelta", "so")]),
    ],
    ids=["no index", "no index and no id", "id in every piece", "Mistral's reasoning", "OpenRouter's reasoning"],
)
def test_what_vendors_do_differently_is_understood(pieces: list[dict[str, object]], expected: list[object]) -> None:
    decoder = Decoder(translate=True)
    deltas = [delta for piece in pieces for delta in decoder.event(said(piece)).deltas]
    assert content_of(deltas) == expected


FULL = {
    "model": "gpt-5",
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "high"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"it"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
        {"role": "user", "content": "So?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": True},
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "thing", "schema": {"type": "object"}, "strict": True},
    },
    "max_completion_tokens": 50,
    "stop": "END",
    "reasoning_effort": "low",
    "metadata": {"a": "b"},
    "logit_bias": {"50256": -100},
    "stream": True,
    "n": 1,
    "frequency_penalty": 0,
    "seed": 7,
}


def test_a_whole_request_is_read_field_by_field() -> None:
    prompt = prompt_in.read(FIELDS.decode(msgspec.json.encode(FULL)))
    assert [part.text for part in prompt.system] == ["Be brief."]
    assert [turn.role for turn in prompt.turns] == ["user", "assistant", "user"]
    assert prompt.turns[0].parts[1] == Media(kind="image", mime_type="image/png", data="QUJD", detail="high")
    assert prompt.turns[2].parts == [ToolResult(call_id="call_1", content=[Text(text="a cat")]), Text(text="So?")]
    assert (prompt.tools[0].name, prompt.tools[0].strict, bytes(prompt.tools[0].schema)) == (
        "look",
        True,
        b'{"type":"object"}',
    )
    assert prompt.tool_choice is not None
    assert (prompt.tool_choice.mode, prompt.tool_choice.name) == ("tool", "look")
    assert prompt.format is not None
    assert (prompt.format.name, prompt.format.strict) == ("thing", True)
    assert (prompt.output_limit, prompt.stop, prompt.seed, prompt.stream) == (50, ["END"], 7, True)
    assert prompt.reasoning == Reasoning(effort="low")
    assert prompt.unsaid == [Unsaid("metadata", harmless=True), Unsaid("logit_bias")]


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
            "messages[0].content",
        ),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"temperature": "hot"}, "temperature"),
        ({"reasoning_effort": "immense"}, "reasoning_effort"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changed: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        prompt_in.read(FIELDS.decode(msgspec.json.encode({**FULL, **changed})))
    assert refused.value.param == param


def test_a_model_that_does_not_reason_is_not_asked_to() -> None:
    prompt = Prompt(turns=[], system=[Text(text="x")], reasoning=Reasoning(budget=5_000), top_k=3)
    for reasons, unsaid in ((True, ["top_k"]), (False, ["top_k", "reasoning"])):
        written = prompt_out.write(prompt, "m", Dialect(reasons=reasons))
        assert [lost.name for lost in written.unsaid] == unsaid
        assert msgspec.json.decode(written.body).get("reasoning_effort") == ("medium" if reasons else None)


def test_pictures_of_a_tool_follow_its_words() -> None:
    result = ToolResult(
        call_id="c", content=[Text(text="see"), Media(kind="image", mime_type="image/png", data="QUJD")]
    )
    written = prompt_out.write(Prompt(turns=[Turn(role="user", parts=[result])]), "m", Dialect())
    tool, user = msgspec.json.decode(written.body)["messages"]
    assert (tool["role"], tool["content"], user["role"]) == ("tool", "see", "user")
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]


@given(st.binary(max_size=80) | anything.map(msgspec.json.encode))
def test_garbage_is_unreadable_and_nothing_else(payload: bytes) -> None:
    for read_it in (Decoder(translate=True).event, Decoder().event, Decoder(translate=True).whole):
        with suppress(Unreadable):
            read_it(payload)


NAMES = [
    *FULL,
    "role",
    "content",
    "type",
    "text",
    "function",
    "name",
    "arguments",
    "image_url",
    "url",
    "json_schema",
    "schema",
]


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.recursive(
            leaves | st.sampled_from(["user", "tool", "text"]),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
            max_leaves=12,
        ),
        max_size=5,
    )
)
def test_an_odd_request_is_invalid_and_nothing_else(body: dict[str, object]) -> None:
    with suppress(InvalidRequest):
        prompt_in.read(FIELDS.decode(msgspec.json.encode(body)))
