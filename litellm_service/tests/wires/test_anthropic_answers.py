"""Anthropic's replies as the documentation shows them, and what unmodified SDKs make of ours."""

from typing import Any

import anthropic
import httpx2
import msgspec
import pytest

from gateway.domain.usage import Usage
from gateway.metering.anthropic_usage import usage
from gateway.wires.anthropic.answer_in import Decoder
from gateway.wires.anthropic.answer_out import Writer, error_body
from gateway.wires.codec import Frame, Heard, Unreadable
from gateway.wires.neutral import (
    Begin,
    Delta,
    Finish,
    Media,
    MediaDelta,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallBegin,
    ToolCallDelta,
)

FRAME = Frame(id="req_1", model="asked-for", created_s=1_700_000_000)
USED = Usage(input=5, cache_read=2, cache_write=1, cache_write_1h=7, output=3, reasoning=4, searches=2)


def heard(*events: dict[str, Any], translate: bool = True) -> list[Heard]:
    decoder = Decoder(translate)
    return [decoder.event(msgspec.json.encode(event)) for event in events]


def deltas_of(pieces: list[Heard]) -> list[Delta]:
    return [delta for piece in pieces for delta in piece.deltas]


def message(**fields: Any) -> dict[str, Any]:
    return {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5", "content": [], **fields}


def started(**usage_fields: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": message(usage=usage_fields or {"input_tokens": 25, "output_tokens": 1})}


def block(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def change(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def over(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str | None, **usage_fields: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": usage_fields or {"output_tokens": 15}}


PING, STOP = {"type": "ping"}, {"type": "message_stop"}


def test_a_basic_stream_is_words_and_an_end() -> None:
    pieces = heard(
        started(), block(0, type="text", text=""), PING, change(0, "text_delta", text="Hello"),
        change(0, "text_delta", text="!"), over(0), ended("end_turn"), STOP,
    )  # fmt: skip
    assert deltas_of(pieces) == [
        Begin(id="msg_01", model="claude-opus-5"), TextDelta(text="Hello"), TextDelta(text="!"), Finish(reason="stop"),
    ]  # fmt: skip
    assert "".join(piece.text for piece in pieces) == "Hello!"
    assert [place for place, piece in enumerate(pieces) if piece.ignored] == [2]
    assert [place for place, piece in enumerate(pieces) if piece.finishes] == [6]
    assert [place for place, piece in enumerate(pieces) if piece.terminates] == [7]
    assert pieces[6].finish_reason == "end_turn"


def test_thinking_ends_with_its_signature() -> None:
    pieces = heard(
        started(), block(0, type="thinking", thinking="", signature=""), change(0, "thinking_delta", thinking="27 * 453"),
        change(0, "signature_delta", signature="EqQBCg"), over(0), block(1, type="redacted_thinking", data="EmwK"), over(1),
    )  # fmt: skip
    assert deltas_of(pieces)[1:] == [
        ThinkingDelta(text="27 * 453"), ThinkingEnd(signature="EqQBCg"), ThinkingEnd(redacted="EmwK"),
    ]  # fmt: skip
    assert "".join(piece.text for piece in pieces) == ""
    assert "".join(piece.counted for piece in pieces) == "27 * 453"


def test_a_tool_s_arguments_come_in_pieces_or_not_at_all() -> None:
    pieces = heard(
        started(), block(0, type="tool_use", id="toolu_1", name="weather", input={}),
        change(0, "input_json_delta", partial_json=""),
        change(0, "input_json_delta", partial_json='{"city":'), change(0, "input_json_delta", partial_json='"Rome"}'), over(0),
        block(1, type="tool_use", id="toolu_2", name="now", input={}), over(1),
        block(2, type="tool_use", id="toolu_3", name="at_once", input={"a": 1}), over(2), ended("tool_use"),
    )  # fmt: skip
    assert deltas_of(pieces)[1:] == [
        ToolCallBegin(index=0, id="toolu_1", name="weather"), ToolCallDelta(index=0, arguments='{"city":'),
        ToolCallDelta(index=0, arguments='"Rome"}'), ToolCallBegin(index=1, id="toolu_2", name="now"),
        ToolCallDelta(index=1, arguments="{}"), ToolCallBegin(index=2, id="toolu_3", name="at_once"),
        ToolCallDelta(index=2, arguments='{"a":1}'), Finish(reason="tool_calls"),
    ]  # fmt: skip


def test_a_search_of_the_provider_is_counted_but_not_told() -> None:
    pieces = heard(
        started(), block(0, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        change(0, "input_json_delta", partial_json='{"query":"x"}'), over(0),
        block(1, type="web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"type": "web_search_result"}]), over(1),
        ended("end_turn", output_tokens=9, server_tool_use={"web_search_requests": 1}),
    )  # fmt: skip
    assert deltas_of(pieces)[1:] == [Finish(reason="stop")]
    assert "".join(piece.counted for piece in pieces) == 'web_search{"query":"x"}'
    assert usage(pieces[-1].usage) == Usage(input=25, output=9, searches=1)


def test_the_second_report_of_usage_keeps_what_it_does_not_repeat() -> None:
    first = {"input_tokens": 3, "cache_read_input_tokens": 9, "output_tokens": 1, "service_tier": "priority"}
    pieces = heard(started(**first), ended("end_turn", input_tokens=4, cache_read_input_tokens=None, output_tokens=15))
    assert [usage(piece.usage) for piece in pieces] == [
        Usage(input=3, cache_read=9, output=1), Usage(input=4, cache_read=9, output=15),
    ]  # fmt: skip
    assert pieces[0].service_tier == "priority"


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"), ("refusal", "refusal"), ("pause_turn", "pause"), ("something_new", "stop"),
    ],
)  # fmt: skip
def test_every_stop_reason_has_a_word(stated: str, reason: str) -> None:
    assert deltas_of(heard(ended(stated))) == [Finish(reason=reason)]
    body = message(content=[], stop_reason=stated, usage={"input_tokens": 1, "output_tokens": 1})
    whole = Decoder(True).whole(msgspec.json.encode(body))
    assert whole.deltas[-1] == Finish(reason=reason)
    assert (whole.finish_reason, whole.finishes) == (stated, True)


def test_a_whole_message_says_everything_at_once() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}, {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "text", "text": "Hi!"}, {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}},
    ]  # fmt: skip
    counts = {"input_tokens": 12, "output_tokens": 6, "service_tier": "standard"}
    body = message(content=content, stop_reason="stop_sequence", stop_sequence="END", usage=counts)
    whole = Decoder(True).whole(msgspec.json.encode(body))
    assert whole.deltas == [
        Begin(id="msg_01", model="claude-opus-5"), ThinkingDelta(text="Hm."), ThinkingEnd(signature="EqQB"),
        ThinkingEnd(redacted="EmwK"), TextDelta(text="Hi!"), ToolCallBegin(index=0, id="toolu_1", name="now"),
        ToolCallDelta(index=0, arguments="{}"), Finish(reason="stop", stop_sequence="END"),
    ]  # fmt: skip
    assert (whole.text, whole.counted, whole.service_tier) == ("Hi!", "Hm.Hi!now", "standard")
    assert usage(whole.usage) == Usage(input=12, output=6)


def test_an_error_is_handed_on() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    body = {"type": "error", "error": error}
    assert msgspec.json.decode(heard(body)[0].error) == error
    assert msgspec.json.decode(Decoder(False).whole(msgspec.json.encode(body)).error) == error


def test_an_error_that_is_none_is_none() -> None:
    assert heard({**change(0, "text_delta", text="Hi"), "error": None})[0].text == "Hi"


def test_usage_in_between_finishes_nothing() -> None:
    piece = heard(ended(None, output_tokens=4))[0]
    assert (piece.finishes, piece.is_usage_only, piece.deltas) == (False, True, [])


def test_a_whole_reply_without_content_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no content"):
        Decoder(True).whole(b'{"type": "message"}')


def test_nothing_is_translated_unasked() -> None:
    pieces = heard(
        started(), block(0, type="tool_use", id="a", name="f", input={}), change(0, "input_json_delta", partial_json="{}"),
        over(0), ended("tool_use"), translate=False,
    )  # fmt: skip
    assert deltas_of(pieces) == []
    assert "".join(piece.counted for piece in pieces) == "f{}"


def client(body: bytes, *, status: int = 200, kind: str = "text/event-stream") -> anthropic.Anthropic:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers={"content-type": kind})

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="key", base_url="http://gateway", http_client=transport, max_retries=0)


