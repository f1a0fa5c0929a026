"""Tool calls and results as an upstream was sent them, whatever its wire."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Body = dict[str, Any]


class SentCall(NamedTuple):
    """A call in the history; Google's may have no id."""

    id: str | None
    name: str
    arguments: dict[str, Any]


class SentResult(NamedTuple):
    """What a tool gave back."""

    id: str | None
    text: str


Sent = tuple[list[SentCall], list[SentResult]]


def calls_and_results(wire: str, body: Body) -> Sent:
    """Both in their order; `wire` as the mock names it."""
    return _READ[wire](body)


def _of_chat(body: Body) -> Sent:
    calls = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
    results = [message for message in body["messages"] if message["role"] == "tool"]
    return (
        [SentCall(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls],
        [SentResult(result["tool_call_id"], _words(result["content"])) for result in results],
    )


def _of_responses(body: Body) -> Sent:
    items = body["input"]
    return (
        [
            SentCall(item["call_id"], item["name"], json.loads(item["arguments"]))
            for item in items
            if item.get("type") == "function_call"
        ],
        [SentResult(item["call_id"], item["output"]) for item in items if item.get("type") == "function_call_output"],
    )


def _of_messages(body: Body) -> Sent:
    blocks = [block for turn in body["messages"] for block in _listed(turn["content"])]
    return (
        [SentCall(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        [
            SentResult(block["tool_use_id"], _words(block["content"]))
            for block in blocks
            if block["type"] == "tool_result"
        ],
    )


def _of_contents(body: Body) -> Sent:
    """Without ids, Google tells results by their names."""
    parts = [part for content in body["contents"] for part in content["parts"]]
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    assert [call["name"] for call in calls] == [result["name"] for result in results]
    return (
        [SentCall(call.get("id"), call["name"], call["args"]) for call in calls],
        [SentResult(result.get("id"), result["response"]["output"]) for result in results],
    )


def _listed(content: Any) -> Iterator[Body]:
    yield from content if isinstance(content, list) else ()


def _words(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


_READ: dict[str, Callable[[Body], Sent]] = {
    "openai": _of_chat, "responses": _of_responses, "anthropic": _of_messages, "gemini": _of_contents,
}  # fmt: skip
