"""Messages requests as the documentation shows them, read; and what is asked elsewhere, written for each family."""

from typing import Any

import msgspec
import pytest

from gateway.domain.errors import InvalidRequest
from gateway.wires.anthropic import prompt_in, prompt_out
from gateway.wires.neutral import (
    Format,
    Media,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Unsaid,
)

FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
CLASSIC, ADAPTIVE, NEWEST = "claude-opus-4-1", "claude-opus-4-6", "claude-opus-5"
QUESTION = Turn(role="user", parts=[Text(text="So?")])
WEATHER = Tool(name="weather", schema=msgspec.Raw(b'{"type":"object"}'))


def read(**fields: Any) -> Prompt:
    body = {"model": "m", "max_tokens": 1_024, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return prompt_in.read(FIELDS.decode(msgspec.json.encode(body)))


def parts_of(*content: dict[str, Any], role: str = "user") -> list[Part]:
    return read(messages=[{"role": role, "content": list(content)}]).turns[0].parts


def written(prompt: Prompt, model: str = CLASSIC) -> tuple[dict[str, Any], list[Unsaid]]:
    told = prompt_out.write(prompt, model, output_limit=4_096)
    return msgspec.json.decode(told.body), list(told.unsaid)


def asking(**fields: Any) -> Prompt:
    return Prompt(**{"turns": [QUESTION], **fields})


def test_a_short_request_is_read() -> None:
    assert read(system="Be kind.", stream=True) == Prompt(
        turns=[Turn(role="user", parts=[Text(text="Hi")])], system=[Text(text="Be kind.")], output_limit=1_024, stream=True
    )  # fmt: skip


def test_cache_marks_keep_their_time() -> None:
    system = [{"type": "text", "text": "A"}, {"type": "text", "text": "B", "cache_control": {"type": "ephemeral"}}]
    prompt = read(system=system)
    assert prompt.system == [Text(text="A"), Text(text="B", cache="5m")]
    assert parts_of({"type": "text", "text": "C", "cache_control": {"type": "ephemeral", "ttl": "1h"}}) == [
        Text(text="C", cache="1h")
    ]


@pytest.mark.parametrize(
    ("block", "media"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
            Media(kind="image", mime_type="image/png", data="QUJD"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
            Media(kind="image", url="https://example.com/a.jpg"),
        ),
        (
            {"type": "document", "title": "Plan", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}},
            Media(kind="document", mime_type="application/pdf", data="QUJD", name="Plan"),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
            Media(kind="document", mime_type="application/pdf", url="https://example.com/a.pdf"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ABC"}},
            Media(kind="document", mime_type="text/plain", data="QUJD"),
        ),
    ],
)  # fmt: skip
def test_media_are_read(block: dict[str, Any], media: Media) -> None:
    assert parts_of(block) == [media]


def test_calls_and_results_are_read() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}
    redacted = {"type": "redacted_thinking", "data": "EmwK"}
    assert parts_of(thought, redacted, call, role="assistant") == [
        Thinking(text="Hm.", signature="EqQB"), Thinking(redacted="EmwK"),
        ToolCall(id="toolu_1", name="weather", arguments='{"city":"Rome"}'),
    ]  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "15 degrees", "is_error": True}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    assert parts_of(result, {**result, "content": [image], "is_error": False}) == [
        ToolResult(call_id="toolu_1", content=[Text(text="15 degrees")], is_error=True),
        ToolResult(call_id="toolu_1", content=[Media(kind="image", mime_type="image/png", data="QUJD")]),
    ]


@pytest.mark.parametrize(
    ("given", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice(mode="auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice(mode="any"), False),
        ({"type": "tool", "name": "weather"}, ToolChoice(mode="tool", name="weather"), None),
        ({"type": "none"}, ToolChoice(mode="none"), None),
    ],
)
def test_a_tool_choice_is_read(given: dict[str, Any], choice: ToolChoice, parallel: bool | None) -> None:
    prompt = read(tools=[{"name": "weather", "input_schema": {"type": "object"}}], tool_choice=given)
    assert (prompt.tools, prompt.tool_choice, prompt.parallel_tool_calls) == ([WEATHER], choice, parallel)


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, Reasoning(budget=2_000)),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Reasoning(shown=True)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, Reasoning(effort="max")),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
    ],
)
def test_thinking_is_read(fields: dict[str, Any], reasoning: Reasoning) -> None:
    prompt = read(**fields)
    assert (prompt.reasoning, prompt.unsaid) == (reasoning, [])