def asked(sdk: anthropic.Anthropic) -> anthropic.types.Message:
    with sdk.messages.stream(model="asked-for", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream:
        return stream.get_final_message()


INTERLEAVED: list[Delta] = [
    Begin(id="resp_1", model="other"), ThinkingDelta(text="Hm."), ThinkingEnd(signature="gemini:QUJD"),
    TextDelta(text="Two calls."), ToolCallBegin(index=0, id="call_a", name="f"), ToolCallBegin(index=1, id="call_b", name="g"),
    ToolCallDelta(index=1, arguments='{"b":'), ToolCallDelta(index=0, arguments='{"a":'), ToolCallDelta(index=1, arguments="2}"),
    ToolCallDelta(index=0, arguments="1}"), Finish(reason="stop"),
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(INTERLEAVED) + 1))
def test_the_sdk_reads_a_stream_with_interleaved_calls(place: int) -> None:
    writer = Writer(FRAME)
    final = asked(client(writer.some(INTERLEAVED[:place]) + writer.end(INTERLEAVED[place:], USED)))
    assert [part.to_dict() for part in final.content] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "gemini:QUJD"}, {"type": "text", "text": "Two calls."},
        {"type": "tool_use", "id": "call_a", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_b", "name": "g", "input": {"b": 2}},
    ]  # fmt: skip
    assert (final.stop_reason, final.id, final.model) == ("tool_use", "msg_1", "asked-for")
    told = final.usage
    assert (told.input_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens) == (5, 2, 8)
    assert told.output_tokens == 7
    assert told.output_tokens_details is not None
    assert told.output_tokens_details.thinking_tokens == 4
    assert told.server_tool_use is not None
    assert told.server_tool_use.web_search_requests == 2


