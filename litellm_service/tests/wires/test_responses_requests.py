"""What Responses clients ask, field by field and item by item."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neutral_strategies import base64_data, conversations, images, json_texts, words

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import (
    Format,
    Media,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Unsaid,
)
from gateway.wires.responses import prompt_in
from gateway.wires.responses.reasoning import wrapped

FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
PNG = "iVBORw0KGgo="


def read(**body: object) -> Prompt:
    return prompt_in.read(FIELDS.decode(msgspec.json.encode({"model": "m", "input": "Hello", **body})))


def parts_of(*content: object) -> list[Part]:
    return read(input=[{"role": "user", "content": content}]).turns[0].parts


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_text", "text": "See?"}, Text(text="See?")),
        (
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
            Media(kind="image", mime_type="image/png", data=PNG, detail="low"),
        ),
        (
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            Media(kind="image", url="https://example.com/a.png"),
        ),
        ({"type": "input_image", "file_id": "file_1"}, Media(kind="image", file_id="file_1")),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"},
            Media(kind="document", mime_type="application/pdf", data="QUJD", name="a.pdf"),
        ),
        (
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
            Media(kind="document", url="https://example.com/a.pdf"),
        ),
        ({"type": "input_file", "file_id": "file_2"}, Media(kind="document", file_id="file_2")),
        (
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
            Media(kind="audio", mime_type="audio/mpeg", data="QUJD"),
        ),
    ],
)
def test_a_part_is_read(part: dict[str, object], expected: Part) -> None:
    assert parts_of(part) == [expected]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"role": "assistant", "content": [{"type": "output_text", "text": "A", "annotations": []}]},
            Text(text="A"),
        ),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, Refusal(text="No.")),
        (
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""},
            ToolCall(id="call_1", name="f", arguments="{}"),
        ),
        (
            {
                "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}",
                "extra_content": {"google": {"thought_signature": "QUJD"}},
            },
            ToolCall(id="call_1", name="f", arguments="{}", signature="QUJD"),
        ),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
            Thinking(text="a\nb"),
        ),
        (
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "open"}]},
            Thinking(text="open"),
        ),
        ({"type": "reasoning", "summary": [], "encrypted_content": wrapped(None, "r")}, Thinking(redacted="r")),
        (
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG},
            Media(kind="image", mime_type="image/png", data=PNG),
        ),
    ],
)  # fmt: skip
def test_an_item_of_the_assistant_is_read(item: dict[str, object], expected: Part) -> None:
    turn = read(input=[{"role": "user", "content": "x"}, item]).turns[1]
    assert turn == Turn(role="assistant", parts=[expected])


def test_what_a_tool_gave_back_may_be_parts() -> None:
    output = [{"type": "input_text", "text": "a cat"}, {"type": "input_image", "image_url": "https://example.com/c"}]
    (turn,) = read(input=[{"type": "function_call_output", "call_id": "call_1", "output": output}]).turns
    content: list[Text | Media] = [Text(text="a cat"), Media(kind="image", url="https://example.com/c")]
    assert turn.parts == [ToolResult(call_id="call_1", content=content)]


def test_instructions_in_mid_conversation_stay_where_they_are() -> None:
    items = [{"role": "user", "content": "x"}, {"role": "developer", "content": "Be brief."}]
    assert [turn.role for turn in read(input=items).turns] == ["user", "system"]


def test_only_openai_can_read_what_openai_encrypted() -> None:
    items = [{"role": "user", "content": "x"}, {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB"}]
    prompt = read(input=items)
    assert [turn.role for turn in prompt.turns] == ["user"]
    assert prompt.unsaid == [Unsaid("input[1].encrypted_content", harmless=True)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tool_choice": "required"}, {"tool_choice": ToolChoice(mode="any")}),
        ({"tool_choice": "none"}, {"tool_choice": ToolChoice(mode="none")}),
        ({"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": ToolChoice(mode="tool", name="f")}),
        ({"text": {"format": {"type": "text"}}}, {"format": None}),
        ({"text": {"format": {"type": "json_object"}}}, {"format": Format()}),
        ({"reasoning": {"effort": "xhigh"}}, {"reasoning": Reasoning(effort="xhigh")}),
        ({"reasoning": {"effort": None, "summary": None}}, {"reasoning": None}),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"parallel_tool_calls": False, "temperature": 0}, {"parallel_tool_calls": False, "temperature": 0}),
        ({"user": "u", "service_tier": "flex", "stream": True}, {"user": "u", "service_tier": "flex", "stream": True}),
    ],
)
def test_a_field_is_read(fields: dict[str, Any], expected: dict[str, object]) -> None:
    prompt = read(**fields)
    assert {name: getattr(prompt, name) for name in expected} == expected
    assert prompt.unsaid == []


def test_only_the_allowed_tools_are_told() -> None:
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("a", "b")]
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]}
    prompt = read(tools=tools, tool_choice=allowed)
    assert ([tool.name for tool in prompt.tools], prompt.tool_choice) == (["b"], ToolChoice(mode="any"))


@pytest.mark.parametrize(
    ("field", "value", "harmless"),
    [
        ("metadata", {"a": "b"}, True), ("store", True, True), ("prompt_cache_key", "k", True), ("safety_identifier", "s", True),
        ("stream_options", {"include_obfuscation": False}, True), ("include", ["web_search_call.results"], True),
        ("previous_response_id", "resp_1", False), ("conversation", {"id": "conv_1"}, False), ("prompt", {"id": "pmpt_1"}, False),
        ("background", True, False), ("truncation", "auto", False), ("context_management", [{"type": "compaction"}], False),
        ("something_new", 1, False),
    ],
)  # fmt: skip
def test_a_field_without_a_word_is_named(field: str, value: object, *, harmless: bool) -> None:
    assert read(**{field: value}).unsaid == [Unsaid(field, harmless=harmless)]


@pytest.mark.parametrize(
    ("fields", "name", "harmless"),
    [
        ({"text": {"verbosity": "low"}}, "text.verbosity", True),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context", True),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", False),
    ],
)
def test_a_detail_without_a_word_is_named(fields: dict[str, Any], name: str, *, harmless: bool) -> None:
    assert read(**fields).unsaid == [Unsaid(name, harmless=harmless)]


def test_what_changes_nothing_is_not_mentioned() -> None:
    nothing: dict[str, Any] = {
        "store": False, "truncation": "disabled", "background": False, "previous_response_id": None, "metadata": {}, "tools": [],
        "include": ["reasoning.encrypted_content"], "text": {"verbosity": "medium"}, "reasoning": {"context": "auto"},
    }  # fmt: skip
    assert read(**nothing).unsaid == []


@pytest.mark.parametrize(
    "kind",
    ["web_search", "file_search", "code_interpreter", "mcp", "image_generation", "computer_use_preview", "custom", "local_shell"],
)  # fmt: skip
def test_a_tool_that_only_openai_has_is_named(kind: str) -> None:
    tools = [{"type": "function", "name": "f"}, {"type": kind, "name": "x"}]
    prompt = read(tools=tools)
    assert ([tool.name for tool in prompt.tools], prompt.unsaid) == (["f"], [Unsaid("tools[1].type")])


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": [{"type": "item_reference", "id": "rs_1"}]}, "input[0]", "Send the item itself"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0]", "web_search_call"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0]", "lacks what it needs"),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "https://x"}]}]},
            "input[0].content",
            "text only",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "refusal", "refusal": "n"}]}]},
            "input[0].output",
            "text, images and files",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]", "lacks its content"),
        ({"input": 7}, "input", "Expected"),
        ({"tools": [{"name": "f"}]}, "tools[0]", "type"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice.type", "OpenAI only"),
        ({"reasoning": {"effort": "enormous"}}, "reasoning.effort", "enormous"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type", "yaml"),
        ({"max_output_tokens": "many"}, "max_output_tokens", "int"),
        ({"input": ""}, "input", "at least one message"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_by_name(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(**fields)
    assert refused.value.param == param
    assert says in refused.value.message


signatures = st.none() | base64_data
thoughts = st.builds(Thinking, text=words, signature=signatures) | st.builds(Thinking, redacted=base64_data)


@given(
    conversations(media=images, thinking=thoughts, refusals=st.builds(Refusal, text=words), call_signatures=signatures)
)
def test_a_conversation_is_read_as_it_was_meant(turns: list[Turn]) -> None:
    items = [item for turn in turns for item in items_of(turn)]
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolResult):
                part.is_error = False
    assert read(input=items).turns == turns


def items_of(turn: Turn) -> list[dict[str, object]]:
    """A turn as a client writes it: each part that is no item of its own in a message."""
    said = {"user": "input_text", "assistant": "output_text"}
    items: list[dict[str, object]] = []
    for part in turn.parts:
        match part:
            case ToolCall():
                extra = {"extra_content": {"google": {"thought_signature": part.signature}}} if part.signature else {}
                call = {"call_id": part.id, "name": part.name, "arguments": part.arguments}
                items.append({"type": "function_call", **call, **extra})
            case ToolResult():
                words = "".join(one.text for one in part.content if isinstance(one, Text))
                items.append({"type": "function_call_output", "call_id": part.call_id, "output": words})
            case Thinking():
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                sealed = wrapped(part.signature, part.redacted)
                items.append({"type": "reasoning", "summary": summary, "encrypted_content": sealed})
            case _:
                if not items or "role" not in items[-1]:
                    items.append({"role": turn.role, "content": []})
                content = items[-1]["content"]
                assert isinstance(content, list)
                content.append(_part(part, said[turn.role]))
    return items


def _part(part: Part, kind: str) -> dict[str, object]:
    if isinstance(part, Media):
        return {"type": "input_image", "image_url": f"data:{part.mime_type};base64,{part.data}"}
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, Text)
    return {"type": kind, "text": part.text}


@given(json_texts)
def test_a_call_keeps_its_arguments_to_the_letter(arguments: str) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": arguments}
    assert read(input=[call]).turns[0].parts == [ToolCall(id="call_1", name="f", arguments=arguments)]


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
@pytest.mark.parametrize(
    "around", [b'{"input": %s}', b'{"input": [{"role": "user", "x": %s}]}', b'{"input": "x", "tools": %s}']
)
def test_depth_breaks_nothing(depth: int, around: bytes) -> None:
    try:
        fields = FIELDS.decode(around % (b'{"a":' * depth + b"1" + b"}" * depth))
    except RecursionError:
        return
    with suppress(InvalidRequest):
        prompt_in.read(fields)
