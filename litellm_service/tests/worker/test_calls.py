"""Calls through the worker: real LiteLLM, real vendors' wires."""

import asyncio
import json
import logging
import os
import time
from importlib.util import find_spec

import pytest

if find_spec("litellm") is None and os.environ.get("CI") != "true":
    pytest.skip("LiteLLM is not installed: pip install -r litellm_service/requirements.txt", allow_module_level=True)

import aiohttp
from vendor_wires import WORDS, Upstream, running_upstream

from gateway.metering.usage import normalise
from gateway.providers.litellm_worker.process import LiteLLMWorker

pytestmark = pytest.mark.anyio

MODELS = {
    "openai": "openai/gpt-4o",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-flash",
}
WIRES = list(MODELS)
KEY = "sk-canary-0123456789"
SECRET_WORDS = "a secret that nobody logs"
ANSWER_S = 10


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def upstream():
    async with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
async def logged():
    """Everything that the parent logs of its child."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("gateway.providers.litellm_worker")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture(scope="module")
async def worker(logged):
    worker = LiteLLMWorker()
    yield worker
    await worker.stop()


@pytest.fixture(scope="module")
async def client(worker):
    connector = aiohttp.UnixConnector(await worker.ensure_ready(), force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(ANSWER_S)) as session:
        yield session


def base_url(wire: str, upstream: Upstream) -> str:
    return upstream.url + ("/v1" if wire == "openai" else "")


def request(wire: str, upstream: Upstream, text: str = "Hello", **fields: object) -> dict:
    """Arguments of `ClientSession.post`."""
    headers = {"authorization": f"Bearer {KEY}", "x-gateway-api-base": base_url(wire, upstream)}
    body = {"model": MODELS[wire], "messages": [{"role": "user", "content": text}], **fields}
    return {"url": "http://worker/v1/chat/completions", "json": body, "headers": headers}


async def events(response: aiohttp.ClientResponse) -> list:
    """Every event's data: decoded, but for `[DONE]`."""
    raw = (await response.read()).decode()
    assert raw.endswith("\n\n")
    data = [event.removeprefix("data: ") for event in raw.split("\n\n")[:-1]]
    return [text if text == "[DONE]" else json.loads(text) for text in data]


async def until(condition, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # another process is waited for
        await asyncio.sleep(0.01)
    assert condition()


@pytest.mark.parametrize("wire", WIRES)
async def test_a_plain_answer_carries_the_vendors_usage(client, upstream, wire):
    async with client.post(**request(wire, upstream)) as response:
        answer = await response.json()
    assert response.status == 200
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "".join(WORDS)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert_usage(wire, answer["usage"])
    assert "cost" not in answer["usage"]


def assert_usage(wire: str, reported: dict) -> None:
    usage = normalise(json.dumps(reported).encode(), "litellm")
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cache_read) == (100, 20, 60)
    assert usage.cache_write == (10 if wire == "anthropic" else 0)
    assert usage.reasoning == (0 if wire == "anthropic" else 5)
    assert not usage.estimated


@pytest.mark.parametrize("asked", [None, {"include_usage": False}])
@pytest.mark.parametrize("wire", WIRES)
async def test_a_stream_is_openais_wire_with_usage_last_though_nobody_asked(client, upstream, wire, asked):
    async with client.post(**request(wire, upstream, stream=True, stream_options=asked)) as response:
        came = await events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert came[-1] == "[DONE]"
    chunks = came[:-1]
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(text_of(chunk) for chunk in chunks) == "".join(WORDS)
    assert [bool(chunk["choices"] and chunk["choices"][0]["finish_reason"]) for chunk in chunks].index(True) == len(
        chunks
    ) - 2
    assert chunks[-1]["choices"] == []
    assert_usage(wire, chunks[-1]["usage"])
    assert all("usage" not in chunk for chunk in chunks[:-1])


def text_of(chunk: dict) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


async def test_the_first_chunk_does_not_wait_for_the_last(client, upstream):
    async with client.post(**request("openai", upstream, "fault:endless", stream=True)) as response:
        async with asyncio.timeout(2):
            assert b"data: " in await response.content.readany()
        response.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", ["openai", "gemini"])  # Anthropic's always has usage
async def test_usage_that_the_vendor_did_not_give_is_left_out(client, upstream, wire, stream):
    async with client.post(**request(wire, upstream, "fault:uncounted", stream=stream)) as response:
        came = await events(response) if response.status == 200 and stream else [await response.json()]
    assert response.status == (502 if wire == "gemini" and not stream else 200)  # LiteLLM cannot read that one
    assert all("usage" not in event for event in came if isinstance(event, dict))


@pytest.mark.parametrize("fault", ["cut", "error-event"])
@pytest.mark.parametrize("wire", WIRES)
async def test_a_stream_that_breaks_off_ends_with_an_error_and_is_never_called_finished(client, upstream, wire, fault):
    async with client.post(**request(wire, upstream, f"fault:{fault}", stream=True)) as response:
        came = await events(response)
    assert came[-1]["error"]["message"]
    assert not any(choice["finish_reason"] for event in came[:-1] for choice in event["choices"])
    assert "[DONE]" not in came


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("wire", WIRES)
async def test_an_error_keeps_the_vendors_status(client, upstream, wire, status, stream):
    async with client.post(**request(wire, upstream, f"fault:{status}", stream=stream)) as response:
        answer = await response.json()
    assert response.status == status
    assert "The vendor says no" in answer["error"]["message"]
    assert set(answer["error"]) == {"message", "type", "code", "param"}
    assert KEY not in json.dumps(answer)
    assert response.headers.get("retry-after") == ("7" if status == 429 else None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["closed", "cut-at-once", "503", "429"])
