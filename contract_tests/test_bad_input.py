"""Wrong requests: the status and code of the API page, and a message that says what to do."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from prompts import ROUTES, new_marker
from stack import ApiService, Mock, get_json, post_json, running_api

USER = {"role": "user", "content": "hi"}
# Field the message must name, and the body.
SEED: dict[str, tuple[str | None, Any]] = {
    "an array": (None, []),
    "null": (None, None),
    "a string": (None, "hello"),
    "a number": (None, 7),
    "nothing": ("model", {}),
    "no query": ("query", {"model": "gpt-4o"}),
    "empty query": ("query", {"model": "gpt-4o", "query": ""}),
    "null query": ("query", {"model": "gpt-4o", "query": None}),
    "number as query": ("query", {"model": "gpt-4o", "query": 7}),
    "query and messages": ("query", {"model": "gpt-4o", "query": "hi", "messages": [USER]}),
    "empty messages": ("messages", {"model": "gpt-4o", "messages": []}),
    "messages no list": (None, {"model": "gpt-4o", "messages": "hi"}),
    "message no object": (None, {"model": "gpt-4o", "messages": ["hi"]}),
    "no model": ("model", {"query": "hi"}),
    "empty model": ("model", {"query": "hi", "model": ""}),
    "number as model": ("model", {"query": "hi", "model": 4}),
    "list as model": ("model", {"query": "hi", "model": ["gpt-4o"]}),
    "huge model": ("model", {"query": "hi", "model": "m" * 100_000}),
    "control characters in model": ("model", {"query": "hi", "model": "gpt\r\nx: y"}),
    "number as user": ("user_id", {"query": "hi", "model": "gpt-4o", "user_id": 7}),
    "huge user": ("user_id", {"query": "hi", "model": "gpt-4o", "user_id": "u" * 10_000}),
    "NUL in user": ("user_id", {"query": "hi", "model": "gpt-4o", "user_id": "a\x00b"}),
    "number as application": ("application_id", {"query": "hi", "model": "gpt-4o", "application_id": 1}),
    "text as stream": ("stream", {"query": "hi", "model": "gpt-4o", "stream": "yes"}),
    "unknown field": ("temprature", {"query": "hi", "model": "gpt-4o", "temprature": 1}),
    "text as temperature": ("temperature", {"query": "hi", "model": "gpt-4o", "temperature": "hot"}),
    "fraction of a token": ("max_tokens", {"query": "hi", "model": "gpt-4o", "max_tokens": 1.5}),
}
OPENAI: dict[str, tuple[str | None, Any]] = {
    "an array": (None, []),
    "nothing": ("model", {}),
    "no messages": ("messages", {"model": "gpt-4o"}),
    "empty messages": ("messages", {"model": "gpt-4o", "messages": []}),
    "null messages": ("messages", {"model": "gpt-4o", "messages": None}),
    "message without role": ("role", {"model": "gpt-4o", "messages": [{"content": "hi"}]}),
    "number as content": (None, {"model": "gpt-4o", "messages": [{"role": "user", "content": 7}]}),
    "no model": ("model", {"messages": [USER]}),
    "zero choices": ("n", {"model": "gpt-4o", "messages": [USER], "n": 0}),
    "too many choices": ("n", {"model": "gpt-4o", "messages": [USER], "n": 1_000_000}),
    "text as stream": ("stream", {"model": "gpt-4o", "messages": [USER], "stream": "true"}),
    "list as stream_options": (None, {"model": "gpt-4o", "messages": [USER], "stream": True, "stream_options": [1]}),
}
CASES = [("seed", case, *SEED[case]) for case in SEED] + [("openai", case, *OPENAI[case]) for case in OPENAI]
NOT_JSON = (b"", b"{", b"nonsense", b'{"model": "gpt-4o", "query": "hi"', b"\xff\xfe{}", b'{"model": NaN}', b"{}{}")


@pytest.mark.parametrize(("route", "case", "field", "sent"), CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES])
def test_a_wrong_body_is_400_and_named(
    api: ApiService, mock: Mock, route: str, case: str, field: str | None, sent: Any
) -> None:
    before = len(mock.calls())
    status, reply = post_json(f"{api.url}{ROUTES[route]}", sent)
    error = reply["error"]
    assert (status, error["code"], error["type"]) == (400, "invalid_request", "invalid_request_error")
    assert field is None or field in error["message"]
    assert field is None or field in (error["param"] or "")
    assert len(error["message"]) < 500
    assert error["request_id"]
    assert len(mock.calls()) == before


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize("sent", NOT_JSON)
def test_what_is_not_json_is_400(api: ApiService, route: str, sent: bytes) -> None:
    request = urllib.request.Request(f"{api.url}{ROUTES[route]}", sent, {"content-type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as reply:
        error = json.loads(reply.read())["error"]
        assert (reply.code, error["code"]) == (400, "invalid_request")
        assert "JSON" in error["message"] or "missing" in error["message"]


@pytest.mark.parametrize("route", list(ROUTES))
def test_an_unknown_model_is_404_with_the_nearest_names(api: ApiService, route: str) -> None:
    sent = {"query": "hi"} if route == "seed" else {"messages": [USER]}
    status, reply = post_json(f"{api.url}{ROUTES[route]}", {**sent, "model": "gpt-4oo"})
    assert (status, reply["error"]["code"]) == (404, "unknown_model")
    assert "gpt-4o" in reply["error"]["message"]
    assert "/api/models" in reply["error"]["message"]


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize("model", ["groq/llama-3.3-70b-versatile", "claude-sonnet-4-5"])
def test_a_missing_key_is_503_and_names_the_variable(api: ApiService, route: str, model: str) -> None:
    sent = {"query": "hi"} if route == "seed" else {"messages": [USER]}
    status, reply = post_json(f"{api.url}{ROUTES[route]}", {**sent, "model": model})
    assert (status, reply["error"]["code"]) == (503, "provider_not_configured")
    variable = "GROQ_API_KEY" if model.startswith("groq") else "ANTHROPIC_API_KEY"
    assert variable in reply["error"]["message"]
    assert ".env" in reply["error"]["message"]


def test_a_provider_that_is_down_is_502_and_recorded(folder: Path) -> None:
    with running_api(folder, "http://127.0.0.1:9/v1") as api:
        status, reply = post_json(f"{api.url}/api/chat", {"query": "hi", "model": "gpt-4o"})
        assert (status, reply["error"]["code"]) == (502, "provider_unavailable")
        row = api.rows("SELECT * FROM requests")[0]
        assert (row["status"], row["error_message"]) == ("error", reply["error"]["message"])


def test_refusals_before_a_hold_leave_no_row(api: ApiService) -> None:
    marker = new_marker()
    post_json(f"{api.url}/api/chat", {"query": marker, "model": "no-such-model"})
    post_json(f"{api.url}/api/chat", {"query": marker, "model": "gpt-4o", "oops": 1})
    assert api.rows("SELECT 1 FROM requests WHERE query = ?", marker) == []


def test_unknown_paths_and_methods_say_so(api: ApiService) -> None:
    status, reply = get_json(f"{api.url}/api/nothing")
    assert (status, reply["error"]["code"]) == (404, "not_found")
    status, reply = get_json(f"{api.url}/api/chat")
    assert (status, reply["error"]["code"]) == (405, "method_not_allowed")
    status, reply = post_json(f"{api.url}/api/models", {})
    assert (status, reply["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2025-13-01T00:00:00Z",
        "tz=Mars/Olympus",
        "bucket=fortnight",
        "group_by=password",
        "from=2025-02-01T00:00:00Z&to=2025-01-01T00:00:00Z",
        "limit=-1",
        "limit=1e9",
        "cursor=%00",
        "status=maybe",
        "nonsense=1",
        "http_status=abc",
    ],
)
@pytest.mark.parametrize("path", ["/api/usage", "/api/requests"])
def test_wrong_filters_are_400_or_ignored_but_never_a_500(api: ApiService, path: str, query: str) -> None:
    status, reply = get_json(f"{api.url}{path}?{query}")
    assert status in {200, 400}, reply
    if status == 400:
        assert reply["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a'--", 'x" OR 1=1', "%00", "ünïcode 🙂", "a" * 300, "%2e%2e%2f"])
def test_odd_names_in_paths_are_answered_properly(api: ApiService, name: str) -> None:
    status, _ = get_json(f"{api.url}/api/user/{quote(name, safe='%')}/usage")
    assert status in {200, 400, 404}
    status, reply = get_json(f"{api.url}/api/requests/{quote(name, safe='%')}")
    assert status in {400, 404}, reply


@pytest.mark.parametrize("user", ["a'; DROP TABLE requests; --", 'x" OR "1"="1', "=cmd()", "ünïcode 🙂", " spaced "])
def test_odd_names_are_kept_as_they_are(api: ApiService, user: str) -> None:
    sent = {"query": "hi", "model": "gpt-4o", "user_id": user, "application_id": user}
    status, reply = post_json(f"{api.url}/api/chat", sent)
    assert status == 200
    assert reply["metadata"]["user_id"] == user
    usage = get_json(f"{api.url}/api/user/{quote(user)}/usage")[1]
    assert (usage["user_id"], usage["summary"]["total_requests"]) == (user, 1)
    assert [row["application_id"] for row in usage["usage_by_application"]] == [user]


def test_a_lone_surrogate_is_answered_properly(api: ApiService) -> None:
    """JSON can carry what UTF-8 cannot."""
    status, _ = post_json(f"{api.url}/api/chat", {"query": "\ud800", "model": "gpt-4o"})
    assert status in {200, 400}
    status, _ = post_json(f"{api.url}/v1/chat/completions", {"messages": [USER], "model": "gpt-4o", "user": "\udfff"})
    assert status in {200, 400}


def test_nothing_broke(api: ApiService) -> None:
    """Last in this file."""
    assert "Traceback" not in api.log
    assert api.open_holds() == 0
