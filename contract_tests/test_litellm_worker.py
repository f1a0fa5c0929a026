"""The LiteLLM worker end to end: real LiteLLM, real service, the same guarantees as the native way."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from prompts import body, new_marker, prompt
from rawhttp import connect, request_bytes
from stack import ApiService, Mock, post_json, running_api, wait_until

if find_spec("litellm") is None and os.environ.get("CI") != "true":
    pytest.skip("LiteLLM is not installed: pip install -r litellm_service/requirements.txt", allow_module_level=True)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5")
CANARIES = {"OPENAI_API_KEY": "sk-canary-openai-000000", "ANTHROPIC_API_KEY": "sk-ant-canary-000000"}
START_S = 60.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    base = mock.url.removesuffix("/v1")
    bases = {"ANTHROPIC_BASE_URL": base, "COHERE_BASE_URL": base, "COHERE_API_KEY": "canary-cohere-000000"}
    environment = {**CANARIES, **bases, "PROVIDERS_VIA_LITELLM": "openai"}
    with running_api(tmp_path_factory.mktemp("worker"), mock.url, None, **environment) as running:
        ask(running, MODELS[0], prompt(new_marker()))
        yield running


def ask(service: ApiService, model: str, text: str) -> tuple[int, Any]:
    return post_json(f"{service.url}/api/chat", body("seed", text, stream=False, model=model), deadline_s=START_S)


def worker_pid(service: ApiService) -> int:
    pid = service.health()["parts"]["litellm_worker"]["pid"]
    assert isinstance(pid, int)
    return pid


def is_gone(pid: int) -> bool:
    """Ended, or a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_embeddings_come_through_the_worker_packed_as_asked(service, mock):
    for form in ("float", "base64"):
        marker = new_marker()
        asked = {"model": "openai/text-embedding-3-small", "input": [marker, "two"], "encoding_format": form}
        status, answer = post_json(f"{service.url}/v1/embeddings", asked)
        assert status == 200
        assert [type(one["embedding"]) for one in answer["data"]] == [list if form == "float" else str] * 2
        row = wait_until(lambda marker=marker: service.rows("SELECT * FROM requests WHERE query = ?", marker))[0]
        assert (row["operation"], row["prompt_tokens"]) == ("embeddings", answer["usage"]["prompt_tokens"])
        assert row["cost_nano_usd"] == row["prompt_tokens"] * 20
        assert len(mock.calls(marker)) == 1


def test_a_ranking_comes_through_the_worker(service, mock):
    marker = new_marker()
    asked = {"model": "cohere/rerank-v3.5", "query": marker, "documents": ["one", "two"], "top_n": 1}
    status, answer = post_json(f"{service.url}/v1/rerank", asked)
    assert (status, len(answer["results"])) == (200, 1)
    row = wait_until(lambda: service.rows("SELECT * FROM requests WHERE query = ?", marker))[0]
    assert (row["operation"], row["cost_nano_usd"]) == ("rerank", 2_000_000)


def test_a_failed_ranking_or_embedding_is_asked_for_as_often_as_the_record_says(service, mock):
    for path, asked in (
        ("embeddings", {"model": "openai/text-embedding-3-small", "input": "MARKER"}),
        ("rerank", {"model": "cohere/rerank-v3.5", "query": "MARKER", "documents": ["one"]}),
    ):
        said = prompt(marker := new_marker(), fault="500")
        body = {name: said if value == "MARKER" else value for name, value in asked.items()}
        assert post_json(f"{service.url}/v1/{path}", body)[0] == 502
        row = wait_until(lambda said=said: service.rows("SELECT * FROM requests WHERE query = ?", said))[0]
        assert len(mock.calls(marker)) == row["attempts"]


@pytest.mark.parametrize("model", MODELS)
def test_a_plain_answer_has_the_providers_usage_and_our_price(service, mock, model):
    marker = new_marker()
    status, reply = ask(service, model, prompt(marker, 20, tokens=9))
    call = mock.ended_call(marker)
    assert status == 200
    tokens = reply["metadata"]["tokens"]
    assert (tokens["prompt"], tokens["completion"]) == (call["prompt_tokens"], 9)
    assert reply["metadata"]["cost_source"] == "computed"
    assert reply["metadata"]["cost_nano_usd"] > 0


@pytest.mark.parametrize("model", MODELS)
async def test_a_stream_comes_in_pieces_and_ends_settled(service, mock, model):
    marker = new_marker()
    client = await connect(service.port)
    text = prompt(marker, 5, tokens=12, delay_ms=5)
    await client.send(request_bytes("/v1/chat/completions", body("openai", text, stream=True, model=model)))
    await client.head()
    events = []
    while (event := await client.event()) is not None:
        events.append(event)
        if b"[DONE]" in event:
            break
    await client.leave("fin")
    assert sum(b'"content":"' in event for event in events) >= 8
    assert b'"usage"' in events[-2]
    row = service.rows("SELECT * FROM requests WHERE stream = 1 ORDER BY id DESC LIMIT 1")[0]
    assert (row["completion_tokens"], row["status"], row["cost_source"]) == (12, "success", "computed")


@pytest.mark.parametrize(
    ("fault", "status"), [("400", 400), ("404", 404), ("429-seconds", 429), ("500", 502), ("503", 503)]
)
def test_a_providers_error_keeps_its_status(service, fault, status):
    got, reply = ask(service, "openai/gpt-4o", prompt(new_marker(), fault=fault))
    assert got == status
    assert reply["error"]["message"]
    assert "canary" not in str(reply)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", MODELS)
async def test_the_provider_is_hung_up_on_when_the_client_leaves(service, mock, model, stream):
    marker = new_marker()
    pace = {"tokens": 400, "delay_ms": 20} if stream else {"first_ms": 20_000}
    client = await connect(service.port)
    await client.send(request_bytes("/api/chat", body("seed", prompt(marker, **pace), stream=stream, model=model)))
    if stream:
        await client.head()
        await client.event()
    await asyncio.to_thread(wait_until, lambda: mock.calls(marker), 5, "the call")
    await asyncio.sleep(0.2)
    left_at = time.time()
    await client.leave("fin")
    call = await asyncio.to_thread(mock.ended_call, marker)
    assert call["how"] in {"peer_fin", "peer_rst"}
    assert call["ended_at"] - left_at <= 1.0


def test_the_worker_knows_no_secret(service):
    environment = Path(f"/proc/{worker_pid(service)}/environ").read_bytes()
    assert b"canary" not in environment
    assert b"DATABASE_URL" not in environment
    assert "canary" not in service.log


def test_a_worker_that_died_is_replaced_by_the_next_call(service):
    before = worker_pid(service)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: is_gone(before), 5, "the end of the worker")
    status, _ = ask(service, MODELS[0], prompt(new_marker()))
    assert status == 200
    assert worker_pid(service) != before


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_worker_goes_when_the_service_goes(tmp_path, mock, end):
    with running_api(tmp_path, mock.url, None, PROVIDERS_VIA_LITELLM="all", **CANARIES) as service:
        assert ask(service, MODELS[0], prompt(new_marker()))[0] == 200
        worker = worker_pid(service)
        if end == "kill":
            os.kill(service.pid, signal.SIGKILL)
        else:
            assert service.stop() == 0
        wait_until(lambda: is_gone(worker), 2, "the end of the worker")