@pytest.mark.parametrize(
    ("fields", "unsaid"),
    [
        ({"context_management": {"edits": []}}, Unsaid("context_management", harmless=True)),
        ({"mcp_servers": [{"type": "url"}]}, Unsaid("mcp_servers")),
        ({"container": "c"}, Unsaid("container")),
        ({"whatever": 1}, Unsaid("whatever")),
        ({"metadata": {"user_id": "a", "more": 1}}, Unsaid("metadata.more", harmless=True)),
        ({"cache_control": {"type": "ephemeral"}}, Unsaid("cache_control", harmless=True)),
        ({"max_tokens": 0}, Unsaid("max_tokens")),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, Unsaid("tools[0].type")),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, Unsaid("tools[0].type")),
        ({"tools": [{"name": "f", "defer_loading": True}]}, Unsaid("tools[0].defer_loading", harmless=True)),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "odd": 1}]}]},
            Unsaid("messages[0].content[0].odd"),
        ),
    ],
)
def test_what_has_no_word_is_named(fields: dict[str, Any], unsaid: Unsaid) -> None:
    assert read(**fields).unsaid == [unsaid]


@pytest.mark.parametrize(
    "fields", [{"stream": None}, {"mcp_servers": []}, {"container": None}, {"tools": []}, {"top_k": 0}, {"odd": False}]
)
def test_what_asks_for_nothing_is_not_reported(fields: dict[str, Any]) -> None:
    assert read(**fields).unsaid == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "bot", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "odd"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "thinking"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "content"}}]}]},
            "messages[0].content[0].source.type",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "f", "input_schema": []}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"system": [{"type": "text", "text": "a", "cache_control": {"ttl": "9h"}}]}, "system[0].cache_control.ttl"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(**fields)
    assert raised.value.param == param
    assert param in raised.value.message or param == "messages"


@pytest.mark.parametrize("kind", ["server_tool_use", "web_search_tool_result", "code_execution_tool_result"])
def test_what_the_provider_did_by_itself_cannot_be_told_to_another(kind: str) -> None:
    content = [{"type": "text", "text": "Rain."}, {"type": kind, "id": "srvtoolu_1"}]
    prompt = read(messages=[{"role": "assistant", "content": content}])
    assert prompt.turns[0].parts == [Text(text="Rain.")]
    assert prompt.unsaid == [Unsaid("messages[0].content[1].type")]


def test_citations_are_asked_for_by_name() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "ABC"}
    shown = {"type": "document", "source": source, "context": "Old", "citations": {"enabled": True}}
    assert read(messages=[{"role": "user", "content": [shown]}]).unsaid == [
        Unsaid("messages[0].content[0].citations.enabled"), Unsaid("messages[0].content[0].context"),
    ]  # fmt: skip


def test_words_that_cite_are_words() -> None:
    cited = {"type": "text", "text": "Rain.", "citations": [{"type": "char_location"}]}
    prompt = read(messages=[{"role": "assistant", "content": [cited]}])
    assert prompt.turns[0].parts == [Text(text="Rain.")]
    assert prompt.unsaid == [Unsaid("messages[0].content[0].citations", harmless=True)]


def test_a_result_without_words_is_a_result() -> None:
    assert parts_of({"type": "tool_result", "tool_use_id": "a"}) == [ToolResult(call_id="a", content=[])]
    with pytest.raises(InvalidRequest):
        parts_of({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "search_result"}]})


def test_a_wish_for_a_resolution_is_named() -> None:
    image = Media(kind="image", mime_type="image/png", data="QUJD", detail="high")
    body, unsaid = written(asking(turns=[Turn(role="user", parts=[image])]))
    assert body["messages"][0]["content"][0]["source"]["data"] == "QUJD"
    assert unsaid == [Unsaid("detail", harmless=True)]


def test_strict_tools_are_strict_where_the_family_can() -> None:
    body, unsaid = written(asking(tools=[Tool(name="f", strict=True)]), "claude-haiku-4-5")
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object"}, "strict": True}]
    assert unsaid == []


def test_instructions_in_between_are_read_and_written_as_the_user_s() -> None:
    messages = [
        {"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Hello"},
    ]  # fmt: skip
    prompt = read(messages=messages)
    assert [turn.role for turn in prompt.turns] == ["user", "system", "assistant"]
    body, _ = written(prompt)
    assert body["messages"][0] == {
        "role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "Be brief."}],
    }  # fmt: skip


