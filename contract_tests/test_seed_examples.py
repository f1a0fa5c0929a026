"""The seed's examples, run as they stand; only the port differs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stack import ApiService, Mock, WebUI, get_json, post_json

CURL_CHAT = r"""
curl -X POST http://localhost:5000/api/chat -H "Content-Type: application/json" \
  -d '{"user_id": "test-user", "application_id": "curl-test", "query": "Hello, how are you?", "model": "gpt-3.5-turbo"}'
"""
CURL_USAGE = "curl http://localhost:5000/api/user/test-user/usage"
CURL_MODELS = "curl http://localhost:5000/api/models"
PYTHON = """
import requests
response = requests.post('http://localhost:5000/api/chat', json={
    'user_id': 'python-user', 'application_id': 'python-script',
    'query': 'What is machine learning?', 'model': 'gpt-4o'})
data = response.json()
print(f"Response: {data['response']}")
print(f"Cost: ${data['metadata']['cost_usd']}")
print(f"Tokens: {data['metadata']['tokens']['total']}")
stats = requests.get('http://localhost:5000/api/user/python-user/usage').json()
print(f"Total requests: {stats['summary']['total_requests']}")
print(f"Total cost: ${stats['summary']['total_cost_usd']}")
"""
SEED_COLUMNS = {
    "id": "TEXT",
    "application_id": "TEXT",
    "user_id": "TEXT",
    "model": "TEXT",
    "query": "TEXT",
    "response": "TEXT",
    "response_time": "REAL",
    "prompt_tokens": "INTEGER",
    "completion_tokens": "INTEGER",
    "total_tokens": "INTEGER",
    "cost_usd": "REAL",
    "timestamp": "TEXT",
    "status": "TEXT",
    "error_message": "TEXT",
}
SEED_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def on_port(example: str, api: ApiService) -> str:
    assert "localhost:5000" in example
    return example.replace("localhost:5000", f"localhost:{api.port}")


def shell(command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        ["bash", "-euc", command], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl(example: str, api: ApiService) -> Any:
    return json.loads(shell(on_port(example, api)))


def test_the_curl_example_answers_with_the_exact_fields(api: ApiService) -> None:
    reply = curl(CURL_CHAT, api)
    assert {"request_id", "response", "metadata"} <= set(reply)
    assert UUID.match(reply["request_id"])
    assert isinstance(reply["response"], str)
    assert reply["response"]
    metadata = reply["metadata"]
    assert isinstance(metadata["response_time"], float)
    assert all(type(metadata["tokens"][name]) is int for name in ("prompt", "completion", "total"))
    assert metadata["tokens"]["total"] == metadata["tokens"]["prompt"] + metadata["tokens"]["completion"]
    assert isinstance(metadata["cost_usd"], float)
    assert metadata["cost_usd"] > 0
    assert SEED_TIME.match(metadata["timestamp"])
    assert (metadata["model"], metadata["application_id"]) == ("gpt-3.5-turbo", "curl-test")
    assert metadata["user_id"] == "test-user"


def test_the_usage_example_answers_with_the_exact_fields(api: ApiService) -> None:
    curl(CURL_CHAT, api)
    usage = curl(CURL_USAGE, api)
    assert usage["user_id"] == "test-user"
    summary = usage["summary"]
    counts = ("total_requests", "total_tokens", "apps_used", "models_used")
    assert all(type(summary[name]) is int and summary[name] >= 1 for name in counts)
    assert isinstance(summary["total_cost_usd"], float)
    assert isinstance(summary["avg_response_time"], float)
    assert [row["application_id"] for row in usage["usage_by_application"]] == ["curl-test"]
    assert [row["model"] for row in usage["usage_by_model"]] == ["openai/gpt-3.5-turbo"]
    assert len(usage["recent_requests"]) == summary["total_requests"]


def test_the_models_example_groups_models_by_provider(api: ApiService) -> None:
    models = curl(CURL_MODELS, api)
    openai = models["providers"]["openai"]
    assert openai["callable"] is True
    assert "openai/gpt-4o" in [model["id"] for model in openai["models"]]
    assert models["providers"]["groq"]["callable"] is False
    assert models["providers"]["groq"]["reason"]


def test_the_python_example_prints_what_it_should(api: ApiService, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(on_port(PYTHON, api))
    printed = shell(f"{sys.executable} {script}")
    lines = dict(line.split(": ", 1) for line in printed.splitlines())
    assert lines["Response"]
    assert float(lines["Cost"].removeprefix("$")) > 0
    assert int(lines["Tokens"]) > 0
    assert lines["Total requests"] == "1"
    assert lines["Total cost"] == lines["Cost"]


def test_stats_and_health_answer(api: ApiService) -> None:
    curl(CURL_CHAT, api)
    status, stats = get_json(f"{api.url}/api/stats")
    assert status == 200
    assert stats["summary"]
    assert stats["usage_by_model"]
    status, health = get_json(f"{api.url}/health")
    assert status == 200
    assert health["status"]


def test_unknown_users_have_used_nothing(api: ApiService) -> None:
    status, usage = get_json(f"{api.url}/api/user/nobody-ever/usage")
    assert status == 200
    assert usage["summary"]["total_requests"] == 0
    assert usage["usage_by_application"] == usage["usage_by_model"] == usage["recent_requests"] == []


def test_application_and_user_are_optional(api: ApiService) -> None:
    status, reply = post_json(f"{api.url}/api/chat", {"query": "hi", "model": "gpt-4o"})
    assert status == 200
    assert {"application_id", "user_id"} <= set(reply["metadata"])


def test_the_requests_table_is_the_seeds(api: ApiService) -> None:
    reply = curl(CURL_CHAT, api)
    columns = {row["name"]: row for row in api.rows("SELECT * FROM pragma_table_info('requests')")}
    assert {name: columns[name]["type"] for name in SEED_COLUMNS} == SEED_COLUMNS
    assert columns["id"]["pk"] == 1
    assert all(columns[name]["notnull"] for name in ("model", "query", "timestamp"))
    row = api.rows("SELECT * FROM requests WHERE id = ?", reply["request_id"])[0]
    metadata = reply["metadata"]
    assert (row["application_id"], row["user_id"], row["status"]) == ("curl-test", "test-user", "success")
    assert (row["query"], row["response"]) == ("Hello, how are you?", reply["response"])
    tokens = {"prompt": row["prompt_tokens"], "completion": row["completion_tokens"], "total": row["total_tokens"]}
    assert tokens == {name: metadata["tokens"][name] for name in tokens}
    assert (row["cost_usd"], row["timestamp"]) == (metadata["cost_usd"], metadata["timestamp"])
    assert row["response_time"] == pytest.approx(metadata["response_time"])
    assert row["error_message"] is None


def test_a_failed_request_is_a_row_with_its_error(api: ApiService) -> None:
    body = {"query": "hi", "model": "openai/fault-500", "user_id": "unlucky"}
    status, reply = post_json(f"{api.url}/api/chat", body)
    assert status == 502
    row = api.rows("SELECT * FROM requests WHERE user_id = 'unlucky'")[0]
    assert (row["status"], row["error_message"]) == ("error", reply["error"]["message"])
    assert row["id"] == reply["error"]["request_id"]


def test_tokens_and_cost_are_what_the_provider_served(api: ApiService, mock: Mock) -> None:
    body = {"query": "m-00000000aa {{tokens=40}} hello", "model": "gpt-4o", "user_id": "exact"}
    metadata = post_json(f"{api.url}/api/chat", body)[1]["metadata"]
    served = mock.ended_call("m-00000000aa")["usage"]
    assert metadata["tokens"]["prompt"] == served["prompt_tokens"]
    assert metadata["tokens"]["completion"] == served["completion_tokens"] == 40
    nano = served["prompt_tokens"] * 2_500 + served["completion_tokens"] * 10_000
    assert round(metadata["cost_usd"] * 1e9) == nano


def test_the_webui_starts_by_hand_and_serves_its_pages(api: ApiService, tmp_path: Path) -> None:
    webui = WebUI(tmp_path, api.url)
    try:
        webui.start()
        for path in ("/", "/usage"):
            assert "<html" in shell(f"curl -sSf {webui.url}{path}").lower()
    finally:
        webui.kill()