@pytest.mark.parametrize("wire", WIRES)
async def test_a_call_that_fails_is_not_sent_again(client, upstream, wire, fault, stream):
    before = len(upstream.calls)
    async with client.post(**request(wire, upstream, f"fault:{fault}", stream=stream)) as response:
        await response.read()
    assert len(upstream.calls) == before + 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRES)
async def test_a_vendor_that_hangs_up_unheard_is_a_502(client, upstream, wire, stream):
    async with client.post(**request(wire, upstream, "fault:closed", stream=stream)) as response:
        answer = await response.json()
    assert 500 <= response.status < 600
    assert answer["error"]["message"]


@pytest.mark.parametrize("fault", ["silent-plain", "silent-stream", "endless"])
@pytest.mark.parametrize("wire", WIRES)
async def test_the_vendor_is_hung_up_on_when_the_caller_leaves(client, upstream, wire, fault):
    before = len(upstream.calls)
    text, stream = f"fault:{fault.partition('-')[0]}", fault != "silent-plain"
    asking = asyncio.ensure_future(client.post(**request(wire, upstream, text, stream=stream)))
    await until(lambda: len(upstream.calls) > before)
    call = upstream.calls[before]
    if fault == "endless":
        response = await asking
        await response.content.readany()
        left_at = time.monotonic()
        response.close()
    else:
        await asyncio.sleep(0.1)
        left_at = time.monotonic()
        asking.cancel()
    await until(lambda: call.ended_at is not None)
    assert call.ended_at - left_at <= 1.0


@pytest.mark.parametrize(
    "field",
    [
        "api_base", "base_url", "api_key", "extra_headers", "headers", "mock_response", "fallbacks", "model_list",
        "custom_llm_provider", "organization", "extra_body", "num_retries", "input_cost_per_token", "ssl_verify",
        "client", "callbacks", "vertex_credentials", "aws_access_key_id", "litellm_params", "anything_else",
    ],
)  # fmt: skip
async def test_no_request_steers_litellm(client, upstream, field):
    before = len(upstream.calls)
    async with client.post(**request("openai", upstream, **{field: upstream.url + "/evil"})) as response:
        answer = await response.json()
    assert response.status == 400
    assert answer["error"]["param"] == field
    assert len(upstream.calls) == before


@pytest.mark.parametrize(
    "model", ["huggingface/http://127.0.0.1:1/x", "gemini/../../evil", "gemini/a?b=c", "gpt-4o", "", None, "openai/a b"]
)
async def test_a_models_name_is_no_address(client, upstream, model):
    async with client.post(**request("openai", upstream, model=model)) as response:
        assert response.status == 400


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("part", ["image_url", "file"])
@pytest.mark.parametrize("wire", WIRES)
async def test_an_address_in_a_prompt_is_never_fetched(client, upstream, wire, part, scheme):
    async with running_upstream() as evil:
        url = f"{scheme}://127.0.0.1:{evil.port}/picture"
        held = {"type": "image_url", "image_url": {"url": url, "detail": "high"}}
        if part == "file":
            held = {"type": "file", "file": {"file_id": url}}
        content = [{"type": "text", "text": "fault:uncounted"}, held]
        for stream in (False, True):
            body = request(wire, upstream, stream=stream)
            body["json"]["messages"][0]["content"] = content
            async with client.post(**body) as response:
                await response.read()
        assert evil.calls == []


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense", b"[]", b'{"model": "openai/x"}', b'{"messages": []}', b"[" * 100_000]
)
async def test_a_body_that_makes_no_sense_is_a_400(client, raw):
    async with client.post("http://worker/v1/chat/completions", data=raw) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_metadata_is_taken_but_goes_nowhere(client, upstream):
    async with client.post(**request("openai", upstream, metadata={"api_base": "http://evil"})) as response:
        assert response.status == 200
    assert "metadata" not in upstream.calls[-1].body


async def test_tools_reach_every_wire(client, upstream):
    tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
    for wire in WIRES:
        async with client.post(**request(wire, upstream, tools=[tool], max_tokens=50, temperature=0.5)) as response:
            assert response.status == 200
        assert "clock" in json.dumps(upstream.calls[-1].body["tools"])


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/v1/chat/completions", "GET"), ("/v1/models", "POST")])
async def test_there_is_nothing_else(client, path, method):
    async with client.request(method, f"http://worker{path}") as response:
        assert response.status == 404


async def test_health_names_the_version(client, worker):
    async with client.get("http://worker/health") as response:
        assert (await response.json())["litellm"] == worker.status()["version"]


async def test_neither_keys_nor_prompts_are_logged(client, upstream, logged):
    for fault in ("", "fault:401", "fault:closed", "fault:cut", "fault:uncounted"):
        for wire in WIRES:
            async with client.post(**request(wire, upstream, f"{SECRET_WORDS} {fault}", stream=True)) as response:
                await response.read()
    await asyncio.sleep(0.1)
    assert KEY not in "\n".join(logged)
    assert SECRET_WORDS not in "\n".join(logged)
