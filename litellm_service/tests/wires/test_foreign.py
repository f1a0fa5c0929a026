"""What another provider signed goes to no provider that would refuse it."""

from typing import Any

import msgspec
import pytest

from gateway.wires import foreign
from gateway.wires.gemini.signatures import for_client
from gateway.wires.responses.reasoning import wrapped

SAID = {"role": "user", "content": "hi"}
TEXT = {"type": "text", "text": "so"}
OWN = {"type": "thinking", "thinking": "hm", "signature": "QUJD"}


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


@pytest.mark.parametrize("signature", ["", None, "gemini:QUJD"])
def test_anthropic_gets_its_own_thinking_only(signature: str | None) -> None:
    other = {"type": "thinking", "thinking": "hm", "signature": signature}
    given = [SAID, {"role": "assistant", "content": [other, OWN, TEXT]}]
    cleaned = msgspec.json.decode(foreign.from_anthropic(raw(given)))
    assert cleaned == [SAID, {"role": "assistant", "content": [OWN, TEXT]}]


def test_openai_gets_no_reasoning_that_others_signed() -> None:
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    other = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": wrapped("sig", None)}
    redacted = {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": wrapped(None, "data")}
    assert msgspec.json.decode(foreign.from_responses(raw([own, other, redacted, SAID]))) == [own, SAID]


def test_openai_gets_no_reasoning_that_it_did_not_do_itself() -> None:
    own = {"type": "reasoning", "id": "rs_6820f382", "summary": [{"type": "summary_text", "text": "hm"}]}
    other = own | {"id": "rs_01a20b9d-645b-7ba3-b68f-605c6671c7a7_0", "status": "completed"}
    assert msgspec.json.decode(foreign.from_responses(raw([own, other, SAID]))) == [own, SAID]


def test_openai_gets_no_signature_of_a_call() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    signed = call | {"extra_content": {"google": {"thought_signature": "QUJD"}}}
    assert msgspec.json.decode(foreign.from_responses(raw([SAID, signed]))) == [SAID, call]


def test_a_strict_provider_gets_no_thoughts_with_messages() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = {"role": "assistant", "content": "so", "tool_calls": [call]}
    signed = call | {"extra_content": {"google": {"thought_signature": "QUJD"}}}
    thought = {"reasoning_content": "hm", "thinking_blocks": [OWN], "tool_calls": [signed]}
    assert msgspec.json.decode(foreign.from_openai(raw([SAID, said | thought]))) == [SAID, said]


def test_google_gets_no_signature_of_others() -> None:
    other = {"text": "hm", "thought": True, "thoughtSignature": for_client("anthropics", None)}
    own = {"text": "hm", "thought": True, "thoughtSignature": "QUJD"}
    cleaned = msgspec.json.decode(foreign.from_gemini(raw([{"role": "model", "parts": [other, own]}])))
    assert cleaned == [{"role": "model", "parts": [{"text": "hm", "thought": True}, own]}]


@pytest.mark.parametrize(
    "clean", [foreign.from_anthropic, foreign.from_responses, foreign.from_gemini, foreign.from_openai]
)
@pytest.mark.parametrize(
    "given",
    [
        b'[ {"role" : "user", "content": "the word \\"thinking\\" and Z2F0ZXdheS1 by themselves"} ]',
        b'"thinking Z2F0ZXdheS1"',
        b'{"thinking": "Z2F0ZXdheS1"}',
        b'[1, null, {"content": [{"type": "thinking", "signature": 5}], "parts": 7, "x": "Z2F0ZXdheS1"}]',
        b"[" * 5_000 + b'"thinking" Z2F0ZXdheS1',
        b'[ {"type": "message", "content": "\\"extra_content\\""}, {"type": "reasoning", "id": 5, "x": "rs_01a20b9d-"} ]',
    ],
    ids=["words", "a text", "an object", "odd", "deep", "names"],
)  # fmt: skip
def test_everything_else_passes_byte_for_byte(clean: Any, given: bytes) -> None:
    assert bytes(clean(msgspec.Raw(given))) == given
