"""Suite e on every wire: whoever leaves is recorded once, and the provider hung up on."""

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest

from auditing import compare
from figures import record
from prompts import new_marker, prompt
from rawhttp import Client, connect, request_bytes
from stack import ApiService, Mock, running_api, wait_until
from wire_forms import Way

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOKENS = 40
DELAY_MS = 10
PROMPT_WORDS = 60
AT_ONCE = 16
UPSTREAM_CLOSED_S = 1.0
RESOLVED_S = 2.0
TOLERATED_TOKENS = 4
TOLERANCE = 0.25
PAIRS = (
    ("openai", "openai"), ("openai", "anthropic"), ("anthropic", "anthropic"), ("anthropic", "openai"),
    ("gemini", "gemini"), ("gemini", "anthropic"), ("gemini-array", "gemini"), ("gemini-array", "openai"),
    ("responses", "openai"), ("responses", "gemini"),
)  # fmt: skip
WAYS = [Way(client, provider, stream=True) for client, provider in PAIRS]
HOW = ("fin", "rst")
# Before the head, and after so many pieces of content; the first event of a stream may have none.
PLACES = ("plain", "before", "first", "middle")
PIECES = {"first": 1, "middle": TOKENS // 2}
# What each wire says when all content has come, its last event still to come or not.
FINISHES = {
    "openai": b'"finish_reason":"',
    "anthropic": b'"stop_reason":"',
    "gemini": b'"finishReason":"',
    "responses": b'"response.output_text.done"',
}
CONTENT = {
    "openai": b'"content":"',
    "anthropic": b"text_delta",
    "gemini": b'"text":"',
    "responses": b"response.output_text.delta",
}


@dataclasses.dataclass
class Leaver:
    """One client: its way, where it leaves and how, and when it did."""

    way: Way
    where: str
    how: str
    marker: str = dataclasses.field(default_factory=new_marker)
    left_at: float = 0.0


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    """The service, with every native provider at the mock."""
    root = mock.url.removesuffix("/v1")
    keys = {"ANTHROPIC_API_KEY": "sk-test-anthropic", "GOOGLE_API_KEY": "test-google"}
    urls = {"ANTHROPIC_BASE_URL": root, "GOOGLE_BASE_URL": root}
    with running_api(tmp_path_factory.mktemp("api"), mock.url, None, **keys, **urls) as running:
        yield running


async def send(port: int, leaver: Leaver, tokens: int, **script: float) -> Client:
    way = dataclasses.replace(leaver.way, stream=leaver.where != "plain")
    client = await connect(port)
    text = prompt(leaver.marker, PROMPT_WORDS, tokens=tokens, **script)
    await client.send(request_bytes(way.path, way.body(text)))
    return client


async def read_until(client: Client, token: bytes, count: int = 1) -> None:
    """Read until it has come so often."""
    data = b""
    while data.count(token) < count:
        more = await client.read_some()
        assert more, data[-300:]
        data += more


async def leave(port: int, leaver: Leaver) -> None:
    if leaver.where in PIECES:
        client = await send(port, leaver, 10 * TOKENS, delay_ms=DELAY_MS)
        await client.head()
        await read_until(client, CONTENT[leaver.way.wire], PIECES[leaver.where])
    else:
        client = await send(port, leaver, TOKENS, first_ms=5000)
        await asyncio.sleep(0.15)
    leaver.left_at = time.time()
    await client.leave(leaver.how)


async def all_leave(port: int, everybody: list[Leaver]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(leaver: Leaver) -> None:
        async with gate:
            await leave(port, leaver)

    await asyncio.gather(*(one(leaver) for leaver in everybody))


def final_row(api: ApiService, request_id: str) -> dict[str, Any]:
    rows = api.rows(
        "SELECT r.*, l.estimated, l.recorded_at_ms FROM requests r "
        "JOIN ledger l ON lower(hex(l.request_id)) = replace(r.id, '-', '') AND l.final WHERE r.id = ?",
        request_id,
    )
    assert len(rows) == 1, f"{len(rows)} rows for {request_id}"
    return rows[0]


def near(estimate: int, truth: int) -> bool:
    return abs(estimate - truth) <= max(TOLERATED_TOKENS, TOLERANCE * truth)


async def test_whoever_leaves_is_recorded_and_the_provider_hung_up_on(api: ApiService, mock: Mock) -> None:
    everybody = [Leaver(way, where, how) for way in WAYS for where in PLACES for how in HOW for _ in range(3)]
    await all_leave(api.port, everybody)
    wait_until(lambda: api.open_holds() == 0, RESOLVED_S + 1, "resolution of all holds")
    closing, resolving = [], []
    for leaver in everybody:
        call = mock.ended_call(leaver.marker)
        row = final_row(api, call["ids"]["x-request-id"])
        assert call["how"] in {"peer_fin", "peer_rst"}, (leaver, call)
        assert (row["outcome"], row["http_status"], row["status"]) == ("abandoned", 499, "error"), leaver
        assert (row["estimated"], row["cost_source"]) == (1, "estimated"), leaver
        assert near(row["prompt_tokens"], call["prompt_tokens"]), (leaver, row["prompt_tokens"], call["prompt_tokens"])
        assert near(row["completion_tokens"], call["tokens_sent"]), (leaver, row["completion_tokens"], call)
        closing.append(call["ended_at"] - leaver.left_at)
        resolving.append(row["recorded_at_ms"] / 1000 - leaver.left_at)
    assert max(closing) <= UPSTREAM_CLOSED_S
    assert max(resolving) <= RESOLVED_S
    record(
        "e disconnects, every wire",
        runs=len(everybody),
        upstream_closed_after_ms=f"{max(closing) * 1e3:.0f} most",
        resolved_after_ms=f"{max(resolving) * 1e3:.0f} most",
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_who_leaves_after_the_finish_is_charged_what_was_stated(api: ApiService, mock: Mock, way: Way) -> None:
    leaver = Leaver(way, "end", "rst")
    client = await send(api.port, leaver, TOKENS)
    await client.head()
    await read_until(client, FINISHES[way.wire])
    await client.leave("rst")
    call = mock.ended_call(leaver.marker)
    row = wait_until(lambda: api.rows("SELECT * FROM requests WHERE id = ?", call["ids"]["x-request-id"]))[0]
    assert row["outcome"] == "completed"
    assert row["cost_source"] == "computed"
    assert (row["prompt_tokens"], row["completion_tokens"]) == (call["prompt_tokens"], TOKENS)


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_who_leaves_while_the_last_events_are_awaited_is_charged_what_was_heard(
    api: ApiService, mock: Mock, way: Way
) -> None:
    """The provider said that it has finished, and then nothing; where that event states the usage, nothing is guessed."""
    leaver = Leaver(way, "silence", "fin")
    client = await send(api.port, leaver, TOKENS, fault="stall-after-finish")
    await client.head()
    await read_until(client, CONTENT[way.wire], TOKENS - 1)
    await asyncio.sleep(0.2)
    leaver.left_at = time.time()
    await client.leave("fin")
    call = mock.ended_call(leaver.marker)
    row = final_row(api, call["ids"]["x-request-id"])
    stated = call["served"] is not None
    assert row["outcome"] == ("completed" if way.upstream == "responses" else "abandoned")  # its finish ends all
    assert (row["estimated"], row["cost_source"]) == ((0, "computed") if stated else (1, "estimated"))
    assert (
        row["prompt_tokens"] == call["prompt_tokens"] if stated else near(row["prompt_tokens"], call["prompt_tokens"])
    )
    assert near(row["completion_tokens"], TOKENS)
    assert call["ended_at"] - leaver.left_at <= UPSTREAM_CLOSED_S


def test_nothing_is_left_behind(api: ApiService, mock: Mock) -> None:
    """Last in this file."""
    assert api.open_holds() == 0
    assert compare(api, mock, []).faults == {}
    wait_until(lambda: api.descriptors() < 60, what="closing of descriptors")
    assert "Traceback" not in api.log
