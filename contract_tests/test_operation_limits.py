"""Keys, budgets and limits hold beside chat as they do in chat, and other vendors are asked in their own way."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from administrator import ADMIN_KEY, Administrator, TestKey
from faultmock.wires.audio import wav
from prompts import new_marker, prompt
from stack import ApiService, Mock, running_api, wait_until

DOLLAR = 10**9


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    base = mock.url.removesuffix("/v1")
    environment = {
        "GATEWAY_ADMIN_KEY": ADMIN_KEY, "GOOGLE_API_KEY": "google-key", "GOOGLE_BASE_URL": base,
        "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": base,
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("operations")
    (folder / "gateway.toml").write_text(
        '[routes.vectors]\ndeployments = ["anthropic/claude-sonnet-4-5", "openai/text-embedding-3-small"]\n'
        'strategy = "priority"\n'
    )
    with running_api(folder, mock.url, None, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def admin(api: ApiService) -> Administrator:
    return Administrator(api)


def post(api: ApiService, key: TestKey, path: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{api.url}/v1/{path}", json=fields, headers=key.headers, timeout=20)


def transcribe(api: ApiService, key: TestKey) -> httpx.Response:
    files = {"file": ("a.wav", wav(24_000))}
    return httpx.post(
        f"{api.url}/v1/audio/transcriptions", data={"model": "whisper-1"}, files=files, headers=key.headers, timeout=20
    )


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("embeddings", {"model": "text-embedding-3-small", "input": ["one", "two"]}),
    ("completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "one"}),
    ("images/generations", {"model": "gpt-image-1", "prompt": "one", "n": 2}),
    ("audio/speech", {"model": "tts-1", "voice": "alloy", "input": "one"}),
    ("audio/speech", {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "one"}),
    ("moderations", {"input": "one"}),
    ("messages/count_tokens", {"model": "gpt-4o", "messages": [{"role": "user", "content": "one"}]}),
]


def test_a_hard_budget_is_held_and_charged(api: ApiService, admin: Administrator) -> None:
    key = admin.key()
    budget = admin.budget("key", key.id, 10 * DOLLAR)
    for path, fields in OTHERS:
        assert post(api, key, path, **fields).status_code == 200, path
    wait_until(lambda: admin.standing(budget)["held_nano_usd"] == 0, what="the settlements")
    rows = api.rows("SELECT operation, cost_nano_usd FROM requests WHERE key_id = ?", key.id)
    assert len(rows) == len(OTHERS)
    assert admin.standing(budget)["spent_nano_usd"] == sum(row["cost_nano_usd"] for row in rows)


def test_a_hard_budget_without_room_refuses_before_anything_is_sent(
    api: ApiService, mock: Mock, admin: Administrator
) -> None:
    key = admin.key()
    admin.budget("key", key.id, 1)
    for path, fields in OTHERS[1:-1]:
        marker = new_marker()
        answer = post(api, key, path, **{name: marker if value == "one" else value for name, value in fields.items()})
        expected = (200, 1) if path == "moderations" else (402, 0)
        assert (answer.status_code, len(mock.calls(marker))) == expected, path


def test_a_recording_is_refused_under_a_hard_budget_and_not_under_a_soft_one(
    api: ApiService, admin: Administrator
) -> None:
    key = admin.key()
    budget = admin.budget("key", key.id, 100 * DOLLAR)
    refused = transcribe(api, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
    assert "length" in refused.json()["error"]["message"]
    admin.drop_budget(budget)
    admin.budget("key", key.id, 1, hard=False)
    assert transcribe(api, key).status_code == 200


def test_a_key_may_be_limited_to_routes_models_and_rates(api: ApiService, admin: Administrator) -> None:
    only_images = admin.key(routes=["/v1/images/*"])
    assert post(api, only_images, "embeddings", **OTHERS[0][1]).status_code == 403
    assert post(api, only_images, "images/generations", **OTHERS[2][1]).status_code == 200
    only_chat = admin.key(models=["openai/gpt-4o"])
    assert post(api, only_chat, "embeddings", **OTHERS[0][1]).json()["error"]["code"] == "not_allowed"
    slow = admin.key()
    admin.limit("key", slow.id, requests_per_minute=1)
    assert [post(api, slow, "embeddings", **OTHERS[0][1]).status_code for _ in range(2)] == [200, 429]
    assert transcribe(api, slow).status_code == 429


def test_google_embeds_over_its_openai_route_with_a_bearer_key(
    api: ApiService, mock: Mock, admin: Administrator
) -> None:
    text = prompt(marker := new_marker(), 10)
    answer = post(api, admin.key(), "embeddings", model="gemini/gemini-embedding-001", input=text)
    assert answer.status_code == 200
    call = mock.ended_call(marker)
    assert call["path"] == "/v1beta/openai/embeddings"
    assert (call["seen"].get("authorization"), call["seen"].get("x-goog-api-key")) == (True, None)
    assert call["model"] == "gemini-embedding-001"


def test_anthropic_counts_its_own_tokens(api: ApiService, mock: Mock, admin: Administrator) -> None:
    marker = new_marker()
    asked = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": prompt(marker, 20)}]}
    answer = post(api, admin.key(), "messages/count_tokens", **asked)
    assert answer.status_code == 200
    assert mock.ended_call(marker)["path"] == "/v1/messages/count_tokens"
    row = api.rows("SELECT * FROM requests WHERE query LIKE ?", f"%{marker}%")[0]
    assert (row["operation"], row["cost_nano_usd"], row["total_tokens"]) == ("token_count", 0, 0)


def test_anthropic_has_no_embeddings(api: ApiService, admin: Administrator) -> None:
    error = post(api, admin.key(), "embeddings", model="claude-sonnet-4-5", input="one").json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request", "model")
    assert error["message"].startswith("Anthropic has no embeddings")


def test_a_route_passes_over_what_has_no_such_operation(api: ApiService, admin: Administrator) -> None:
    answer = post(api, admin.key(), "embeddings", model="vectors", input="one")
    assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, "openai/text-embedding-3-small")
    assert answer.headers["x-gateway-attempts"] == "1"