def test_instructions_before_the_first_word_are_the_system_s() -> None:
    body, _ = written(asking(turns=[Turn(role="system", parts=[Text(text="Be brief.")]), QUESTION]))
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_results_come_first_and_neighbours_are_one_message() -> None:
    turns = [
        QUESTION,
        Turn(role="assistant", parts=[Refusal(text="No."), ToolCall(id="call|1", name="weather", arguments="")]),
        Turn(role="user", parts=[Text(text="Well?")]),
        Turn(role="user", parts=[ToolResult(call_id="call|1", content=[Text(text="15"), Text(text=" ")])]),
    ]  # fmt: skip
    body, unsaid = written(asking(turns=turns))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "No."}, {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "15"}]},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]  # fmt: skip
    assert unsaid == []


def test_only_its_own_thoughts_go_back() -> None:
    thoughts: list[Part] = [
        Thinking(text="a", signature="gemini:QUJD"), Thinking(text="b"), Thinking(text="c", signature="EqQB"), Text(text="d"),
    ]  # fmt: skip
    body, unsaid = written(asking(turns=[QUESTION, Turn(role="assistant", parts=thoughts), QUESTION]))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "c", "signature": "EqQB"}, {"type": "text", "text": "d"},
    ]  # fmt: skip
    assert unsaid == []


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="audio", mime_type="audio/wav", data="QUJD"),
        Media(kind="image", mime_type="image/tiff", data="QUJD"),
        Media(kind="image", url="gs://bucket/a.png"),
        Media(kind="image", file_id="files/abc"),
        Media(kind="document", mime_type="text/plain", data="/w=="),
        Media(kind="document", mime_type="application/msword", data="QUJD"),
        ToolCall(id="a", name="f", arguments="[1]"),
        Text(text="  "),
    ],
)
def test_what_anthropic_cannot_be_told_is_refused(part: Part) -> None:
    with pytest.raises(InvalidRequest) as raised:
        written(asking(turns=[Turn(role="assistant" if isinstance(part, ToolCall) else "user", parts=[part])]))
    assert raised.value.param == "messages"


@pytest.mark.parametrize(
    ("fields", "unsaid"),
    [
        ({"choices": 2}, Unsaid("n")),
        ({"logprobs": True}, Unsaid("logprobs")),
        ({"seed": 0}, Unsaid("seed", harmless=True)),
        ({"frequency_penalty": 0.5}, Unsaid("frequency_penalty", harmless=True)),
        ({"presence_penalty": 0.5}, Unsaid("presence_penalty", harmless=True)),
        ({"service_tier": "flex"}, Unsaid("service_tier", harmless=True)),
        ({"temperature": 1.5}, Unsaid("temperature", allowed="It takes 0 to 1.")),
        ({"temperature": 0.5, "top_p": 0.5}, Unsaid("top_p", harmless=True)),
        ({"format": Format()}, Unsaid("response_format")),
        ({"format": Format(schema=msgspec.Raw(b'{"type":"object"}'))}, Unsaid("response_format")),
        ({"tools": [Tool(name="f", strict=True)]}, Unsaid("tools.strict", harmless=True)),
    ],
)
def test_what_anthropic_has_no_word_for_is_named(fields: dict[str, Any], unsaid: Unsaid) -> None:
    assert written(asking(**fields))[1] == [unsaid]


@pytest.mark.parametrize(
    "fields", [{"choices": 1}, {"frequency_penalty": 0.0}, {"temperature": 0.5, "top_p": 1.0}, {"service_tier": "auto"}]
)
def test_what_changes_nothing_is_not_named(fields: dict[str, Any]) -> None:
    assert written(asking(**fields))[1] == []


