"""`/api/chat` with `include`: an answer's thoughts and tool calls beside its words, whichever wire the provider speaks."""

import json
import urllib.request
from typing import Any

import pytest

from prompts import new_marker, prompt
from stack import ApiService, Mock, post_json

MODELS = ("openai/gpt-5.1", "anthropic/claude-opus-4-5", "google/gemini-3-flash-preview")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
ALL = {"include": ["reasoning", "tool_calls"]}


@pytest.fixture(scope="module")
def api_environment(mock: Mock) -> dict[str, str]:
    """The upstream of every provider is the mock."""
    root = mock.url.removesuffix("/v1")
    keys = {"ANTHROPIC_API_KEY": "sk-test-anthropic", "GOOGLE_API_KEY": "test-google"}
    return {**keys, "ANTHROPIC_BASE_URL": root, "GOOGLE_BASE_URL": root, "GEMINI_BASE_URL": root}


def asked(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "query": text, "tools": [TOOL], "reasoning_effort": "low", "max_tokens": 4_000, **more}


def streamed(api: ApiService, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{api.url}/api/chat",
        json.dumps({**body, "stream": True}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        lines = reply.read().decode().split("\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize("model", MODELS)
def test_thoughts_words_and_calls_come_apart_streamed_and_plain(api, model):
    text = prompt(new_marker(), thinking=4, tokens=5, tools=2)
    plain = post_json(f"{api.url}/api/chat", asked(model, text, **ALL))[1]
    events = streamed(api, asked(model, text, **ALL))
    assert {event["type"] for event in events} == {"reasoning", "chunk", "tool_call", "done"}
    assert "".join(event["delta"] for event in events if event["type"] == "reasoning") == plain["reasoning"] != ""
    assert "".join(event["delta"] for event in events if event["type"] == "chunk") == plain["response"] != ""
    calls: dict[int, dict[str, str]] = {}
    for event in events:
        if event["type"] == "tool_call" and "name" in event:
            calls[event["index"]] = {"name": event["name"], "arguments": ""}
            assert event["id"]
        elif event["type"] == "tool_call":
            calls[event["index"]]["arguments"] += event["delta"]
    assert [call["name"] for call in calls.values()] == ["weather"] * 2
    assert [json.loads(call["arguments"]).keys() for call in calls.values()] == [{"city"}] * 2
    assert [call["name"] for call in plain["tool_calls"]] == ["weather"] * 2
    assert events[-1]["metadata"]["tokens"]["reasoning"] == 4


@pytest.mark.parametrize("model", MODELS)
def test_without_being_asked_for_they_stay_away(api, model):
    text = prompt(new_marker(), thinking=4, tokens=5, tools=1)
    assert {event["type"] for event in streamed(api, asked(model, text))} == {"chunk", "done"}
    assert set(post_json(f"{api.url}/api/chat", asked(model, text))[1]) == {"request_id", "response", "metadata"}


def test_what_cannot_be_included_is_named(api):
    status, answer = post_json(f"{api.url}/api/chat", asked("demo/echo", "x", include=["logprobs"]))
    assert (status, answer["error"]["param"]) == (400, "include[0]")
