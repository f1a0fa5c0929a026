"""What OpenAI's own Responses say, event by event and whole."""

import msgspec
import pytest

from gateway.wires.codec import Heard, Unreadable
from gateway.wires.responses.answer_in import Decoder

USAGE = {"input_tokens": 37, "output_tokens": 11, "total_tokens": 48}
MESSAGE = {
    "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
    "content": [{"type": "output_text", "text": "Hi there!", "annotations": []}],
}  # fmt: skip
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "error": None,
    "output": [MESSAGE],
    "usage": USAGE,
}


def heard(event: dict[str, object]) -> Heard:
    return Decoder().event(msgspec.json.encode(event))


def whole(response: dict[str, object]) -> Heard:
    return Decoder().whole(msgspec.json.encode(response))


@pytest.mark.parametrize(
    ("event", "text", "counted"),
    [
        ({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi"}, "Hi", "Hi"),
        ({"type": "response.reasoning_summary_text.delta", "delta": "hm"}, "", "hm"),
        ({"type": "response.reasoning_text.delta", "delta": "hm"}, "", "hm"),
        ({"type": "response.function_call_arguments.delta", "delta": '{"a'}, "", '{"a'),
        ({"type": "response.custom_tool_call_input.delta", "delta": "ls"}, "", "ls"),
        ({"type": "response.mcp_call_arguments.delta", "delta": {"a": 1}}, "", ""),
        ({"type": "response.output_text.done", "text": "Hi there!"}, "", ""),
        ({"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}}, "", ""),
        ({"type": "response.queued", "response": {**RESPONSE, "status": "queued", "output": []}}, "", ""),
        ({"type": "response.output_item.added", "output_index": 0, "item": MESSAGE}, "", ""),
        ({"type": "response.output_item.done", "output_index": 0, "item": MESSAGE}, "", ""),
        ({"type": "response.some.future.event", "delta": "?"}, "", ""),
        ({"type": "keepalive", "sequence_number": 3}, "", ""),
    ],
)
def test_words_are_heard_once(event: dict[str, object], text: str, counted: str) -> None:
    found = heard(event)
    assert (found.text, found.counted, found.deltas, found.finishes, found.error) == (text, counted, [], False, b"")


@pytest.mark.parametrize(
    ("kind", "changed", "reason"),
    [
        ("completed", {}, "completed"),
        ("incomplete", {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ("incomplete", {"status": "incomplete", "incomplete_details": None}, "incomplete"),
        ("completed", {"output": [{"type": "tool_search_call", "arguments": {"q": 1}}]}, "completed"),
    ],
)  # fmt: skip
def test_the_last_event_finishes_with_usage_and_reason(kind: str, changed: dict[str, object], reason: str) -> None:
    response = {**RESPONSE, "service_tier": "flex", **changed}
    found = heard({"type": f"response.{kind}", "sequence_number": 9, "response": response})
    assert (found.finishes, found.terminates, found.text, found.error) == (True, True, "", b"")
    assert (found.finish_reason, found.service_tier) == (reason, "flex")
    assert msgspec.json.decode(found.usage) == USAGE


@pytest.mark.parametrize(
    ("error", "says"),
    [({"code": "server_error", "message": "Overloaded."}, "Overloaded."), (None, "without a reason")],
)
def test_a_failure_is_an_error_streamed_and_whole(error: object, says: str) -> None:
    failed = {**RESPONSE, "status": "failed", "error": error, "output": []}
    for found in (heard({"type": "response.failed", "response": failed}), whole(failed)):
        assert says in found.error.decode()
        assert not found.finishes


def test_what_a_compatible_server_says_last_ends_the_stream() -> None:
    found = Decoder().event(b"[DONE]")
    assert (found.terminates, found.finishes) == (True, False)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_in_the_background_is_no_error(status: str) -> None:
    found = whole({**RESPONSE, "status": status, "output": [], "usage": None})
    assert (found.error, found.usage, found.finishes, found.finish_reason) == (b"", b"", True, status)


def test_a_whole_response_says_what_its_items_say() -> None:
    items: list[object] = [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"a":1}'},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "sh", "input": "ls"},
        {"type": "tool_search_call", "id": "ts_1", "arguments": {"query": "weather"}},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        MESSAGE,
    ]
    found = whole({**RESPONSE, "output": items})
    assert found.text == "Hi there!"
    for counted in ("Hm.", 'look{"a":1}', "shls", "weather", "Hi there!"):
        assert counted in found.counted
    assert msgspec.json.decode(found.usage) == USAGE


def test_a_refusal_is_heard_as_one() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    found = whole({**RESPONSE, "output": [said]})
    assert (found.is_refusal, found.text, found.counted) == (True, "", "No.")
    assert heard({"type": "response.refusal.delta", "delta": "No."}).is_refusal


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"output":7}', b"<html>", b"\xff", b'{"output":[' * 200_000]
)
def test_what_is_no_response_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        Decoder().whole(body)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b'{"type":"response.completed"}', b'{"type":7}', b"\xff"])
def test_what_is_no_event_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        Decoder().event(payload)


def test_a_response_that_is_no_text_cannot_be_read() -> None:
    body = msgspec.json.encode({**RESPONSE, "instructions": "h\u00e9"})
    assert Decoder().whole(body).text == "Hi there!"
    for odd in (body.replace("\u00e9".encode(), b"\xff"), body.replace(b"there", b"\xc3\x28")):
        with pytest.raises(Unreadable):
            Decoder().whole(odd)