def test_calls_one_after_the_other_are_not_held_back() -> None:
    writer = Writer(FRAME)
    writer.some([ToolCallBegin(index=0, id="a", name="f"), ToolCallDelta(index=0, arguments='{"a":1}')])
    more = writer.some([ToolCallBegin(index=1, id="b", name="g"), ToolCallDelta(index=1, arguments='{"b"')])
    assert b'"name":"g"' in more
    assert b"partial_json" in more


def test_the_usage_that_a_whole_message_states_is_what_was_settled() -> None:
    body = Writer(FRAME).whole([TextDelta(text="Hi"), Finish(reason="stop")], USED)
    assert usage(msgspec.json.encode(msgspec.json.decode(body)["usage"])) == USED


def test_an_error_in_mid_stream_is_raised_by_the_sdk() -> None:
    writer = Writer(FRAME)
    stream = writer.some([TextDelta(text="Hal")]) + writer.failure(504, "provider_timeout", "The provider was silent.")
    with pytest.raises(anthropic.APIStatusError, match="The provider was silent"):
        asked(client(stream))


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (402, "billing_error", anthropic.APIStatusError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (404, "not_found_error", anthropic.NotFoundError),
        (413, "request_too_large", anthropic.APIStatusError),
        (422, "invalid_request_error", anthropic.UnprocessableEntityError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (502, "api_error", anthropic.InternalServerError),
        (503, "overloaded_error", anthropic.InternalServerError),
        (504, "timeout_error", anthropic.InternalServerError),
    ],
)
def test_errors_have_the_types_that_the_sdk_knows(
    status: int, kind: str, raised: type[anthropic.APIStatusError]
) -> None:
    body = error_body(status, "our_code", "What to do.", "req_1")
    assert msgspec.json.decode(body) == {
        "type": "error", "error": {"type": kind, "message": "What to do.", "code": "our_code"}, "request_id": "req_1",
    }  # fmt: skip
    with pytest.raises(raised, match=r"What to do\."):
        asked(client(body, status=status, kind="application/json"))


@pytest.mark.parametrize(
    ("deltas", "reason", "stop_sequence"),
    [
        ([Finish(reason="stop")], "end_turn", None),
        ([Finish(reason="stop", stop_sequence="END")], "stop_sequence", "END"),
        ([Finish(reason="length")], "max_tokens", None),
        ([Finish(reason="pause")], "pause_turn", None),
        ([Finish(reason="content_filter")], "refusal", None),
        ([RefusalDelta(text="No."), Finish(reason="stop")], "refusal", None),
        ([ToolCallBegin(index=0, id="a", name="f"), Finish(reason="stop")], "tool_use", None),
        ([ToolCallBegin(index=0, id="a", name="f"), Finish(reason="length")], "max_tokens", None),
        ([], "end_turn", None),
    ],
)
def test_the_end_has_anthropic_s_words(deltas: list[Delta], reason: str, stop_sequence: str | None) -> None:
    final = asked(client(Writer(FRAME).end(deltas, USED)))
    whole = msgspec.json.decode(Writer(FRAME).whole(deltas, USED))
    assert (final.stop_reason, final.stop_sequence) == (reason, stop_sequence)
    assert (whole["stop_reason"], whole["stop_sequence"]) == (reason, stop_sequence)


def test_a_picture_is_told_in_markdown() -> None:
    shown = MediaDelta(media=Media(kind="image", mime_type="image/png", data="QUJD"))
    whole = msgspec.json.decode(Writer(FRAME).whole([TextDelta(text="See: "), shown], USED))
    assert whole["content"] == [{"type": "text", "text": "See: ![image](data:image/png;base64,QUJD)"}]


def test_arguments_that_broke_off_are_kept() -> None:
    broken: list[Delta] = [
        ToolCallBegin(index=0, id="a", name="f"), ToolCallDelta(index=0, arguments='{"a": "b'), Finish(reason="length"),
    ]  # fmt: skip
    whole = msgspec.json.decode(Writer(FRAME).whole(broken, USED))
    assert whole["content"][0]["input"] == {"INVALID_JSON": '{"a": "b'}


def test_words_after_a_call_without_an_end_wait_for_it() -> None:
    deltas: list[Delta] = [
        ToolCallBegin(index=0, id="a", name="f"), TextDelta(text="Then."), ToolCallDelta(index=0, arguments='{"a":1}'),
    ]  # fmt: skip
    whole = msgspec.json.decode(Writer(FRAME).whole(deltas, USED))
    assert [part["type"] for part in whole["content"]] == ["tool_use", "text"]
    assert whole["content"][0]["input"] == {"a": 1}
