"""The test tools do what they say; a suite on top of them cannot be better than they are."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from faultmock.asking import Ask, Target, make_ask
from faultmock.faults import FAULTS
from faultmock.text import token_count, word_tokens
from faultmock.wires import WIRES
from faultproxy import Conditions, FaultProxy
from figures import table
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, connect, post, request_bytes
from stack import TOOLS, Mock, clean_environment, get_json

pytestmark = pytest.mark.anyio

PATH = ROUTES["openai"]


def read(body: dict[str, Any], wire: str = "openai", header: str = "") -> Ask:
    target = Target(wire)
    return make_ask(target, WIRES[wire].read(body, target), header)


def test_text_has_the_tokens_it_says() -> None:
    for count in (0, 1, 7, 200):
        assert token_count("".join(word_tokens(count, "seed"))) == count
    assert word_tokens(5, "a") == word_tokens(5, "a") != word_tokens(5, "b")


def test_a_script_comes_from_model_name_prompt_or_header() -> None:
    def script(model: str, text: str, header: str = "") -> tuple[str, int | None, float]:
        asked = {"model": model, "messages": [{"role": "user", "content": text}]}
        found = read(asked, header=header).script
        return found.fault, found.tokens, found.first_ms

    assert script("fault-stall", "hi") == ("stall", None, 0)
    assert script("openai/slow-250", "hi") == ("", None, 250)
    assert script("gpt-4o", "{{fault=drip tokens=4}} hi") == ("drip", 4, 0)
    assert script("gpt-4o", "hi", "tokens=9 first_ms=5") == ("", 9, 5)


async def test_served_and_logged_usage_agree(mock: Mock) -> None:
    marker = new_marker()
    client, reply = await post(mock.port, PATH, body("openai", prompt(marker, 9, tokens=5), stream=False))
    answer = json.loads(await client.read_all())
    await client.leave("fin")
    assert (reply.status, answer["usage"]["completion_tokens"]) == (200, 5)
    call = mock.ended_call(marker)
    assert (call["how"], call["usage"], call["tokens_sent"]) == ("finished", answer["usage"], 5)
    assert call["prompt_tokens"] == answer["usage"]["prompt_tokens"]


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_the_log_says_who_left_and_after_how_much(mock: Mock, how: str) -> None:
    marker = new_marker()
    text = prompt(marker, tokens=1000, delay_ms=5)
    client, _ = await post(mock.port, PATH, body("openai", text, stream=True))
    for _ in range(10):
        await client.event()
    await client.leave(how)
    call = mock.ended_call(marker)
    assert call["how"] == f"peer_{how}"
    assert 5 <= call["tokens_sent"] <= 60


async def test_both_wires_stream(mock: Mock) -> None:
    anthropic = {"model": "claude", "max_tokens": 3, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    client, _ = await post(mock.port, "/v1/messages", anthropic)
    events = [json.loads(event) for event in [await client.event() for _ in range(8)] if event]
    await client.leave("fin")
    assert [event["type"] for event in events][-2:] == ["message_delta", "message_stop"]
    assert events[-2]["usage"]["output_tokens"] == 3
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"


async def test_unknown_faults_and_paths_are_refused(mock: Mock) -> None:
    client, reply = await post(mock.port, PATH, body("openai", "{{fault=nope}}", stream=False))
    await client.leave("fin")
    assert reply.status == 400
    assert get_json(f"{mock.url}/nothing")[0] == 404
    assert get_json(f"{mock.url}/models")[1]["data"][0]["id"] == "gpt-4o"


QUIET = {"black-hole", "drip", "endless", "stall", "stall-after-head", "stall-after-finish", "switch-protocols"}


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - QUIET - {"gzip-bomb", "429"}))
@pytest.mark.parametrize("stream", [False, True])
async def test_every_fault_ends_and_is_logged(mock: Mock, fault: str, stream: bool) -> None:
    marker = new_marker()
    client = await connect(mock.port)
    await client.send(request_bytes(PATH, body("openai", prompt(marker, fault=fault), stream=stream)))
    try:
        await client.head(deadline_s=3)
        await client.read_all()
    except (Broken, ValueError, IndexError, asyncio.LimitOverrunError):
        pass
    await client.leave("fin")
    assert mock.ended_call(marker)["fault"] == fault
    assert "Traceback" not in mock.log


@pytest.mark.parametrize("fault", sorted(QUIET))
async def test_every_quiet_fault_waits_until_the_caller_leaves(mock: Mock, fault: str) -> None:
    marker = new_marker()
    client = await connect(mock.port)
    await client.send(request_bytes(PATH, body("openai", prompt(marker, fault=fault), stream=True)))
    await asyncio.sleep(0.15)
    assert mock.calls(marker)[0]["how"] is None
    await client.leave("fin")
    assert mock.ended_call(marker)["how"] in {"peer_fin", "peer_rst"}


async def test_a_fault_can_hit_the_first_tries_only(mock: Mock) -> None:
    text = prompt(new_marker(), fault="503", times=2)
    statuses = []
    for _ in range(3):
        client, reply = await post(mock.port, PATH, body("openai", text, stream=False))
        await client.leave("fin")
        statuses.append(reply.status)
    assert statuses == [503, 503, 200]


def test_the_mock_lists_its_faults() -> None:
    environment = clean_environment({})
    done = subprocess.run(
        [sys.executable, "-m", "faultmock", "--list"],
        cwd=TOOLS,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == len(FAULTS)
    assert all(len(line.split()) > 1 for line in done.stdout.splitlines())


@pytest.fixture
async def proxy(mock: Mock) -> AsyncIterator[tuple[FaultProxy, int]]:
    opened = FaultProxy("127.0.0.1", mock.port)
    yield opened, await opened.start()
    await opened.close()


async def ask(port: int, text: str = "", deadline_s: float = 5.0) -> bytes:
    client = await connect(port)
    await client.send(request_bytes(PATH, body("openai", text or prompt(new_marker(), tokens=200), stream=True)))
    try:
        await client.head(deadline_s)
        return await client.read_all()
    finally:
        await client.leave("fin")


async def test_the_proxy_passes_everything_on(proxy: tuple[FaultProxy, int], mock: Mock) -> None:
    text = prompt(new_marker(), tokens=200)
    assert await ask(proxy[1], text) == await ask(mock.port, text)


async def test_the_proxy_delays_and_slows(proxy: tuple[FaultProxy, int]) -> None:
    loop = asyncio.get_running_loop()
    proxy[0].conditions = Conditions(latency_ms=100)
    began = loop.time()
    await ask(proxy[1], prompt(new_marker(), tokens=1))
    assert loop.time() - began >= 0.2
    proxy[0].conditions = Conditions(bytes_per_s=20_000)
    began = loop.time()
    assert len(await ask(proxy[1], prompt(new_marker(), tokens=50))) > 8_000
    assert loop.time() - began >= 0.4


@pytest.mark.parametrize("reset", [True, False])
async def test_the_proxy_cuts(proxy: tuple[FaultProxy, int], reset: bool) -> None:
    proxy[0].conditions = Conditions(cut_after=1000, reset=reset)
    with pytest.raises(Broken):
        await ask(proxy[1])


async def test_the_proxy_refuses_resets_and_swallows(proxy: tuple[FaultProxy, int]) -> None:
    proxy[0].conditions = Conditions(refuse=True)
    with pytest.raises((Broken, ConnectionError)):
        await ask(proxy[1])
    proxy[0].conditions = Conditions(black_hole=True)
    with pytest.raises(TimeoutError):
        await ask(proxy[1], deadline_s=0.3)
    proxy[0].conditions = Conditions()
    running = asyncio.create_task(ask(proxy[1], prompt(new_marker(), tokens=1000, delay_ms=5)))
    await asyncio.sleep(0.2)
    assert proxy[0].open_links >= 1
    proxy[0].reset_all()
    with pytest.raises(Broken):
        await running


async def test_the_proxy_half_closes(proxy: tuple[FaultProxy, int], mock: Mock) -> None:
    marker = new_marker()
    running = asyncio.create_task(ask(proxy[1], prompt(marker, tokens=1000, delay_ms=5)))
    await asyncio.sleep(0.2)
    proxy[0].half_close_all()
    with pytest.raises(Broken):
        await running
    assert mock.ended_call(marker)["how"] == "peer_fin"


async def test_the_proxy_runs_by_command_line(mock: Mock, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faultproxy", "--target", f"127.0.0.1:{mock.port}", "--latency-ms", "50"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=TOOLS, env=clean_environment({}), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    assert b"[DONE]" in await ask(int(address.rpartition(":")[2]))
    process.kill()
    await process.wait()


def test_figures_become_a_table() -> None:
    shown = table({"b": {"lost": "0"}, "a": {"kills": "25", "lost": "0"}})
    assert shown.splitlines()[2:] == ["| a | kills: 25; lost: 0 |", "| b | lost: 0 |"]