@pytest.mark.parametrize(
    ("model", "reasoning", "limit", "expected"),
    [
        (CLASSIC, Reasoning(effort="low"), None, {"max_tokens": 5_120, "thinking": {"type": "enabled", "budget_tokens": 1_024}}),
        (CLASSIC, Reasoning(effort="medium"), 8_000, {"max_tokens": 8_000,"thinking": {"type": "enabled", "budget_tokens": 4_096}}),
        (CLASSIC, Reasoning(effort="high"), 8_000, {"max_tokens": 8_000, "thinking": {"type": "enabled", "budget_tokens": 6_000}}),
        (CLASSIC, Reasoning(budget=500), None, {"max_tokens": 5_120, "thinking": {"type": "enabled", "budget_tokens": 1_024}}),
        (CLASSIC, Reasoning(effort="none"), None, {"max_tokens": 4_096, "thinking": {"type": "disabled"}}),
        (ADAPTIVE, Reasoning(effort="xhigh"), 9, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (ADAPTIVE, Reasoning(budget=2_000), None, {"thinking": {"type": "enabled", "budget_tokens": 2_000}}),
        (NEWEST, Reasoning(effort="minimal"), 9, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (NEWEST, Reasoning(effort="none"), 9, {"thinking": {"type": "disabled"}}),
        (NEWEST, Reasoning(shown=True), 9, {"thinking": {"type": "adaptive", "display": "summarized"}}),
        ("claude-sonnet-5-5", Reasoning(effort="none"), 9, {"thinking": {"type": "between_tools"}}),
    ],
)  # fmt: skip
def test_a_family_is_told_how_much_to_think(
    model: str, reasoning: Reasoning, limit: int | None, expected: dict[str, Any]
) -> None:
    body, unsaid = written(asking(reasoning=reasoning, output_limit=limit), model)
    assert {name: body.get(name) for name in expected} == expected
    assert unsaid == []


CALLED = [
    QUESTION, Turn(role="assistant", parts=[ToolCall(id="a", name="weather", arguments="{}")]),
    Turn(role="user", parts=[ToolResult(call_id="a", content=[])]),
]  # fmt: skip
FORCED: dict[str, Any] = {"tools": [WEATHER], "tool_choice": ToolChoice(mode="any")}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (CLASSIC, {"reasoning": Reasoning(effort="low"), "output_limit": 500}),
        (CLASSIC, {"reasoning": Reasoning(effort="low"), **FORCED}),
        (CLASSIC, {"reasoning": Reasoning(effort="low"), "turns": CALLED}),
        (ADAPTIVE, {"reasoning": Reasoning(effort="low"), **FORCED}),
        ("claude-3-5-haiku-latest", {"reasoning": Reasoning(effort="low")}),
        ("claude-opus-5-5", {"reasoning": Reasoning(effort="none")}),
    ],
)
def test_where_it_cannot_think_as_asked_that_is_said(model: str, fields: dict[str, Any]) -> None:
    body, unsaid = written(asking(**fields), model)
    assert "thinking" not in body
    assert unsaid == [Unsaid("reasoning", harmless=True)]


def test_a_budget_is_an_effort_for_the_newest() -> None:
    body, unsaid = written(asking(reasoning=Reasoning(budget=3_000)), NEWEST)
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "medium"})
    assert unsaid == [Unsaid("reasoning", harmless=True)]


def test_who_thinks_chooses_words_by_itself() -> None:
    body, unsaid = written(asking(reasoning=Reasoning(effort="low"), temperature=0.2, top_p=0.95, top_k=5))
    assert (body.get("temperature"), body.get("top_p"), body.get("top_k")) == (None, 0.95, None)
    assert unsaid == [Unsaid("temperature", harmless=True), Unsaid("top_k", harmless=True)]


def test_the_newest_take_no_temperature() -> None:
    assert written(asking(temperature=1.0, top_p=1.0), NEWEST)[1] == []
    body, unsaid = written(asking(temperature=0.0, top_p=0.5), NEWEST)
    assert not {"temperature", "top_p"} & body.keys()
    assert unsaid == [Unsaid("temperature", harmless=True), Unsaid("top_p", harmless=True)]


def test_the_newest_cannot_be_forced_to_call() -> None:
    body, unsaid = written(asking(**FORCED), "claude-opus-5-5")
    assert body["tool_choice"] == {"type": "auto"}
    assert unsaid == [Unsaid("tool_choice")]


def test_a_tool_must_be_there_to_be_called() -> None:
    with pytest.raises(InvalidRequest) as raised:
        written(asking(tool_choice=ToolChoice(mode="any")))
    assert raised.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="none"), False, {"type": "none"}),
        (ToolChoice(mode="tool", name="weather"), False, {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}),
    ],
)  # fmt: skip
def test_tools_are_chosen_in_anthropic_s_words(
    choice: ToolChoice | None, parallel: bool | None, expected: dict[str, Any] | None
) -> None:
    body, unsaid = written(asking(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=parallel))
    assert body.get("tool_choice") == expected
    assert unsaid == []


def test_a_schema_is_closed_where_it_says_nothing_of_other_fields() -> None:
    schema = {"type": "object", "properties": {"type": {"type": "object", "properties": {}}}}
    wanted = Format(schema=msgspec.Raw(msgspec.json.encode(schema)), name="n", description="What it is")
    body, unsaid = written(asking(format=wanted, reasoning=Reasoning(effort="low")), NEWEST)
    inner = {"type": "object", "properties": {}, "additionalProperties": False}
    assert body["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object", "properties": {"type": inner}, "additionalProperties": False, "description": "What it is",
            },
        },
    }  # fmt: skip
    assert unsaid == []
